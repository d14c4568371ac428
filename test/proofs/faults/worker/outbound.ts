/** Reads the state of deliveries from the database directly. */
import type { CountsAtEnd, DeliveryAtEnd, OpenDeliveries, WebhookAtEnd } from "../orders.ts";

/** Counts as due what was due at `dueBy`. */
export async function openDeliveries(db: D1Database, dueBy: number, now: number): Promise<OpenDeliveries> {
  const row = await db
    .prepare(
      `SELECT
         (SELECT count(*) FROM deliveries WHERE next_attempt_at IS NOT NULL) AS open,
         (SELECT count(*) FROM deliveries JOIN webhooks ON id = webhook_id
           WHERE next_attempt_at <= ?2 AND held_until <= ?1) AS due,
         (SELECT count(*) FROM webhooks WHERE held_until > ?1) AS held,
         (SELECT count(*) FROM notices) AS notices,
         (SELECT min(at) FROM (
           SELECT next_attempt_at AS at FROM deliveries WHERE next_attempt_at IS NOT NULL
           UNION ALL SELECT held_until FROM webhooks WHERE held_until > ?1
           UNION ALL SELECT due_at FROM notices)) AS next_at`,
    )
    .bind(now, dueBy)
    .first<Record<"open" | "due" | "held" | "notices", number> & { next_at: number | null }>();
  if (row === null) throw new Error("a count query returned no row");
  const { next_at: nextAt, ...counts } = row;
  return { now, ...counts, nextAt };
}

export async function deliveriesAtEnd(db: D1Database): Promise<DeliveryAtEnd[]> {
  const { results } = await db
    .prepare(
      `SELECT d.webhook_id AS webhookId, e.id AS eventId, d.status, d.attempts, d.next_attempt_at AS nextAttemptAt,
         d.last_error AS lastError, d.history
       FROM deliveries d LEFT JOIN events e ON e.seq = d.event_seq`,
    )
    .all<Omit<DeliveryAtEnd, "history"> & { history: string }>();
  return results.map((row) => ({ ...row, history: JSON.parse(row.history) }));
}

/** The counts of all hours that were handed over, by scope and measure. */
export async function countsAtEnd(db: D1Database): Promise<CountsAtEnd> {
  const { results } = await db
    .prepare(
      `SELECT scope, json_group_object(key, n) AS counts FROM (
         SELECT scope, key, sum(value) AS n FROM usage CROSS JOIN json_each(counts)
         WHERE period = 'hour' GROUP BY scope, key)
       GROUP BY scope`,
    )
    .all<{ scope: string; counts: string }>();
  return Object.fromEntries(results.map(({ scope, counts }) => [scope, JSON.parse(counts)]));
}

export async function webhooksAtEnd(db: D1Database, now: number): Promise<WebhookAtEnd[]> {
  const { results } = await db
    .prepare(
      `SELECT id, status, disabled_reason AS disabledReason, held_until > ?1 AS held,
         (SELECT json_group_object(key, n) FROM (
           SELECT key, sum(value) AS n FROM usage CROSS JOIN json_each(counts)
           WHERE scope = 'webhook:' || webhooks.id AND period = 'hour' GROUP BY key)) AS counts
       FROM webhooks ORDER BY id`,
    )
    .bind(now)
    .all<Omit<WebhookAtEnd, "held" | "counts"> & { held: number; counts: string }>();
  return results.map((row) => ({ ...row, held: row.held === 1, counts: JSON.parse(row.counts) }));
}
