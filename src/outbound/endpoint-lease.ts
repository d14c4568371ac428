/**
 * Holding an endpoint: one invocation at a time works on it, so that no more requests wait for its answer than it allows,
 * wherever the wake-ups arrive. A hold ends by itself when its holder has died.
 *
 * Who meets a hold has nothing to do: what it was woken for is in the rows before the wake-up is sent, and the holder looks
 * for more in the transaction that lets go.
 */
import * as z from "zod";
import { type PaceBucket, WEBHOOK_STATUSES } from "../db/schema.ts";
import { LANES, type Lane } from "../messages.ts";
import { ENVIRONMENTS, OWNER_TYPES } from "../model.ts";
import { laneOf, laneSql, slowSince } from "./auto-disable.ts";
import { EVENT_TYPES } from "./event-types.ts";
import { storedTarget } from "./sealed-url.ts";
import { SIGNATURE_FORMATS } from "./signing.ts";

/** Longer than a holder can take: it starts requests for half a second, each of ten, and records them. */
export const HOLD_MS = 30_000;
/** Deliveries taken at a time: more than a turn sends to most endpoints, and what it does not send is read again. */
const DELIVERIES_PER_TAKE = 64;
/** Event data taken at a time: six endpoints of one invocation, sealed and open, stay far below an isolate's memory. */
const BYTES_PER_TAKE = 1024 ** 2;

const json = z.string().transform((text): unknown => JSON.parse(text));

const endpointRow = z.object({
  id: z.string(),
  owner_type: z.enum(OWNER_TYPES),
  owner_id: z.string(),
  environment: z.enum(ENVIRONMENTS),
  url: z.string(),
  target: storedTarget,
  events: json.pipe(z.array(z.string())),
  status: z.enum(WEBHOOK_STATUSES),
  signature_format: z.enum(SIGNATURE_FORMATS),
  headers: z
    .string()
    .nullable()
    .transform((text): unknown => (text === null ? null : JSON.parse(text)))
    .pipe(z.object({ names: z.array(z.string()), set_at: z.number(), sealed: z.string() }).nullable()),
  secrets: json.pipe(
    z.array(
      z.object({
        id: z.string(),
        sealed: z.string(),
        created_at: z.number(),
        expires_at: z.number().nullable(),
        activated: z.boolean(),
      }),
    ),
  ),
  max_in_flight: z.number(),
  consecutive_failures: z.number(),
  failing_since: z.number().nullable(),
  last_success_at: z.number().nullable(),
  slow_at: z.number().nullable(),
  proven_at: z.number().nullable(),
  last_failure: z
    .string()
    .nullable()
    .transform((text): unknown => (text === null ? null : JSON.parse(text)))
    .pipe(z.object({ kind: z.string(), status: z.number().nullable(), bot_wall: z.boolean() }).nullable()),
  failure_level: z.number(),
  failure_mailed_at: z.number().nullable(),
  max_per_minute: z.number().nullable(),
  pace: z
    .string()
    .nullable()
    .transform((text): unknown => JSON.parse(text ?? "[]"))
    .pipe(z.array(z.tuple([z.number(), z.number()]))),
  version: z.number(),
  deleted_at: z.number().nullable(),
});
export type HeldEndpoint = z.infer<typeof endpointRow>;

const dueRow = z.object({
  event_seq: z.number(),
  attempts: z.number(),
  round_start: z.number(),
  /** Null where the event is no longer kept. */
  id: z.string().nullable(),
  type: z.enum(EVENT_TYPES),
  created_at: z.number(),
  source: z.string(),
  data: z.string(),
});
const expiredRow = z.object({ event_seq: z.number(), id: z.null() });
/** A delivery that is due, with its event. */
export type DueDelivery = z.infer<typeof dueRow> & { id: string };

export interface Held {
  holder: string;
  endpoint: HeldEndpoint;
  /** The owner's data key, wrapped; null where it has been erased. */
  wrappedKey: string | null;
  due: DueDelivery[];
  /** Due deliveries whose event is no longer kept. */
  expired: number[];
}

