/** The rows that a gate's alarm has to act on. Every query uses a range of row keys or an index. */
import type { Bytes } from "../crypto/encoding.ts";
import { type DayPartition, type DayPartitions, rowsOf } from "./day-partitions.ts";
import { rowKeyOf } from "./file-id.ts";
import { blob, FILE_COLUMNS, type FileRow, parseRow, SETTLED, stateCode, UNSETTLED } from "./file-row.ts";

type SqlRow = Record<string, SqlStorageValue>;

/** Rows read at a time with their payloads, of at most 64 KB each. */
const PAYLOADS_AT_ONCE = 64;
/** The row is settled and archived, and nothing is left to do. */
const DONE = `payload IS NULL AND due_at IS NULL AND ${SETTLED}`;

const FRESH_QUEUED = `SELECT ${FILE_COLUMNS} FROM inbox
  WHERE key >= ? AND key < ? AND due_at IS NULL AND state = ${stateCode("queued")} ORDER BY key LIMIT ?`;
const DUE_QUEUED = `SELECT ${FILE_COLUMNS} FROM inbox
  WHERE due_at <= ? AND ${UNSETTLED} AND state = ${stateCode("queued")} ORDER BY due_at LIMIT ?`;
const DUE_RESERVATIONS = `SELECT ${FILE_COLUMNS} FROM inbox
  WHERE due_at <= ? AND ${UNSETTLED} AND state <> ${stateCode("queued")} ORDER BY due_at LIMIT ?`;
const OLDEST_QUEUED = `SELECT min(queued_at) AS at FROM inbox
  WHERE due_at IS NOT NULL AND ${UNSETTLED} AND state = ${stateCode("queued")}`;
const COUNT_WAITING = `SELECT count(*) AS n FROM (SELECT 1 FROM inbox
  WHERE due_at IS NOT NULL AND ${UNSETTLED} AND state = ${stateCode("queued")} LIMIT ?)`;
const ARCHIVABLE = `SELECT ${FILE_COLUMNS}, payload FROM inbox
  WHERE key >= ? AND key < ? AND due_at IS NULL AND payload IS NOT NULL AND ${SETTLED} ORDER BY key LIMIT ?`;
const ARCHIVABLE_WITH_DUE_TIME = `SELECT ${FILE_COLUMNS}, payload FROM inbox
  WHERE due_at IS NOT NULL AND ${SETTLED} AND payload IS NOT NULL AND (due_at, key) > (?, ?)
  ORDER BY due_at, key LIMIT ?`;
const CLEAR_DUE_TIMES_OF_ARCHIVED = `UPDATE inbox SET due_at = NULL WHERE due_at <= ? AND ${SETTLED} AND payload IS NULL`;
const FIRST_FROM = "SELECT seq FROM inbox WHERE key >= ? ORDER BY key LIMIT 1";
const ANY_NOT_DONE = `SELECT 1 FROM inbox WHERE NOT (${DONE}) LIMIT 1`;
const DONE_BEFORE = `SELECT key FROM inbox WHERE key < ? AND ${DONE} ORDER BY key LIMIT ?`;
const DELETE = "DELETE FROM inbox WHERE key = ?";

export class DueFiles {
  readonly #partitions: DayPartitions;

  constructor(partitions: DayPartitions) {
    this.#partitions = partitions;
  }

