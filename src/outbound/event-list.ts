/** Lists an owner's events, each in its envelope: in the order in which they were stored, or newest first. */
import * as z from "zod";
import { eventDataContext } from "../crypto/contexts.ts";
import type { DataKey, KeyRing } from "../crypto/vault.ts";
import { countFanOut } from "../db/delivery-list.ts";
import { countEvents, type EventRange, type EventRow, listEvents, seqAt, storedAt } from "../db/events.ts";
import type { ListCount } from "../db/list-count.ts";
import { findOwnerKey, type OwnerAddress, tryUnsealText } from "../db/owner-keys.ts";
import type { DeliveryStatus } from "../db/schema.ts";
import { encodeCursor, pageFields } from "../http/page.ts";
import { millisecondsOf, timeParameter } from "../http/time-parameter.ts";
import type { Environment } from "../model.ts";
import { type Envelope, EVENT_TYPES, envelopeOf, isEventType } from "./event-types.ts";

const LIST = "events";
const NEWEST = "newest";

/** A bare number continues in the order of storing. */
type Position = number | [typeof NEWEST, number];
const position: z.ZodType<Position> = z.union([
  z.int().nonnegative(),
  z.tuple([z.literal(NEWEST), z.int().nonnegative()]),
]);

const page = pageFields(LIST, position);

/** Times are those of storing, the `received_at` of each event, so that no late event is missed. */
export const eventListFields = {
  since: timeParameter.optional(),
  until: timeParameter.optional().meta({ description: "Events that were stored before this time." }),
  type: z.enum(EVENT_TYPES, { error: "Must be an event type such as file.processed" }).optional(),
  order: z
    .enum(["oldest", NEWEST])
    .default("oldest")
    .meta({ description: "By when events were stored. A `cursor` continues in the order of its page." }),
  with_deliveries: z
    .enum(["true", "false"])
    .optional()
    .meta({ description: "`true`: each event says how many deliveries it has, by status." }),
  ...page,
};

export interface EventListQuery {
  since?: string | undefined;
  until?: string | undefined;
  type?: string | undefined;
  order?: "oldest" | typeof NEWEST | undefined;
  with_deliveries?: "true" | "false" | undefined;
  limit: number;
  cursor?: Position | undefined;
}

export interface FanOut {
  total: number;
  delivered: number;
  waiting: number;
  failed: number;
  skipped: number;
}

export type ListedEvent = Envelope & { received_at: string; deliveries?: FanOut };

interface Scope {
  owner: OwnerAddress;
  environment: Environment;
}

export async function readEvents(
  db: D1Database,
  ring: KeyRing,
  { owner, environment }: Scope,
  query: EventListQuery,
): Promise<{ events: ListedEvent[]; next_cursor: string | null; count: ListCount | null }> {
  const range = rangeOf(query);
  const isFirst = query.cursor === undefined;
  const [{ rows, next }, count] = await Promise.all([
    listEvents(db, owner, environment, range, query.limit),
    isFirst && range.newestFirst ? countEvents(db, owner, environment, range) : null,
  ]);
  const next_cursor = next === null ? null : encodeCursor(LIST, range.newestFirst ? [NEWEST, next] : next);
  if (rows.length === 0) return { events: [], next_cursor, count };
  const seqs = rows.map(({ seq }) => seq);
  const [found, fanOut] = await Promise.all([
    findOwnerKey(db, ring, owner),
    query.with_deliveries === "true" ? countFanOut(db, owner, environment, seqs, Date.now()) : null,
  ]);
  const opened = await Promise.all(
    rows.map(async (row) => {
      const event = await openEvent(found?.key ?? null, environment, row);
      if (event === null || fanOut === null) return event;
      return { ...event, deliveries: fanOutOf(fanOut.get(row.seq) ?? {}) };
    }),
  );
  return { events: opened.filter((event) => event !== null), next_cursor, count };
}

/** Null if the event is sealed under a key that was erased. */
export async function openEvent(
  key: DataKey | null,
  environment: Environment,
  { seq, id, type, created_at: createdAt, source, data }: EventRow,
): Promise<ListedEvent | null> {
  if (!isEventType(type)) throw new Error("an event has an unknown type");
  const text = await tryUnsealText(key, data, eventDataContext(environment, id));
  if (text === null) return null;
  const facts = { id, type, createdAt, source, environment, sequence: seq };
  const value: unknown = JSON.parse(text);
  return { ...envelopeOf(facts, value), received_at: new Date(storedAt(seq)).toISOString() };
}

export function fanOutOf(by: Partial<Record<DeliveryStatus, number>>): FanOut {
  const { delivered = 0, failed = 0, skipped = 0, pending = 0, retrying = 0 } = by;
  const waiting = pending + retrying;
  return { total: delivered + failed + skipped + waiting, delivered, waiting, failed, skipped };
}

function rangeOf({ since, until, type, order, cursor }: EventListQuery): EventRange {
  const newestFirst = Array.isArray(cursor) || (cursor === undefined && order === NEWEST);
  const position = Array.isArray(cursor) ? cursor[1] : cursor;
  const from = millisecondsOf(since);
  const to = millisecondsOf(until);
  const first = from === undefined ? 0 : seqAt(Math.max(0, from)) - 1;
  const end = to === undefined ? Number.MAX_SAFE_INTEGER : seqAt(Math.max(0, to));
  if (position === undefined) return { after: first, before: end, type, newestFirst };
  return newestFirst
    ? { after: first, before: Math.min(end, position), type, newestFirst }
    : { after: Math.max(first, position), before: end, type, newestFirst };
}
