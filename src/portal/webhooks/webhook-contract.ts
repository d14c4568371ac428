/** The contract of webhooks. */
import * as z from "zod";
import { answer, once, page } from "../../contract/answer.ts";
import { EXAMPLE, like } from "../../contract/examples.ts";
import {
  deliveryId,
  environment as environmentField,
  moment,
  objectId,
  owner,
  success,
  version,
  webhookId,
} from "../../contract/fields.ts";
import { WEBHOOK_STATUSES } from "../../db/schema.ts";
import type { Failure } from "../../http/failure.ts";
import { pageFields } from "../../http/page.ts";
import { ENVIRONMENTS } from "../../model.ts";
import { EVENT_TYPES, TEST_EVENT } from "../../outbound/event-types.ts";
import { SIGNATURE_FORMATS } from "../../outbound/signing.ts";
import { MAX_URL_CHARS } from "../../outbound/url-policy.ts";
import { DEFAULT_ENVIRONMENT, ownerFields } from "../owner.ts";
import { created, portalContracts, rotation, VERSIONED } from "../portal-contract.ts";
import { attemptFields } from "./delivery-contract.ts";

export const DEFAULT_IN_FLIGHT = 4;
/** One invocation delivers to an endpoint, and the platform lets six of its requests wait for responses at a time. */
export const MAX_IN_FLIGHT = 6;

/** The name of the list in its cursors. */
export const WEBHOOK_LIST = "webhooks";

const environment = z
  .enum(ENVIRONMENTS, { error: `Must be one of ${ENVIRONMENTS.join(", ")}` })
  .default(DEFAULT_ENVIRONMENT);
const status = z.enum(WEBHOOK_STATUSES);
const PER_MINUTE = "At most this many requests are started per minute; null for no limit. The others wait.";
const settings = {
  url: z.string().max(MAX_URL_CHARS),
  events: z.array(z.string()).meta({
    description: "Types (`file.processed`), families (`file.*`) or `*`. An unknown name is rejected.",
  }),
  description: z.string().max(500).nullable(),
  notification_email: z.email("Must be an e-mail address").max(254).nullable().meta({
    description: "Receives the mails about failures; null for Audit1's operators.",
  }),
  signature_format: z.enum(SIGNATURE_FORMATS).meta({
    description: "The form of `Audit1-Signature`. The other signatures do not depend on it.",
  }),
  headers: z.preprocess(withoutProto, z.record(z.string(), z.string()).nullable()).meta({
    description:
      "Sent with every delivery, by name. A header that the gateway or the HTTP connection sets itself is rejected.",
  }),
  max_in_flight: z.int().min(1).max(MAX_IN_FLIGHT).meta({
    description: "At most this many requests wait for responses at a time.",
  }),
  max_per_minute: z.int().min(1).nullable().meta({ description: PER_MINUTE }),
};

/** A record schema drops this name silently; rejecting it keeps the stored headers equal to the request. */
function withoutProto(headers: unknown, context: z.core.$RefinementCtx): unknown {
  if (typeof headers === "object" && headers !== null && Object.hasOwn(headers, "__proto__"))
    context.addIssue({ code: "custom", path: ["__proto__"], message: "Not a name for a header" });
  return headers;
}

