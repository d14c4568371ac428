/** The contract of deliveries. */
import * as z from "zod";
import { answer, countedPage, once, page } from "../../contract/answer.ts";
import { EXAMPLE, exampleOf, like } from "../../contract/examples.ts";
import { deliveryId, fileId, moment, success, webhookId } from "../../contract/fields.ts";
import { DELIVERY_STATUSES } from "../../db/schema.ts";
import type { Failure } from "../../http/failure.ts";
import { pageFields } from "../../http/page.ts";
import { HEADER_CHARS, USER_AGENT } from "../../outbound/attempt.ts";
import { FAILURE_KINDS, TLS_CAUSES } from "../../outbound/attempt-result.ts";
import { DELIVERY_ERRORS, deliveryFilterFields } from "../../outbound/delivery-filter.ts";
import { EVENT_TYPES } from "../../outbound/event-types.ts";
import { notFound } from "../change.ts";
import { ownerFields } from "../owner.ts";
import { portalContracts } from "../portal-contract.ts";

/** The name of the list in its cursors. */
export const DELIVERY_LIST = "deliveries";

const deliveryQuery = z.strictObject({
  status: z.enum(DELIVERY_STATUSES).optional(),
  ...pageFields(DELIVERY_LIST, z.int().nonnegative()),
});

export const OWNER_DELIVERY_LIST = "deliveries_of_owner";

const ownerDeliveryQuery = z.strictObject({
  ...ownerFields,
  ...deliveryFilterFields,
  ...pageFields(OWNER_DELIVERY_LIST, z.tuple([z.int().nonnegative(), z.string().regex(/^[0-9a-f]{24}$/)])),
});

/** The values of the list's filters. */
export const DELIVERY_CHOICES = {
  statuses: DELIVERY_STATUSES,
  types: EVENT_TYPES,
  errors: DELIVERY_ERRORS,
} as const;

export const NO_DELIVERY: Failure = { kind: "delivery_not_found" };
export const DISABLED: Failure = { kind: "webhook_disabled" };
const deliveryFields = once(() => ({
  id: deliveryId(),
  webhookId: webhookId(),
  eventId: like(z.string().nullable(), "evt_0G5ENQ5XTX", "Null once the event is no longer stored."),
  eventType: like(z.string().nullable(), "file.processed", "Null once the event is no longer stored."),
  timestamp: moment().meta({ description: "When the event happened." }),
  storedAt: moment().meta({ description: "When the event was stored, which `since` and `until` filter by." }),
  status: like(
    z.enum(DELIVERY_STATUSES),
    "delivered",
    "`skipped`: not sent, because the webhook was disabled, or paused until the event expired. A retry or a replay sends it.",
  ),
  responseCode: like(z.int().nullable(), 200),
  attempts: like(z.int().nonnegative(), 1),
  lastError: z.string().nullable().meta({
    description:
      "The last failure, or why nothing was sent: `webhook_disabled`, `webhook_deleted`, `event_expired`, or `not_subscribed` if the webhook no longer subscribed to the type when the delivery was due. `not_configured`: the delivery waits for a key or a setting that the gateway lacks, and no attempt is counted.",
  }),
  nextAttemptAt: moment().nullable(),
  createdAt: moment(),
  updatedAt: moment(EXAMPLE.later),
}));

/** The result of an attempt, of a delivery or of a test. */
export const attemptFields = once(() => ({
  ms: like(z.number().nonnegative(), 84),
  outcome: like(
    z.enum(["delivered", ...FAILURE_KINDS]),
    "delivered",
    "`internal` is a failure of the gateway, which sent nothing; it does not count against the webhook.",
  ),
  status: like(z.int().nullable(), 200),
  tlsCause: z.enum(TLS_CAUSES).nullable().meta({
    description:
      "Why TLS failed, if the platform reports it: `handshake` (no common version, or no TLS at all), `expired`, `wrong_name` (a certificate for another host), `untrusted` (self-signed, from an unknown issuer, or, with status 526, invalid for an unreported reason).",
  }),
  answer: like(z.string().nullable(), "ok", "The first kilobyte of the receiver's response."),
  headers: like(
    z.record(z.string(), z.string()).nullable(),
    { "content-type": "text/plain", server: "nginx" },
    `Of the response's headers, at most ${HEADER_CHARS} characters each: \`location\`, \`retry-after\`, \`content-type\`, \`server\`, \`www-authenticate\`, \`cf-mitigated\`.`,
  ),
}));

