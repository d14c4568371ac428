/** The contract of events: Audit1's services and the files-creator report them, their owner reads them back. */
import * as z from "zod";
import { answer, once } from "../../contract/answer.ts";
import { KEY_REFUSED, RATE_LIMITED } from "../../contract/common-failures.ts";
import { contract } from "../../contract/contract.ts";
import { EXAMPLE, like } from "../../contract/examples.ts";
import {
  environment as environmentField,
  fileId,
  fileStatus,
  listCount,
  moment,
  nextCursor,
  owner,
  sequence,
} from "../../contract/fields.ts";
import { utf8 } from "../../crypto/encoding.ts";
import type { Failure } from "../../http/failure.ts";
import { ENVIRONMENTS } from "../../model.ts";
import { eventListFields } from "../../outbound/event-list.ts";
import { eventTime } from "../../outbound/event-time.ts";
import { EVENT_TYPES, TEST_EVENT } from "../../outbound/event-types.ts";
import { notFound } from "../change.ts";
import { DEFAULT_ENVIRONMENT, ownerFields } from "../owner.ts";
import { OWNER, portalContracts } from "../portal-contract.ts";
import { delivery } from "../webhooks/delivery-contract.ts";

/** Of one event, as JSON. */
const MAX_DATA_BYTES = 256 * 1024;
const MAX_EVENTS = 100;
/** A batch of only maximum-size events would exhaust the memory of the isolate; it must be sent in parts. */
export const MAX_EVENTS_BYTES = 8 * 1024 ** 2;
/** More than fit into the data of one event. Parsed, they take up to 25 MB. */
const MAX_EVENTS_VALUES = 200_000;

/** Events that the files-creator reports. */
export const FILE_REPORTS = ["file.validated", "file.processed", "file.failed"] as const;
/** Events that only the gateway sends. */
const OWN_TYPES: readonly string[] = ["file.uploaded", TEST_EVENT];
const TYPES = EVENT_TYPES.filter((type) => !OWN_TYPES.includes(type));

const count = z.int().nonnegative().optional();
export const fileData = z.looseObject({
  fileId: z.string(),
  recordsTotal: count,
  recordsProcessed: count,
  recordsFailed: count,
});

const environment = z
  .enum(ENVIRONMENTS, { error: `Must be one of ${ENVIRONMENTS.join(", ")}` })
  .default(DEFAULT_ENVIRONMENT);

/** The object exactly as it was sent: an object schema would copy it and drop `__proto__`. */
const givenObject = z
  .custom<Record<string, unknown>>(
    (value) => typeof value === "object" && value !== null && !Array.isArray(value),
    "Must be an object",
  )
  .meta({ override: { type: "object" } });

/** Prefixes of the gateway's own ids. From the wire contract. */
const OWN_ID = /^evt_(?:uploaded|failed|test|gateway)_/;
const ID_RULE = "Must be 1 to 128 characters of A-Za-z0-9_-";

/** A dot would make the signed string of Standard Webhooks, `id.timestamp.body`, ambiguous. */
const eventId = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,128}$/, {
    error: ({ input }) =>
      typeof input === "string" && input.includes(".")
        ? `${ID_RULE}, without dots: the signed string of a delivery separates its parts by them`
        : ID_RULE,
  })
  .refine((id) => !OWN_ID.test(id), {
    error: ({ input }) =>
      `Ids that begin with ${OWN_ID.exec(String(input))?.[0]} are reserved for the gateway's own events. Choose another id`,
  });

/** Validated together with the type, since a wrong time does not reject a report on a file. */
const givenTime = (description: string) =>
  z
    .unknown()
    .optional()
    .meta({ description, override: { type: "string", format: "date-time" } });

const event = z
  .strictObject({
    id: eventId,
    type: z.enum(TYPES, { error: "Unknown event type" }),
    timestamp: givenTime("The same as `created_at`. Both may be sent if they name the same moment."),
    created_at: givenTime(
      "When the event happened; by default now. Up to 5 minutes ahead counts as now. Further ahead, or over 90 days ago, is rejected, except for `file.*`, where the gateway's own time replaces a wrong one.",
    ),
    ...ownerFields,
    environment,
    metadata: z.strictObject({ source: z.string().min(1).max(64).optional() }).optional(),
    data: givenObject,
  })
  .superRefine(({ type, data, timestamp, created_at }, context) => {
    if (utf8(JSON.stringify(data)).byteLength > MAX_DATA_BYTES)
      context.addIssue({
        code: "custom",
        path: ["data"],
        message: `Must be at most ${MAX_DATA_BYTES} bytes`,
      });
    const time = isFileReport(type) ? null : eventTime({ timestamp, created_at }, Date.now());
    if (time !== null && !time.ok)
      context.addIssue({ code: "custom", path: [time.error.field], message: time.error.message });
    const asFile = isFileReport(type) ? fileData.safeParse(data) : null;
    for (const issue of asFile?.error?.issues ?? [])
      context.addIssue({ ...issue, path: ["data", ...issue.path] });
  });
