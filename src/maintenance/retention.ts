/**
 * Retention: events are deleted after 90 days, deliveries and replays 30 days after their last change. Every minute deletes a little,
 * so that no run blocks the database for others. Deliveries and replays are handled per webhook, each in its minute of the hour. Secrets
 * that have ended are handled per connection, each in its minute of the day.
 */
import { settled } from "../db/connection-secrets.ts";
import { KEEP_EVENTS_MS, seqAt } from "../db/events.ts";
import { findEndedSecrets, replaceSecrets } from "../db/managed-connections.ts";
import { repeatUntilDone } from "../db/repeat-until-done.ts";

const DAY_MS = 86_400_000;
const KEEP_DELIVERIES_MS = 30 * DAY_MS;

/** The owner of a paused webhook is notified this long before its waiting events expire. */
const NOTIFY_EXPIRY_MS = 7 * DAY_MS;

/** Rows deleted per statement, which takes the database's only writer some milliseconds. */
const ROWS_AT_A_TIME = 500;
/** Connections whose secrets are replaced per batch. */
const CONNECTIONS_AT_A_TIME = 50;

/** `from` and `to` bound the ids of the webhooks whose minute it is. Rejects if D1 fails. */
export async function retain(
  db: D1Database,
  { from, to }: { from: string; to: string },
  now: number,
): Promise<void> {
  await notifyExpiry(db, { from, to }, now);
  await skipExpired(db, { from, to }, now);
  await repeatUntilDone(
    db
      .prepare(`DELETE FROM events WHERE seq IN (SELECT seq FROM events WHERE seq < ? ORDER BY seq LIMIT ?)`)
      .bind(seqAt(now - KEEP_EVENTS_MS), ROWS_AT_A_TIME),
    ROWS_AT_A_TIME,
  );
  const before = now - KEEP_DELIVERIES_MS;
  await repeatUntilDone(
    db
      .prepare(
        `DELETE FROM deliveries WHERE (webhook_id, event_seq) IN (
           SELECT d.webhook_id, d.event_seq FROM webhooks w CROSS JOIN deliveries d ON d.webhook_id = w.id
           WHERE w.id >= ?1 AND w.id < ?2 AND d.event_seq < ?3 AND d.updated_at < ?4 AND d.next_attempt_at IS NULL
           LIMIT ?5)`,
      )
      .bind(from, to, seqAt(before), before, ROWS_AT_A_TIME),
    ROWS_AT_A_TIME,
  );
  await db
    .prepare(
      // A running replay is kept, because it may wait for a paused webhook for any length of time.
      "DELETE FROM replays WHERE webhook_id >= ? AND webhook_id < ? AND updated_at < ? AND status <> 'running'",
    )
    .bind(from, to, before)
    .run();
}

/**
 * Inserts a notice for each paused webhook with waiting events that expire within a week, at most one per day. Events before
 * `expiry_notified_seq` have been notified already. Two concurrent crons insert one notice.
 */
async function notifyExpiry(
  db: D1Database,
  { from, to }: { from: string; to: string },
  now: number,
): Promise<void> {
  const endsSoon = seqAt(now - KEEP_EVENTS_MS + NOTIFY_EXPIRY_MS);
  const aDayBefore = seqAt(now - KEEP_EVENTS_MS + NOTIFY_EXPIRY_MS - DAY_MS);
  const first = `(SELECT min(event_seq) FROM deliveries d WHERE d.webhook_id = webhooks.id
    AND d.event_seq >= expiry_notified_seq AND d.event_seq < ?3 AND d.next_attempt_at IS NOT NULL)`;
  const notified = `id >= ?1 AND id < ?2 AND status = 'paused' AND deleted_at IS NULL
    AND expiry_notified_seq <= ?4 AND ${first} IS NOT NULL`;
  await db.batch([
    db
      .prepare(
        `INSERT INTO notices (webhook_id, kind, event_seq, reason, created_at, due_at, tries)
         SELECT id, 'events_expiring', ${first}, '', ?5, ?5, 0 FROM webhooks WHERE ${notified}`,
      )
      .bind(from, to, endsSoon, aDayBefore, now),
    db
      .prepare(`UPDATE webhooks SET expiry_notified_seq = ?3 WHERE ${notified}`)
      .bind(from, to, endsSoon, aDayBefore),
  ]);
}

/** Skips the deliveries of a paused webhook whose events have expired. */
async function skipExpired(
  db: D1Database,
  { from, to }: { from: string; to: string },
  now: number,
): Promise<void> {
  await repeatUntilDone(
    db
      .prepare(
        `UPDATE deliveries SET status = 'skipped', last_error = 'event_expired', next_attempt_at = NULL, updated_at = ?3
         WHERE (webhook_id, event_seq) IN (
           SELECT d.webhook_id, d.event_seq FROM webhooks w CROSS JOIN deliveries d ON d.webhook_id = w.id
           WHERE w.id >= ?1 AND w.id < ?2 AND w.status = 'paused' AND d.event_seq < ?4 AND d.next_attempt_at IS NOT NULL
           LIMIT ?5)`,
      )
      .bind(from, to, now, seqAt(now - KEEP_EVENTS_MS), ROWS_AT_A_TIME),
    ROWS_AT_A_TIME,
  );
}

/** Settles the secrets that have ended of the connections with ids from `from` up to but not including `to`. Rejects if D1 fails. */
export async function settleEndedSecrets(
  db: D1Database,
  { from, to }: { from: string; to: string },
  now: number,
): Promise<void> {
  const rows = await findEndedSecrets(db, { from, to }, now);
  const changed = rows.flatMap((row) => {
    const after = settled(row, now);
    const isUnchanged =
      after.secrets.length === row.secrets.length && after.ended_secrets.length === row.ended_secrets.length;
    return isUnchanged ? [] : [{ ...row, ...after }];
  });
  for (let at = 0; at < changed.length; at += CONNECTIONS_AT_A_TIME)
    await replaceSecrets(db, changed.slice(at, at + CONNECTIONS_AT_A_TIME));
}
