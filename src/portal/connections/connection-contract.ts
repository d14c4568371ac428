/** The contract of inbound connections. */
import * as z from "zod";
import { answer, countedPage, once } from "../../contract/answer.ts";
import { EXAMPLE, like } from "../../contract/examples.ts";
import { environment, moment, objectId, owner, plan, success, version } from "../../contract/fields.ts";
import { DEFAULT_RETENTION_YEARS } from "../../db/gates.ts";
import type { Failure } from "../../http/failure.ts";
import { pageFields } from "../../http/page.ts";
import { ENVIRONMENTS, PLANS } from "../../model.ts";
import { ownerFields } from "../owner.ts";
import {
  created,
  deletion,
  NO_CHOICE_OF_PLAN,
  portalContracts,
  rotation,
  VERSIONED,
} from "../portal-contract.ts";

/** The name of the list in its cursors. */
export const CONNECTION_LIST = "connections";

const status = z.enum(["active", "inactive"]);
/** Settings of creation and of later changes. */
const settings = {
  plan: z.enum(PLANS),
  environment: z.enum(ENVIRONMENTS),
  employer_id: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,64}$/, "Must be 1 to 64 characters of A-Za-z0-9_-")
    .nullable(),
  default_wait_seconds: z.int().min(0).max(30),
  same_body: z.enum(["accept", "deduplicate"]),
  retention_years: z.int().min(1).max(10),
  description: z.string().max(500).nullable(),
  notification_email: z.email("Must be an e-mail address").max(254).nullable().meta({
    description: "Receives the mails about alerts of this connection. Null: they go to Audit1.",
  }),
};
const connectionType = z.string().regex(/^[a-z][a-z0-9_]{0,31}$/, "Must be a word such as webhook");

const newConnection = z.strictObject({
  ...ownerFields,
  ...settings,
  type: connectionType.default("webhook"),
  plan: settings.plan.optional(),
  environment: settings.environment.default("sandbox"),
  employer_id: settings.employer_id.optional(),
  default_wait_seconds: settings.default_wait_seconds.default(0),
  same_body: settings.same_body.default("accept"),
  retention_years: settings.retention_years.default(DEFAULT_RETENTION_YEARS),
  description: settings.description.optional(),
  notification_email: settings.notification_email.optional(),
});
export type NewConnection = z.infer<typeof newConnection>;
const connectionPatch = z
  .strictObject({
    status: status.exactOptional(),
    plan: settings.plan.exactOptional(),
    environment: settings.environment.exactOptional(),
    employer_id: settings.employer_id.exactOptional(),
    default_wait_seconds: settings.default_wait_seconds.exactOptional(),
    same_body: settings.same_body.exactOptional(),
    retention_years: settings.retention_years.exactOptional(),
    description: settings.description.exactOptional(),
    notification_email: settings.notification_email.exactOptional(),
  })
  .refine((fields) => Object.keys(fields).length > 0, "Name at least one field to change")
  .meta({ minProperties: 1 });
const include = z
  .literal("activity", { error: "Must be activity" })
  .optional()
  .meta({ description: "`activity` adds `last_report_at`, which is asked of each connection's gate." });
const connectionRead = z.strictObject({ include });
const connectionQuery = z.strictObject({
  ...ownerFields,
  status: status.optional(),
  environment: settings.environment.optional(),
  type: connectionType.optional(),
  employer_id: settings.employer_id.unwrap().optional(),
  include,
  ...pageFields(CONNECTION_LIST, z.tuple([z.int(), z.string()])),
});

/** Each signature is checked against every secret in force. */
export const MAX_SECRETS = 10;

export const TOO_MANY_SECRETS: Failure = { kind: "too_many_secrets", limit: MAX_SECRETS };
export const NO_EMPLOYER: Failure = { kind: "employer_not_granted" };

