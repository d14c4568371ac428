/**
 * The lease of an endpoint. One invocation at a time delivers to an endpoint, so that no more requests are in flight than the
 * endpoint allows, wherever its wake-ups arrive. The lease of an invocation that died expires.
 *
 * If the endpoint is already leased, do nothing: the rows were written before the wake-up, and the lease holder checks for due
 * rows in the transaction that releases the lease.
 */

import * as z from "zod";
import { jsonColumn, lastFailureColumn, nullableJsonColumn } from "../db/json-column.ts";
import { type PaceBucket, WEBHOOK_STATUSES } from "../db/schema.ts";
import { LANES, type Lane } from "../messages.ts";
import { ENVIRONMENTS, OWNER_TYPES } from "../model.ts";
import { EVENT_TYPES } from "./event-types.ts";
import { laneOf, laneSql, slowSince } from "./lanes.ts";
import { storedTarget } from "./sealed-url.ts";
import { SIGNATURE_FORMATS } from "./signing.ts";

/** Longer than a turn can last: it starts requests for half a second, each takes up to ten seconds, and records them. */
export const ENDPOINT_LEASE_MS = 30_000;
/** Due deliveries read with a lease: more than a turn sends to most endpoints. The rest is read again with the next lease. */
const DELIVERIES_PER_LEASE = 64;
/** Event data read with a lease: six endpoints per invocation, sealed and opened, stay far below an isolate's memory limit. */
const BYTES_PER_LEASE = 1024 ** 2;

