/**
 * The operators' list of stuck files, the table `attention`: files that were deferred or failed, that wait for a key or a
 * setting, or that were in a message with which the consumer died.
 */
import type { Bindings } from "../bindings.ts";
import { parseFileId } from "../gate/file-id.ts";
import { KEEP_ROWS_MS } from "../gate/maintenance.ts";
import { logError } from "../log.ts";
import { gateName } from "../model.ts";

export type StuckReason =
  | "deferred"
  | "refused"
  | "reported_failed"
  | "gave_up"
  | "consumer_died"
  /** The file waits for a key of the ring, or for a setting. No attempt counts. */
  | "ring_key_missing"
  | "not_configured";

export type StuckFileChange =
  | {
      kind: "set";
      fileId: string;
      reason: StuckReason;
      responseStatus: number | null;
      attempts: number;
      nextAttemptAt: number | null;
    }
  | { kind: "clear"; fileId: string };

/** Never rejects. The gates hold the truth: the next attempt or the minute cron corrects a missing or stale row. */
export async function recordStuckFiles(db: D1Database, changes: readonly StuckFileChange[]): Promise<void> {
  if (changes.length === 0) return;
  const now = Date.now();
  const set = db.prepare(
    `INSERT INTO attention (file_id, reason, response_status, attempts, next_attempt_at, first_at, updated_at)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)
     ON CONFLICT (file_id) DO UPDATE SET reason = excluded.reason, response_status = excluded.response_status,
       attempts = excluded.attempts, next_attempt_at = excluded.next_attempt_at, updated_at = excluded.updated_at`,
  );
  const clear = db.prepare("DELETE FROM attention WHERE file_id = ?");
  try {
    await db.batch(
      changes.map((change) =>
        change.kind === "clear"
          ? clear.bind(change.fileId)
          : set.bind(
              change.fileId,
              change.reason,
              change.responseStatus,
              change.attempts,
              change.nextAttemptAt,
              now,
            ),
      ),
    );
  } catch (error) {
    logError("failed to record stuck files", { files: changes.length }, error);
  }
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
    `SELECT file_id FROM attention WHERE updated_at < ?1 AND (reason IN ('ring_key_missing', 'not_configured')
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
