/** The contract of the list of failing webhooks. */
import * as z from "zod";
import { countedPage } from "../../contract/answer.ts";
import { pageFields } from "../../http/page.ts";
import { ENVIRONMENTS } from "../../model.ts";
import { ownerFields } from "../owner.ts";
import { portalContracts } from "../portal-contract.ts";
import { listedWebhook } from "./webhook-contract.ts";

/** The name of the list in its cursors. */
export const FAILING_WEBHOOK_LIST = "failing_webhooks";

const failingWebhookQuery = z.strictObject({
  ...ownerFields,
  environment: z.enum(ENVIRONMENTS, { error: `Must be one of ${ENVIRONMENTS.join(", ")}` }).optional(),
  ...pageFields(FAILING_WEBHOOK_LIST, z.tuple([z.int().nonnegative(), z.string()])),
});

export const failingWebhooks = portalContracts("Webhooks")({ query: failingWebhookQuery }, () => ({
  id: "listFailingWebhooks",
  summary: "List failing webhooks",
  description:
    "Webhooks whose last attempt failed, the one that has failed for the longest time first; `health` says why, and when the gateway disables it. Disabled ones are not listed. Without an owner, a client that is bound to none sees those of all owners; a bound client sees its owner's. Both environments, unless `environment` names one.",
  answers: { 200: countedPage("A page of failing webhooks.", "failing_webhooks", listedWebhook()) },
}));