export type Taken =
  | { outcome: "held"; held: Held }
  /** Belongs into the queue of another lane. */
  | { outcome: "elsewhere"; lane: Lane }
  /** Somebody else is at it, or nothing is due. */
  | { outcome: "nothing" };

/**
 * ?1 is the endpoint, ?2 the time. An endpoint that is disabled or deleted has nothing to wait for: what is open is due, to be
 * closed. Nothing is due for one that is paused, or whose pace is used up.
 */
const IS_DUE = `EXISTS (SELECT 1 FROM deliveries WHERE webhook_id = webhooks.id AND next_attempt_at <=
  CASE WHEN webhooks.status = 'disabled' OR webhooks.deleted_at IS NOT NULL THEN ${Number.MAX_SAFE_INTEGER}
    WHEN webhooks.status = 'active' AND webhooks.paced_until <= ?2 THEN ?2 ELSE -1 END)`;

/** ?5 is the lane of the queue that asks, ?6 since when an endpoint that was slow is. A slow lane has time for everybody. */
const HAS_PLACE = `CASE ${laneSql("?6")} WHEN 'slow' THEN ?5 = 'slow' WHEN 'new' THEN ?5 <> 'quick' ELSE 1 END`;

/** Takes the endpoint and what is due for it, if it may be worked on in this lane. */
export async function takeEndpoint(
  db: D1Database,
  webhookId: string,
  { lane, now }: { lane: Lane; now: number },
): Promise<Taken> {
  const holder = crypto.randomUUID();
  const [taken, due] = await db.batch<Record<string, unknown>>([
    db
      .prepare(
        `UPDATE webhooks SET holder = iif(${HAS_PLACE}, ?3, holder), held_until = iif(${HAS_PLACE}, ?4, held_until)
         WHERE id = ?1 AND held_until <= ?2 AND ${IS_DUE}
         RETURNING *, (SELECT data_key FROM owner_keys k
           WHERE k.owner_type = webhooks.owner_type AND k.owner_id = webhooks.owner_id) AS data_key`,
      )
      .bind(webhookId, now, holder, now + HOLD_MS, lane, slowSince(now)),
    db
      .prepare(
        `WITH due AS (
           SELECT event_seq, attempts, round_start, next_attempt_at FROM deliveries
           WHERE webhook_id = ?1 AND next_attempt_at <= ?2
             AND EXISTS (SELECT 1 FROM webhooks WHERE id = ?1 AND holder = ?3 AND status = 'active' AND deleted_at IS NULL)
           ORDER BY next_attempt_at LIMIT ${DELIVERIES_PER_TAKE}
         ), sized AS (
           SELECT due.*, sum(coalesce(size, 0)) OVER (ORDER BY next_attempt_at, event_seq) - coalesce(size, 0) AS bytes_before
           FROM due LEFT JOIN events ON seq = event_seq
         )
         SELECT event_seq, attempts, round_start, id, type, created_at, source, data
         FROM sized LEFT JOIN events ON seq = event_seq WHERE bytes_before < ${BYTES_PER_TAKE}
         ORDER BY next_attempt_at, event_seq`,
      )
      .bind(webhookId, now, holder),
  ]);
  const [row] = taken?.results ?? [];
  if (row === undefined) return { outcome: "nothing" };
  const endpoint = endpointRow.parse(row);
  if (row.holder !== holder)
    return {
      outcome: "elsewhere",
      lane: laneOf({ slowAt: endpoint.slow_at, provenAt: endpoint.proven_at }, now),
    };
  const rows = due?.results ?? [];
  return {
    outcome: "held",
    held: {
      holder,
      endpoint,
      wrappedKey: z.string().nullable().parse(row.data_key),
      due: rows.filter((each) => each.id !== null).map((each) => dueRow.parse(each) as DueDelivery),
      expired: rows.filter((each) => each.id === null).map((each) => expiredRow.parse(each).event_seq),
    },
  };
}