export type EventRequest = z.infer<typeof event>;

const eventBatch = z.strictObject({ events: z.array(event).min(1).max(MAX_EVENTS) });
/** One event, or `events`. */
const eventOrBatch = z.unknown().transform((body, context): EventRequest | EventRequest[] => {
  const batched = typeof body === "object" && body !== null && "events" in body;
  const parsed = batched ? eventBatch.safeParse(body) : event.safeParse(body);
  if (parsed.success) return "events" in parsed.data ? (parsed.data.events as EventRequest[]) : parsed.data;
  for (const issue of parsed.error.issues) context.addIssue({ ...issue });
  return z.NEVER;
});

const eventQuery = z.strictObject({ ...ownerFields, environment, ...eventListFields });

export function isFileReport(type: string): type is (typeof FILE_REPORTS)[number] {
  return FILE_REPORTS.some((each) => each === type);
}

export const REUSED: Failure = { kind: "event_id_reused" };

const reported = once(() =>
  z.strictObject({
    success: z.literal(true),
    id: z.string(),
    duplicate: z.boolean().meta({ description: "The event had been reported before." }),
    file_id: fileId().optional(),
    status: fileStatus().optional().meta({ description: "Of the file that the event is about." }),
  }),
);
export type ReportedEvent = z.infer<ReturnType<typeof reported>>;

const refused = once(() =>
  z.strictObject({
    success: z.literal(false),
    id: z.string(),
    status: z.int(),
    error: z.string(),
    code: z.string(),
    message: z.string(),
  }),
);
export type RefusedEvent = z.infer<ReturnType<typeof refused>>;

const FILE_EVENT = {
  id: "evt_0G5ENQ5XTX",
  type: "file.processed",
  timestamp: EXAMPLE.later,
  data: { fileId: EXAMPLE.fileId, recordsTotal: 1, recordsProcessed: 1, recordsFailed: 0 },
};
const POLICY_EVENT = {
  id: "evt_policy_1",
  type: "policy.renewed" as const,
  ...EXAMPLE.owner,
  environment: "production",
  metadata: { source: "policies" },
  data: { policyNumber: "WC1025561", employerId: EXAMPLE.employerId },
};

const fanOut = once(() => {
  const some = (value: number, description?: string) => like(z.int().nonnegative(), value, description);
  return z
    .strictObject({
      total: some(2, "0 if no webhook subscribed to the type when the event was stored."),
      delivered: some(1),
      waiting: some(1, "`pending` and `retrying`."),
      failed: some(0),
      skipped: some(0),
    })
    .meta({ id: "FanOut", description: "How many deliveries the event has, by status." });
});

const storedFields = once(() => ({
  id: like(z.string(), POLICY_EVENT.id),
  type: like(z.enum(EVENT_TYPES), POLICY_EVENT.type),
  timestamp: moment(),
  created_at: moment().meta({ description: "When it happened; the same as `timestamp`." }),
  data: like(z.record(z.string(), z.unknown()), POLICY_EVENT.data),
  metadata: z.strictObject({
    source: like(z.string(), "policies"),
    environment: environmentField(),
    sequence: sequence(),
  }),
  received_at: moment(EXAMPLE.later).meta({
    description: "When the event was stored, which `since` and `until` filter by.",
  }),
}));

/** An event as its owner reads it: the envelope that webhooks receive, and when it was stored. */
const stored = once(() =>
  z
    .strictObject({
      ...storedFields(),
      deliveries: fanOut().optional().meta({ description: "With `with_deliveries=true`." }),
    })
    .meta({ id: "Event" }),
);
export type ShownEvent = z.infer<ReturnType<typeof stored>>;

