/**
 * What is old goes, a little in every minute: events after 90 days, deliveries and replays 30 days after their last change. Each
 * webhook has its minute of the hour, and no run holds the database up for others.
 */
import { seqAt } from "../db/events.ts";

const DAY_MS = 86_400_000;
export const KEEP_EVENTS_MS = 90 * DAY_MS;
export const KEEP_DELIVERIES_MS = 30 * DAY_MS;

/** Rows deleted by one statement: some milliseconds of the database's one writer. */
const ROWS_AT_A_TIME = 500;
/** Statements of one run, for each of the tables. */
const STATEMENTS_PER_RUN = 40;

/** `from` and `to` bound the ids of the webhooks whose minute it is. Rejects when D1 does not answer. */
export async function retain(
  db: D1Database,
  { from, to }: { from: string; to: string },
  now: number,
): Promise<void> {
  await repeatedly(
    db
      .prepare(`DELETE FROM events WHERE seq IN (SELECT seq FROM events WHERE seq < ? ORDER BY seq LIMIT ?)`)
      .bind(seqAt(now - KEEP_EVENTS_MS), ROWS_AT_A_TIME),
  );
  const before = now - KEEP_DELIVERIES_MS;
  await repeatedly(
    db
      .prepare(
        `DELETE FROM deliveries WHERE (webhook_id, event_seq) IN (
           SELECT d.webhook_id, d.event_seq FROM webhooks w CROSS JOIN deliveries d ON d.webhook_id = w.id
           WHERE w.id >= ?1 AND w.id < ?2 AND d.event_seq < ?3 AND d.updated_at < ?4 AND d.next_attempt_at IS NULL
           LIMIT ?5)`,
      )
      .bind(from, to, seqAt(before), before, ROWS_AT_A_TIME),
  );
  await db
    .prepare("DELETE FROM replays WHERE webhook_id >= ? AND webhook_id < ? AND updated_at < ?")
    .bind(from, to, before)
    .run();
}

/** Until a run of it finds less than it may delete. */
async function repeatedly(statement: D1PreparedStatement): Promise<void> {
  for (let i = 0; i < STATEMENTS_PER_RUN; i++) {
    const { meta } = await statement.run();
    if (meta.changes < ROWS_AT_A_TIME) return;
  }
}