/** Lets go of the endpoint, after `rest`. Answers whether something is due already, and in which lane. */
export async function letGo(
  db: D1Database,
  { holder, endpoint: { id } }: Held,
  rest: readonly D1PreparedStatement[],
  now: number,
): Promise<{ more: boolean; lane: Lane }> {
  const results = await db.batch<{ more: number; lane: string }>([
    ...rest,
    db
      .prepare(
        `UPDATE webhooks SET holder = NULL, held_until = 0 WHERE id = ?1 AND holder = ?3
         RETURNING ${IS_DUE} AS more, ${laneSql("?4")} AS lane`,
      )
      .bind(id, now, holder, slowSince(now)),
  ]);
  const [left] = results.at(-1)?.results ?? [];
  return { more: left?.more === 1, lane: z.enum(LANES).catch("quick").parse(left?.lane) };
}

/** Writes how many requests the endpoint has been sent, or is about to be. False when the lease is no longer `holder`'s. */
export async function reservePace(
  db: D1Database,
  { holder, endpoint: { id } }: Held,
  pace: readonly PaceBucket[],
): Promise<boolean> {
  const { meta } = await db
    .prepare("UPDATE webhooks SET pace = ?3 WHERE id = ?1 AND holder = ?2")
    .bind(id, holder, JSON.stringify(pace))
    .run();
  return meta.changes === 1;
}

/** Belongs into the batch that lets go. A pace that was changed meanwhile is not to wait for the old one. */
export function settlePace(
  db: D1Database,
  { holder, endpoint: { id, version } }: Held,
  pace: readonly PaceBucket[],
  pacedUntil: number,
): D1PreparedStatement {
  return db
    .prepare(
      `UPDATE webhooks SET pace = ?3, paced_until = iif(version = ?4, ?5, paced_until) WHERE id = ?1 AND holder = ?2`,
    )
    .bind(id, holder, JSON.stringify(pace), version, pacedUntil);
}

/** Deliveries closed at a time, where an endpoint is off. */
const CLOSED_AT_A_TIME = 1_000;

/** Closes open deliveries of an endpoint that is disabled or deleted: they stay to be seen and replayed. */
export async function closeOpen(
  db: D1Database,
  webhookId: string,
  reason: "webhook_disabled" | "webhook_deleted",
  now: number,
): Promise<void> {
  await db
    .prepare(
      `UPDATE deliveries SET status = ?4, last_error = ?2, next_attempt_at = NULL, updated_at = ?3
       WHERE webhook_id = ?1 AND event_seq IN (
         SELECT event_seq FROM deliveries WHERE webhook_id = ?1 AND next_attempt_at IS NOT NULL LIMIT ${CLOSED_AT_A_TIME})`,
    )
    .bind(webhookId, reason, now, reason === "webhook_disabled" ? "skipped" : "failed")
    .run();
}

/** Puts open deliveries off that cannot be made now for no fault of their endpoint. No attempt counts. */
export async function holdBack(
  db: D1Database,
  webhookId: string,
  eventSeqs: readonly number[],
  until: number,
  now: number,
): Promise<void> {
  await db
    .prepare(
      `UPDATE deliveries SET last_error = 'not_configured', next_attempt_at = ?3, updated_at = ?4
       WHERE webhook_id = ?1 AND event_seq IN (SELECT value FROM json_each(?2)) AND next_attempt_at IS NOT NULL`,
    )
    .bind(webhookId, JSON.stringify(eventSeqs), until, now)
    .run();
}

/** Closes deliveries that are not to be sent, if they are still open. They stay to be seen. */
export async function closeUnsent(
  db: D1Database,
  webhookId: string,
  eventSeqs: readonly number[],
  reason: "event_expired" | "not_subscribed",
  now: number,
): Promise<void> {
  if (eventSeqs.length === 0) return;
  await db
    .prepare(
      `UPDATE deliveries SET status = 'failed', last_error = ?3, next_attempt_at = NULL, updated_at = ?4
       WHERE webhook_id = ?1 AND event_seq IN (SELECT value FROM json_each(?2)) AND next_attempt_at IS NOT NULL`,
    )
    .bind(webhookId, JSON.stringify(eventSeqs), reason, now)
    .run();
}
