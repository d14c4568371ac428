/**
 * What is old goes, a little in every minute: events after 90 days, deliveries and replays 30 days after their last change. Each
 * webhook has its minute of the day, and no run holds the database up for others.
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
  const { results } = await db
    .prepare("SELECT id FROM webhooks WHERE id >= ? AND id < ?")
    .bind(from, to)
    .all<{ id: string }>();
  for (const { id } of results) {
    await repeatedly(
      db
        .prepare(
          `DELETE FROM deliveries WHERE webhook_id = ?1 AND event_seq IN (
             SELECT event_seq FROM deliveries
             WHERE webhook_id = ?1 AND event_seq < ?2 AND updated_at < ?3 AND next_attempt_at IS NULL LIMIT ?4)`,
        )
        .bind(id, seqAt(before), before, ROWS_AT_A_TIME),
    );
    await db.prepare("DELETE FROM replays WHERE webhook_id = ? AND updated_at < ?").bind(id, before).run();
  }
}

/** Until a run of it finds less than it may delete. */
async function repeatedly(statement: D1PreparedStatement): Promise<void> {
  for (let i = 0; i < STATEMENTS_PER_RUN; i++) {
    const { meta } = await statement.run();
    if (meta.changes < ROWS_AT_A_TIME) return;
  }
}