const connection = once(() =>
  z
    .strictObject({
      id: objectId(),
      type: like(z.string(), "webhook"),
      ...owner(),
      status: like(status, "active"),
      plan: plan(),
      environment: environment(),
      employer_id: like(
        z.string().nullable(),
        EXAMPLE.employerId,
        "The only employer it may report for; null for any.",
      ),
      default_wait_seconds: like(z.int(), 0),
      same_body: like(settings.same_body, "accept"),
      retention_years: like(z.int(), DEFAULT_RETENTION_YEARS),
      description: like(z.string().nullable(), "Payroll of Acme Manufacturing"),
      notification_email: like(
        z.string().nullable(),
        "payroll@acme-payroll.com",
        "Receives the mails about alerts of this connection.",
      ),
      version: version(),
      url: like(
        z.url(),
        `https://webhooks.audit1.com/api/v1/webhook/inbound/${EXAMPLE.connectionId}`,
        "Where to send its reports.",
      ),
      secrets: z
        .array(
          z.strictObject({
            id: objectId("65f0c0ffee0123456789abcd"),
            created_at: moment(),
            expires_at: moment().nullable(),
          }),
        )
        .meta({ description: "The secrets in force, newest first. Their values are never shown again." }),
      created_at: moment(),
      updated_at: moment(),
      last_report_at: moment().nullable().optional().meta({
        description:
          "When the last report was accepted; null for none in the last 90 days. Only with `include=activity`, and left out while it cannot be read.",
      }),
    })
    .meta({ id: "Connection" }),
);
export type ShownConnection = z.infer<ReturnType<typeof connection>>;

const secret = once(() =>
  like(z.string(), "whsec_3u1JX0Zq8yBv5cR7nT2mK9pL4wE6sA0dF1gH8jQzXcV", "Signs reports. Shown only once."),
);

const contract = portalContracts("Connections");

export const createConnection = contract({ body: newConnection, creates: true }, () => ({
  id: "createConnection",
  summary: "Create a connection",
  description:
    "Returns the URL that reports are sent to and the secret that signs them. The secret is shown only now, and to repeats with the same `Idempotency-Key`.",
  examples: {
    bound: {
      summary: "For one employer",
      value: {
        ...EXAMPLE.owner,
        employer_id: EXAMPLE.employerId,
        plan: "production",
        environment: "production",
        description: "Payroll of Acme Manufacturing",
      },
    },
    sandbox: { summary: "For testing", value: { ...EXAMPLE.owner } },
  },
  answers: {
    201: created(
      "The connection and its secret.",
      { success: success(), connection: connection() },
      secret(),
    ),
  },
  failures: [NO_CHOICE_OF_PLAN, NO_EMPLOYER],
}));

export const listConnections = contract({ query: connectionQuery }, () => ({
  id: "listConnections",
  summary: "List an owner's connections",
  description:
    "Newest first. A filtered page may hold fewer entries than its limit even if the list continues.",
  answers: { 200: countedPage("A page of connections.", "connections", connection()) },
}));

export const getConnection = contract({ query: connectionRead }, () => ({
  id: "getConnection",
  summary: "Read a connection",
  description: "Returns everything but secrets.",
  of: "connection",
  answers: { 200: answer("The connection.", { connection: connection() }, VERSIONED) },
}));

export const changeConnection = contract({ body: connectionPatch }, () => ({
  id: "changeConnection",
  summary: "Change a connection",
  description:
    "Changes the fields that are sent. The response means that the change is in force everywhere: an inactive connection is then rejected even where it was cached. After a 503, send the same request again.",
  of: "connection",
  changes: true,
  examples: {
    deactivate: { summary: "Accept no more reports", value: { status: "inactive" } },
    settings: {
      summary: "Hold responses, and treat an equal body within the hour as a repeat",
      value: { default_wait_seconds: 5, same_body: "deduplicate" },
    },
  },
  answers: {
    200: answer(
      "The changed connection, in force everywhere.",
      { success: success(), connection: connection() },
      VERSIONED,
    ),
  },
  failures: [NO_CHOICE_OF_PLAN, NO_EMPLOYER],
}));

export const deleteConnection = contract({ query: deletion }, () => ({
  id: "deleteConnection",
  summary: "Delete a connection, or erase it",
  description:
    "The connection accepts no reports from the response on. With `erase=true` its data key is deleted after seven days, which makes everything encrypted under it unreadable; until then `erase=false` cancels the erasure. Safe to repeat.",
  of: "connection",
  changes: true,
  answers: {
    200: answer("Deleted. `erase_at` is when the connection is erased; null for never.", {
      message: z.literal("connection_deleted"),
      erase_at: moment().nullable(),
    }),
  },
}));

export const rotateSecret = contract({ body: rotation }, () => ({
  id: "rotateConnectionSecret",
  summary: "Rotate the secret",
  description: "The old secrets stay valid for the overlap, by default a day; 0 ends them at once.",
  of: "connection",
  changes: true,
  examples: {
    usual: { summary: "Give the sender a day to switch", value: {} },
    leaked: { summary: "The old secret has leaked", value: { overlap_seconds: 0 } },
  },
  answers: {
    200: answer(
      "The connection and its new secret.",
      { success: success(), connection: connection(), secret: secret() },
      VERSIONED,
    ),
  },
  failures: [TOO_MANY_SECRETS],
}));
