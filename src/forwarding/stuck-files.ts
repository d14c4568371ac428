/** Files that operators should know of: deferred, failed, or in a message that killed the consumer. */
import type { Bindings } from "../bindings.ts";
import { parseFileId } from "../gate/file-id.ts";
import { logError } from "../log.ts";
import { gateName } from "../model.ts";

export type AttentionReason =
  | "deferred"
  | "refused"
  | "reported_failed"
  | "gave_up"
  | "consumer_died"
  /** Nothing counts against the file: it waits for a key of the ring, or for a setting. */
  | "ring_key_missing"
  | "not_configured";

export type AttentionChange =
  | {
      kind: "set";
      fileId: string;
      reason: AttentionReason;
      responseStatus: number | null;
      attempts: number;
      nextAttemptAt: number | null;
    }
  | { kind: "clear"; fileId: string };

/** Never rejects: the gates hold the truth, and the next attempt or the minute cron corrects a missing or stale row. */
export async function recordAttention(db: D1Database, changes: readonly AttentionChange[]): Promise<void> {
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
    logError("attention was not recorded", { files: changes.length }, error);
  }
}

/** A row that nobody touched for this long may be of a file that has succeeded since. */
const STALE_MS = 2 * 3_600_000;
/** Files that are held back are tried again, and their rows touched, at least as often as this. */
const HELD_STALE_MS = 30 * 60_000;
const ROWS_PER_RUN = 50;
/** As long as a gate keeps a file's record. */
const KEEP_MS = 90 * 86_400_000;

/** Clears rows whose file was settled well, and rows that outlived their file. Failed files stay listed. */
export async function reconcileAttention(env: Bindings, now: number): Promise<void> {
  await env.DB.prepare("DELETE FROM attention WHERE updated_at < ?")
    .bind(now - KEEP_MS)
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
      logError("attention was not reconciled", { file_id: fileId }, error);
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
