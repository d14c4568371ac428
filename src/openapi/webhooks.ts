/** Webhooks and their deliveries, as the portal manages them. */
import * as z from "zod";
import type { ZodOpenApiPathsObject } from "zod-openapi";
import { DELIVERY_STATUSES } from "../db/schema.ts";
import { FAILURE_KINDS } from "../outbound/outcome.ts";
import { SIGNATURE_FORMATS } from "../outbound/signing.ts";
import { notFound } from "../portal/change.ts";
import { DISABLED, EXPIRED, NO_DELIVERY, NO_REPLAY, NOT_SUBSCRIBED } from "../portal/deliveries.ts";
import {
  deliveryQuery,
  newWebhook,
  replayRequest,
  rotation,
  webhookPatch,
  webhookQuery,
} from "../portal/webhook-requests.ts";
import { NO_ENVIRONMENT, TOO_MANY_SECRETS, TOO_MANY_WEBHOOKS } from "../portal/webhooks.ts";
import {
  deliveryId,
  EXAMPLE,
  environment,
  ifMatch,
  moment,
  nextCursor,
  objectId,
  owner,
  success,
  version,
  webhookIdInPath,
} from "./fields.ts";
import { OWNER, overtaken, portalOperation } from "./portal.ts";

const webhookId = z.string().regex(/^wh_[0-9a-f]{24}$/);

const webhook = z
  .strictObject({
    _id: objectId,
    id: webhookId.meta({ description: "`wh_` and the same." }),
    url: z.string(),
    events: z.array(z.string()),
    description: z.string().nullable(),
    environment,
    ...owner,
    status: z.enum(["active", "disabled"]),
    is_active: z.boolean(),
    disabled_reason: z.enum(["requested", "gone", "failing"]).nullable(),
    notification_email: z.string().nullable(),
    signature_format: z.enum(SIGNATURE_FORMATS),
    headers: z
      .array(z.string())
      .meta({ description: "Names of the headers that are added to every delivery." }),
    max_in_flight: z.int(),
    secrets: z
      .array(
        z.strictObject({
          id: objectId,
          leading: z.boolean().meta({ description: "Makes the signatures that hold one value." }),
          created_at: moment,
          expires_at: moment.nullable(),
        }),
      )
      .meta({ description: "Those in force. What they are is never shown again." }),
    health: z.strictObject({
      consecutive_failures: z.int().nonnegative(),
      failing_since: moment.nullable(),
      last_success_at: moment.nullable(),
    }),
    version,
    created_at: moment,
    updated_at: moment,
    createdAt: moment.meta({ description: "The same as `created_at`." }),
  })
  .meta({ id: "Webhook" });

const secret = z
  .string()
  .regex(/^whsec_/)
  .meta({ description: "Signs deliveries. Shown this once." });

const shown = {
  _id: EXAMPLE.webhookId,
  id: `wh_${EXAMPLE.webhookId}`,
  url: "https://hooks.acme-payroll.com/audit1",
  events: ["file.*", "audit.completed"],
  description: "Acme's intake",
  environment: "production",
  ...EXAMPLE.owner,
  status: "active",
  is_active: true,
  disabled_reason: null,
  notification_email: "integrations@acme-payroll.com",
  signature_format: "timestamped",
  headers: [],
  max_in_flight: 4,
  secrets: [{ id: "65f0c0ffee0123456789abcd", leading: true, created_at: EXAMPLE.at, expires_at: null }],
  health: { consecutive_failures: 0, failing_since: null, last_success_at: null },
  version: EXAMPLE.version,
  created_at: EXAMPLE.at,
  updated_at: EXAMPLE.at,
  createdAt: EXAMPLE.at,
};
const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

const deliveryFields = {
  id: deliveryId,
  webhookId,
  eventId: z.string().nullable().meta({ description: "Null once the event is no longer kept." }),
  eventType: z.string(),
  timestamp: moment.meta({ description: "When the event happened." }),
  status: z.enum(DELIVERY_STATUSES),
  responseCode: z.int().nullable(),
  attempts: z.int().nonnegative(),
  lastError: z.string().nullable().meta({
    description:
      "The last failure, or why nothing was sent: `webhook_disabled`, `webhook_deleted`, `event_expired`, or `not_subscribed` where the webhook no longer asked for the type when the delivery was due.",
  }),
  nextAttemptAt: moment.nullable(),
  createdAt: moment,
  updatedAt: moment,
};
const delivery = z.strictObject(deliveryFields).meta({ id: "Delivery" });
const outcome = z.enum(["delivered", ...FAILURE_KINDS]).meta({
  description:
    "`internal` is a failure of the gateway, which sent nothing: it is not held against the webhook.",
});
const answer = z.string().nullable().meta({ description: "The first kilobyte of the receiver's answer." });
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
        answer,
      }),
    ),
  })
  .meta({ id: "DeliveryWithHistory" });

