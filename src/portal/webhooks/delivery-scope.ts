/** The deliveries that a request is about, before its filters. */
import type { DeliveryScope } from "../../db/delivery-list.ts";
import type { Webhook } from "../../db/webhooks.ts";
import type { Environment } from "../../model.ts";
import { DEFAULT_ENVIRONMENT, type Owner } from "../owner.ts";

/** Those of `webhook`, which is the owner's, or of all webhooks of the owner in one environment. */
export function deliveryScopeOf(
  owner: Owner,
  webhook: Webhook | null,
  environment: Environment | undefined,
): DeliveryScope {
  return webhook === null
    ? { owner, environment: environment ?? DEFAULT_ENVIRONMENT }
    : { webhookId: webhook.id, environment: environment ?? webhook.environment };
}
