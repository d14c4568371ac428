/** Deliveries as the portal lists, shows and retries them. `src/outbound/` creates and sends them. */

import { drizzle } from "drizzle-orm/d1";
import * as z from "zod";
import { type AuditRow, asStatement, insertAuditIfChanged } from "./audit.ts";
import type { OwnerAddress } from "./owner-keys.ts";
import { DELIVERY_STATUSES, type DeliveryStatus, type StoredAttempt } from "./schema.ts";

const storedAttempt: z.ZodType<StoredAttempt> = z.object({
  number: z.number(),
  started_at: z.number(),
  ms: z.number(),
  kind: z.string(),
  status: z.number().nullable(),
  answer: z.string().nullable(),
  headers: z.string().exactOptional(),
  tls_cause: z.string().exactOptional(),
});
export const deliveryRow = z.object({
  webhook_id: z.string(),
  event_seq: z.number(),
  status: z.enum(DELIVERY_STATUSES),
  attempts: z.number(),
  next_attempt_at: z.number().nullable(),
  response_code: z.number().nullable(),
  last_error: z.string().nullable(),
  created_at: z.number(),
  updated_at: z.number(),
  /** Null if the event has been deleted. */
  event_id: z.string().nullable(),
  event_type: z.string().nullable(),
  event_created_at: z.number().nullable(),
});
const deliveryWithHistoryRow = deliveryRow.extend({
  /** The value of `attempts` when the current round of tries began. */
  round_start: z.number(),
  /** The sealed data of an event about a file; null for other events. */
  file_event_data: z.string().nullable(),
  history: z.string().transform((text) => z.array(storedAttempt).parse(JSON.parse(text))),
});
export type Delivery = z.infer<typeof deliveryRow>;
export type DeliveryWithHistory = z.infer<typeof deliveryWithHistoryRow>;

/** Of `deliveries AS d LEFT JOIN events AS e`. */
export const DELIVERY_COLUMNS = `d.webhook_id, d.event_seq, d.status, d.attempts, d.next_attempt_at, d.response_code, d.last_error,
  d.created_at, d.updated_at, e.id AS event_id, e.type AS event_type, e.created_at AS event_created_at`;
/** A page scans at most this many rows, so that a rare status does not scan a whole month. */
const SCANNED_ROWS = 1_000;

/** Deliveries of events before `before`, newest first. `scannedTo` is the position to continue from if the page is not full. */
export async function listDeliveries(
  db: D1Database,
  webhookId: string,
  status: DeliveryStatus | undefined,
  before: number | null,
  limit: number,
): Promise<{ rows: Delivery[]; scannedTo: number | null }> {
  const scanned = status === undefined ? limit + 1 : SCANNED_ROWS;
  const [page, last] = await db.batch<Record<string, unknown>>([
    db
      .prepare(
        `WITH page AS (
           SELECT event_seq FROM deliveries WHERE webhook_id = ?1 AND event_seq < ?2 ORDER BY event_seq DESC LIMIT ?3
         )
         SELECT ${DELIVERY_COLUMNS} FROM page
           JOIN deliveries AS d ON d.webhook_id = ?1 AND d.event_seq = page.event_seq
           LEFT JOIN events AS e ON e.seq = d.event_seq
         WHERE ?4 IS NULL OR d.status = ?4 ORDER BY d.event_seq DESC LIMIT ?5`,
      )
      .bind(webhookId, before ?? Number.MAX_SAFE_INTEGER, scanned, status ?? null, limit + 1),
    db
      .prepare(
        `SELECT event_seq FROM deliveries WHERE webhook_id = ?1 AND event_seq < ?2
         ORDER BY event_seq DESC LIMIT 1 OFFSET ?3`,
      )
      .bind(webhookId, before ?? Number.MAX_SAFE_INTEGER, scanned - 1),
  ]);
  const rows = (page?.results ?? []).map((row) => deliveryRow.parse(row));
  const end = last?.results[0]?.event_seq;
  return { rows, scannedTo: rows.length > limit || typeof end !== "number" ? null : end };
}