const shownDelivery = {
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
};

const replay = z
  .strictObject({
    id: objectId,
    webhookId,
    status: z.enum(["running", "done"]),
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
};

const path = z.object({ webhook_id: webhookIdInPath });
const deliveryPath = z.object({ delivery_id: deliveryId });
const NOT_FOUND = notFound("webhook");

const CHANGED = {
  description: "The webhook as it is now, in force.",
  schema: z.strictObject({ success, webhook }),
  example: { success: true, webhook: shown },
  headers: ["ETag"],
} as const;
const WITH_SECRET = {
  schema: z.strictObject({ success, webhook, secret }),
  example: { success: true, webhook: shown, secret: SECRET },
  headers: ["ETag"],
} as const;
const ADDRESS = {
  kind: "validation",
  message: "The request has invalid fields.",
  details: { url: "Must be an https address", "events[0]": 'Unknown event "file.lost"' },
} as const;

const CHANGE = {
  tag: "Webhooks",
  summary: "Change a webhook",
  path,
  header: ifMatch,
  body: {
    schema: webhookPatch,
    examples: {
      disable: { summary: "Send nothing more", value: { status: "disabled" } },
      events: { summary: "Ask for other events", value: { events: ["file.processed", "file.failed"] } },
    },
  },
  answers: { 200: CHANGED },
  failures: [NOT_FOUND, ADDRESS, overtaken("webhook")],
} as const;

export const webhookPaths: ZodOpenApiPathsObject = {
  "/api/v1/webhooks": {
    post: portalOperation({
      id: "createWebhook",
      tag: "Webhooks",
      summary: "Register a webhook",
      description:
        "Answers the secret that signs deliveries, this once. `events` are types, families such as `file.*`, or `*`. The address must be https and public.",
      body: {
        schema: newWebhook,
        examples: {
          files: {
            summary: "What becomes of files",
            value: {
              ...EXAMPLE.owner,
              environment: "production",
              url: "https://hooks.acme-payroll.com/audit1",
              events: ["file.*"],
              notification_email: "integrations@acme-payroll.com",
            },
          },
        },
      },
      answers: { 201: { description: "The webhook and its secret.", ...WITH_SECRET } },
      failures: [...OWNER, NO_ENVIRONMENT, ADDRESS, TOO_MANY_WEBHOOKS],
    }),
    get: portalOperation({
      id: "listWebhooks",
      tag: "Webhooks",
      summary: "List an owner's webhooks",
      description: "Newest first.",
      query: webhookQuery,
      answers: {
        200: {
          description: "A page of webhooks.",
          schema: z.strictObject({ webhooks: z.array(webhook), next_cursor: nextCursor }),
          example: { webhooks: [shown], next_cursor: null },
        },
      },
      failures: OWNER,
    }),
  },
  "/api/v1/webhooks/{webhook_id}": {
    get: portalOperation({
      id: "getWebhook",
      tag: "Webhooks",
      summary: "Read a webhook",
      description: "Shows everything but secrets and the values of headers.",
      path,
      answers: {
        200: {
          description: "The webhook.",
          schema: z.strictObject({ webhook }),
          example: { webhook: shown },
          headers: ["ETag"],
        },
      },
      failures: [NOT_FOUND],
    }),
    patch: portalOperation({
      ...CHANGE,
      id: "changeWebhook",
      description: "Changes the fields that are named.",
    }),
    put: portalOperation({
      ...CHANGE,
      id: "putWebhook",
      description: "The same as PATCH: fields that are not named stay.",
    }),
    delete: portalOperation({
      id: "deleteWebhook",
      tag: "Webhooks",
      summary: "Delete a webhook",
      description: "Nothing more is sent. Its deliveries can still be seen. May be repeated.",
      path,
      header: ifMatch,
      answers: {
        200: {
          description: "It is deleted.",
          schema: z.strictObject({ message: z.literal("webhook_deleted") }),
          example: { message: "webhook_deleted" },
        },
      },
      failures: [NOT_FOUND, overtaken("webhook")],
    }),
  },
  "/api/v1/webhooks/{webhook_id}/test": {
    post: portalOperation({
      id: "testWebhook",
      tag: "Webhooks",
      summary: "Send a test event",
      description: "At once, and once: says what the receiver answered.",
      path,
      answers: {
        200: {
          description: "What came of it.",
          schema: z.strictObject({
            success: z.boolean(),
            event_id: z.string(),
            delivery_id: deliveryId,
            outcome,
            status: z.int().nullable(),
            ms: z.number().nonnegative(),
            answer,
          }),
          example: {
            success: true,
            event_id: "evt_test_7nQ2xV9kLmP4rT6wYz1B",
            delivery_id: EXAMPLE.deliveryId,
            outcome: "delivered",
            status: 200,
            ms: 84,
            answer: "ok",
          },
        },
      },
      failures: [NOT_FOUND],
    }),
  },
  "/api/v1/webhooks/{webhook_id}/rotate-secret": {
    post: portalOperation({
      id: "rotateWebhookSecret",
      tag: "Webhooks",
      summary: "Make a new secret",
      description:
        "Both secrets sign for the overlap, a day unless told otherwise; 0 ends the old one at once. The old one leads until the overlap ends or the new one is activated.",
      path,
      header: ifMatch,
      body: {
        schema: rotation,
        examples: { usual: { summary: "A day for the receiver to switch", value: {} } },
      },
      answers: { 200: { description: "The webhook and its new secret.", ...WITH_SECRET } },
      failures: [NOT_FOUND, TOO_MANY_SECRETS, overtaken("webhook")],
    }),
  },
  "/api/v1/webhooks/{webhook_id}/activate-secret": {
    post: portalOperation({
      id: "activateWebhookSecret",
      tag: "Webhooks",
      summary: "Let the newest secret lead",
      description: "From now on it makes the signatures that hold one value.",
      path,
      header: ifMatch,
      answers: { 200: CHANGED },
      failures: [NOT_FOUND, overtaken("webhook")],
    }),
  },
  "/api/v1/webhooks/{webhook_id}/deliveries": {
    get: portalOperation({
      id: "listDeliveries",
      tag: "Webhooks",
      summary: "List a webhook's deliveries",
      description:
        "Newest first. A page with a filter may be shorter than its limit, and the list still go on.",
      path,
      query: deliveryQuery,
      answers: {
        200: {
          description: "A page of deliveries.",
          schema: z.strictObject({ deliveries: z.array(delivery), next_cursor: nextCursor }),
          example: { deliveries: [shownDelivery], next_cursor: null },
        },
      },
      failures: [NOT_FOUND],
    }),
  },
  "/api/v1/webhooks/{webhook_id}/replay": {
    post: portalOperation({
      id: "replayWebhook",
      tag: "Webhooks",
      summary: "Replay a time range",
      description:
        "Sends the events that were stored in the range again, of the types that the webhook asks for now: those that were never sent or have failed, or all of them.",
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
        202: {
          description: "It is on its way.",
          schema: z.strictObject({ success, replay }),
          example: { success: true, replay: shownReplay },
        },
      },
      failures: [NOT_FOUND],
    }),
  },
  "/api/v1/webhooks/{webhook_id}/replays/{replay_id}": {
    get: portalOperation({
      id: "getReplay",
      tag: "Webhooks",
      summary: "How far a replay is",
      description: "Says up to where events have been looked at, and how many were queued.",
      path: z.object({
        webhook_id: webhookIdInPath,
        replay_id: z
          .string()
          .regex(/^[0-9a-fA-F]{24}$/)
          .meta({ examples: [EXAMPLE.replayId] }),
      }),
      answers: {
        200: {
          description: "The replay.",
          schema: z.strictObject({ replay }),
          example: { replay: shownReplay },
        },
      },
      failures: [NOT_FOUND, NO_REPLAY],
    }),
  },
  "/api/v1/deliveries/{delivery_id}": {
    get: portalOperation({
      id: "getDelivery",
      tag: "Webhooks",
      summary: "Read a delivery",
      description: "With its attempts.",
      path: deliveryPath,
      answers: {
        200: {
          description: "The delivery.",
          schema: z.strictObject({ delivery: deliveryWithHistory }),
          example: {
            delivery: {
              ...shownDelivery,
              history: [
                {
                  number: 1,
                  startedAt: EXAMPLE.at,
                  ms: 84,
                  outcome: "delivered",
                  responseCode: 200,
                  answer: "ok",
                },
              ],
            },
          },
        },
      },
      failures: [NO_DELIVERY],
    }),
  },
  "/api/v1/deliveries/{delivery_id}/retry": {
    post: portalOperation({
      id: "retryDelivery",
      tag: "Webhooks",
      summary: "Send a delivery again",
      description: "At once, with a schedule of its own from the beginning.",
      path: deliveryPath,
      answers: {
        202: {
          description: "It is on its way.",
          schema: z.strictObject({ success, delivery }),
          example: { success: true, delivery: { ...shownDelivery, status: "pending" } },
        },
      },
      failures: [NO_DELIVERY, DISABLED, EXPIRED, NOT_SUBSCRIBED],
    }),
  },
};
