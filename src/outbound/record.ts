/**
 * Recording attempts: what came of them, what follows, how the endpoint is, and whom to tell. All of it in one D1 batch, and each
 * attempt by compare-and-set on its number, so that it counts once however often it is recorded or made.
 */
import { drizzle } from "drizzle-orm/d1";
import { type AuditRow, asStatement, auditRow, tellIfChanged } from "../db/audit.ts";
import { nextVersion } from "../db/gates.ts";
import { KEPT_ATTEMPTS, type StoredAttempt } from "../db/schema.ts";
import type { DisableReason, Health } from "./health.ts";
import type { Held, HeldEndpoint } from "./hold.ts";
import { MAIL_INTERVAL_MS } from "./notices.ts";

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
           FROM o CROSS JOIN deliveries AS d WHERE o.status = 'failed' AND ${UNRECORDED}`,
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
  if (health !== null) {
    const { consecutiveFailures, failingSince, lastSuccessAt, slowAt } = health;
    // Who holds the endpoint knows its health best, unless it was changed and begins anew.
    statements.push(
      db
        .prepare(
          `UPDATE webhooks SET consecutive_failures = ?4, failing_since = ?5, last_success_at = ?6, slow_at = ?7
           WHERE id = ?1 AND holder = ?2 AND version = ?3`,
        )
        .bind(
          endpoint.id,
          held.holder,
          endpoint.version,
          consecutiveFailures,
          failingSince,
          lastSuccessAt,
          slowAt,
        ),
    );
  }
  if (disable !== null) statements.push(...disabling(db, endpoint, disable, now));
  return statements;
}

/** Only the endpoint that was tried: one that has been changed since may have a new address. */
function disabling(
  db: D1Database,
  endpoint: HeldEndpoint,
  reason: DisableReason,
  now: number,
): D1PreparedStatement[] {
  const version = nextVersion(endpoint.version, now);
  const told: AuditRow = auditRow({
    at: version,
    actor: "system:delivery",
    requestId: "",
    kind: "webhook",
    what: "disabled",
    subjectId: endpoint.id,
    owner: { type: endpoint.owner_type, id: endpoint.owner_id },
    before: { status: "active", disabled_reason: null },
    after: { status: "disabled", disabled_reason: reason },
  });
  return [
    db
      .prepare(
        `UPDATE webhooks SET status = 'disabled', disabled_reason = ?3, version = ?4, updated_at = ?5
         WHERE id = ?1 AND version = ?2 AND status = 'active' AND deleted_at IS NULL`,
      )
      .bind(endpoint.id, endpoint.version, reason, version, now),
    asStatement(db, tellIfChanged(drizzle(db), told)),
    db
      .prepare(
        `INSERT INTO notices (webhook_id, kind, event_seq, reason, created_at, due_at, tries)
         SELECT ?1, 'webhook_disabled', NULL, ?2, ?3, ?3, 0 WHERE EXISTS (SELECT 1 FROM audit WHERE id = ?4)`,
      )
      .bind(endpoint.id, reason, now, told.id),
  ];
}
