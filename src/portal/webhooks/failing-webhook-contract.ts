/** The contract of the list of failing webhooks. */
import * as z from "zod";
import { countedPage, once } from "../../contract/answer.ts";
import { EXAMPLE, like } from "../../contract/examples.ts";
import { moment } from "../../contract/fields.ts";
import { pageFields } from "../../http/page.ts";
import { ENVIRONMENTS } from "../../model.ts";
import { ownerFields } from "../owner.ts";
import { portalContracts } from "../portal-contract.ts";
import { lastFailure, listedWebhook } from "./webhook-contract.ts";

/** The name of the list in its cursors. */
export const FAILING_WEBHOOK_LIST = "failing_webhooks";

const failingWebhookQuery = z.strictObject({
  ...ownerFields,
  environment: z.enum(ENVIRONMENTS, { error: `Must be one of ${ENVIRONMENTS.join(", ")}` }).optional(),
  ...pageFields(FAILING_WEBHOOK_LIST, z.tuple([z.int().nonnegative(), z.string()])),
});

const failingWebhook = once(() =>
  z
    .strictObject({
      webhook: listedWebhook(),
      last_failure: lastFailure().nullable(),
      disables_at: like(
        moment().nullable(),
        EXAMPLE.later,
        "When the gateway disables the webhook if every attempt fails until then. In the past: with the next failed attempt, or the tenth. Null while it is paused.",
      ),
    })
    .meta({ id: "FailingWebhook" }),
);
export type FailingWebhook = z.infer<ReturnType<typeof failingWebhook>>;

export const failingWebhooks = portalContracts("Webhooks")({ query: failingWebhookQuery }, () => ({
  id: "listFailingWebhooks",
  summary: "List failing webhooks",
  description:
    "Webhooks whose last attempt failed, the one that has failed for the longest time first. Disabled ones are not listed. Without an owner, a client that is bound to none sees those of all owners; a bound client sees its owner's. Both environments, unless `environment` names one.",
  answers: { 200: countedPage("A page of failing webhooks.", "failing_webhooks", failingWebhook()) },
}));
