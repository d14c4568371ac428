/**
 * Recording attempts: what came of them, what follows, how the endpoint is, and whom to tell. All of it in one D1 batch, and each
 * attempt by compare-and-set on its number, so that it counts once however often it is recorded or made.
 */
import { drizzle } from "drizzle-orm/d1";
import { type AuditRow, asStatement, insertAuditIfChanged, newAuditRow } from "../db/audit.ts";
import { endSecret } from "../db/creations.ts";
import { endReplaysOf } from "../db/ended-replays.ts";
import { nextVersion } from "../db/gates.ts";
import { KEPT_ATTEMPTS, type StoredAttempt } from "../db/schema.ts";
import type { DisableReason, Health } from "./auto-disable.ts";
import { MAIL_INTERVAL_MS } from "./email-notices.ts";
import type { Held } from "./endpoint-lease.ts";

/** An attempt as it is recorded, and what follows for its delivery. */
export interface Recorded {
  eventSeq: number;
  attempt: StoredAttempt;
  status: "delivered" | "retrying" | "failed";
  nextAttemptAt: number | null;
  /** The failure in a word or two; null for a success. */
  error: string | null;
}

export interface Recording {
  held: Held;
  attempts: readonly Recorded[];
  /** How the endpoint is after them; null for no news worth a row. */
  health: Health | null;
  disable: DisableReason | null;
  now: number;
}

/** `o` is one outcome. Materialized: each looks up its delivery, where else each of the webhook's would look through all outcomes. */
const WITH_OUTCOMES = `WITH o AS MATERIALIZED (
   SELECT value->>'eventSeq' AS seq, value->>'$.attempt.number' AS number, value->'attempt' AS attempt,
     value->>'status' AS status, value->>'nextAttemptAt' AS next_attempt_at, value->>'$.attempt.status' AS response_code,
     value->>'error' AS error FROM json_each(?2))`;
/** An attempt that was recorded already matches nothing. */
const UNRECORDED = "d.webhook_id = ?1 AND d.event_seq = o.seq AND d.attempts = o.number - 1";

/** Belong into one batch, in this order; repeating it is safe. */
export function recording(
  db: D1Database,
  { held, attempts, health, disable, now }: Recording,
): D1PreparedStatement[] {
  const { endpoint } = held;
  const statements: D1PreparedStatement[] = [];
  if (health !== null) statements.push(...recordingHealth(db, held, health, now));
  if (disable !== null) statements.push(...disabling(db, held, disable, now));
  if (attempts.length > 0) {
    const values = [endpoint.id, JSON.stringify(attempts), now] as const;
    if (attempts.some(({ status }) => status === "failed")) {
      statements.push(
        db
          .prepare(
            `${WITH_OUTCOMES}
           INSERT INTO notices (webhook_id, kind, event_seq, reason, created_at, due_at, tries)
           SELECT ?1, 'delivery_failed', o.seq, coalesce(o.error, ''), ?3,
             max(?3, coalesce((SELECT mailed_at FROM webhooks WHERE id = ?1) + ?4, 0)), 0
           FROM o CROSS JOIN deliveries AS d WHERE o.status = 'failed' AND ${UNRECORDED}
             AND NOT EXISTS (SELECT 1 FROM webhooks WHERE id = ?1 AND ${DISABLED_BY_US})`,
          )
          .bind(...values, MAIL_INTERVAL_MS),
      );
    }
    statements.push(
      db
        .prepare(
          `${WITH_OUTCOMES}
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

/** Whoever holds the endpoint knows its health best, unless it was changed and begins anew. Only a test may have proved it meanwhile. */
function recordingHealth(
  db: D1Database,
  { holder, endpoint }: Held,
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
    ? [...recovering(db, tried, now), update]
    : [update];
}

/** ?1 to ?3: the endpoint that was tried, in the hands of whoever tried it, and not changed since. */
const TRIED = "id = ?1 AND holder = ?2 AND version = ?3";

/** Recovery is notified where failure was. A notice of failure that has not been sent finds out that it has become untrue. */
function recovering(
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

/** The mail about the webhook tells enough: one about each delivery that failed with it would only repeat it. */
const DISABLED_BY_US = "status = 'disabled' AND disabled_reason IN ('gone', 'failing')";

/**
 * Only the endpoint that was tried: one that has been changed since may have a new address. For failing, also only where it has
 * failed ever since: another invocation may have recorded a success meanwhile.
 */
function disabling(
  db: D1Database,
  { endpoint }: Held,
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
