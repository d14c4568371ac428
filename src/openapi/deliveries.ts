/** Deliveries of webhooks and replays of them, as the portal looks at them and starts them again. */

import * as z from "zod";
import type { ZodOpenApiPathsObject } from "zod-openapi";
import { EXAMPLE } from "../contract/examples.ts";
import { DELIVERY_STATUSES } from "../db/schema.ts";
import { HEADER_CHARS } from "../outbound/attempt.ts";
import { FAILURE_KINDS, TLS_CAUSES } from "../outbound/attempt-result.ts";
import { notFound } from "../portal/change.ts";
import {
  DISABLED,
  EXPIRED,
  NO_DELIVERY,
  NO_REPLAY,
  NOT_SUBSCRIBED,
  replayRunning,
} from "../portal/webhooks/delivery-routes.ts";
import { deliveryQuery, replayRequest } from "../portal/webhooks/webhook-requests.ts";
import { deliveryId, moment, objectId, webhookId, webhookIdInPath } from "./fields.ts";
import { always, answer, page } from "./operation.ts";
import { portalOperations, SUCCESS } from "./portal.ts";

const deliveryFields = {
  id: deliveryId,
  webhookId,
  eventId: z.string().nullable().meta({ description: "Null once the event is no longer kept." }),
  eventType: z.string().nullable().meta({ description: "Null once the event is no longer kept." }),
  timestamp: moment.meta({ description: "When the event happened." }),
  status: z.enum(DELIVERY_STATUSES).meta({
    description:
      "`skipped`: not sent, because the webhook was disabled, or paused until the event ended. A retry or a replay sends it.",
  }),
  responseCode: z.int().nullable(),
  attempts: z.int().nonnegative(),
  lastError: z.string().nullable().meta({
    description:
      "The last failure, or why nothing was sent: `webhook_disabled`, `webhook_deleted`, `event_expired`, or `not_subscribed` where the webhook no longer asked for the type when the delivery was due. `not_configured`: it waits for a key or a setting that the gateway lacks, and no attempt counts.",
  }),
  nextAttemptAt: moment.nullable(),
  createdAt: moment,
  updatedAt: moment,
};
const delivery = z.strictObject(deliveryFields).meta({ id: "Delivery" });
export const outcome = z.enum(["delivered", ...FAILURE_KINDS]).meta({
  description:
    "`internal` is a failure of the gateway, which sent nothing: it is not held against the webhook.",
});
export const receiversAnswer = z
  .string()
  .nullable()
  .meta({ description: "The first kilobyte of the receiver's answer." });
export const answerHeaders = z
  .record(z.string(), z.string())
  .nullable()
  .meta({
    description: `Of the answer's headers, at most ${HEADER_CHARS} characters each: \`location\`, \`retry-after\`, \`content-type\`, \`server\`, \`www-authenticate\`, \`cf-mitigated\`.`,
  });
export const tlsCause = z.enum(TLS_CAUSES).nullable().meta({
  description:
    "Why TLS failed, where the platform says: `handshake` (no common version, or no TLS at all), `expired`, `wrong_name` (a certificate for another host), `untrusted` (self-signed, of an unknown issuer, or, with status 526, invalid in a way that is not said).",
});
const deliveryWithHistory = z
  .strictObject({
    ...deliveryFields,
    history: z.array(
      z.strictObject({
        number: z.int().positive(),
        startedAt: moment,
        ms: z.number().nonnegative(),
        outcome,
        responseCode: z.int().nullable(),
        tlsCause,
        answer: receiversAnswer,
        headers: answerHeaders,
      }),
    ),
  })
  .meta({ id: "DeliveryWithHistory" });

const shown = {
  schema: delivery,
  example: {
    id: EXAMPLE.deliveryId,
    webhookId: `wh_${EXAMPLE.webhookId}`,
    eventId: "evt_0G5ENQ5XTX",
    eventType: "file.processed",
    timestamp: EXAMPLE.at,
    status: "delivered",
    responseCode: 200,
    attempts: 1,
    lastError: null,
    nextAttemptAt: null,
    createdAt: EXAMPLE.at,
    updatedAt: EXAMPLE.later,
  },
};

const shownWithHistory = {
  schema: deliveryWithHistory,
  example: {
    ...shown.example,
    history: [
      {
        number: 1,
        startedAt: EXAMPLE.at,
        ms: 84,
        outcome: "delivered",
        responseCode: 200,
        tlsCause: null,
        answer: "ok",
        headers: { "content-type": "text/plain", server: "nginx" },
      },
    ],
  },
};

