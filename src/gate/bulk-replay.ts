/**
 * The gate's part of a bulk replay: walks the gate's files by time and queues the matching ones again, and restores files whose rows have
 * been purged from their descriptions in the archive.
 *
 * A row keeps the job that queued it last. So a step that is repeated, because its result was lost, finds the same files and queues
 * none of them again, whatever their status is by then.
 */
import { fileIdOf, parseFileId, seqAfter } from "./file-id.ts";
import type { FileLifecycle } from "./file-lifecycle.ts";
import { NO_PROGRESS } from "./file-progress.ts";
import type { FileRow } from "./file-row.ts";
import type { ArchivedFile, ReplayedFile, ReplayWalk, ReplayWalked, Restored } from "./protocol.ts";
import { type GateState, WAKE_AGAIN_AFTER_MS } from "./state.ts";

/** Rows read per call. */
const ROWS_PER_CALL = 2_000;
/** While this many files of the gate wait to be forwarded, a bulk replay queues no more. */
const MAX_WAITING = 500;

/** Files of the walk's range, oldest first, up to its limit. */
export function walkFiles(
  state: GateState,
  lifecycle: FileLifecycle,
  walk: ReplayWalk,
  now: number,
): ReplayWalked {
  if (state.snapshot === null) return { outcome: "walked", files: [], next: null };
  if (state.erased) return { outcome: "erased" };
  if (walk.job !== null && state.dueFiles.countWaiting(MAX_WAITING) >= MAX_WAITING)
    return { outcome: "full" };
  const rows = state.files.range(walk.from, walk.to, ROWS_PER_CALL);
  const files: ReplayedFile[] = [];
  for (const row of rows) {
    if (files.length === walk.limit) return { outcome: "walked", files, next: row.seq };
    if (!concerns(walk, row)) continue;
    const fileId = fileIdOf(state.gate, row.seq);
    files.push({ fileId, generation: generationOf(lifecycle, walk.job, row, now) });
  }
  const last = rows.at(-1);
  const next = rows.length < ROWS_PER_CALL || last === undefined ? null : seqAfter(last.seq);
  return { outcome: "walked", files, next };
}

function concerns({ job, statuses, employerId }: ReplayWalk, row: FileRow): boolean {
  if (employerId !== null && row.facts.employerId !== employerId) return false;
  return isOf(job, row) || statuses.some((status) => status === row.state);
}

/** Whether the job has queued the file already. */
function isOf(job: string | null, { progress }: FileRow): boolean {
  return job !== null && progress?.job === job;
}

function generationOf(lifecycle: FileLifecycle, job: string | null, row: FileRow, now: number): number {
  if (job === null || isOf(job, row)) return row.generation;
  const replayed = lifecycle.replay(row.seq, now, job);
  return replayed.outcome === "queued" ? replayed.generation : row.generation;
}

/**
 * Queues archived files that the gate has no row of any more. Without a job, only finds them. A restored file has a generation that no
 * earlier one can have reached: the seconds of its restoration. Its row stays until it has been settled for a week.
 */
export function restoreFiles(
  state: GateState,
  job: string | null,
  archived: readonly ArchivedFile[],
  now: number,
): Restored {
  if (state.erased) return { outcome: "erased" };
  if (job !== null && state.dueFiles.countWaiting(MAX_WAITING) >= MAX_WAITING) return { outcome: "full" };
  const generation = Math.floor(now / 1_000);
  const files: ReplayedFile[] = [];
  for (const { fileId, facts, stored } of archived) {
    const seq = parseFileId(fileId)?.seq;
    if (seq === undefined) continue;
    const row = state.files.get(seq);
    if (row !== null) {
      if (isOf(job, row)) files.push({ fileId, generation: row.generation });
      continue;
    }
    if (job === null) {
      files.push({ fileId, generation });
      continue;
    }
    // The counts of its hour were handed over when all its files were there.
    state.keepCountsBefore(seqAfter(seq));
    const progress = { ...NO_PROGRESS, job, restored: true as const };
    const dueAt = now + WAKE_AGAIN_AFTER_MS;
    if (state.files.restore({ seq, now, facts, generation, stored, dueAt, progress }))
      files.push({ fileId, generation });
  }
  return { outcome: "restored", files };
}
