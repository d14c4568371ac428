/**
 * Records attempts in one D1 batch: the attempts, their deliveries' next step, the endpoint's health, the notices to mail, and the
 * counts of the hour. Each attempt is a compare-and-set on its number, so it counts once, however often it is recorded or made.
 */
import { drizzle } from "drizzle-orm/d1";
import { type AuditRow, asStatement, insertAuditIfChanged, newAuditRow } from "../db/audit.ts";
import { endSecret } from "../db/creations.ts";
import { endReplaysOf } from "../db/ended-replays.ts";
import { nextVersion } from "../db/gates.ts";
import { KEPT_ATTEMPTS, type StoredAttempt } from "../db/schema.ts";
import { countAttempts } from "./attempt-counts.ts";
import { type Attempt, endedAt, lastErrorOf } from "./attempt-result.ts";
import type { DisableReason, Health } from "./auto-disable.ts";
import type { DueDelivery, EndpointLease } from "./endpoint-lease.ts";
import { MAIL_INTERVAL_MS } from "./notice-store.ts";
import { nextAttemptAt } from "./retry-schedule.ts";

/** What an attempt changes in the row of its delivery. */
export interface DeliveryUpdate {
  eventSeq: number;
  /** Added to the history. */
  attempt: StoredAttempt;
  status: "delivered" | "retrying" | "failed";
  nextAttemptAt: number | null;
  /** Null for a success. */
  error: string | null;
}

/** Pure. `stored` is the attempt as it is stored. */
export function deliveryUpdate(
  due: Pick<DueDelivery, "event_seq" | "round_start">,
  attempt: Attempt,
  stored: StoredAttempt,
): DeliveryUpdate {
  const next = nextAttemptAt(stored.number - due.round_start, endedAt(attempt), attempt);
  return {
    eventSeq: due.event_seq,
    attempt: stored,
    status: attempt.kind === "delivered" ? "delivered" : next === null ? "failed" : "retrying",
    nextAttemptAt: next,
    error: lastErrorOf(attempt),
  };
}

export interface Recording {
  lease: EndpointLease;
  updates: readonly DeliveryUpdate[];
  /** The endpoint's health after the attempts; null if it need not be written. */
  health: Health | null;
  disable: DisableReason | null;
  now: number;
}

/** `o` is one update. Materialized so that each update looks up its delivery; otherwise each delivery would scan all updates. */
const WITH_UPDATES = `WITH o AS MATERIALIZED (
   SELECT value->>'eventSeq' AS seq, value->>'$.attempt.number' AS number, value->'attempt' AS attempt,
     value->>'status' AS status, value->>'nextAttemptAt' AS next_attempt_at, value->>'$.attempt.status' AS response_code,
     value->>'error' AS error FROM json_each(?2))`;
/** Matches nothing if the attempt is already recorded. */
const UNRECORDED = "d.webhook_id = ?1 AND d.event_seq = o.seq AND d.attempts = o.number - 1";

/** The statements must run in one batch, in this order. Repeating the batch is safe. */
export function recordAttempts(
  db: D1Database,
  { lease, updates, health, disable, now }: Recording,
): D1PreparedStatement[] {
  const { endpoint } = lease;
  const statements: D1PreparedStatement[] = [];
  if (health !== null) statements.push(...recordHealth(db, lease, health, now));
  if (disable !== null) statements.push(...disableWebhook(db, lease, disable, now));
  if (updates.length > 0) {
    const values = [endpoint.id, JSON.stringify(updates), now] as const;
    if (updates.some(({ status }) => status === "failed")) {
      statements.push(
        db
          .prepare(
            `${WITH_UPDATES}
           INSERT INTO notices (webhook_id, kind, event_seq, reason, created_at, due_at, tries)
           SELECT ?1, 'delivery_failed', o.seq, coalesce(o.error, ''), ?3,
             max(?3, coalesce((SELECT mailed_at FROM webhooks WHERE id = ?1) + ?4, 0)), 0
           FROM o CROSS JOIN deliveries AS d WHERE o.status = 'failed' AND ${UNRECORDED}
             AND NOT EXISTS (SELECT 1 FROM webhooks WHERE id = ?1 AND ${DISABLED_BY_GATEWAY})`,
          )
          .bind(...values, MAIL_INTERVAL_MS),
      );
    }
    statements.push(
      // Before the attempts are recorded, under the same condition: a repeated batch counts none of them again.
      ...countAttempts(db, endpoint, updates, UNRECORDED, now),
      db
        .prepare(
          `${WITH_UPDATES}
           UPDATE deliveries AS d SET attempts = o.number, status = o.status, next_attempt_at = o.next_attempt_at,
             response_code = o.response_code, last_error = o.error, updated_at = ?3,
             history = json_insert(CASE WHEN json_array_length(history) < ${KEPT_ATTEMPTS} THEN history
               ELSE json_remove(history, '$[0]') END, '$[#]', json(o.attempt))
           FROM o WHERE ${UNRECORDED}`,
        )
        .bind(...values),
    );
  }
  return statements;
}