const replay = z
  .strictObject({
    id: objectId,
    webhookId,
    status: z.enum(["running", "done", "ended"]).meta({
      description: "`ended` before it was done: by a DELETE, or because the webhook was disabled or deleted.",
    }),
    only: z.enum(["failed", "all"]),
    since: moment,
    until: moment,
    position: moment.meta({ description: "Up to where events have been looked at." }),
    progress: z.number().meta({ description: "From 0 to 1." }),
    queued: z.int().nonnegative().meta({ description: "Deliveries that were queued so far." }),
    createdAt: moment,
    updatedAt: moment,
  })
  .meta({ id: "Replay" });
const shownReplay = {
  schema: replay,
  example: {
    id: EXAMPLE.replayId,
    webhookId: `wh_${EXAMPLE.webhookId}`,
    status: "running",
    only: "failed",
    since: "2026-03-15T00:00:00.000Z",
    until: "2026-03-16T00:00:00.000Z",
    position: "2026-03-15T00:00:00.000Z",
    progress: 0,
    queued: 0,
    createdAt: EXAMPLE.at,
    updatedAt: EXAMPLE.at,
  },
};

const operation = portalOperations("Webhooks");
const path = z.object({ webhook_id: webhookIdInPath });
const deliveryPath = z.object({ delivery_id: deliveryId });
const replayPath = z.object({
  webhook_id: webhookIdInPath,
  replay_id: z
    .string()
    .regex(/^[0-9a-fA-F]{24}$/)
    .meta({ examples: [EXAMPLE.replayId] }),
});
const NOT_FOUND = notFound("webhook");

export const deliveryPaths: ZodOpenApiPathsObject = {
  "/api/v1/webhooks/{webhook_id}/deliveries": {
    get: operation({
      id: "listDeliveries",
      summary: "List a webhook's deliveries",
      description:
        "Newest first. A page with a filter may be shorter than its limit, and the list still go on.",
      path,
      query: deliveryQuery,
      answers: { 200: page("A page of deliveries.", "deliveries", shown) },
      failures: [NOT_FOUND],
    }),
  },
  "/api/v1/webhooks/{webhook_id}/replay": {
    post: operation({
      id: "replayWebhook",
      summary: "Replay a time range",
      description:
        "Sends the events that were stored in the range again, of the types that the webhook asks for now: those that were never sent, have failed or were skipped, or all of them. It waits while the webhook is paused. One replay of a webhook runs at a time, and ends where the webhook is disabled.",
      path,
      body: {
        schema: replayRequest,
        examples: {
          outage: {
            summary: "After a day's outage of the receiver",
            value: { since: "2026-03-15T00:00:00Z", until: "2026-03-16T00:00:00Z" },
          },
        },
      },
      answers: {
        202: answer("It is on its way.", { success: SUCCESS, replay: shownReplay }),
      },
      failures: [NOT_FOUND, DISABLED, replayRunning(EXAMPLE.replayId)],
    }),
  },
  "/api/v1/webhooks/{webhook_id}/replays/{replay_id}": {
    get: operation({
      id: "getReplay",
      summary: "How far a replay is",
      description: "Says up to where events have been looked at, and how many were queued.",
      path: replayPath,
      answers: { 200: answer("The replay.", { replay: shownReplay }) },
      failures: [NOT_FOUND, NO_REPLAY],
    }),
    delete: operation({
      id: "endReplay",
      summary: "End a replay",
      description: "What it has queued is sent all the same. One that is done stays so. May be repeated.",
      path: replayPath,
      answers: {
        200: answer("It goes no further.", {
          message: always("replay_ended"),
          replay: { ...shownReplay, example: { ...shownReplay.example, status: "ended" } },
        }),
      },
      failures: [NOT_FOUND, NO_REPLAY],
    }),
  },
  "/api/v1/deliveries/{delivery_id}": {
    get: operation({
      id: "getDelivery",
      summary: "Read a delivery",
      description: "With its attempts.",
      path: deliveryPath,
      answers: { 200: answer("The delivery.", { delivery: shownWithHistory }) },
      failures: [NO_DELIVERY],
    }),
  },
  "/api/v1/deliveries/{delivery_id}/retry": {
    post: operation({
      id: "retryDelivery",
      summary: "Send a delivery again",
      description:
        "At once, or when the webhook is no longer paused, with a schedule of its own from the beginning.",
      path: deliveryPath,
      answers: {
        202: answer("It is on its way.", {
          success: SUCCESS,
          delivery: { schema: delivery, example: { ...shown.example, status: "pending" } },
        }),
      },
      failures: [NO_DELIVERY, DISABLED, EXPIRED, NOT_SUBSCRIBED],
    }),
  },
};
