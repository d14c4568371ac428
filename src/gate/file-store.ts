/** The rows of files: how they are written and read. */
import type { Bytes } from "../crypto/encoding.ts";
import { type DayPartitions, rowsOf } from "./day-partitions.ts";
import { ROW_KEYS_PER_MINUTE, rowKeyOf, seqAt } from "./file-id.ts";
import type { FileProgress } from "./file-progress.ts";
import { FILE_COLUMNS, type FileRow, parseRow, SETTLED, stateCode } from "./file-row.ts";
import type { ArchiveLocation, FileFacts, FileFilter } from "./protocol.ts";

/** One file: by its row key, and by its whole `seq`, because two files may have equal row keys. */
const IS_FILE = "key = ? AND seq = ?";
/** Reservations and dropped ones are not files yet, or no longer. */
const IS_PUBLIC = `state NOT IN (${stateCode("receiving")}, ${stateCode("dropped")})`;

const INSERT = `INSERT INTO inbox (key, seq, state, admitted_at, signature, signed_until, body_mac, key_mac, facts,
    generation, attempts, wake_ups, due_at, queued_at, updated_at, stored, payload)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 1, 0, 0, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING`;
const RESTORE = `INSERT INTO inbox (key, seq, state, admitted_at, body_mac, facts, generation, attempts, wake_ups, due_at,
    queued_at, updated_at, progress, stored)
  VALUES (?, ?, ${stateCode("queued")}, ?, '', ?, ?, 0, 0, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING`;
const GET = `SELECT ${FILE_COLUMNS} FROM inbox WHERE ${IS_FILE}`;
const GET_PAYLOAD = `SELECT payload FROM inbox WHERE ${IS_FILE}`;
const LIST = `SELECT ${FILE_COLUMNS} FROM inbox WHERE key < ? AND ${IS_PUBLIC}
  ORDER BY key DESC LIMIT ?`;
const RANGE = `SELECT ${FILE_COLUMNS} FROM inbox
  WHERE key >= ? AND key < ? AND ${IS_PUBLIC} ORDER BY key LIMIT ?`;
const BY_REQUEST = `SELECT ${FILE_COLUMNS} FROM inbox WHERE key >= ? AND key < ? AND json_extract(facts, '$.requestId') = ?
  ORDER BY key LIMIT ?`;
const COUNT_BETWEEN = `SELECT count(*) AS n FROM (SELECT 1 FROM inbox WHERE key >= ? AND key < ?
  AND ${IS_PUBLIC} LIMIT ?)`;
const COUNT_BY_MINUTE = `SELECT key / ${ROW_KEYS_PER_MINUTE} AS minute, count(*) AS n FROM inbox
  WHERE key >= ? AND key < ? AND ${IS_PUBLIC} GROUP BY minute`;
/** Of the newest rows of a range. A parameter that is null matches every file. */
const COUNT_MATCHING = `SELECT count(*) AS examined, coalesce(sum(matches), 0) AS found FROM (
  SELECT ${IS_PUBLIC} AND (?3 IS NULL OR state = ?3)
    AND (?4 IS NULL OR json_extract(facts, '$.employerId') = ?4)
    AND (?5 IS NULL OR json_extract(facts, '$.environment') = ?5) AS matches
  FROM inbox WHERE key >= ?1 AND key < ?2 ORDER BY key DESC LIMIT ?6)`;
const MARK_ARCHIVED = `UPDATE inbox
  SET stored = ?, payload = NULL, due_at = CASE WHEN ${SETTLED} THEN NULL ELSE due_at END WHERE ${IS_FILE}`;
const DELETE = `DELETE FROM inbox WHERE ${IS_FILE}`;

export class FileStore {
  readonly #sql: SqlStorage;
  readonly #partitions: DayPartitions;
  readonly #changed: (seq: string, now: number) => void;

  /** `changed` is called for each file that is accepted or whose status changes. */
  constructor(sql: SqlStorage, partitions: DayPartitions, changed: (seq: string, now: number) => void) {
    this.#sql = sql;
    this.#partitions = partitions;
    this.#changed = changed;
  }

