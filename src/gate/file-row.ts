/**
 * The row of a file in its gate: one per admission, kept as the file's record for 90 days and up to a week longer.
 *
 * Row keys sort by time, so that rebuilding the recent requests, listing, archiving and purging are range scans. A row key is a
 * number, because appending rows with their payloads is cheapest in numeric order; `seq` identifies the file. Most rows never get
 * a `due_at`. Only files that are deferred, woken again or settled late have one, and only those rows are indexed by it: one index
 * for files that wait for the consumer, one for files that wait for the archive, so that neither delays the other. An ordinary
 * admission therefore writes one row.
 *
 * Two watermarks in the table `marks` complete this. Every row before `woken_to` is settled or has a `due_at`. Every row before
 * `archived_to` is archived or has a `due_at`.
 *
 * Deleted by the gate's alarm: aliases when they expire, reads after an hour, file rows after 90 days, most of them by dropping
 * their day partition (day-partitions.ts).
 */
import type { FileProgress } from "./file-progress.ts";
import type { ArchiveLocation, FileFacts, FileStatus } from "./protocol.ts";

/** `receiving`: reserved, the payload has not arrived. `dropped`: it never arrived, and its object is being deleted. */
const STATES = ["receiving", "queued", "processing", "completed", "failed", "dropped"] as const;
export type FileState = (typeof STATES)[number];
export const stateCode = (state: FileState): number => STATES.indexOf(state);
/** The conditions of the two indexes on `due_at`. SQLite uses such an index only for a query that repeats its condition. */
export const UNSETTLED = `state IN (${stateCode("receiving")}, ${stateCode("queued")}, ${stateCode("dropped")})`;
export const SETTLED = `state IN (${stateCode("processing")}, ${stateCode("completed")}, ${stateCode("failed")})`;

export interface FileRow {
  seq: string;
  state: FileState;
  admittedAt: number;
  /** Until when its signature is valid. Null for a request without one. */
  signedUntil: number | null;
  facts: FileFacts;
  generation: number;
  attempts: number;
  wakeUps: number;
  dueAt: number | null;
  /** When the current generation began. The 24 hours until the gateway gives up count from here. */
  queuedAt: number;
  updatedAt: number;
  progress: FileProgress | null;
  stored: ArchiveLocation | null;
}

/** The columns of a {@link FileRow}: all columns but the payload and those that only queries use. */
export const FILE_COLUMNS =
  "seq, state, admitted_at, signed_until, facts, generation, attempts, wake_ups, due_at, queued_at, updated_at, progress, stored";

type SqlRow = Record<string, SqlStorageValue>;

/** The status that callers see. Null for a reservation, which is not a file yet. */
export function publicStatus(state: FileState): FileStatus | null {
  return state === "receiving" || state === "dropped" ? null : state;
}

export function stateOf(code: number): FileState {
  const state = STATES[code];
  if (state === undefined) throw new Error(`a file row has the unknown state ${code}`);
  return state;
}

export function parseRow(row: SqlRow): FileRow {
  return {
    seq: String(row.seq),
    state: stateOf(Number(row.state)),
    admittedAt: Number(row.admitted_at),
    signedUntil: row.signed_until === null ? null : Number(row.signed_until),
    facts: JSON.parse(String(row.facts)),
    generation: Number(row.generation),
    attempts: Number(row.attempts),
    wakeUps: Number(row.wake_ups),
    dueAt: row.due_at === null ? null : Number(row.due_at),
    queuedAt: Number(row.queued_at),
    updatedAt: Number(row.updated_at),
    progress: row.progress === null ? null : JSON.parse(String(row.progress)),
    stored: row.stored === null ? null : JSON.parse(String(row.stored)),
  };
}

export function blob(value: SqlStorageValue | undefined): ArrayBuffer {
  if (!(value instanceof ArrayBuffer)) throw new Error("expected a blob");
  return value;
}
