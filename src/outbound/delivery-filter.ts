/** The fields of a request that select deliveries of an owner: of the list, and of a bulk retry. */
import * as z from "zod";
import { ANY_STATUS, type DeliveryFilter } from "../db/delivery-list.ts";
import { DELIVERY_STATUSES } from "../db/schema.ts";
import { millisecondsOf, timeParameter } from "../http/time-parameter.ts";
import { ENVIRONMENTS, parseWebhookId } from "../model.ts";
import { FAILURE_KINDS } from "./attempt-result.ts";
import { EVENT_TYPES } from "./event-types.ts";

/** What `last_error` may hold where nothing was sent. */
const UNSENT = [
  "webhook_disabled",
  "webhook_deleted",
  "event_expired",
  "not_subscribed",
  "not_configured",
] as const;
/** What `last_error` may hold, apart from the HTTP status of an answer. */
export const DELIVERY_ERRORS = [...FAILURE_KINDS, ...UNSENT] as const;
const ERROR = new RegExp(`^(?:${DELIVERY_ERRORS.join("|")}|HTTP [1-9][0-9]{2})$`);

const CODE = { error: "Must be an HTTP status from 100 to 999" };

export const deliveryFilterFields = {
  webhook_id: z
    .string()
    .refine((text) => parseWebhookId(text) !== null, "Must be 24 hex characters, with or without wh_")
    .meta({ pattern: "^(wh_)?[0-9a-fA-F]{24}$" })
    .optional(),
  environment: z
    .enum(ENVIRONMENTS, { error: `Must be one of ${ENVIRONMENTS.join(", ")}` })
    .optional()
    .meta({ description: "Production, unless `webhook_id` names a webhook." }),
  type: z
    .enum(EVENT_TYPES, { error: "Must be an event type such as file.processed" })
    .meta({ description: "Finds no delivery whose event is no longer stored." })
    .optional(),
  status: z.enum(DELIVERY_STATUSES).optional(),
  response_code: z.coerce.number(CODE).int(CODE).min(100, CODE).max(999, CODE).optional(),
  error: z
    .string()
    .regex(ERROR, `Must be a lastError such as timeout, or ${ANY_STATUS} for every HTTP status`)
    .meta({
      description: "A `lastError`, such as `timeout` or `HTTP 503`. `status` selects every HTTP status.",
    })
    .optional(),
  since: timeParameter.optional().meta({ description: "Events that were stored at this time or later." }),
  until: timeParameter.optional().meta({ description: "Events that were stored before this time." }),
};

type DeliveryFilterFields = z.infer<z.ZodObject<typeof deliveryFilterFields>>;

export function deliveryFilterOf(fields: DeliveryFilterFields): DeliveryFilter {
  return {
    type: fields.type,
    status: fields.status,
    responseCode: fields.response_code,
    error: fields.error,
    since: millisecondsOf(fields.since),
    until: millisecondsOf(fields.until),
  };
}