  /** The size of the whole database, in bytes. */
  get size(): number {
    return this.#sql.databaseSize;
  }

  /** Returns how many rows were written, including indexes: none if another file has the row key. */
  insert(row: {
    seq: string;
    state: "receiving" | "queued";
    now: number;
    signature: string | null;
    signedUntil: number | null;
    bodyMac: string;
    keyMac: string | null;
    /** As JSON. */
    facts: string;
    dueAt: number | null;
    stored: ArchiveLocation | null;
    sealed: Bytes | null;
  }): number {
    const key = rowKeyOf(row.seq);
    const partition = this.#partitions.forNew(key);
    if (row.dueAt !== null) partition.noteDue();
    if (row.state === "queued") this.#changed(row.seq, row.now);
    return partition.exec(
      INSERT,
      key,
      row.seq,
      stateCode(row.state),
      row.now,
      row.signature,
      row.signedUntil,
      row.bodyMac,
      row.keyMac,
      row.facts,
      row.dueAt,
      row.now,
      row.now,
      row.stored && JSON.stringify(row.stored),
      row.sealed,
    ).rowsWritten;
  }

  /**
   * Makes the row of an archived file again, as that of a queued one. It has no signature and no key, so no request repeats it. False if
   * another file has the row key.
   */
  restore(file: {
    seq: string;
    now: number;
    facts: FileFacts;
    generation: number;
    dueAt: number;
    stored: ArchiveLocation;
    progress: FileProgress;
  }): boolean {
    const key = rowKeyOf(file.seq);
    const partition = this.#partitions.forNew(key);
    partition.noteDue();
    const { rowsWritten } = partition.exec(
      RESTORE,
      key,
      file.seq,
      file.facts.receivedAt,
      JSON.stringify(file.facts),
      file.generation,
      file.dueAt,
      file.now,
      file.now,
      JSON.stringify(file.progress),
      JSON.stringify(file.stored),
    );
    return rowsWritten > 0;
  }

  get(seq: string): FileRow | null {
    const row = this.#oneRow(GET, seq);
    return row === undefined ? null : parseRow(row);
  }

  payload(seq: string): Bytes | null {
    const row = this.#oneRow(GET_PAYLOAD, seq);
    return row?.payload instanceof ArrayBuffer ? new Uint8Array(row.payload) : null;
  }

  /** Writes the changed columns of one row. */
  update(
    seq: string,
    change: Partial<
      Pick<
        FileRow,
        | "state"
        | "generation"
        | "attempts"
        | "wakeUps"
        | "dueAt"
        | "queuedAt"
        | "updatedAt"
        | "progress"
        | "stored"
      >
    > & { error?: Bytes | null },
  ): void {
    const columns: [string, unknown][] = [];
    if (change.state !== undefined) columns.push(["state", stateCode(change.state)]);
    if (change.generation !== undefined) columns.push(["generation", change.generation]);
    if (change.attempts !== undefined) columns.push(["attempts", change.attempts]);
    if (change.wakeUps !== undefined) columns.push(["wake_ups", change.wakeUps]);
    if (change.dueAt !== undefined) columns.push(["due_at", change.dueAt]);
    if (change.queuedAt !== undefined) columns.push(["queued_at", change.queuedAt]);
    if (change.updatedAt !== undefined) columns.push(["updated_at", change.updatedAt]);
    if (change.progress !== undefined)
      columns.push(["progress", change.progress && JSON.stringify(change.progress)]);
    if (change.stored !== undefined) columns.push(["stored", change.stored && JSON.stringify(change.stored)]);
    if (change.error !== undefined) columns.push(["error", change.error]);
    const assignments = columns.map(([name]) => `${name} = ?`).join(", ");
    const key = rowKeyOf(seq);
    const partition = this.#partitions.of(key);
    if (change.dueAt !== null) partition?.noteDue();
    if (change.state !== undefined && change.updatedAt !== undefined) this.#changed(seq, change.updatedAt);
    partition?.exec(
      `UPDATE inbox SET ${assignments} WHERE ${IS_FILE}`,
      ...columns.map(([, value]) => value),
      key,
      seq,
    );
  }

