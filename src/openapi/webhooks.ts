/** Webhooks, as the portal manages them. */

import * as z from "zod";
import type { ZodOpenApiPathsObject } from "zod-openapi";
import { EXAMPLE } from "../contract/examples.ts";
import { WEBHOOK_STATUSES } from "../db/schema.ts";
import { SIGNATURE_FORMATS } from "../outbound/signing.ts";
import { notFound } from "../portal/change.ts";
import { newWebhook, rotation, webhookPatch, webhookQuery } from "../portal/webhooks/webhook-requests.ts";
import { TOO_MANY_SECRETS, TOO_MANY_WEBHOOKS } from "../portal/webhooks/webhook-routes.ts";
import { answerHeaders, outcome, receiversAnswer, tlsCause } from "./deliveries.ts";
import {
  deliveryId,
  environment,
  ifMatch,
  moment,
  objectId,
  owner,
  version,
  webhookId,
  webhookIdInPath,
} from "./fields.ts";
import { always, answer, page } from "./operation.ts";
import {
  CREATION,
  created,
  creationHeaders,
  OWNER,
  overtaken,
  portalOperations,
  SUCCESS,
  VERSIONED,
} from "./portal.ts";

const webhook = z
  .strictObject({
    _id: objectId,
    id: webhookId.meta({ description: "`wh_` and the same." }),
    url: z.string().nullable().meta({ description: "Null once the key that seals it has been erased." }),
    url_masked: z.string().meta({
      description: "Host, `/`, at most eight characters of the path, and `…`. Never accepted as `url`.",
    }),
    events: z.array(z.string()),
    description: z.string().nullable(),
    environment,
    ...owner,
    status: z.enum(WEBHOOK_STATUSES).meta({
      description:
        "`paused` holds deliveries until the webhook is `active` again; while it is `disabled` they are skipped.",
    }),
    is_active: z.boolean().meta({ description: "Whether `status` is `active`." }),
    disabled_reason: z.enum(["requested", "gone", "failing"]).nullable(),
    notification_email: z.string().nullable(),
    signature_format: z.enum(SIGNATURE_FORMATS),
    headers: z
      .array(z.string())
      .meta({ description: "Names of the headers that are added to every delivery." }),
    max_in_flight: z.int(),
    max_per_minute: z
      .int()
      .nullable()
      .meta({ description: "Requests started per minute at most; null for no limit. The others wait." }),
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
/** Addresses are often credentials: lists show them masked. */
const listedWebhook = webhook.omit({ url: true }).meta({ id: "ListedWebhook" });

const shown = {
  schema: webhook,
  example: {
    _id: EXAMPLE.webhookId,
    id: `wh_${EXAMPLE.webhookId}`,
    url: "https://hooks.acme-payroll.com/audit1/in?sig=7nQ2xV9kLmP4",
    url_masked: "hooks.acme-payroll.com/audit1/i…",
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
    max_per_minute: null,
    secrets: [{ id: "65f0c0ffee0123456789abcd", leading: true, created_at: EXAMPLE.at, expires_at: null }],
    health: { consecutive_failures: 0, failing_since: null, last_success_at: null },
    version: EXAMPLE.version,
    created_at: EXAMPLE.at,
    updated_at: EXAMPLE.at,
    createdAt: EXAMPLE.at,
  },
};
const skipped = {
  schema: z
    .strictObject({
      count: z.int().nonnegative(),
      first_at: moment.nullable(),
      last_at: moment.nullable(),
    })
    .meta({
      id: "Skipped",
      description:
        "Deliveries with the status `skipped`: how many, and when the first and the last of their events were stored. A replay of this range sends them.",
    }),
  example: { count: 2, first_at: EXAMPLE.at, last_at: EXAMPLE.later },
};
const { url: _url, ...listedExample } = shown.example;
const listed = { schema: listedWebhook, example: listedExample };
const secret = {
  schema: z
    .string()
    .regex(/^whsec_/)
    .meta({ description: "Signs deliveries. Shown this once." }),
  example: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
};

const operation = portalOperations("Webhooks");
const path = z.object({ webhook_id: webhookIdInPath });
const NOT_FOUND = notFound("webhook");

const changed = answer(
  "The webhook as it is now, in force.",
  { success: SUCCESS, webhook: shown },
  VERSIONED,
);
const withSecret = (description: string) =>
  answer(description, { success: SUCCESS, webhook: shown, secret }, VERSIONED);
const ADDRESS = {
  kind: "validation",
  message: "The request has invalid fields.",
  details: {
    url: "hooks.acme-payroll.com/…: the address must begin with https://. Send a whole address such as https://hooks.example.com/audit1.",
    "events[0]": 'Unknown event "file.lost"',
  },
} as const;

const CHANGE = {
  summary: "Change a webhook",
  path,
  header: ifMatch,
  body: {
    schema: webhookPatch,
    examples: {
      pause: { summary: "Hold deliveries until it is active again", value: { status: "paused" } },
      disable: { summary: "Send nothing more", value: { status: "disabled" } },
      events: { summary: "Ask for other events", value: { events: ["file.processed", "file.failed"] } },
    },
  },
  answers: { 200: changed },
  failures: [NOT_FOUND, ADDRESS, overtaken("webhook")],
} as const;

export const webhookPaths: ZodOpenApiPathsObject = {
  "/api/v1/webhooks": {
    post: operation({
      id: "createWebhook",
      summary: "Register a webhook",
      description:
        "Answers the secret that signs deliveries, this once, and to repeats under the same `Idempotency-Key`. `events` are types, families such as `file.*`, or `*`. The address must be https and public, not a host of Audit1. It rests sealed; lists, mails and the audit trail show `url_masked`.",
      header: creationHeaders,
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
      answers: { 201: created("The webhook and its secret.", { success: SUCCESS, webhook: shown }, secret) },
      failures: [...OWNER, ...CREATION, ADDRESS, TOO_MANY_WEBHOOKS],
    }),
    get: operation({
      id: "listWebhooks",
      summary: "List an owner's webhooks",
      description:
        "Newest first: those of production, unless `environment` says otherwise. Addresses are masked.",
      query: webhookQuery,
      answers: { 200: page("A page of webhooks.", "webhooks", listed) },
      failures: OWNER,
    }),
  },
  "/api/v1/webhooks/{webhook_id}": {
    get: operation({
      id: "getWebhook",
      summary: "Read a webhook",
      description: "Shows everything but secrets and the values of headers; `url` whole.",
      path,
      answers: { 200: answer("The webhook.", { webhook: shown, skipped }, VERSIONED) },
      failures: [NOT_FOUND],
    }),
    patch: operation({
      ...CHANGE,
      id: "changeWebhook",
      description: "Changes the fields that are named.",
    }),
    put: operation({
      ...CHANGE,
      id: "putWebhook",
      description: "The same as PATCH: fields that are not named stay.",
    }),
    delete: operation({
      id: "deleteWebhook",
      summary: "Delete a webhook",
      description: "Nothing more is sent. Its deliveries can still be seen. May be repeated.",
      path,
      header: ifMatch,
      answers: { 200: answer("It is deleted.", { message: always("webhook_deleted") }) },
      failures: [NOT_FOUND, overtaken("webhook")],
    }),
  },
  "/api/v1/webhooks/{webhook_id}/test": {
    post: operation({
      id: "testWebhook",
      summary: "Send a test event",
      description: "At once, and once, whatever the webhook's status: says what the receiver answered.",
      path,
      answers: {
        200: answer("What came of it.", {
          success: { schema: z.boolean(), example: true },
          event_id: { schema: z.string(), example: "evt_test_7nQ2xV9kLmP4rT6wYz1B" },
          delivery_id: { schema: deliveryId, example: EXAMPLE.deliveryId },
          outcome: { schema: outcome, example: "delivered" },
          status: { schema: z.int().nullable(), example: 200 },
          ms: { schema: z.number().nonnegative(), example: 84 },
          answer: { schema: receiversAnswer, example: "ok" },
          headers: { schema: answerHeaders, example: { "content-type": "text/plain", server: "nginx" } },
          tls_cause: { schema: tlsCause, example: null },
        }),
      },
      failures: [NOT_FOUND],
    }),
  },
  "/api/v1/webhooks/{webhook_id}/rotate-secret": {
    post: operation({
      id: "rotateWebhookSecret",
      summary: "Make a new secret",
      description:
        "Both secrets sign for the overlap, a day unless told otherwise; 0 ends the old one at once. The old one leads until the overlap ends or the new one is activated.",
      path,
      header: ifMatch,
      body: {
        schema: rotation,
        examples: { usual: { summary: "A day for the receiver to switch", value: {} } },
      },
      answers: { 200: withSecret("The webhook and its new secret.") },
      failures: [NOT_FOUND, TOO_MANY_SECRETS, overtaken("webhook")],
    }),
  },
  "/api/v1/webhooks/{webhook_id}/activate-secret": {
    post: operation({
      id: "activateWebhookSecret",
      summary: "Let the newest secret lead",
      description: "From now on it makes the signatures that hold one value.",
      path,
      header: ifMatch,
      answers: { 200: changed },
      failures: [NOT_FOUND, overtaken("webhook")],
    }),
  },
};
