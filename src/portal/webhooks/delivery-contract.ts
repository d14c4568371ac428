/** The contract of deliveries and replays. */
import * as z from "zod";
import { answer, countedPage, once, page } from "../../contract/answer.ts";
import { EXAMPLE, exampleOf, like } from "../../contract/examples.ts";
import { deliveryId, moment, objectId, success, webhookId } from "../../contract/fields.ts";
import { DELIVERY_STATUSES } from "../../db/schema.ts";
import type { Failure } from "../../http/failure.ts";
import { pageFields } from "../../http/page.ts";
import { timeParameter } from "../../http/time-parameter.ts";
import { HEADER_CHARS } from "../../outbound/attempt.ts";
import { FAILURE_KINDS, TLS_CAUSES } from "../../outbound/attempt-result.ts";
import { deliveryFilterFields } from "../../outbound/delivery-filter.ts";
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

/** The range filters by when events were stored. `failed`: never sent, failed or skipped; `all`: also delivered. */
const replayRequest = z.strictObject({
  since: timeParameter,
  until: timeParameter.optional(),
  only: z.enum(["failed", "all"]).default("failed"),
});

export const NO_DELIVERY: Failure = { kind: "delivery_not_found" };
export const NO_REPLAY: Failure = { kind: "replay_not_found" };
export const DISABLED: Failure = { kind: "webhook_disabled" };
const deliveryFields = once(() => ({
  id: deliveryId(),
  webhookId: webhookId(),
  eventId: like(z.string().nullable(), "evt_0G5ENQ5XTX", "Null once the event is no longer stored."),
  eventType: like(z.string().nullable(), "file.processed", "Null once the event is no longer stored."),
  timestamp: moment().meta({ description: "When the event happened." }),
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

const delivery = once(() => z.strictObject(deliveryFields()).meta({ id: "Delivery" }));
export type ShownDelivery = z.infer<ReturnType<typeof delivery>>;

const attempt = once(() => {
  const { ms, outcome, status, tlsCause, answer: body, headers } = attemptFields();
  return z.strictObject({
    number: like(z.int().positive(), 1),
    startedAt: moment(),
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
  z.strictObject({ ...deliveryFields(), history: z.array(attempt()) }).meta({ id: "DeliveryWithHistory" }),
);
export type ShownDeliveryWithHistory = z.infer<ReturnType<typeof deliveryWithHistory>>;

const replay = once(() =>
  z
    .strictObject({
      id: objectId(EXAMPLE.replayId),
      webhookId: webhookId(),
      status: like(
        z.enum(["running", "done", "ended"]),
        "running",
        "`ended` before it was done, by a DELETE, or because the webhook was disabled or deleted.",
      ),
      only: like(z.enum(["failed", "all"]), "failed"),
      since: moment("2026-03-15T00:00:00.000Z"),
      until: moment("2026-03-16T00:00:00.000Z"),
      position: moment("2026-03-15T00:00:00.000Z").meta({
        description: "How far the replay has read the events.",
      }),
      progress: like(z.number(), 0, "From 0 to 1."),
      queued: like(z.int().nonnegative(), 0, "Deliveries queued so far."),
      createdAt: moment(),
      updatedAt: moment(),
    })
    .meta({ id: "Replay" }),
);
export type ShownReplay = z.infer<ReturnType<typeof replay>>;

/** The example of an object, with another status. */
function exampleWith(schema: z.ZodType, status: string): unknown {
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

export const replayWebhook = contract({ body: replayRequest }, () => ({
  id: "replayWebhook",
  summary: "Replay a time range",
  description:
    "Sends the events that were stored in the range again, of the types that the webhook subscribes to now: those that were never sent, failed or were skipped, or all of them. The replay waits while the webhook is paused. Each webhook has at most one running replay, which ends if the webhook is disabled.",
  of: "webhook",
  examples: {
    outage: {
      summary: "After a day's outage of the receiver",
      value: { since: "2026-03-15T00:00:00Z", until: "2026-03-16T00:00:00Z" },
    },
  },
  answers: { 202: answer("Queued.", { success: success(), replay: replay() }) },
  failures: [DISABLED, { kind: "replay_running", replayId: EXAMPLE.replayId }],
}));

export const getReplay = contract({}, () => ({
  id: "getReplay",
  summary: "Get a replay's progress",
  description: "Returns how far the replay has read the events, and how many deliveries it has queued.",
  of: "webhook",
  answers: { 200: answer("The replay.", { replay: replay() }) },
  failures: [NO_REPLAY],
}));

export const endReplay = contract({}, () => ({
  id: "endReplay",
  summary: "End a replay",
  description: "What the replay has queued is still sent. A replay that is done stays done. Safe to repeat.",
  of: "webhook",
  answers: {
    200: answer(
      "Ended.",
      { message: z.literal("replay_ended"), replay: replay() },
      { example: { replay: exampleWith(replay(), "ended") } },
    ),
  },
  failures: [NO_REPLAY],
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
