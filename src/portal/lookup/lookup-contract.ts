/** The contract of `GET /lookup/{id}`. */
import * as z from "zod";
import { once } from "../../contract/answer.ts";
import { EXAMPLE, exampleOf, like } from "../../contract/examples.ts";
import { environment, fileStatus, moment, owner, plan, sequence, webhookId } from "../../contract/fields.ts";
import { DELIVERY_STATUSES, SUBJECT_KINDS, WEBHOOK_STATUSES } from "../../db/schema.ts";
import { fileDetails } from "../../inbound/file-presenter.ts";
import { ENVIRONMENTS } from "../../model.ts";
import { portalContracts } from "../portal-contract.ts";
import { requestFields } from "../requests/request-contract.ts";

const LOOKUP_KINDS = [
  "request",
  "file",
  "delivery",
  "event",
  "connection",
  "webhook",
  "api_key",
  "employer",
] as const;
export type LookupKind = (typeof LOOKUP_KINDS)[number];

const lookupQuery = z.strictObject({
  environment: z
    .enum(ENVIRONMENTS, { error: `Must be one of ${ENVIRONMENTS.join(", ")}` })
    .optional()
    .meta({ description: "Of an event. Without it, the event is looked up in both environments." }),
});

const link = once(() =>
  z
    .strictObject({
      kind: like(z.enum(LOOKUP_KINDS), "connection"),
      id: like(z.string(), EXAMPLE.connectionId),
      href: like(
        z.string(),
        `/api/v1/connections/${EXAMPLE.connectionId}`,
        "Where to read it with the same credentials.",
      ),
      type: z.string().optional().meta({ description: "Of an event." }),
      at: moment().optional().meta({ description: "When an event happened." }),
      status: z.enum(DELIVERY_STATUSES).optional().meta({ description: "Of a delivery." }),
      webhook_id: webhookId().optional().meta({ description: "The webhook of a delivery." }),
      event_id: z.string().optional().meta({ description: "The event of a delivery." }),
    })
    .meta({ id: "Link" }),
);
export type Link = z.infer<ReturnType<typeof link>>;

const change = once(() =>
  z.strictObject({
    id: like(z.string(), "aud_01KMTQ3A40ZX8Q1V6N5T", "In the audit trail."),
    at: moment(),
    actor: like(z.string(), "client:portal"),
    action: like(z.string(), "connection.updated"),
    subject: like(z.strictObject({ kind: z.enum(SUBJECT_KINDS), id: z.string() }), {
      kind: "connection",
      id: EXAMPLE.connectionId,
    }),
  }),
);
export type ShownChange = z.infer<ReturnType<typeof change>>;

/** A request to an intake for reports. */
const report = once(() =>
  z.strictObject({
    ...requestFields(),
    file_status: fileStatus().nullable().meta({ description: "Of the file, now." }),
  }),
);

/** A request to the portal API that changed something. */
const portalRequest = once(() =>
  z.strictObject({
    request_id: like(z.string(), EXAMPLE.portalRequestId),
    at: moment(),
    changes: z.array(change()).meta({ description: "What it changed: the first twenty changes." }),
  }),
);

const file = once(() =>
  fileDetails()
    .omit({ file_id: true, connection_id: true, api_key_id: true })
    .extend({ ...owner() }),
);

const delivery = once(() =>
  z.strictObject({
    status: like(z.enum(DELIVERY_STATUSES), "delivered"),
    event_type: like(z.string().nullable(), "file.processed"),
    attempts: like(z.int().nonnegative(), 1),
    response_code: like(z.int().nullable(), 200),
    last_error: z.string().nullable(),
    next_attempt_at: moment().nullable(),
    created_at: moment(),
    updated_at: moment(EXAMPLE.later),
  }),
);

const event = once(() =>
  z.strictObject({
    type: like(z.string(), "file.processed"),
    ...owner(),
    environment: environment(),
    source: like(z.string(), "files-creator"),
    sequence: sequence(),
    created_at: moment(),
    received_at: moment(),
  }),
);

