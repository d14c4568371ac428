/**
 * Adds a notice for each endpoint that has been failing for long, once per level, whether or not it is attempted at the time. The
 * webhook's row records the level, so that a repeated or concurrent cron adds nothing twice.
 */
import { FAILURE_LEVELS } from "./auto-disable.ts";

/** Per run of the minute cron; the longest failing endpoints first. */
const ENDPOINTS_PER_RUN = 500;

/** Rejects if D1 does not respond. */
export async function addFailureNotices(db: D1Database, now: number): Promise<void> {
  // From the highest level down, so that an endpoint that is found late gets the notice of the level it has reached.
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
