/** Counts an hour of a gate from its rows: the files that were minted in it. */
import { SIGNATURE_WINDOW_MS } from "../model.ts";
import type { Counts } from "../usage/counts.ts";
import { type CountedFile, countFile } from "../usage/file-counts.ts";
import type { CountedHour } from "../usage/hand-over.ts";
import { HOUR_MS } from "../usage/periods.ts";
import type { DayPartitions } from "./day-partitions.ts";
import { rowKeyOf, seqAt } from "./file-id.ts";
import { publicStatus, stateOf } from "./file-row.ts";

/** Files counted without a pause: a few milliseconds. */
const FILES_AT_A_TIME = 1_000;

const COUNTED = `SELECT key, state, signed_until, updated_at, facts ->> 'size' AS bytes, facts ->> 'receivedAt' AS received_at,
    facts ->> 'employerId' AS employer, progress ->> 'ms' AS accepted_ms,
    progress ->> 'forwardedAt' AS forwarded_at, progress ->> 'completedAt' AS completed_at
  FROM inbox WHERE key >= ? AND key < ? ORDER BY key LIMIT ${FILES_AT_A_TIME}`;

/**
 * Other calls of the gate are served during the pauses, and their changes mark the hour again. `pause` resolves once waiting calls have
 * been served.
 */
export async function countHour(
  partitions: DayPartitions,
  at: number,
  pause: () => Promise<void>,
): Promise<CountedHour> {
  const counts: Counts = {};
  const employers = new Set<string>();
  const end = rowKeyOf(seqAt(at + HOUR_MS));
  let from = rowKeyOf(seqAt(at));
  while (from < end) {
    const [partition, next] = partitions.between(from, end);
    if (partition === undefined) break;
    const rows = partition.exec(COUNTED, from, end).toArray();
    for (const row of rows) {
      const file = fileOf(row);
      if (file === null) continue;
      countFile(counts, file);
      employers.add(String(row.employer));
    }
    const last = rows.at(-1);
    if (rows.length === FILES_AT_A_TIME && last !== undefined) {
      from = Number(last.key) + 1;
      await pause();
    } else if (next === undefined) break;
    else from = next.from;
  }
  return { counts, employers };
}

function fileOf(row: Record<string, SqlStorageValue>): CountedFile | null {
  const status = publicStatus(stateOf(Number(row.state)));
  if (status === null) return null;
  const receivedAt = Number(row.received_at);
  return {
    status,
    bytes: Number(row.bytes),
    sentAt: row.signed_until === null ? receivedAt : Number(row.signed_until) - SIGNATURE_WINDOW_MS,
    receivedAt,
    acceptedMs: timeOrNull(row.accepted_ms),
    forwardedAt: timeOrNull(row.forwarded_at),
    completedAt: status === "completed" ? (timeOrNull(row.completed_at) ?? Number(row.updated_at)) : null,
  };
}

function timeOrNull(value: SqlStorageValue | undefined): number | null {
  return typeof value === "number" ? value : null;
}