export const delivery = once(() => z.strictObject(deliveryFields()).meta({ id: "Delivery" }));
export type ShownDelivery = z.infer<ReturnType<typeof delivery>>;

const attempt = once(() => {
  const { ms, outcome, status, tlsCause, answer: body, headers } = attemptFields();
  return z.strictObject({
    number: like(z.int().positive(), 1),
    startedAt: moment(),
    requestHeaders: like(
      z.record(z.string(), z.string()).nullable(),
      {
        "content-type": "application/json",
        "user-agent": USER_AGENT,
        "x-webhook-timestamp": "1773657000000",
        "webhook-id": "evt_0G5ENQ5XTX",
        "webhook-timestamp": "1773657000",
      },
      "Of the request's headers, those that are neither signatures nor custom headers: neither is kept. Null if nothing was sent (`blocked`, `internal`).",
    ),
    ms,
    outcome,
    responseCode: status,
    tlsCause,
    answer: body,
    headers,
  });
});
export type ShownAttempt = z.infer<ReturnType<typeof attempt>>;

const deliveryWithHistory = once(() =>
  z
    .strictObject({
      ...deliveryFields(),
      fileId: fileId().nullable().meta({
        description: "The file that the event is about; null if it is about none, or is no longer stored.",
      }),
      retriesLeft: like(
        z.int().nonnegative(),
        0,
        "How often the delivery is tried again at most, the next attempt included. A retry or a replay begins a new schedule.",
      ),
      history: z.array(attempt()),
    })
    .meta({ id: "DeliveryWithHistory" }),
);
export type ShownDeliveryWithHistory = z.infer<ReturnType<typeof deliveryWithHistory>>;

/** The example of an object, with another status. */
export function exampleWith(schema: z.ZodType, status: string): unknown {
  return { ...(exampleOf(schema) as object), status };
}

const contract = portalContracts("Webhooks");

export const listDeliveries = contract({ query: deliveryQuery }, () => ({
  id: "listDeliveries",
  summary: "List a webhook's deliveries",
  description:
    "Newest first. A filtered page may hold fewer entries than its limit even if the list continues.",
  of: "webhook",
  answers: { 200: page("A page of deliveries.", "deliveries", delivery()) },
}));

export const listDeliveriesOfOwner = contract({ query: ownerDeliveryQuery }, () => ({
  id: "listDeliveriesOfOwner",
  summary: "List an owner's deliveries",
  description:
    "The deliveries of all webhooks of an owner, including paused, disabled and recently deleted ones, newest event first. A filtered page may hold fewer entries than its limit, or none, while `next_cursor` is set: a page walks past at most 250 deliveries. `status=failed` and `status=skipped` are found without walking.",
  answers: { 200: countedPage("A page of deliveries.", "deliveries", delivery()) },
  failures: [notFound("webhook")],
}));

export const getDelivery = contract({}, () => ({
  id: "getDelivery",
  summary: "Read a delivery",
  description: "Includes its attempts.",
  answers: { 200: answer("The delivery.", { delivery: deliveryWithHistory() }) },
  failures: [NO_DELIVERY],
}));

export const retryDelivery = contract({}, () => ({
  id: "retryDelivery",
  summary: "Send a delivery again",
  description: "Sent at once, or when the webhook is no longer paused, with a new retry schedule.",
  answers: {
    202: answer(
      "Queued.",
      { success: success(), delivery: delivery() },
      { example: { delivery: exampleWith(delivery(), "pending") } },
    ),
  },
  failures: [NO_DELIVERY, DISABLED, { kind: "event_expired" }, { kind: "not_subscribed" }],
}));
