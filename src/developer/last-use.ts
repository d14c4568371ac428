/** When keys were last used: written beside the answer, at most once an hour per key and isolate. */
import { noteKeyUsed } from "../db/api-keys.ts";
import { logError } from "../log.ts";

const NOTED_EVERY_MS = 3_600_000;
const MAX_NOTED = 5_000;

/** Kept by the isolate between requests: plain data only. */
const noted = new Map<string, number>();

export interface UsedKey {
  id: string;
  /** As the row has it that the request was judged by. */
  lastUsedAt: number | null;
}

/** Null when there is nothing to write; else the writing of it, which never rejects. */
export function noteUse(db: D1Database, { id, lastUsedAt }: UsedKey, now: number): Promise<void> | null {
  if (now - Math.max(lastUsedAt ?? 0, noted.get(id) ?? 0) < NOTED_EVERY_MS) return null;
  const [oldest] = noted.keys();
  if (noted.size >= MAX_NOTED && oldest !== undefined) noted.delete(oldest);
  noted.set(id, now);
  return noteKeyUsed(db, id, now).catch((error) =>
    logError("the use of a key was not noted", { api_key_id: id }, error),
  );
}
