/** What may be said about events: the bodies and the query of `/events`. */
import * as z from "zod";
import { utf8 } from "../../crypto/encoding.ts";
import { ENVIRONMENTS } from "../../model.ts";
import { eventListFields } from "../../outbound/event-list.ts";
import { eventTime } from "../../outbound/event-time.ts";
import { EVENT_TYPES, TEST_EVENT } from "../../outbound/event-types.ts";
import { DEFAULT_ENVIRONMENT, ownerFields } from "../owner.ts";

/** Of one event, as JSON. */
export const MAX_DATA_BYTES = 256 * 1024;
const MAX_EVENTS = 100;
/** A batch whose events are all as large as they may be has to be sent in parts: it would fill the isolate. */
export const MAX_EVENTS_BYTES = 8 * 1024 ** 2;
/** More than fit into the data of one event. In the worst case their tree takes some 25 MB. */
export const MAX_EVENTS_VALUES = 200_000;

/** What the files-creator reports. */
export const FILE_REPORTS = ["file.validated", "file.processed", "file.failed"] as const;
/** What the gateway itself says. */
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

/** As it was given, to the last name: an object schema makes a copy, and leaves `__proto__` out. */
const givenObject = z
  .custom<Record<string, unknown>>(
    (value) => typeof value === "object" && value !== null && !Array.isArray(value),
    "Must be an object",
  )
  .meta({ override: { type: "object" } });

/** Ids that begin so are the gateway's own. From the wire contract. */
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

/** Checked with the type: a wrong time refuses no report on a file. */
const givenTime = (description: string) =>
  z
    .unknown()
    .optional()
    .meta({ description, override: { type: "string", format: "date-time" } });

export const event = z
  .strictObject({
    id: eventId,
    type: z.enum(TYPES, { error: "Unknown event type" }),
    timestamp: givenTime("As `created_at`. Both may be given where they name the same moment."),
    created_at: givenTime(
      "When it happened; now where it is left out. Up to 5 minutes ahead counts as now. More, or over 90 days back, is refused, but for `file.*`, where the gateway's own time stands in for a wrong one.",
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

export const eventBatch = z.strictObject({ events: z.array(event).min(1).max(MAX_EVENTS) });
/** One event, or `events`. */
export const eventOrBatch = z.unknown().transform((body, context): EventRequest | EventRequest[] => {
  const batched = typeof body === "object" && body !== null && "events" in body;
  const parsed = batched ? eventBatch.safeParse(body) : event.safeParse(body);
  if (parsed.success) return "events" in parsed.data ? (parsed.data.events as EventRequest[]) : parsed.data;
  for (const issue of parsed.error.issues) context.addIssue({ ...issue });
  return z.NEVER;
});

export const eventQuery = z.strictObject({ ...ownerFields, environment, ...eventListFields });

export function isFileReport(type: string): type is (typeof FILE_REPORTS)[number] {
  return FILE_REPORTS.some((each) => each === type);
}