export async function getDelivery(
  db: D1Database,
  { webhookId, eventSeq }: { webhookId: string; eventSeq: number },
): Promise<DeliveryWithHistory | null> {
  const row = await db
    .prepare(
      `SELECT ${DELIVERY_COLUMNS}, d.history, d.round_start, iif(e.type GLOB 'file.*', e.data, NULL) AS file_event_data
       FROM deliveries AS d LEFT JOIN events AS e ON e.seq = d.event_seq
       WHERE d.webhook_id = ? AND d.event_seq = ?`,
    )
    .bind(webhookId, eventSeq)
    .first();
  return row === null ? null : deliveryWithHistoryRow.parse(row);
}

const eventDeliveryRow = z.object({
  webhook_id: z.string(),
  event_seq: z.number(),
  status: z.enum(DELIVERY_STATUSES),
});
export type EventDelivery = z.infer<typeof eventDeliveryRow>;

/**
 * The deliveries of events to their owner's webhooks, deleted webhooks included; at most `limit`. The cross joins fix the order:
 * in another one, SQLite would read every delivery of each webhook.
 */
export async function deliveriesOfEvents(
  db: D1Database,
  owner: OwnerAddress,
  seqs: readonly number[],
  limit: number,
): Promise<EventDelivery[]> {
  if (seqs.length === 0) return [];
  const { results } = await db
    .prepare(
      `SELECT d.webhook_id, d.event_seq, d.status FROM webhooks AS w CROSS JOIN json_each(?3)
         CROSS JOIN deliveries AS d ON d.webhook_id = w.id AND d.event_seq = json_each.value
       WHERE w.owner_type = ?1 AND w.owner_id = ?2 LIMIT ?4`,
    )
    .bind(owner.type, owner.id, JSON.stringify(seqs), limit)
    .all();
  return results.map((row) => eventDeliveryRow.parse(row));
}

export interface Skipped {
  count: number;
  /** Positions of the first and the last of their events; null for none. */
  first: number | null;
  last: number | null;
}

/** The deliveries that were skipped while the webhook was disabled, or that expired while it was paused. */
export async function countSkipped(db: D1Database, webhookId: string): Promise<Skipped> {
  const row = await db
    .prepare(
      `SELECT count(*) AS count, min(event_seq) AS first, max(event_seq) AS last
       FROM deliveries WHERE webhook_id = ? AND status = 'skipped'`,
    )
    .bind(webhookId)
    .first();
  return skippedRow.parse(row);
}
const skippedRow = z.object({
  count: z.number(),
  first: z.number().nullable(),
  last: z.number().nullable(),
});

/** Of an UPDATE: makes deliveries due at the time that the parameter `now` holds. A settled delivery begins a new round. */
export function madeDue(now: string): string {
  return `status = CASE WHEN next_attempt_at IS NULL THEN 'pending' ELSE status END,
    round_start = CASE WHEN next_attempt_at IS NULL THEN attempts ELSE round_start END,
    last_error = CASE WHEN status = 'skipped' THEN NULL ELSE last_error END,
    next_attempt_at = min(${now}, coalesce(next_attempt_at, ${now})), updated_at = ${now}`;
}

/** Whether a webhook `w` subscribes to the type of an event `e`. */
export const SUBSCRIBES = `EXISTS (SELECT 1 FROM json_each(w.events)
  WHERE value IN ('*', e.type, substr(e.type, 1, instr(e.type, '.')) || '*'))`;

/** Makes a delivery due now. */
export async function reopenDelivery(
  db: D1Database,
  { webhookId, eventSeq }: { webhookId: string; eventSeq: number },
  auditRow: AuditRow,
  now: number,
): Promise<void> {
  await db.batch([
    db
      .prepare(`UPDATE deliveries SET ${madeDue("?3")} WHERE webhook_id = ?1 AND event_seq = ?2`)
      .bind(webhookId, eventSeq, now),
    asStatement(db, insertAuditIfChanged(drizzle(db), auditRow)),
  ]);
}