const eventOfOwner = once(() =>
  z.strictObject({
    ...storedFields(),
    ...owner(),
    file_id: fileId().nullable().meta({ description: "The file that the event is about, if it names one." }),
    deliveries: fanOut(),
  }),
);
export type ShownEventOfOwner = z.infer<ReturnType<typeof eventOfOwner>>;

export const reportEvent = portalContracts("Events")(
  { body: eventOrBatch, limits: { limitBytes: MAX_EVENTS_BYTES, limitValues: MAX_EVENTS_VALUES } },
  () => ({
    id: "reportEvent",
    summary: "Report one or more events",
    description: `Safe to repeat: an event counts once per owner, and once per file. You choose its \`id\`, without dots and without the prefixes of the gateway's own events (\`evt_uploaded_\`, \`evt_failed_\`, \`evt_test_\`, \`evt_gateway_\`). What the files-creator reports (\`file.*\` with \`data.fileId\`) moves the file, only forwards: queued, processing, then completed or failed. The event's owner is the file's; it goes to the webhooks of that owner and of the file's employer, after the file's earlier events: 503 until those are stored. Every other event must name its owner; its environment is production unless it is set. \`data\` has at most ${MAX_DATA_BYTES} bytes and is passed on unchanged. A batch returns one result per event in \`results\`: 202 if at least one was accepted, and \`success\` says whether all were; otherwise 503 if any may be repeated, or the status of the first. A body has at most ${MAX_EVENTS_BYTES} bytes and ${MAX_EVENTS_VALUES} JSON values.`,
    body: {
      schema: z.union([event, eventBatch]),
      examples: {
        file: { summary: "A file was created", value: FILE_EVENT },
        other: { summary: "Another kind of event", value: POLICY_EVENT },
        several: {
          summary: "Several at once",
          value: { events: [{ ...POLICY_EVENT, id: "evt_policy_2" }] },
        },
      },
    },
    answers: {
      202: {
        description: "Accepted.",
        schema: z.union([
          reported(),
          z.strictObject({
            success: z.boolean(),
            results: z.array(z.union([reported(), refused()])),
          }),
        ]),
        example: {
          success: true,
          id: FILE_EVENT.id,
          file_id: EXAMPLE.fileId,
          status: "completed",
          duplicate: false,
        },
      },
    },
    failures: [...OWNER, notFound("file"), REUSED],
  }),
);

/** Both APIs serve this list: a bearer key determines owner and environment, a portal client names them. */
export const listEvents = contract({ query: eventQuery }, () => ({
  id: "listEvents",
  tag: "Events",
  summary: "Read events back",
  description:
    "In the order in which they were stored, or newest first, including events that no webhook received. A page of one `type` may hold fewer events than its limit, or none, while `next_cursor` is set. A bearer key reads its owner's events of its own environment, and must not send an owner or environment. A portal client must name the owner unless it is bound to one, and reads production unless it sets `environment`.",
  access: "either",
  query: eventQuery,
  answers: {
    200: answer(
      "A page of events. `count` is null unless the order is `newest`.",
      { events: z.array(stored()), next_cursor: nextCursor(), count: listCount() },
      { sometimes: ["rate"] },
    ),
  },
  failures: [
    { kind: "portal_credentials_missing" },
    { kind: "portal_only" },
    ...KEY_REFUSED,
    {
      kind: "invalid_fields",
      details: { limit: "Must be at most 100" },
    },
    ...OWNER,
    RATE_LIMITED,
  ],
  failureHeaders: ["rate"],
}));

export const NO_EVENT: Failure = { kind: "event_not_found" };

/** The most deliveries that an event shows. */
export const MAX_DELIVERIES = 100;

export const getEvent = portalContracts("Events")({ query: z.strictObject({ environment }) }, () => ({
  id: "getEvent",
  summary: "Read an event and its deliveries",
  description: `An event's id is unique within its owner and environment only, so an unbound client names the owner, and reads production unless it sets \`environment\`. At most ${MAX_DELIVERIES} deliveries are listed; the counts are of all.`,
  path: {
    event_id: like(z.string().regex(/^[A-Za-z0-9_-]{1,128}$/), POLICY_EVENT.id).meta({
      examples: [POLICY_EVENT.id],
    }),
  },
  answers: {
    200: answer("The event.", { event: eventOfOwner(), deliveries: z.array(delivery()) }),
  },
  failures: [...OWNER, NO_EVENT],
}));
