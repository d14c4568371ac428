/** What may be said about webhooks and their deliveries: the bodies and queries of their routes. */
import * as z from "zod";
import { DELIVERY_STATUSES, WEBHOOK_STATUSES } from "../../db/schema.ts";
import { pageFields } from "../../http/page.ts";
import { timeParameter } from "../../http/time-parameter.ts";
import { ENVIRONMENTS } from "../../model.ts";
import { SIGNATURE_FORMATS } from "../../outbound/signing.ts";
import { MAX_URL_CHARS } from "../../outbound/url-policy.ts";
import { DEFAULT_ENVIRONMENT, ownerFields } from "../owner.ts";

const DEFAULT_OVERLAP_S = 86_400;
const LONGEST_OVERLAP_S = 7 * 86_400;
const DEFAULT_IN_FLIGHT = 4;
/** One invocation works on an endpoint, and six of its requests wait for an answer at a time. */
const MAX_IN_FLIGHT = 6;

/** The names of the lists in their cursors. */
export const WEBHOOK_LIST = "webhooks";
export const DELIVERY_LIST = "deliveries";

const environment = z
  .enum(ENVIRONMENTS, { error: `Must be one of ${ENVIRONMENTS.join(", ")}` })
  .default(DEFAULT_ENVIRONMENT);
const status = z.enum(WEBHOOK_STATUSES);
const settings = {
  url: z.string().max(MAX_URL_CHARS),
  events: z.array(z.string()),
  description: z.string().max(500).nullable(),
  notification_email: z.email("Must be an e-mail address").max(254).nullable(),
  signature_format: z.enum(SIGNATURE_FORMATS),
  headers: z.preprocess(withoutProto, z.record(z.string(), z.string()).nullable()),
  max_in_flight: z.int().min(1).max(MAX_IN_FLIGHT),
  max_per_minute: z.int().min(1).nullable(),
};

/** A record schema leaves this name out, so that the answer would not be what was asked for. */
function withoutProto(headers: unknown, context: z.core.$RefinementCtx): unknown {
  if (typeof headers === "object" && headers !== null && Object.hasOwn(headers, "__proto__"))
    context.addIssue({ code: "custom", path: ["__proto__"], message: "Not a name for a header" });
  return headers;
}

export const newWebhook = z.strictObject({
  ...ownerFields,
  url: settings.url,
  events: settings.events,
  environment,
  description: settings.description.optional(),
  notification_email: settings.notification_email.optional(),
  signature_format: settings.signature_format.default("timestamped"),
  headers: settings.headers.optional(),
  max_in_flight: settings.max_in_flight.default(DEFAULT_IN_FLIGHT),
  max_per_minute: settings.max_per_minute.optional(),
});
export type NewWebhook = z.infer<typeof newWebhook>;
export const webhookPatch = z
  .strictObject({
    url: settings.url.exactOptional(),
    events: settings.events.exactOptional(),
    description: settings.description.exactOptional(),
    status: status.exactOptional(),
    notification_email: settings.notification_email.exactOptional(),
    signature_format: settings.signature_format.exactOptional(),
    headers: settings.headers.exactOptional(),
    max_in_flight: settings.max_in_flight.exactOptional(),
    max_per_minute: settings.max_per_minute.exactOptional(),
  })
  .refine((fields) => Object.keys(fields).length > 0, "Name at least one field to change")
  .meta({ minProperties: 1 });
export const webhookQuery = z.strictObject({
  ...ownerFields,
  environment,
  status: status.optional(),
  ...pageFields(WEBHOOK_LIST, z.tuple([z.int(), z.string()])),
});
export const rotation = z.strictObject({
  overlap_seconds: z.int().min(0).max(LONGEST_OVERLAP_S).default(DEFAULT_OVERLAP_S),
});
export const deliveryQuery = z.strictObject({
  status: z.enum(DELIVERY_STATUSES).optional(),
  ...pageFields(DELIVERY_LIST, z.int().nonnegative()),
});

/** About when events were stored. `failed`: what was never sent, has failed or was skipped; `all`: what was delivered as well. */
export const replayRequest = z.strictObject({
  since: timeParameter,
  until: timeParameter.optional(),
  only: z.enum(["failed", "all"]).default("failed"),
});