const connection = once(() =>
  z.strictObject({
    type: like(z.string(), "webhook"),
    ...owner(),
    status: like(z.enum(["active", "inactive"]), "active"),
    plan: plan(),
    environment: environment(),
    employer_id: like(z.string().nullable(), EXAMPLE.employerId),
    created_at: moment(),
    updated_at: moment(EXAMPLE.later),
    deleted_at: moment().nullable(),
    erase_at: moment()
      .nullable()
      .meta({ description: "When its data key is deleted, or was. Null if it is not erased." }),
  }),
);

const webhook = once(() =>
  z.strictObject({
    ...owner(),
    status: like(z.enum(WEBHOOK_STATUSES), "active"),
    environment: environment(),
    events: like(z.array(z.string()), ["file.*"]),
    created_at: moment(),
    updated_at: moment(EXAMPLE.later),
    deleted_at: moment().nullable(),
  }),
);

const apiKey = once(() =>
  z.strictObject({
    ...owner(),
    is_active: like(z.boolean(), true),
    plan: plan(),
    environment: environment(),
    last_used_at: moment().nullable(),
    created_at: moment(),
    updated_at: moment(EXAMPLE.later),
  }),
);

const employer = once(() =>
  z.strictObject({
    owners: z
      .array(z.strictObject(owner()))
      .meta({ description: "The owners within the request's scope that may report for it." }),
  }),
);

function foundAs<Kind extends LookupKind, Summary extends z.ZodType>(kind: Kind, summary: Summary) {
  return z.strictObject({
    kind: z.literal(kind),
    id: like(z.string(), EXAMPLE.requestId),
    href: like(z.string(), `/api/v1/lookup/${EXAMPLE.requestId}`),
    console_url: like(
      z.string().nullable(),
      `https://console.audit1.com/console/requests/${EXAMPLE.requestId}`,
      "Its page for people. Null without a console.",
    ),
    summary,
    related: z.array(link()),
  });
}

const found = once(() => ({
  report: foundAs("request", report()),
  portalRequest: foundAs("request", portalRequest()),
  file: foundAs("file", file()),
  delivery: foundAs("delivery", delivery()),
  event: foundAs("event", event()),
  connection: foundAs("connection", connection()),
  webhook: foundAs("webhook", webhook()),
  apiKey: foundAs("api_key", apiKey()),
  employer: foundAs("employer", employer()),
}));
type Schemas = ReturnType<typeof found>;
/** What an id names. */
export type Found = { [Name in keyof Schemas]: z.infer<Schemas[Name]> }[keyof Schemas];
type WithoutPage<Each> = Each extends Found ? Omit<Each, "console_url"> : never;
/** What an id names, before its page in the console is known. */
export type FoundObject = WithoutPage<Found>;

const anyId = () =>
  z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,128}$/)
    .meta({
      description: "Of a request, file, delivery, event, connection, webhook, API key or employer.",
      examples: [EXAMPLE.requestId],
    });

export const lookUp = portalContracts("Operations")({ query: lookupQuery }, () => ({
  id: "lookUp",
  summary: "Look up any id",
  description:
    "Returns what an id names and everything related to it, from one place that the id's form determines. The id of a request is `request_id` in its response: the request is found if it brought a report, was rejected at an intake (of a flood, only some requests are recorded), or changed something in the portal. An event needs its owner; without `environment` it is looked up in both.",
  path: { any_id: anyId() },
  answers: {
    200: {
      description: "What the id names.",
      schema: z.union(Object.values(found())),
      example: exampleOf(found().report),
    },
  },
  failures: [
    { kind: "owner_id_required" },
    { kind: "owner_type_required" },
    { kind: "owner_not_found" },
    { kind: "id_not_found" },
    { kind: "id_not_found", requestedAt: EXAMPLE.at },
  ],
}));
