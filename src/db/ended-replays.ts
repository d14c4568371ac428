/** A replay ends with its webhook: these statements go into every batch that disables or deletes webhooks. */

/** Whether nothing is sent to the webhook. A paused webhook is not off: its deliveries wait. */
export const IS_OFF = "(webhooks.status = 'disabled' OR webhooks.deleted_at IS NOT NULL)";

const IS_RUNNING = "replays.status = 'running'";

/** Ends the running replay of the webhook, if the webhook is off. */
export function endReplaysOf(db: D1Database, webhookId: string, now: number): D1PreparedStatement {
  return db
    .prepare(
      `UPDATE replays SET status = 'ended', updated_at = ?2
       WHERE webhook_id = ?1 AND ${IS_RUNNING} AND EXISTS (SELECT 1 FROM webhooks WHERE id = ?1 AND ${IS_OFF})`,
    )
    .bind(webhookId, now);
}

/** Ends the running replays of those webhooks of the owner that are off. */
export function endReplaysOfOwner(
  db: D1Database,
  { type, id }: { type: string; id: string },
  now: number,
): D1PreparedStatement {
  return db
    .prepare(
      `UPDATE replays SET status = 'ended', updated_at = ?3
       WHERE ${IS_RUNNING} AND EXISTS (
         SELECT 1 FROM webhooks WHERE id = replays.webhook_id AND owner_type = ?1 AND owner_id = ?2 AND ${IS_OFF})`,
    )
    .bind(type, id, now);
}

/** Ends the running replays of all webhooks that are off. */
export function endReplaysOfOff(db: D1Database, now: number): D1PreparedStatement {
  return db
    .prepare(
      `UPDATE replays SET status = 'ended', updated_at = ?1
       WHERE ${IS_RUNNING} AND EXISTS (SELECT 1 FROM webhooks WHERE id = replays.webhook_id AND ${IS_OFF})`,
    )
    .bind(now);
}
