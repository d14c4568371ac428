/** Reads events. `src/outbound/fan-out.ts` stores them. */

import * as z from "zod";
import { ENVIRONMENTS, type Environment, TEST_ID_PREFIX } from "../model.ts";
import { type ListCount, listCount, MAX_COUNT } from "./list-count.ts";
import type { OwnerAddress } from "./owner-keys.ts";
import type { events } from "./schema.ts";

export type EventRow = typeof events.$inferSelect;

/** Events are deleted after this time. */
export const KEEP_EVENTS_MS = 90 * 86_400_000;

/** An event's `seq` is at least its milliseconds times this. Leaves room for that many events per millisecond; exact until 2248. */
export const EVENTS_PER_MS = 1_024;

/** The lowest `seq` of an event that is stored at `ms`. */
export function seqAt(ms: number): number {
  return ms * EVENTS_PER_MS;
}

/** When the event with this `seq` was stored, in milliseconds. */
export function storedAt(seq: number): number {
  return Math.floor(seq / EVENTS_PER_MS);
}

const eventFactsRow = z.object({
  seq: z.number(),
  id: z.string(),
  environment: z.enum(ENVIRONMENTS),
  type: z.string(),
  created_at: z.number(),
  source: z.string(),
});
/** An event without its data. */
export type EventFacts = z.infer<typeof eventFactsRow>;

/** An owner's events with these ids, in the order in which they were stored. */
export async function findEvents(
  db: D1Database,
  { type, id }: OwnerAddress,
  environments: readonly Environment[],
  ids: readonly string[],
): Promise<EventFacts[]> {
  const { results } = await db
    .prepare(
      `SELECT seq, id, environment, type, created_at, source FROM events
       WHERE owner_type = ?1 AND owner_id = ?2 AND environment IN (SELECT value FROM json_each(?3))
         AND id IN (SELECT value FROM json_each(?4)) ORDER BY seq`,
    )
    .bind(type, id, JSON.stringify(environments), JSON.stringify(ids))
    .all();
  return results.map((row) => eventFactsRow.parse(row));
}

/** The data of one page. It is in memory sealed, unsealed, parsed and serialized at once, which is still far below an isolate's memory. */
export const MAX_PAGE_BYTES = 4 * 1024 ** 2;

/** Of an event `e`: it is a test, which belongs to the webhook that it was sent to and to nobody else. */
export const IS_TEST = `e.id GLOB '${TEST_ID_PREFIX}*'`;

/** Which events of an owner and environment a list takes, by position; `after` and `before` are not included. */
export interface EventRange {
  after: number;
  before: number;
  type?: string | undefined;
  /** False for the order of storing, in which a reader who continues from the last event misses none. */
  newestFirst: boolean;
}

/** A page of one type walks past at most this many events. */
const WALKED = 500;
const OF_OWNER = "e.owner_type = ?1 AND e.owner_id = ?2 AND e.environment = ?3 AND e.seq > ?4 AND e.seq < ?5";
/** Tests are not news for whoever reads events. Those of the type that says so always were listed. */
const IS_LISTED = `(NOT ${IS_TEST} OR e.type = 'webhook.test')`;

/**
 * At most `limit` events, and at most {@link MAX_PAGE_BYTES} unless a single event is larger. `next` is the position to continue
 * from, null at the end of the list; a page of one type may hold fewer events although the list continues.
 */
export async function listEvents(
  db: D1Database,
  { type, id }: OwnerAddress,
  environment: Environment,
  range: EventRange,
  limit: number,
): Promise<{ rows: EventRow[]; next: number | null }> {
  const order = `ORDER BY seq${range.newestFirst ? " DESC" : ""}`;
  const place = [type, id, environment, range.after, range.before];
  const walked = `SELECT e.seq, e.size, e.type, ${IS_LISTED} AS is_listed FROM events AS e WHERE ${OF_OWNER} ${order}`;
  const page =
    range.type === undefined
      ? `SELECT e.seq, e.size FROM events AS e WHERE ${OF_OWNER} AND ${IS_LISTED} ${order} LIMIT ?6 + 1`
      : `SELECT seq, size FROM (${walked} LIMIT ${WALKED}) WHERE type = ?7 AND is_listed ${order} LIMIT ?6 + 1`;
  const [found, edge] = await db.batch<EventRow & { goes_on: number }>([
    db
      .prepare(
        `WITH page AS (${page}), counted AS (
           SELECT seq, sum(size) OVER so_far AS bytes, row_number() OVER so_far AS place, count(*) OVER () AS n
           FROM page WINDOW so_far AS (${order})
         )
         SELECT e.*, place < n AS goes_on FROM counted JOIN events e ON e.seq = counted.seq
         WHERE place = 1 OR (place <= ?6 AND bytes <= ${MAX_PAGE_BYTES}) ${order.replace("seq", "e.seq")}`,
      )
      .bind(...place, limit, ...(range.type === undefined ? [] : [range.type])),
    ...(range.type === undefined
      ? []
      : [db.prepare(`${walked} LIMIT 1 OFFSET ${WALKED - 1}`).bind(...place)]),
  ]);
  const rows = found?.results ?? [];
  const last = rows.at(-1);
  return { rows, next: last?.goes_on === 1 ? last.seq : (edge?.results[0]?.seq ?? null) };
}

/** Of a type, among as many events as a count takes. */
export async function countEvents(
  db: D1Database,
  { type, id }: OwnerAddress,
  environment: Environment,
  range: Omit<EventRange, "newestFirst">,
): Promise<ListCount> {
  const row = await db
    .prepare(
      `SELECT count(*) AS examined, coalesce(sum(matches), 0) AS found FROM (
         SELECT ${IS_LISTED} AND (?6 IS NULL OR e.type = ?6) AS matches FROM events AS e WHERE ${OF_OWNER}
         LIMIT ${MAX_COUNT + 1})`,
    )
    .bind(type, id, environment, range.after, range.before, range.type ?? null)
    .first();
  const { examined, found } = countRow.parse(row);
  return listCount(found, examined <= MAX_COUNT);
}
const countRow = z.object({ examined: z.number(), found: z.number() });

/** An event with its sealed data. */
export async function getEvent(
  db: D1Database,
  { type, id: ownerId }: OwnerAddress,
  environment: Environment,
  id: string,
): Promise<EventRow | null> {
  return db
    .prepare("SELECT * FROM events WHERE owner_type = ?1 AND owner_id = ?2 AND environment = ?3 AND id = ?4")
    .bind(type, ownerId, environment, id)
    .first<EventRow>();
}