const newWebhook = z.strictObject({
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
const webhookPatch = z
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
export type WebhookPatch = z.infer<typeof webhookPatch>;
const LISTED = [...ENVIRONMENTS, "all"] as const;
const webhookQuery = z.strictObject({
  ...ownerFields,
  environment: z.enum(LISTED, { error: `Must be one of ${LISTED.join(", ")}` }).default(DEFAULT_ENVIRONMENT),
  status: status.optional(),
  ...pageFields(WEBHOOK_LIST, z.tuple([z.int(), z.string()])),
});

/** Every secret in force signs every delivery. */
export const MAX_SECRETS = 5;

export const TOO_MANY_SECRETS: Failure = { kind: "too_many_secrets", limit: MAX_SECRETS };
/** Every event of an owner reads all of its webhooks. */
export const MAX_WEBHOOKS = 1_000;

export const TOO_MANY_WEBHOOKS: Failure = { kind: "too_many_webhooks", limit: MAX_WEBHOOKS };
const ADDRESS = {
  kind: "invalid_fields",
  details: {
    url: "hooks.acme-payroll.com/…: the address must begin with https://. Send a whole address such as https://hooks.example.com/audit1.",
    "events[0]": 'Unknown event "file.lost"',
  },
} as const;

export const lastFailure = once(() =>
  like(
    z.strictObject({ kind: z.string(), status: z.int().nullable(), bot_wall: z.boolean() }),
    { kind: "status", status: 503, bot_wall: false },
    "The newest failed attempt: its `kind`, the response's status if there was one, and whether the response looks like that of a bot wall.",
  ),
);

const webhook = once(() =>
  z
    .strictObject({
      _id: objectId(EXAMPLE.webhookId),
      id: webhookId().meta({ description: "`wh_` and the same id." }),
      url: like(
        z.string().nullable(),
        "https://hooks.acme-payroll.com/audit1/in?sig=7nQ2xV9kLmP4",
        "Null once the key that encrypts it has been erased.",
      ),
      url_masked: like(
        z.string(),
        "hooks.acme-payroll.com/audit1/i…",
        "Host, `/`, at most eight characters of the path, and `…`. Never accepted as `url`.",
      ),
      events: like(z.array(z.string()), ["file.*", "audit.completed"]),
      description: like(z.string().nullable(), "Acme's intake"),
      environment: environmentField(),
      ...owner(),
      status: like(
        z.enum(WEBHOOK_STATUSES),
        "active",
        "`paused` holds deliveries until the webhook is `active` again; while it is `disabled` they are skipped.",
      ),
      is_active: like(z.boolean(), true, "Whether `status` is `active`."),
      disabled_reason: z.enum(["requested", "gone", "failing"]).nullable(),
      notification_email: like(z.string().nullable(), "integrations@acme-payroll.com"),
      signature_format: like(z.enum(SIGNATURE_FORMATS), "timestamped"),
      headers: like(z.array(z.string()), [], "Names of the custom headers of every delivery."),
      max_in_flight: like(z.int(), DEFAULT_IN_FLIGHT),
      max_per_minute: z.int().nullable().meta({ description: PER_MINUTE }),
      secrets: z
        .array(
          z.strictObject({
            id: objectId("65f0c0ffee0123456789abcd"),
            leading: like(z.boolean(), true, "Whether it makes the signatures that hold only one value."),
            created_at: moment(),
            expires_at: moment().nullable(),
          }),
        )
        .meta({ description: "The secrets in force. Their values are never shown again." }),
      health: z.strictObject({
        consecutive_failures: like(z.int().nonnegative(), 0),
        failing_since: moment().nullable(),
        last_success_at: moment().nullable(),
        last_failure: lastFailure().nullable().meta({
          description: "Of the latest attempt; null if it succeeded, or if there was none.",
        }),
        disables_at: moment().nullable().meta({
          description:
            "When the gateway disables the webhook if every attempt fails until then. In the past: with the next failed attempt, or the tenth. Null unless it is active and failing.",
        }),
      }),
      paused_at: moment().nullable(),
      version: version(),
      created_at: moment(),
      updated_at: moment(),
      createdAt: moment().meta({ description: "The same as `created_at`." }),
    })
    .meta({ id: "Webhook" }),
);
export type ShownWebhook = z.infer<ReturnType<typeof webhook>>;
/** URLs often contain credentials: lists show them masked. */
export const listedWebhook = once(() => webhook().omit({ url: true }).meta({ id: "ListedWebhook" }));
export type ListedWebhook = z.infer<ReturnType<typeof listedWebhook>>;

const skipped = once(() =>
  z
    .strictObject({
      count: like(z.int().nonnegative(), 2),
      first_at: like(moment().nullable(), EXAMPLE.at),
      last_at: like(moment().nullable(), EXAMPLE.later),
    })
    .meta({
      id: "Skipped",
      description:
        "Deliveries with the status `skipped`: how many there are, and when the first and the last of their events were stored. A replay of this range sends them.",
    }),
);
export type ShownSkipped = z.infer<ReturnType<typeof skipped>>;

const secret = once(() =>
  like(
    z.string().regex(/^whsec_/),
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "Signs deliveries. Shown only once.",
  ),
);

const contract = portalContracts("Webhooks");

const changed = once(() =>
  answer("The changed webhook, in force.", { success: success(), webhook: webhook() }, VERSIONED),
);

export const createWebhook = contract({ body: newWebhook, creates: true }, () => ({
  id: "createWebhook",
  summary: "Register a webhook",
  description:
    "Returns the secret that signs deliveries, only now and to repeats with the same `Idempotency-Key`. `events` are types, families such as `file.*`, or `*`. The URL must be https and public, and not a host of Audit1. It is stored encrypted; lists, e-mails and the audit trail show `url_masked`.",
  examples: {
    files: {
      summary: "Outcomes of files",
      value: {
        ...EXAMPLE.owner,
        environment: "production",
        url: "https://hooks.acme-payroll.com/audit1",
        events: ["file.*"],
        notification_email: "integrations@acme-payroll.com",
      },
    },
  },
  answers: {
    201: created("The webhook and its secret.", { success: success(), webhook: webhook() }, secret()),
  },
  failures: [ADDRESS, TOO_MANY_WEBHOOKS],
}));

export const listWebhooks = contract({ query: webhookQuery }, () => ({
  id: "listWebhooks",
  summary: "List an owner's webhooks",
  description:
    "Newest first; those of production, unless `environment` is set; `all` is both. URLs are masked.",
  answers: { 200: page("A page of webhooks.", "webhooks", listedWebhook()) },
}));

export const getWebhook = contract({}, () => ({
  id: "getWebhook",
  summary: "Read a webhook",
  description: "Returns everything but secrets and header values; `url` is not masked.",
  of: "webhook",
  answers: { 200: answer("The webhook.", { webhook: webhook(), skipped: skipped() }, VERSIONED) },
}));

function changeContract(id: string, summary: string, description: string) {
  return contract({ body: webhookPatch }, () => ({
    id,
    summary,
    description,
    of: "webhook",
    changes: true,
    examples: {
      pause: { summary: "Hold deliveries until it is active again", value: { status: "paused" } },
      disable: { summary: "Send nothing more", value: { status: "disabled" } },
      events: { summary: "Subscribe to other events", value: { events: ["file.processed", "file.failed"] } },
    },
    answers: { 200: changed() },
    failures: [ADDRESS],
  }));
}
export const changeWebhook = changeContract(
  "changeWebhook",
  "Change a webhook",
  "Changes the fields that are sent.",
);
export const putWebhook = changeContract(
  "putWebhook",
  "Change a webhook with PUT",
  "The same as PATCH: fields that are not sent stay unchanged.",
);

export const deleteWebhook = contract({}, () => ({
  id: "deleteWebhook",
  summary: "Delete a webhook",
  description: "Nothing more is sent. The webhook's deliveries can still be read. Safe to repeat.",
  of: "webhook",
  changes: true,
  answers: { 200: answer("Deleted.", { message: z.literal("webhook_deleted") }) },
}));

const testQuery = z.strictObject({
  type: z
    .enum(EVENT_TYPES, { error: "Must be an event type such as file.processed" })
    .default(TEST_EVENT)
    .meta({ description: "The type of the event, whether or not the webhook subscribes to it." }),
});

export const testWebhook = contract({ query: testQuery }, () => {
  const { outcome, status, ms, answer: body, headers, tlsCause } = attemptFields();
  return {
    id: "testWebhook",
    summary: "Send a test event",
    description:
      "Sends one event at once, whatever the webhook's status, and returns the receiver's response. Its data is an example of the type; `data.test`, or `data` itself of a `webhook.test`, has accents, an emoji, escapes and fractions. No other webhook receives it, and lists of events leave it out unless it is a `webhook.test`.",
    of: "webhook",
    answers: {
      200: answer("The outcome.", {
        success: like(z.boolean(), true),
        event_id: like(z.string(), "evt_test_7nQ2xV9kLmP4rT6wYz1B"),
        delivery_id: deliveryId(),
        outcome,
        status,
        ms,
        answer: body,
        headers,
        tls_cause: tlsCause,
      }),
    },
  };
});

export const rotateSecret = contract({ body: rotation }, () => ({
  id: "rotateWebhookSecret",
  summary: "Rotate the secret",
  description:
    "Both secrets sign for the overlap, by default a day; 0 ends the old secret at once. The old secret leads until the overlap ends or the new one is activated.",
  of: "webhook",
  changes: true,
  examples: { usual: { summary: "Give the receiver a day to switch", value: {} } },
  answers: {
    200: answer(
      "The webhook and its new secret.",
      { success: success(), webhook: webhook(), secret: secret() },
      VERSIONED,
    ),
  },
  failures: [TOO_MANY_SECRETS],
}));

export const activateSecret = contract({}, () => ({
  id: "activateWebhookSecret",
  summary: "Make the newest secret lead",
  description: "From now on the newest secret makes the signatures that hold only one value.",
  of: "webhook",
  changes: true,
  answers: { 200: changed() },
}));
