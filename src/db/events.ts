/** Events as they are listed and found. `src/outbound/fan-out.ts` stores them. */
import type { OwnerAddress } from "./owner-keys.ts";
import type { Environment, events } from "./schema.ts";

export type EventRow = typeof events.$inferSelect;

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

/** Events after the position `after`, oldest first, so that who reads on from the last one misses none. */
export async function listEvents(
  db: D1Database,
  { type, id }: OwnerAddress,
  environment: Environment,
  after: number,
  limit: number,
): Promise<EventRow[]> {
  const { results } = await db
    .prepare(
      `SELECT * FROM events WHERE owner_type = ? AND owner_id = ? AND environment = ? AND seq > ? ORDER BY seq LIMIT ?`,
    )
    .bind(type, id, environment, after, limit)
    .all<EventRow>();
  return results;
}
