/** Reads events. `src/outbound/fan-out.ts` stores them. */

import * as z from "zod";
import { ENVIRONMENTS, type Environment } from "../model.ts";
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

/**
 * Events after the position `after`, oldest first, so that a reader who continues from the last one misses none. At most `limit`
 * events, and at most {@link MAX_PAGE_BYTES} unless a single event is larger. `goesOn`: there are more.
 */
export async function listEvents(
  db: D1Database,
  { type, id }: OwnerAddress,
  environment: Environment,
  after: number,
  limit: number,
): Promise<{ rows: EventRow[]; goesOn: boolean }> {
  const { results } = await db
    .prepare(
      `WITH page AS (
         SELECT seq, size FROM events WHERE owner_type = ?1 AND owner_id = ?2 AND environment = ?3 AND seq > ?4
         ORDER BY seq LIMIT ?5 + 1
       ), counted AS (
         SELECT seq, sum(size) OVER so_far AS bytes, row_number() OVER so_far AS place, count(*) OVER () AS n
         FROM page WINDOW so_far AS (ORDER BY seq)
       )
       SELECT e.*, place < n AS goes_on FROM counted JOIN events e ON e.seq = counted.seq
       WHERE place = 1 OR (place <= ?5 AND bytes <= ${MAX_PAGE_BYTES}) ORDER BY e.seq`,
    )
    .bind(type, id, environment, after, limit)
    .all<EventRow & { goes_on: number }>();
  return { rows: results, goesOn: results.at(-1)?.goes_on === 1 };
}
