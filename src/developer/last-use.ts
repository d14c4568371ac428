/** When each key was last used: written after the response, at most once per hour per key and isolate. */
import { setBounded } from "../bounded-map.ts";
import { recordKeyUse } from "../db/api-keys.ts";
import { logError } from "../log.ts";

const RECORD_EVERY_MS = 3_600_000;
const MAX_RECORDED = 5_000;

/** Kept by the isolate between requests: plain data only. */
const recorded = new Map<string, number>();

export interface UsedKey {
  id: string;
  /** As in the row that the request was judged by. */
  lastUsedAt: number | null;
}

/** Null if the last record is recent; otherwise the write, which never rejects. */
export function recordUse(db: D1Database, { id, lastUsedAt }: UsedKey, now: number): Promise<void> | null {
  if (now - Math.max(lastUsedAt ?? 0, recorded.get(id) ?? 0) < RECORD_EVERY_MS) return null;
  setBounded(recorded, id, now, MAX_RECORDED);
  return recordKeyUse(db, id, now).catch((error) =>
    logError("failed to record the use of a key", { api_key_id: id }, error),
  );
}
