/**
 * Imports employers, one per line, with the same effect as `PUT /employers/{id}`. Lines are read, written in batches and
 * reported as they arrive, so only one batch is in memory. An invalid line is reported with its number and does not stop the
 * import. An import that was interrupted is simply sent again: unchanged employers cost no write.
 */
import {
  connectionsLosing,
  type EmployerChange,
  type EmployerWritten,
  getEmployers,
  putEmployers,
} from "../../db/employers.ts";
import type { StreamedBody } from "../../http/body.ts";
import { describeFailure, type Failure } from "../../http/failure.ts";
import { readJsonBytes } from "../../http/json-text.ts";
import { type Line, linesOf } from "../../http/ndjson.ts";
import { parseWith } from "../../http/validation.ts";
import { logError, logLine } from "../../log.ts";
import { err, ok, type Result } from "../../result.ts";
import { employerLine, REFUSALS } from "./employer-contract.ts";
import { type By, employerAuditRow, wantedEmployer } from "./employer-presenter.ts";

/** Each employer takes four statements in one transaction, which blocks all other writes of D1. */
const BATCH_EMPLOYERS = 50;
/** Each batch takes a few calls to D1, and a request may make at most a thousand. */
export const MAX_LINES = 10_000;
/** Enough for fifty owners and the longest name. */
const MAX_LINE_BYTES = 16 * 1024;
const MAX_TRIES = 3;

const TOO_MANY_LINES = `An import has at most ${MAX_LINES} lines. Send the rest as another import.`;
const INTERRUPTED = "The import was interrupted. Send it again from continue_at_line, or as a whole.";

interface Problem {
  message: string;
  details?: Record<string, unknown>;
}

interface Counts {
  /** The lines that were processed, including empty ones. */
  lines: number;
  created: number;
  updated: number;
  unchanged: number;
  refused: number;
}

export type ImportEvent =
  | ({ type: "problem"; line: number; id?: string } & Problem)
  | ({ type: "progress" } & Counts)
  | ({ type: "end"; complete: true } & Counts)
  /** All lines before `continue_at_line` were processed. */
  | ({ type: "end"; complete: false; message: string; continue_at_line: number } & Counts);

interface Row {
  line: number;
  employer: ReturnType<typeof employerLine.parse>;
}

/** Never rejects: the last event says whether all lines were processed. */
export async function* importEmployers(
  body: StreamedBody,
  db: D1Database,
  by: By,
): AsyncGenerator<ImportEvent, void> {
  const counts: Counts = { lines: 0, created: 0, updated: 0, unchanged: 0, refused: 0 };
  let failure: string | null = null;
  try {
    let batch: Row[] = [];
    let read = 0;
    for await (const line of linesOf(body.pieces(), MAX_LINE_BYTES)) {
      if (line.number > MAX_LINES) {
        failure = TOO_MANY_LINES;
        break;
      }
      const parsed = parseLine(line);
      if (!parsed.ok) {
        counts.refused++;
        yield { type: "problem", line: line.number, ...parsed.error };
      }
      if (parsed.ok && parsed.value !== null) {
        const row = parsed.value;
        if (
          batch.length === BATCH_EMPLOYERS ||
          batch.some(({ employer }) => employer.id === row.employer.id)
        ) {
          yield* writeBatch(batch, db, by, counts);
          counts.lines = read;
          yield { type: "progress", ...counts };
          batch = [];
        }
        batch.push(row);
      }
      // All earlier lines are written or needed no write.
      if (batch.length <= 1) body.settle();
      read = line.number;
    }
    yield* writeBatch(batch, db, by, counts);
    counts.lines = read;
  } catch (error) {
    failure = INTERRUPTED;
    logError("failed to finish an import of employers", { request_id: by.requestId }, error);
  }
  logLine("imported employers", { request_id: by.requestId, complete: failure === null, ...counts });
  yield failure === null
    ? { type: "end", complete: true, ...counts }
    : { type: "end", complete: false, message: failure, continue_at_line: counts.lines + 1, ...counts };
}

/** Null for an empty line. */
function parseLine(line: Line): Result<Row | null, Problem> {
  if ("tooLong" in line) return err({ message: `The line has more than ${MAX_LINE_BYTES} bytes.` });
  if (line.bytes.every(isBlank)) return ok(null);
  const json = readJsonBytes(line.bytes, "The line", line.number);
  if (!json.ok) return err(problemOf(json.error));
  const parsed = parseWith(json.value, employerLine);
  return parsed.ok ? ok({ line: line.number, employer: parsed.value }) : err(problemOf(parsed.error));
}

/** Space, tab, or the carriage return of a line break. */
function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0d;
}

function problemOf(failure: Failure): Problem {
  const { message, details } = describeFailure(failure);
  return details === undefined ? { message } : { message, details };
}

async function* writeBatch(
  batch: readonly Row[],
  db: D1Database,
  by: By,
  counts: Counts,
): AsyncGenerator<ImportEvent, void> {
  let rows = batch;
  for (let attempt = 1; rows.length > 0; attempt++) {
    const overtaken: Row[] = [];
    for (const { row, outcome } of await writeOnce(rows, db, by)) {
      if (typeof outcome === "object") {
        counts.refused++;
        yield { type: "problem", line: row.line, id: row.employer.id, ...outcome };
      } else if (outcome === "overtaken" && attempt < MAX_TRIES) overtaken.push(row);
      else if (outcome === "fein_taken" || outcome === "overtaken") {
        counts.refused++;
        yield { type: "problem", line: row.line, id: row.employer.id, ...problemOf(REFUSALS[outcome]) };
      } else counts[outcome]++;
    }
    rows = overtaken;
  }
}

/** A problem means that the change was not made. */
type RowOutcome = "created" | "updated" | "unchanged" | Exclude<EmployerWritten, "written"> | Problem;

async function writeOnce(
  rows: readonly Row[],
  db: D1Database,
  by: By,
): Promise<{ row: Row; outcome: RowOutcome }[]> {
  const known = await getEmployers(
    db,
    rows.map(({ employer }) => employer.id),
  );
  const now = Date.now();
  const outcomes: { row: Row; outcome: RowOutcome }[] = [];
  const wanted = rows.map((row) => {
    const { id, ...fields } = row.employer;
    const read = known.get(id) ?? null;
    return { row, read, wanted: wantedEmployer(id, fields, read, now) };
  });
  const losing = await connectionsLosing(
    db,
    wanted.filter(({ row }) => row.employer.force !== true),
  );
  const changes: { row: Row; change: EmployerChange }[] = [];
  for (const { row, ...change } of wanted) {
    const bound = losing.get(change.wanted.id);
    const auditRow = employerAuditRow(by, change.read, change.wanted);
    if (bound !== undefined)
      outcomes.push({ row, outcome: problemOf({ kind: "employer_in_use", ...bound }) });
    else if (auditRow === null) outcomes.push({ row, outcome: "unchanged" });
    else changes.push({ row, change: { ...change, auditRow } });
  }
  const written = await putEmployers(
    db,
    changes.map(({ change }) => change),
    now,
  );
  for (const [i, { row, change }] of changes.entries()) {
    const result = written[i] ?? "overtaken";
    const done = change.read === null ? "created" : "updated";
    outcomes.push({ row, outcome: result === "written" ? done : result });
  }
  return outcomes;
}
