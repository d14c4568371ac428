/** What the watch reads each minute: the queues and D1. A part that does not answer is null, and the others are read all the same. */
import * as z from "zod";
import type { Bindings } from "../bindings.ts";
import { jsonColumn } from "../db/json-column.ts";
import { IS_GIVEN_UP, IS_WAITING } from "../db/schema.ts";
import { logError } from "../log.ts";
import type { OwnerType } from "../model.ts";
import { FAILURE_LEVELS } from "../outbound/auto-disable.ts";
import { laneSql, slowSince } from "../outbound/lanes.ts";
import { addCounts, type Counts } from "../usage/counts.ts";

const countsColumn = z.object({ counts: jsonColumn(z.record(z.string(), z.number())) });
/** When a failing webhook is first worth an alert: half-way to being disabled. */
const FIRST_LEVEL_MS = FAILURE_LEVELS[1].afterMs;

/** The queues that the Worker sends to. Dead letters are raised by their consumers. */
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

/** The health of a webhook, as far as alerts depend on it. */
export interface WebhookState {
  id: string;
  owner_type: OwnerType;
  owner_id: string;
  status: "active" | "paused" | "disabled";
  disabled_reason: "requested" | "gone" | "failing" | null;
  failing_since: number | null;
  last_success_at: number | null;
}

/** Read anew each minute, for alerts only. */
export interface AlertReading {
  /** Webhooks that have failed for long or were disabled for it, at most {@link WEBHOOKS_READ} of each. */
  troubled: WebhookState[];
  /** Whether that was all of them. */
  complete: boolean;
  /** The current state of the webhooks that were asked for. One that is missing has been deleted. */
  asked: WebhookState[];
  /** The month's counts of all requests at the report endpoints. */
  month: Counts;
}

/** More stuck files are not counted each minute. */
const COUNTED_STUCK_FILES = 10_000;
/** An endpoint that accepted a delivery within this time is working through its backlog. Its row is exact to the minute. */
const SERVED_WITHIN_MS = 3 * 60_000;
const WEBHOOKS_READ = 1_000;

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

const DEFERRED_SINCE = `SELECT min(first_at) AS at FROM attention INDEXED BY attention_waiting WHERE ${IS_WAITING}`;

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

const STATE = "id, owner_type, owner_id, status, disabled_reason, failing_since, last_success_at";
const FAILING = `SELECT ${STATE} FROM webhooks INDEXED BY webhooks_failing
  WHERE failing_since <= ?1 AND status = 'active' AND deleted_at IS NULL ORDER BY failing_since LIMIT ${WEBHOOKS_READ}`;
const GIVEN_UP = `SELECT ${STATE} FROM webhooks WHERE ${IS_GIVEN_UP} ORDER BY id LIMIT ${WEBHOOKS_READ}`;
const ASKED = `SELECT ${STATE} FROM webhooks WHERE id IN (SELECT value FROM json_each(?1)) AND deleted_at IS NULL`;
const MONTH = "SELECT counts FROM usage WHERE scope = 'all' AND period = 'day' AND at >= ?1 AND at <= ?2";

/** Null if D1 does not answer. `webhookIds`: those whose alerts are open. */
export function readForAlerts(
  env: Bindings,
  webhookIds: readonly string[],
  now: number,
): Promise<AlertReading | null> {
  return orNull("alerts", async () => {
    const { DB: db } = env;
    const [failing, givenUp, asked, days] = await db.batch([
      db.prepare(FAILING).bind(now - FIRST_LEVEL_MS),
      db.prepare(GIVEN_UP),
      db.prepare(ASKED).bind(JSON.stringify(webhookIds)),
      db.prepare(MONTH).bind(monthStart(now), now),
    ]);
    const lists = [failing, givenUp].map((found) => (found?.results ?? []) as WebhookState[]);
    const month: Counts = {};
    for (const row of days?.results ?? []) addCounts(month, countsColumn.parse(row).counts);
    return {
      troubled: lists.flat(),
      complete: lists.every(({ length }) => length < WEBHOOKS_READ),
      asked: (asked?.results ?? []) as WebhookState[],
      month,
    };
  });
}

function monthStart(now: number): number {
  const date = new Date(now);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1);
}
