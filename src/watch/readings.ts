/** What the watch reads each minute: the queues and D1. A part that does not answer is null, and the others are read all the same. */
import type { Bindings } from "../bindings.ts";
import { IS_WAITING } from "../db/schema.ts";
import { logError } from "../log.ts";
import { laneSql, slowSince } from "../outbound/lanes.ts";

/** The queues that the Worker sends to. The consumers of the dead-letter queues tell the watch of every message there. */
export const QUEUES = {
  files: "FILES",
  deliveries: "DELIVERIES",
  deliveries_slow: "DELIVERIES_SLOW",
  deliveries_new: "DELIVERIES_NEW",
} as const satisfies Record<string, keyof Bindings>;
export type QueueName = keyof typeof QUEUES;

export interface QueueReading {
  backlog: number;
  /** When its oldest message was sent, ms. Null for an empty queue. */
  oldestAt: number | null;
}

export interface DatabaseReading {
  /** When the most overdue delivery was due. Null if none is overdue. */
  oldestDueAt: number | null;
  /** Rows of `attention`, at most {@link COUNTED_STUCK_FILES}. */
  stuckFiles: number;
  /** When the file that has waited longest was first deferred. Null if none waits. */
  deferredSince: number | null;
}

export interface Reading {
  at: number;
  queues: Record<QueueName, QueueReading | null>;
  database: DatabaseReading | null;
}

/** More stuck files are not counted each minute. */
export const COUNTED_STUCK_FILES = 10_000;
/** An endpoint that accepted a delivery within this time is working through its backlog. Its row is exact to the minute. */
const SERVED_WITHIN_MS = 3 * 60_000;

/** Never rejects. */
export async function read(env: Bindings, now: number): Promise<Reading> {
  const queues = Object.entries(QUEUES).map(
    async ([name, binding]) => [name, await orNull(name, () => readQueue(env[binding]))] as const,
  );
  const database = orNull("database", () => readDatabase(env.DB, now));
  return {
    at: now,
    queues: Object.fromEntries(await Promise.all(queues)) as Reading["queues"],
    database: await database,
  };
}

async function orNull<T>(part: string, work: () => Promise<T>): Promise<T | null> {
  try {
    return await work();
  } catch (error) {
    logError("failed to read a part for the watch", { part }, error);
    return null;
  }
}

async function readQueue(queue: Pick<Queue, "metrics">): Promise<QueueReading> {
  const { backlogCount, oldestMessageTimestamp } = await queue.metrics();
  const oldestAt = oldestMessageTimestamp === undefined ? 0 : new Date(oldestMessageTimestamp).getTime();
  return { backlog: backlogCount, oldestAt: oldestAt > 0 ? oldestAt : null };
}

/**
 * The earliest due delivery of every endpoint that has unsettled ones, through their index. An endpoint that is leased, slow, or has just
 * accepted a delivery is being served at its own speed: its backlog is not the gateway's.
 */
const OLDEST_DUE = `WITH RECURSIVE unsettled(id) AS (
    SELECT (SELECT webhook_id FROM deliveries
      WHERE next_attempt_at IS NOT NULL AND webhook_id > '' ORDER BY webhook_id LIMIT 1)
    UNION ALL
    SELECT (SELECT webhook_id FROM deliveries
      WHERE next_attempt_at IS NOT NULL AND webhook_id > unsettled.id ORDER BY webhook_id LIMIT 1)
    FROM unsettled WHERE unsettled.id IS NOT NULL
  )
  SELECT min((SELECT min(next_attempt_at) FROM deliveries
    WHERE webhook_id = unsettled.id AND next_attempt_at IS NOT NULL)) AS at
  FROM unsettled CROSS JOIN webhooks USING (id)
  WHERE status = 'active' AND deleted_at IS NULL AND paced_until <= ?1 AND held_until <= ?1
    AND ${laneSql("?2")} <> 'slow' AND coalesce(last_success_at, 0) < ?3`;

const STUCK_FILES = `SELECT count(*) AS n FROM (SELECT 1 FROM attention LIMIT ${COUNTED_STUCK_FILES})`;

const DEFERRED_SINCE = `SELECT min(first_at) AS at FROM attention WHERE ${IS_WAITING}`;

async function readDatabase(db: D1Database, now: number): Promise<DatabaseReading> {
  const [due, stuck, deferred] = await db.batch<Record<string, number | null>>([
    db.prepare(OLDEST_DUE).bind(now, slowSince(now), now - SERVED_WITHIN_MS),
    db.prepare(STUCK_FILES),
    db.prepare(DEFERRED_SINCE),
  ]);
  const oldestDueAt = due?.results[0]?.at ?? null;
  return {
    oldestDueAt: oldestDueAt !== null && oldestDueAt < now ? oldestDueAt : null,
    stuckFiles: stuck?.results[0]?.n ?? 0,
    deferredSince: deferred?.results[0]?.at ?? null,
  };
}