  /** Newest first, at most `limit` rows that are older than `before`. */
  list(before: string | null, limit: number): FileRow[] {
    const end = before === null ? Number.MAX_SAFE_INTEGER : rowKeyOf(before);
    return rowsOf(this.#partitions.between(0, end).reverse(), LIST, [end], limit);
  }

  /** How many files were minted from `from` up to but not including `to`, both in milliseconds; at most `most`. */
  countBetween(from: number, to: number, most: number): number {
    const [first, end] = [rowKeyOf(seqAt(from)), rowKeyOf(seqAt(to))];
    let n = 0;
    for (const partition of this.#partitions.between(first, end)) {
      if (n >= most) return most;
      n += Number(partition.exec(COUNT_BETWEEN, first, end, most - n).one().n);
    }
    return n;
  }

  /** How many files were minted in each minute of the range that has any. Both ends in milliseconds. */
  countByMinute(from: number, to: number): { at: number; n: number }[] {
    const [first, end] = [rowKeyOf(seqAt(from)), rowKeyOf(seqAt(to))];
    return this.#partitions.between(first, end).flatMap((partition) =>
      partition
        .exec(COUNT_BY_MINUTE, first, end)
        .toArray()
        .map(({ minute, n }) => ({ at: Number(minute) * 60_000, n: Number(n) })),
    );
  }

  /** How many files match, among the newest `most` rows of the range; `complete` if it has no more. */
  countMatching(filter: FileFilter, most: number): { found: number; complete: boolean } {
    const { status, employerId, environment, since, until } = filter;
    const first = rowKeyOf(seqAt(since));
    const end = until === null ? Number.MAX_SAFE_INTEGER : rowKeyOf(seqAt(until));
    const values = [first, end, status && stateCode(status), employerId, environment];
    let [left, found] = [most, 0];
    for (const partition of this.#partitions.between(first, end).reverse()) {
      if (left === 0) break;
      const row = partition.exec(COUNT_MATCHING, ...values, left).one();
      left -= Number(row.examined);
      found += Number(row.found);
    }
    return { found, complete: left > 0 };
  }

  /** Oldest first, at most `limit` rows from `fromSeq` up to but not including `toSeq`. */
  range(fromSeq: string, toSeq: string, limit: number): FileRow[] {
    const [from, to] = [rowKeyOf(fromSeq), rowKeyOf(toSeq)];
    return rowsOf(this.#partitions.between(from, to), RANGE, [from, to], limit);
  }

  /** The file that the request brought, if it was minted from `from` up to but not including `to`, both in milliseconds. */
  byRequest(requestId: string, from: number, to: number): FileRow | null {
    const [first, end] = [rowKeyOf(seqAt(from)), rowKeyOf(seqAt(to))];
    const partitions = this.#partitions.between(first, end);
    return rowsOf(partitions, BY_REQUEST, [first, end, requestId], 1)[0] ?? null;
  }

  /** Marks a reservation whose payload never arrived. Its signatures and keys can be used again. */
  drop(seq: string, retryAt: number): void {
    this.update(seq, { state: "dropped", dueAt: retryAt });
    this.#sql.exec("DELETE FROM aliases WHERE seq = ?", seq);
  }

  /** Drops the payload from the row once it is archived. A row that was replayed meanwhile stays due. */
  markArchived(seq: string, stored: ArchiveLocation): void {
    const key = rowKeyOf(seq);
    this.#partitions.of(key)?.exec(MARK_ARCHIVED, JSON.stringify(stored), key, seq);
  }

  delete(seq: string): void {
    const key = rowKeyOf(seq);
    this.#partitions.of(key)?.exec(DELETE, key, seq);
  }

  #oneRow(query: string, seq: string): Record<string, SqlStorageValue> | undefined {
    const key = rowKeyOf(seq);
    return this.#partitions.of(key)?.exec(query, key, seq).toArray()[0];
  }
}