const endpointRow = z.object({
  id: z.string(),
  owner_type: z.enum(OWNER_TYPES),
  owner_id: z.string(),
  environment: z.enum(ENVIRONMENTS),
  url: z.string(),
  target: storedTarget,
  events: jsonColumn(z.array(z.string())),
  status: z.enum(WEBHOOK_STATUSES),
  signature_format: z.enum(SIGNATURE_FORMATS),
  headers: nullableJsonColumn(
    z.object({ names: z.array(z.string()), set_at: z.number(), sealed: z.string() }),
  ),
  secrets: jsonColumn(
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
  last_failure: lastFailureColumn,
  failure_level: z.number(),
  failure_mailed_at: z.number().nullable(),
  max_per_minute: z.number().nullable(),
  pace: nullableJsonColumn(z.array(z.tuple([z.number(), z.number()]))).transform((pace) => pace ?? []),
  version: z.number(),
  deleted_at: z.number().nullable(),
});
export type LeasedEndpoint = z.infer<typeof endpointRow>;

const dueRow = z.object({
  event_seq: z.number(),
  attempts: z.number(),
  round_start: z.number(),
  /** Null if the event has expired. */
  id: z.string().nullable(),
  type: z.enum(EVENT_TYPES),
  created_at: z.number(),
  source: z.string(),
  data: z.string(),
});
const expiredRow = z.object({ event_seq: z.number(), id: z.null() });
/** A due delivery with its event. */
export type DueDelivery = z.infer<typeof dueRow> & { id: string };

export interface EndpointLease {
  /** The invocation's random id. */
  holder: string;
  endpoint: LeasedEndpoint;
  /** The owner's data key, wrapped; null if it has been erased. */
  wrappedKey: string | null;
  due: DueDelivery[];
  /** Due deliveries whose event has expired. */
  expired: number[];
}

export type Acquired =
  | { outcome: "acquired"; lease: EndpointLease }
  /** The endpoint belongs to the queue of another lane. */
  | { outcome: "other_lane"; lane: Lane }
  /** Another invocation has the lease, or nothing is due. */
  | { outcome: "nothing" };

/**
 * ?1 is the endpoint, ?2 the time. For a disabled or deleted endpoint every unsettled delivery is due, so that it gets settled.
 * Nothing is due for an endpoint that is paused, or whose pace is used up.
 */
const IS_DUE = `EXISTS (SELECT 1 FROM deliveries WHERE webhook_id = webhooks.id AND next_attempt_at <=
  CASE WHEN webhooks.status = 'disabled' OR webhooks.deleted_at IS NOT NULL THEN ${Number.MAX_SAFE_INTEGER}
    WHEN webhooks.status = 'active' AND webhooks.paced_until <= ?2 THEN ?2 ELSE -1 END)`;

/** ?5 is the lane of the consumer's queue, ?6 the time since which a late endpoint counts as slow. The slow queue serves any endpoint. */
const FITS_LANE = `CASE ${laneSql("?6")} WHEN 'slow' THEN ?5 = 'slow' WHEN 'new' THEN ?5 <> 'quick' ELSE 1 END`;

/** Leases the endpoint and reads its due deliveries, if it belongs to this lane. */
export async function acquireLease(
  db: D1Database,
  webhookId: string,
  { lane, now }: { lane: Lane; now: number },
): Promise<Acquired> {
  const holder = crypto.randomUUID();
  const [acquired, due] = await db.batch<Record<string, unknown>>([
    db
      .prepare(
        `UPDATE webhooks SET holder = iif(${FITS_LANE}, ?3, holder), held_until = iif(${FITS_LANE}, ?4, held_until)
         WHERE id = ?1 AND held_until <= ?2 AND ${IS_DUE}
         RETURNING *, (SELECT data_key FROM owner_keys k
           WHERE k.owner_type = webhooks.owner_type AND k.owner_id = webhooks.owner_id) AS data_key`,
      )
      .bind(webhookId, now, holder, now + ENDPOINT_LEASE_MS, lane, slowSince(now)),
    db
      .prepare(
        `WITH due AS (
           SELECT event_seq, attempts, round_start, next_attempt_at FROM deliveries
           WHERE webhook_id = ?1 AND next_attempt_at <= ?2
             AND EXISTS (SELECT 1 FROM webhooks WHERE id = ?1 AND holder = ?3 AND status = 'active' AND deleted_at IS NULL)
           ORDER BY next_attempt_at LIMIT ${DELIVERIES_PER_LEASE}
         ), sized AS (
           SELECT due.*, sum(coalesce(size, 0)) OVER (ORDER BY next_attempt_at, event_seq) - coalesce(size, 0) AS bytes_before
           FROM due LEFT JOIN events ON seq = event_seq
         )
         SELECT event_seq, attempts, round_start, id, type, created_at, source, data
         FROM sized LEFT JOIN events ON seq = event_seq WHERE bytes_before < ${BYTES_PER_LEASE}
         ORDER BY next_attempt_at, event_seq`,
      )
      .bind(webhookId, now, holder),
  ]);
  const [row] = acquired?.results ?? [];
  if (row === undefined) return { outcome: "nothing" };
  const endpoint = endpointRow.parse(row);
  if (row.holder !== holder)
    return {
      outcome: "other_lane",
      lane: laneOf({ slowAt: endpoint.slow_at, provenAt: endpoint.proven_at }, now),
    };
  const rows = due?.results ?? [];
  return {
    outcome: "acquired",
    lease: {
      holder,
      endpoint,
      wrappedKey: z.string().nullable().parse(row.data_key),
      due: rows.filter((each) => each.id !== null).map((each) => dueRow.parse(each) as DueDelivery),
      expired: rows.filter((each) => each.id === null).map((each) => expiredRow.parse(each).event_seq),
    },
  };
}

/** Runs `statements`, then releases the lease. Returns whether more is already due, and the endpoint's lane. */
export async function releaseLease(
  db: D1Database,
  { holder, endpoint: { id } }: EndpointLease,
  statements: readonly D1PreparedStatement[],
  now: number,
): Promise<{ more: boolean; lane: Lane }> {
  const results = await db.batch<{ more: number; lane: string }>([
    ...statements,
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

/** Writes how many requests were sent or are about to be sent. False if the lease has expired. */
export async function reservePace(
  db: D1Database,
  { holder, endpoint: { id } }: EndpointLease,
  pace: readonly PaceBucket[],
): Promise<boolean> {
  const { meta } = await db
    .prepare("UPDATE webhooks SET pace = ?3 WHERE id = ?1 AND holder = ?2")
    .bind(id, holder, JSON.stringify(pace))
    .run();
  return meta.changes === 1;
}

/** Must run in the batch that releases the lease. A pace that was changed meanwhile does not wait for the old one. */
export function settlePace(
  db: D1Database,
  { holder, endpoint: { id, version } }: EndpointLease,
  pace: readonly PaceBucket[],
  pacedUntil: number,
): D1PreparedStatement {
  return db
    .prepare(
      `UPDATE webhooks SET pace = ?3, paced_until = iif(version = ?4, ?5, paced_until) WHERE id = ?1 AND holder = ?2`,
    )
    .bind(id, holder, JSON.stringify(pace), version, pacedUntil);
}
