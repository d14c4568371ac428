/**
 * Finds endpoints that have failed for long, by the clock and not by their next attempt, and makes a notice once per level. What
 * was notified stands in the webhook's row: two crons at once, or one that comes again, notify nothing twice.
 */
import { FAILURE_LEVELS } from "./auto-disable.ts";

/** Endpoints of one run of the minute cron; the longest failing of them first. */
const ENDPOINTS_PER_RUN = 500;

/** Rejects when D1 does not answer. */
export async function noticeFailing(db: D1Database, now: number): Promise<void> {
  // From the highest level down: an endpoint that is found late is notified of the level it has reached.
  for (const [i, { afterMs, word }] of [...FAILURE_LEVELS.entries()].reverse()) {
    const level = i + 1;
    const reached = `id IN (SELECT id FROM webhooks INDEXED BY webhooks_failing
      WHERE failing_since <= ?1 AND status = 'active' AND deleted_at IS NULL AND failure_level < ?2
      ORDER BY failing_since, id LIMIT ${ENDPOINTS_PER_RUN})`;
    const values = [now - afterMs, level] as const;
    await db.batch([
      db
        .prepare(
          `INSERT INTO notices (webhook_id, kind, event_seq, reason, created_at, due_at, tries)
           SELECT id, 'endpoint_failing', NULL, ?3, ?4, ?4, 0 FROM webhooks WHERE ${reached}`,
        )
        .bind(...values, word, now),
      db.prepare(`UPDATE webhooks SET failure_level = ?2 WHERE ${reached}`).bind(...values),
    ]);
  }
}