/** Only for the lease holder, and only if the webhook was not changed, which resets its health. A test may have proved it meanwhile. */
function recordHealth(
  db: D1Database,
  { holder, endpoint }: EndpointLease,
  health: Health,
  now: number,
): D1PreparedStatement[] {
  const { consecutiveFailures, failingSince, lastSuccessAt, slowAt, provenAt, lastFailure } = health;
  const tried = [endpoint.id, holder, endpoint.version] as const;
  const update = db
    .prepare(
      `UPDATE webhooks SET consecutive_failures = ?4, failing_since = ?5, last_success_at = ?6, slow_at = ?7,
         proven_at = coalesce(proven_at, ?8), last_failure = ?9,
         failure_level = iif(failing_since IS ?5, failure_level, 0) WHERE ${TRIED}`,
    )
    .bind(
      ...tried,
      consecutiveFailures,
      failingSince,
      lastSuccessAt,
      slowAt,
      provenAt,
      lastFailure && JSON.stringify(lastFailure),
    );
  const hadFailed = endpoint.failing_since !== null || endpoint.failure_mailed_at !== null;
  return failingSince === null && lastSuccessAt !== null && hadFailed
    ? [...recordRecovery(db, tried, now), update]
    : [update];
}

/** ?1 to ?3: the endpoint that was tried, still leased by the invocation that tried it, and not changed since. */
const TRIED = "id = ?1 AND holder = ?2 AND version = ?3";

/** Only a failure that was mailed needs a mail about the recovery. A failure notice still waiting is dropped when its turn comes. */
function recordRecovery(
  db: D1Database,
  tried: readonly [string, string, number],
  now: number,
): D1PreparedStatement[] {
  return [
    db
      .prepare(
        `INSERT INTO notices (webhook_id, kind, event_seq, reason, created_at, due_at, tries)
         SELECT id, 'endpoint_recovered', NULL, '', ?4, ?4, 0 FROM webhooks
         WHERE ${TRIED} AND failure_mailed_at IS NOT NULL`,
      )
      .bind(...tried, now),
    db
      .prepare(`UPDATE webhooks SET failure_level = 0, failure_mailed_at = NULL WHERE ${TRIED}`)
      .bind(...tried),
  ];
}

/** Then one mail about the webhook is enough: mails about the deliveries that failed with it would repeat it. */
const DISABLED_BY_GATEWAY = "status = 'disabled' AND disabled_reason IN ('gone', 'failing')";

/**
 * Only if the webhook was not changed since it was tried: its URL may be new. For `failing`, also only if it has failed ever since:
 * another invocation may have recorded a success meanwhile.
 */
function disableWebhook(
  db: D1Database,
  { endpoint }: EndpointLease,
  reason: DisableReason,
  now: number,
): D1PreparedStatement[] {
  const orm = drizzle(db);
  const version = nextVersion(endpoint.version, now);
  const owner = { type: endpoint.owner_type, id: endpoint.owner_id };
  const auditRow: AuditRow = newAuditRow({
    at: version,
    actor: "system:delivery",
    requestId: "",
    kind: "webhook",
    what: "disabled",
    subjectId: endpoint.id,
    owner,
    before: { status: "active", disabled_reason: null },
    after: { status: "disabled", disabled_reason: reason },
  });
  return [
    db
      .prepare(
        `UPDATE webhooks SET status = 'disabled', disabled_reason = ?3, version = ?4, updated_at = ?5
         WHERE id = ?1 AND version = ?2 AND status = 'active' AND deleted_at IS NULL
           AND (?3 = 'gone' OR failing_since IS ?6)`,
      )
      .bind(endpoint.id, endpoint.version, reason, version, now, endpoint.failing_since),
    asStatement(db, insertAuditIfChanged(orm, auditRow)),
    asStatement(db, endSecret(orm, owner, endpoint.id, auditRow)),
    db
      .prepare(
        `INSERT INTO notices (webhook_id, kind, event_seq, reason, created_at, due_at, tries)
         SELECT ?1, 'webhook_disabled', NULL, ?2, ?3, ?3, 0 WHERE EXISTS (SELECT 1 FROM audit WHERE id = ?4)`,
      )
      .bind(endpoint.id, reason, now, auditRow.id),
    endReplaysOf(db, endpoint.id, now),
  ];
}
