/** Events as they are listed and found. `src/outbound/fan-out.ts` stores them. */

import type { Environment } from "../model.ts";
import type { OwnerAddress } from "./owner-keys.ts";
import type { events } from "./schema.ts";

export type EventRow = typeof events.$inferSelect;

/** Events are deleted after this time. */
export const KEEP_EVENTS_MS = 90 * 86_400_000;

/** An event's `seq` is at least its milliseconds times this: room for as many in one millisecond, within 2^53 until 2248. */
export const EVENTS_PER_MS = 1_024;

/** The least position that an event stored at `ms` can have. */
export function seqAt(ms: number): number {
  return ms * EVENTS_PER_MS;
}

/** When the event at this position was stored, in milliseconds. */
export function storedAt(seq: number): number {
  return Math.floor(seq / EVENTS_PER_MS);
}

/** Data of one page: sealed, open, parsed and printed at once, it stays far below an isolate's memory. */
export const MAX_PAGE_BYTES = 4 * 1024 ** 2;

/**
 * Events after the position `after`, oldest first, so that who reads on from the last one misses none: at most `limit`, and
 * no more than {@link MAX_PAGE_BYTES} but for one. `goesOn`: there are more.
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