  /** Queued rows without a due time, from `fromSeq` up to `toSeq`. */
  freshQueued(fromSeq: string, toSeq: string, limit: number): FileRow[] {
    const [from, to] = [rowKeyOf(fromSeq), rowKeyOf(toSeq)];
    return rowsOf(this.#partitions.between(from, to), FRESH_QUEUED, [from, to], limit);
  }

  /** Queued rows whose due time has come. */
  dueQueued(now: number, limit: number): FileRow[] {
    return rowsOf(this.#maybeDue(UNSETTLED), DUE_QUEUED, [now], limit);
  }

  /**
   * When the file was queued that has waited longest, of those that an alarm has woken or that were deferred: every other one was
   * accepted a minute ago at most. Null if there is none.
   */
  oldestQueuedAt(): number | null {
    const times = this.#maybeDue(UNSETTLED)
      .map((partition) => partition.exec(OLDEST_QUEUED).toArray()[0]?.at ?? null)
      .filter((at) => at !== null);
    return times.length === 0 ? null : Math.min(...times.map(Number));
  }

  /** Files that wait for the consumer and have a due time, as every replayed one has; counted up to `most`. */
  countWaiting(most: number): number {
    let waiting = 0;
    for (const partition of this.#maybeDue(UNSETTLED)) {
      waiting += Number(partition.exec(COUNT_WAITING, most - waiting).one().n);
      if (waiting >= most) break;
    }
    return waiting;
  }

  /** Reservations that have expired, and dropped rows whose object may still exist. */
  dueReservations(now: number, limit: number): FileRow[] {
    return rowsOf(this.#maybeDue(UNSETTLED), DUE_RESERVATIONS, [now], limit);
  }

  /** Settled rows without a due time that still hold their payload, oldest first, up to `maxBytes` of payload. */
  archivable(fromSeq: string, toSeq: string, maxBytes: number): { row: FileRow; sealed: Bytes }[] {
    return withPayloads(this.#withoutDueTime(rowKeyOf(fromSeq), rowKeyOf(toSeq)), maxBytes);
  }

  /** Settled rows with a due time that still hold their payload, up to `maxBytes` of payload. */
  archivableWithDueTime(maxBytes: number): { row: FileRow; sealed: Bytes }[] {
    return withPayloads(this.#withDueTime(), maxBytes);
  }

  /** Archived rows need no due time any more once it has come. */
  clearDueTimesOfArchived(now: number): void {
    for (const partition of this.#maybeDue(SETTLED)) partition.exec(CLEAR_DUE_TIMES_OF_ARCHIVED, now);
  }

  /**
   * Deletes files that are settled and archived. A partition that holds only files older than `beforeSeq` is dropped, at most one
   * per call, because dropping a large table takes seconds. In the other partitions, at most `limit` rows older than `atLatestSeq`
   * are deleted. Returns whether more may be left.
   */
  purge(beforeSeq: string, atLatestSeq: string, limit: number): boolean {
    const before = rowKeyOf(beforeSeq);
    let left = limit;
    const partitions = this.#partitions.between(0, before);
    for (const partition of partitions) {
      const isOld = (partition.newestKey() ?? 0) < before;
      if (isOld && this.#mayDrop(partition)) {
        this.#partitions.drop(partition);
        return partition !== partitions.at(-1);
      }
      left -= deleteDone(partition, isOld ? before : rowKeyOf(atLatestSeq), left);
    }
    return left === 0;
  }

  /** The oldest `seq` at or after `fromSeq`. */
  firstFrom(fromSeq: string): string | null {
    const from = rowKeyOf(fromSeq);
    for (const partition of this.#partitions.between(from, Number.POSITIVE_INFINITY)) {
      const [row] = partition.exec(FIRST_FROM, from).toArray();
      if (row !== undefined) return String(row.seq);
    }
    return null;
  }

  /** Whether there is a row from `fromSeq` up to but not including `toSeq`. */
  holdsAny(fromSeq: string, toSeq: string): boolean {
    const first = this.firstFrom(fromSeq);
    return first !== null && first < toSeq;
  }

  /** The earliest due time of rows that wait for the consumer or are reserved. */
  earliestUnsettled(): number | null {
    return this.#earliest(UNSETTLED);
  }

  /** The earliest due time of rows that wait to be archived. */
  earliestSettled(): number | null {
    return this.#earliest(SETTLED);
  }

  /** Whether all its files are done, and dropping it saves more than creating the next one costs. */
  #mayDrop(partition: DayPartition): boolean {
    if (partition.earliestDue(UNSETTLED) !== null || partition.earliestDue(SETTLED) !== null) return false;
    if (partition === this.#partitions.all.at(-1) && !partition.isWorthDropping) return false;
    return partition.exec(ANY_NOT_DONE).toArray().length === 0;
  }

  #maybeDue(states: string): DayPartition[] {
    return this.#partitions.all.filter((partition) => partition.mayBeDue(states));
  }

  #earliest(states: string): number | null {
    const times = this.#maybeDue(states)
      .map((partition) => partition.earliestDue(states))
      .filter((at) => at !== null);
    return times.length === 0 ? null : Math.min(...times);
  }

  *#withoutDueTime(from: number, to: number): Generator<SqlRow> {
    for (const partition of this.#partitions.between(from, to)) {
      yield* pages((last) =>
        partition.exec(ARCHIVABLE, last === null ? from : keyOf(last) + 1, to, PAYLOADS_AT_ONCE),
      );
    }
  }

  *#withDueTime(): Generator<SqlRow> {
    for (const partition of this.#maybeDue(SETTLED)) {
      yield* pages((last) =>
        partition.exec(
          ARCHIVABLE_WITH_DUE_TIME,
          last === null ? 0 : Number(last.due_at),
          last === null ? 0 : keyOf(last),
          PAYLOADS_AT_ONCE,
        ),
      );
    }
  }
}

/** Reads page by page: SQLite cannot drop a table while a cursor is open. */
function* pages(after: (last: SqlRow | null) => SqlStorageCursor<SqlRow>): Generator<SqlRow> {
  let page: SqlRow[] = [];
  do {
    page = after(page.at(-1) ?? null).toArray();
    yield* page;
  } while (page.length === PAYLOADS_AT_ONCE);
}

function withPayloads(rows: Iterable<SqlRow>, maxBytes: number): { row: FileRow; sealed: Bytes }[] {
  const found: { row: FileRow; sealed: Bytes }[] = [];
  let bytes = 0;
  for (const raw of rows) {
    const sealed = new Uint8Array(blob(raw.payload));
    if (found.length > 0 && bytes + sealed.byteLength > maxBytes) break;
    bytes += sealed.byteLength;
    found.push({ row: parseRow(raw), sealed });
  }
  return found;
}

function deleteDone(partition: DayPartition, before: number, limit: number): number {
  const keys = partition.exec(DONE_BEFORE, before, limit).toArray();
  for (const { key } of keys) partition.exec(DELETE, key);
  return keys.length;
}

function keyOf(row: SqlRow): number {
  return rowKeyOf(String(row.seq));
}
