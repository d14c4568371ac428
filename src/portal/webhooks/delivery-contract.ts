/** The contract of deliveries and replays: the portal looks at them and starts them again. */
import * as z from "zod";
import { answer, once, page } from "../../contract/answer.ts";
import { EXAMPLE, exampleOf, like } from "../../contract/examples.ts";
import { deliveryId, moment, objectId, success, webhookId } from "../../contract/fields.ts";
import { DELIVERY_STATUSES } from "../../db/schema.ts";
import type { Failure } from "../../http/failure.ts";
import { pageFields } from "../../http/page.ts";
import { timeParameter } from "../../http/time-parameter.ts";
import { HEADER_CHARS } from "../../outbound/attempt.ts";
import { FAILURE_KINDS, TLS_CAUSES } from "../../outbound/attempt-result.ts";
import { portalContracts } from "../portal-contract.ts";

/** The name of the list in its cursors. */
export const DELIVERY_LIST = "deliveries";

const deliveryQuery = z.strictObject({
  status: z.enum(DELIVERY_STATUSES).optional(),
  ...pageFields(DELIVERY_LIST, z.int().nonnegative()),
});

/** About when events were stored. `failed`: what was never sent, has failed or was skipped; `all`: what was delivered as well. */
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
  eventId: like(z.string().nullable(), "evt_0G5ENQ5XTX", "Null once the event is no longer kept."),
  eventType: like(z.string().nullable(), "file.processed", "Null once the event is no longer kept."),
  timestamp: moment().meta({ description: "When the event happened." }),
  status: like(
    z.enum(DELIVERY_STATUSES),
    "delivered",
    "`skipped`: not sent, because the webhook was disabled, or paused until the event ended. A retry or a replay sends it.",
  ),
  responseCode: like(z.int().nullable(), 200),
  attempts: like(z.int().nonnegative(), 1),
  lastError: z.string().nullable().meta({
    description:
      "The last failure, or why nothing was sent: `webhook_disabled`, `webhook_deleted`, `event_expired`, or `not_subscribed` where the webhook no longer asked for the type when the delivery was due. `not_configured`: it waits for a key or a setting that the gateway lacks, and no attempt counts.",
  }),
  nextAttemptAt: moment().nullable(),
  createdAt: moment(),
  updatedAt: moment(EXAMPLE.later),
}));

/** What is known of an attempt, of a delivery or of a test. */
export const attemptFields = once(() => ({
  ms: like(z.number().nonnegative(), 84),
  outcome: like(
    z.enum(["delivered", ...FAILURE_KINDS]),
    "delivered",
    "`internal` is a failure of the gateway, which sent nothing: it is not held against the webhook.",
  ),
  status: like(z.int().nullable(), 200),
  tlsCause: z.enum(TLS_CAUSES).nullable().meta({
    description:
      "Why TLS failed, where the platform says: `handshake` (no common version, or no TLS at all), `expired`, `wrong_name` (a certificate for another host), `untrusted` (self-signed, of an unknown issuer, or, with status 526, invalid in a way that is not said).",
  }),
  answer: like(z.string().nullable(), "ok", "The first kilobyte of the receiver's answer."),
  headers: like(
    z.record(z.string(), z.string()).nullable(),
    { "content-type": "text/plain", server: "nginx" },
    `Of the answer's headers, at most ${HEADER_CHARS} characters each: \`location\`, \`retry-after\`, \`content-type\`, \`server\`, \`www-authenticate\`, \`cf-mitigated\`.`,
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
        "`ended` before it was done: by a DELETE, or because the webhook was disabled or deleted.",
      ),
      only: like(z.enum(["failed", "all"]), "failed"),
      since: moment("2026-03-15T00:00:00.000Z"),
      until: moment("2026-03-16T00:00:00.000Z"),
      position: moment("2026-03-15T00:00:00.000Z").meta({
        description: "Up to where events have been looked at.",
      }),
      progress: like(z.number(), 0, "From 0 to 1."),
      queued: like(z.int().nonnegative(), 0, "Deliveries that were queued so far."),
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
  description: "Newest first. A page with a filter may be shorter than its limit, and the list still go on.",
  of: "webhook",
  answers: { 200: page("A page of deliveries.", "deliveries", delivery()) },
}));

export const replayWebhook = contract({ body: replayRequest }, () => ({
  id: "replayWebhook",
  summary: "Replay a time range",
  description:
    "Sends the events that were stored in the range again, of the types that the webhook asks for now: those that were never sent, have failed or were skipped, or all of them. It waits while the webhook is paused. One replay of a webhook runs at a time, and ends where the webhook is disabled.",
  of: "webhook",
  examples: {
    outage: {
      summary: "After a day's outage of the receiver",
      value: { since: "2026-03-15T00:00:00Z", until: "2026-03-16T00:00:00Z" },
    },
  },
  answers: { 202: answer("It is on its way.", { success: success(), replay: replay() }) },
  failures: [DISABLED, { kind: "replay_running", replayId: EXAMPLE.replayId }],
}));

export const getReplay = contract({}, () => ({
  id: "getReplay",
  summary: "How far a replay is",
  description: "Says up to where events have been looked at, and how many were queued.",
  of: "webhook",
  answers: { 200: answer("The replay.", { replay: replay() }) },
  failures: [NO_REPLAY],
}));

export const endReplay = contract({}, () => ({
  id: "endReplay",
  summary: "End a replay",
  description: "What it has queued is sent all the same. One that is done stays so. May be repeated.",
  of: "webhook",
  answers: {
    200: answer(
      "It goes no further.",
      { message: z.literal("replay_ended"), replay: replay() },
      { example: { replay: exampleWith(replay(), "ended") } },
    ),
  },
  failures: [NO_REPLAY],
}));

export const getDelivery = contract({}, () => ({
  id: "getDelivery",
  summary: "Read a delivery",
  description: "With its attempts.",
  answers: { 200: answer("The delivery.", { delivery: deliveryWithHistory() }) },
  failures: [NO_DELIVERY],
}));

export const retryDelivery = contract({}, () => ({
  id: "retryDelivery",
  summary: "Send a delivery again",
  description:
    "At once, or when the webhook is no longer paused, with a schedule of its own from the beginning.",
  answers: {
    202: answer(
      "It is on its way.",
      { success: success(), delivery: delivery() },
      { example: { delivery: exampleWith(delivery(), "pending") } },
    ),
  },
  failures: [NO_DELIVERY, DISABLED, { kind: "event_expired" }, { kind: "not_subscribed" }],
}));
