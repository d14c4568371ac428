/**
 * The operators' list of stuck files, the table `attention`: files that were deferred or failed, that wait for a key or a
 * setting, or that were in a message with which the consumer died.
 */
import type { Bindings } from "../bindings.ts";
import { findGateOwner, GATE_TABLES } from "../db/gates.ts";
import { parseFileId } from "../gate/file-id.ts";
import { KEEP_ROWS_MS } from "../gate/maintenance.ts";
import type { FileFacts } from "../gate/protocol.ts";
import { logError } from "../log.ts";
import { gateName } from "../model.ts";

/** Of files that have failed. */
export const FAILED_REASONS = ["refused", "reported_failed", "gave_up"] as const;
/** Of files that wait. For the last two, they wait for a key of the ring, or for a setting, and no attempt counts. */
const WAITING_REASONS = ["deferred", "consumer_died", "ring_key_missing", "not_configured"] as const;
export const STUCK_REASONS = [...WAITING_REASONS, ...FAILED_REASONS] as const;
export type StuckReason = (typeof STUCK_REASONS)[number];

export type StuckFileChange =
  | {
      kind: "set";
      fileId: string;
      reason: StuckReason;
      responseStatus: number | null;
      attempts: number;
      nextAttemptAt: number | null;
      facts: Pick<FileFacts, "employerId" | "environment">;
    }
  | { kind: "clear"; fileId: string };

/** Never rejects. The gates hold the truth: the next attempt or the minute cron corrects a missing or stale row. */
export async function recordStuckFiles(db: D1Database, changes: readonly StuckFileChange[]): Promise<void> {
  if (changes.length === 0) return;
  const now = Date.now();
  try {
    await db.batch(changes.map((change) => statementOf(db, change, now)));
  } catch (error) {
    logError("failed to record stuck files", { files: changes.length }, error);
  }
}

function statementOf(db: D1Database, change: StuckFileChange, now: number): D1PreparedStatement {
  const { fileId } = change;
  if (change.kind === "clear") return db.prepare("DELETE FROM attention WHERE file_id = ?").bind(fileId);
  const parsed = parseFileId(fileId);
  const gate = parsed?.gate;
  return db
    .prepare(
      `INSERT INTO attention (file_id, reason, response_status, attempts, next_attempt_at, first_at, updated_at,
         owner_type, owner_id, environment, employer_id, seq)
       SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?6, coalesce(g.owner_type, ''), coalesce(g.owner_id, ''), ?8, ?9, ?10
       FROM (SELECT 1) LEFT JOIN ${GATE_TABLES[gate?.kind ?? "connection"]} AS g ON g.id = ?7 WHERE true
       ON CONFLICT (file_id) DO UPDATE SET reason = excluded.reason, response_status = excluded.response_status,
         attempts = excluded.attempts, next_attempt_at = excluded.next_attempt_at, updated_at = excluded.updated_at,
         owner_type = excluded.owner_type, owner_id = excluded.owner_id, environment = excluded.environment,
         employer_id = excluded.employer_id, seq = excluded.seq`,
    )
    .bind(
      fileId,
      change.reason,
      change.responseStatus,
      change.attempts,
      change.nextAttemptAt,
      now,
      gate?.id ?? "",
      change.facts.environment,
      change.facts.employerId,
      parsed?.seq ?? "",
    );
}

/** A row that was not updated for this long may belong to a file that has succeeded since. */
const STALE_MS = 2 * 3_600_000;
/** Files that wait for a key or a setting are claimed again, and their rows updated, at least this often. */
const HELD_STALE_MS = 30 * 60_000;
const ROWS_PER_RUN = 50;

/** Deletes rows whose file has succeeded, and rows that outlived their file's record in its gate. Failed files stay listed. */
export async function reconcileStuckFiles(env: Bindings, now: number): Promise<void> {
  await env.DB.prepare("DELETE FROM attention WHERE updated_at < ?")
    .bind(now - KEEP_ROWS_MS)
    .run();
  const { results } = await env.DB.prepare(
    `SELECT file_id FROM attention INDEXED BY attention_updated WHERE updated_at < ?1 AND (reason IN ('ring_key_missing', 'not_configured')
       OR updated_at < ?2 AND reason IN ('deferred', 'consumer_died')) ORDER BY updated_at LIMIT ?3`,
  )
    .bind(now - HELD_STALE_MS, now - STALE_MS, ROWS_PER_RUN)
    .all<{ file_id: string }>();
  for (const { file_id: fileId } of results) {
    try {
      await reconcile(fileId, env, now);
    } catch (error) {
      logError("failed to reconcile a stuck file", { file_id: fileId }, error);
    }
  }
}

/** Adds what rows of earlier code lack: whose file it is, its environment and its employer. */
export async function completeStuckFiles(env: Bindings): Promise<void> {
  const { results } = await env.DB.prepare("SELECT file_id FROM attention WHERE owner_id IS NULL LIMIT ?")
    .bind(ROWS_PER_RUN)
    .all<{ file_id: string }>();
  for (const { file_id: fileId } of results) {
    try {
      await complete(fileId, env);
    } catch (error) {
      logError("failed to complete the row of a stuck file", { file_id: fileId }, error);
    }
  }
}

async function complete(fileId: string, env: Bindings): Promise<void> {
  const parsed = parseFileId(fileId);
  const gate = parsed?.gate;
  const owner = gate === undefined ? null : await findGateOwner(env.DB, gate);
  // A gate that no row ever had is not asked: that would create it.
  const record =
    gate === undefined || owner === null
      ? null
      : await env.CONNECTION_GATE.getByName(gateName(gate)).status(fileId);
  await env.DB.prepare(
    "UPDATE attention SET owner_type = ?2, owner_id = ?3, environment = ?4, employer_id = ?5, seq = ?6 WHERE file_id = ?1",
  )
    .bind(
      fileId,
      owner?.owner_type ?? "",
      owner?.owner_id ?? "",
      record?.facts.environment ?? owner?.environment ?? "",
      record?.facts.employerId ?? "",
      parsed?.seq ?? "",
    )
    .run();
}

async function reconcile(fileId: string, env: Bindings, now: number): Promise<void> {
  const gate = parseFileId(fileId)?.gate;
  const record = gate && (await env.CONNECTION_GATE.getByName(gateName(gate)).status(fileId));
  if (record?.status === "queued") {
    await env.DB.prepare("UPDATE attention SET updated_at = ? WHERE file_id = ?").bind(now, fileId).run();
  } else if (record?.status === "failed") {
    await env.DB.prepare("UPDATE attention SET reason = 'gave_up', updated_at = ? WHERE file_id = ?")
      .bind(now, fileId)
      .run();
  } else {
    await env.DB.prepare("DELETE FROM attention WHERE file_id = ?").bind(fileId).run();
  }
}
