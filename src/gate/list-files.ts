/** A page of a gate's files, newest first: a walk along the row keys that filters what it passes. */
import { fileIdOf, mintedAt, seqAt } from "./file-id.ts";
import type { FileLifecycle } from "./file-lifecycle.ts";
import type { FileRow } from "./file-row.ts";
import type { FileFilter, FilePage, FileQuery, FileRecord } from "./protocol.ts";
import type { GateState } from "./state.ts";

/** A page reads at most this many rows, and its count at most the others: fewer than 2 000 together. */
export const ROWS_PER_PAGE = 900;
const ROWS_COUNTED = 1_001;
const ROWS_AT_A_TIME = 200;

export function listFiles(state: GateState, lifecycle: FileLifecycle, query: FileQuery): FilePage {
  const { before, limit } = query;
  const count = before === null ? state.files.countMatching(query, ROWS_COUNTED) : null;
  const end = query.until === null ? null : seqAt(query.until);
  let from = before === null || (end !== null && end < before) ? end : before;
  const files: FileRecord[] = [];
  let read = 0;
  while (read < ROWS_PER_PAGE) {
    const asked = Math.min(read === 0 ? limit + 1 : ROWS_AT_A_TIME, ROWS_PER_PAGE - read);
    const rows = state.files.list(from, asked);
    for (const row of rows) {
      if (mintedAt(row.seq) < query.since) return { files, next: null, count };
      const record = matches(query, row) ? lifecycle.record(row) : null;
      if (record === null) continue;
      if (files.length === limit) return { files, next: files.at(-1)?.fileId ?? null, count };
      files.push(record);
    }
    const last = rows.at(-1);
    if (last === undefined || rows.length < asked) return { files, next: null, count };
    from = last.seq;
    read += rows.length;
  }
  return { files, next: from === null ? null : fileIdOf(state.gate, from), count };
}

function matches({ status, employerId, environment }: FileFilter, { state, facts }: FileRow): boolean {
  return (
    (status === null || state === status) &&
    (employerId === null || facts.employerId === employerId) &&
    (environment === null || facts.environment === environment)
  );
}
