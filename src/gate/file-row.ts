/**
 * The rows of a gate's inbox: one per admission, which stays the file's record for 90 days, and up to a week longer.
 *
 * A row's key sorts by time, so that memory, listing, archiving and purging are range scans. It is a number, because rows
 * are cheapest to append in the order of one, payload and all; `seq` tells which file it is. `due_at` is set only where
 * the ordinary course does not suffice (deferred, woken again, settled late) and only such rows are in an index of it: one
 * for what waits for the consumer, one for what waits for the archive, so that neither holds up the other. An ordinary
 * admission writes one row. Rows before the mark `woken_to` are settled or have a `due_at`; rows before
 * `archived_to` have left for the archive or have a `due_at`.
 *
 * The gate's alarm deletes: aliases when they have run out, reads after an hour, rows after their 90 days, most of them by
 * dropping their table (tables.ts).
 */
import type { ArchiveLocation, FileFacts, FileStatus, TakenReport } from "./protocol.ts";

/** `receiving`: reserved, payload not there yet. `dropped`: the payload never came, its object is being deleted. */
const STATES = ["receiving", "queued", "processing", "completed", "failed", "dropped"] as const;
export type FileState = (typeof STATES)[number];
export const stateCode = (state: FileState): number => STATES.indexOf(state);
/** The indexes on `due_at` are split by these; a query uses one when it repeats its words. */
export const UNSETTLED = `state IN (${stateCode("receiving")}, ${stateCode("queued")}, ${stateCode("dropped")})`;
export const SETTLED = `state IN (${stateCode("processing")}, ${stateCode("completed")}, ${stateCode("failed")})`;

/** What the files-creator reported, as one JSON column. */
export interface Progress {
  recordsTotal: number | null;
  recordsProcessed: number | null;
  recordsFailed: number | null;
  /** Ids of the events already taken, newest last. */
  eventIds: string[];
  /** Those of which webhooks are to hear, newest last. Absent where none are. */
  reports?: TakenReport[];
}

export interface FileRow {
  seq: string;
  state: FileState;
  admittedAt: number;
  facts: FileFacts;
  generation: number;
  attempts: number;
  wakeUps: number;
  dueAt: number | null;
  /** Start of the present generation, from which the time to give up is counted. */
  queuedAt: number;
  updatedAt: number;
  progress: Progress | null;
  stored: ArchiveLocation | null;
}

/** The columns of a {@link FileRow}: all but the payload. */
export const FILE_COLUMNS =
  "seq, state, admitted_at, facts, generation, attempts, wake_ups, due_at, queued_at, updated_at, progress, stored";

type SqlRow = Record<string, SqlStorageValue>;

/** What a state is called outside: a reservation is no file yet. */
export function publicStatus(state: FileState): FileStatus | null {
  return state === "receiving" || state === "dropped" ? null : state;
}

export function parseRow(row: SqlRow): FileRow {
  const state = STATES[Number(row.state)];
  if (state === undefined) throw new Error(`inbox row ${row.seq} has the unknown state ${row.state}`);
  return {
    seq: String(row.seq),
    state,
    admittedAt: Number(row.admitted_at),
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
