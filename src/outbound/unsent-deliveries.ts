/** Deliveries that are settled or postponed without an attempt. They stay listed and can be replayed. */

/** Deliveries settled per call if an endpoint is off. */
const SETTLED_PER_CALL = 1_000;

/** Settles the unsettled deliveries of an endpoint that is disabled or deleted. */
export async function settleAllUnsent(
  db: D1Database,
  webhookId: string,
  reason: "webhook_disabled" | "webhook_deleted",
  now: number,
): Promise<void> {
  await db
    .prepare(
      `UPDATE deliveries SET status = ?4, last_error = ?2, next_attempt_at = NULL, updated_at = ?3
       WHERE webhook_id = ?1 AND event_seq IN (
         SELECT event_seq FROM deliveries WHERE webhook_id = ?1 AND next_attempt_at IS NOT NULL LIMIT ${SETTLED_PER_CALL})`,
    )
    .bind(webhookId, reason, now, reason === "webhook_disabled" ? "skipped" : "failed")
    .run();
}

/** Settles these deliveries where they are still unsettled. */
export async function settleUnsent(
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

/** Postpones unsettled deliveries that cannot be sent now through no fault of their endpoint. It does not count as an attempt. */
export async function postponeUnsent(
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
