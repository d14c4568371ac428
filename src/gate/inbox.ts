/**
 * The SQL of a gate's inbox: one row per admission, which stays the file's record for 90 days.
 *
 * A row's key sorts by time, so that memory, listing, archiving and purging are range scans. `due_at` is set only where
 * the ordinary course does not suffice (deferred, woken again, settled late) and only such rows are in an index of it: one
 * for what waits for the consumer, one for what waits for the archive, so that neither holds up the other. An ordinary
 * admission writes one row. Rows before the mark `woken_to` are settled or have a `due_at`; rows before
 * `archived_to` have left for the archive or have a `due_at`.
 *
 * The gate's alarm deletes: aliases when they have run out, reads after an hour, rows {@link KEEP_ROWS_MS} after admission.
 */
import type { Bytes } from "../crypto/encoding.ts";
import type { Remembered } from "./memory.ts";
import type { FileFacts, FileStatus, Snapshot, Stored } from "./protocol.ts";

const DAY_MS = 86_400_000;
/** HMAC-SHA256; fingerprints of keys are shorter, which tells the aliases apart. */
const SIGNATURE_BYTES = 32;
/** How long an `Idempotency-Key` is remembered. From the wire contract. */
export const KEY_MEMORY_MS = DAY_MS;
/** How long a file can be asked for, listed and replayed. */
export const KEEP_ROWS_MS = 90 * DAY_MS;
/** How long in a gate that is nearly full: a shorter memory of old files is better than refusing new ones. */
export const KEEP_ROWS_CROWDED_MS = 7 * DAY_MS;
export const CROWDED_BYTES = 6 * 1024 ** 3;

/** Longer than the longest rate window and its bucket. */
const READS_COUNT_S = 3_720;
/** The alarm that deletes them waits this long for the oldest, so that it runs once an hour and not with every read. */
const READS_KEPT_S = 2 * READS_COUNT_S;

/** `receiving`: reserved, payload not there yet. `dropped`: the payload never came, its object is being deleted. */
const STATES = ["receiving", "queued", "processing", "completed", "failed", "dropped"] as const;
export type State = (typeof STATES)[number];
const codeOf = (state: State): number => STATES.indexOf(state);
/** The indexes on `due_at` are split by these; a query uses one when it repeats its words. */
const UNSETTLED = `state IN (${codeOf("receiving")}, ${codeOf("queued")}, ${codeOf("dropped")})`;
const SETTLED = `state IN (${codeOf("processing")}, ${codeOf("completed")}, ${codeOf("failed")})`;

/** What the files-creator reported, as one JSON column. */
export interface Progress {
  recordsTotal: number | null;
  recordsProcessed: number | null;
  recordsFailed: number | null;
  /** Ids of the events already taken, newest last. */
  eventIds: string[];
}

export interface Row {
  seq: string;
  state: State;
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
  stored: Stored | null;
}

const HEAD =
  "seq, state, admitted_at, facts, generation, attempts, wake_ups, due_at, queued_at, updated_at, progress, stored";

type SqlRow = Record<string, SqlStorageValue>;

type MarkName = "woken_to" | "archived_to" | "key_object" | "snapshot";

export class Inbox {
  readonly #sql: SqlStorage;
  readonly #marks = new Map<string, string>();

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    sql.exec(`
      CREATE TABLE IF NOT EXISTS inbox (
        seq TEXT PRIMARY KEY,
        state INTEGER NOT NULL,
        admitted_at INTEGER NOT NULL,
        signature BLOB,
        signed_until INTEGER,
        body_mac BLOB NOT NULL,
        key_mac BLOB,
        facts TEXT NOT NULL,
        generation INTEGER NOT NULL,
        attempts INTEGER NOT NULL,
        wake_ups INTEGER NOT NULL,
        due_at INTEGER,
        queued_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL,
        progress TEXT,
        error BLOB,
        stored TEXT,
        payload BLOB
      ) WITHOUT ROWID;
      CREATE INDEX IF NOT EXISTS inbox_key ON inbox (key_mac, admitted_at) WHERE key_mac IS NOT NULL;
      CREATE INDEX IF NOT EXISTS inbox_due ON inbox (due_at) WHERE due_at IS NOT NULL AND ${UNSETTLED};
      CREATE INDEX IF NOT EXISTS inbox_late ON inbox (due_at) WHERE due_at IS NOT NULL AND ${SETTLED};
      CREATE TABLE IF NOT EXISTS aliases (
        mac BLOB PRIMARY KEY, seq TEXT NOT NULL, until INTEGER NOT NULL
      ) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS reads (second INTEGER PRIMARY KEY, count INTEGER NOT NULL);
      CREATE TABLE IF NOT EXISTS marks (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    `);
    for (const row of sql.exec("SELECT name, value FROM marks"))
      this.#marks.set(String(row.name), String(row.value));
  }

  /** Bytes of the whole database. */
  get size(): number {
    return this.#sql.databaseSize;
  }

  /** Answers how many rows were written, indexes included. */
  insert(row: {
    seq: string;
    state: "receiving" | "queued";
    now: number;
    signature: Bytes | null;
    signedUntil: number | null;
    bodyMac: Bytes;
    keyMac: Bytes | null;
    facts: FileFacts;
    dueAt: number | null;
    stored: Stored | null;
    sealed: Bytes | null;
  }): number {
    return this.#sql.exec(
      `INSERT INTO inbox (seq, state, admitted_at, signature, signed_until, body_mac, key_mac, facts, generation,
         attempts, wake_ups, due_at, queued_at, updated_at, stored, payload)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1, 0, 0, ?, ?, ?, ?, ?)`,
      row.seq,
      codeOf(row.state),
      row.now,
      row.signature,
      row.signedUntil,
      row.bodyMac,
      row.keyMac,
      JSON.stringify(row.facts),
      row.dueAt,
      row.now,
      row.now,
      row.stored && JSON.stringify(row.stored),
      row.sealed,
    ).rowsWritten;
  }

  get(seq: string): Row | null {
    const [row] = this.#sql.exec(`SELECT ${HEAD} FROM inbox WHERE seq = ?`, seq).toArray();
    return row === undefined ? null : parseRow(row);
  }

  payload(seq: string): Bytes | null {
    const [row] = this.#sql.exec("SELECT payload FROM inbox WHERE seq = ?", seq).toArray();
    return row?.payload instanceof ArrayBuffer ? new Uint8Array(row.payload) : null;
  }

  /** The newest file admitted under this key within its memory, or answered to it, and the fingerprint of its body. */
  byKey(keyMac: Bytes, now: number): { seq: string; bodyMac: Bytes } | null {
    const [admitted] = this.#sql
      .exec(
        `SELECT seq, body_mac FROM inbox WHERE key_mac = ? AND admitted_at > ? AND state <> ${codeOf("dropped")}
         ORDER BY admitted_at DESC LIMIT 1`,
        keyMac,
        now - KEY_MEMORY_MS,
      )
      .toArray();
    const [row] = admitted
      ? [admitted]
      : this.#sql
          .exec(
            "SELECT seq, body_mac FROM aliases JOIN inbox USING (seq) WHERE mac = ? AND until > ?",
            keyMac,
            now,
          )
          .toArray();
    return row === undefined ? null : { seq: String(row.seq), bodyMac: new Uint8Array(blob(row.body_mac)) };
  }

  /** What counts for memory: rows with a key from `fromSeq` on, and the signatures among the live aliases. */
  *remembered(fromSeq: string, now: number): Generator<Remembered> {
    const rows = this.#sql.exec(
      `SELECT seq, admitted_at, signature, signed_until, body_mac FROM inbox WHERE seq >= ? AND state <> ${codeOf("dropped")}`,
      fromSeq,
    );
    for (const row of rows) {
      yield {
        seq: String(row.seq),
        admittedAt: Number(row.admitted_at),
        signature: row.signature instanceof ArrayBuffer ? row.signature : null,
        signedUntil: row.signed_until === null ? null : Number(row.signed_until),
        bodyMac: blob(row.body_mac),
      };
    }
    for (const row of this.#sql.exec(
      `SELECT mac, seq, until FROM aliases WHERE length(mac) = ${SIGNATURE_BYTES} AND until >= ?`,
      now,
    )) {
      yield {
        seq: String(row.seq),
        admittedAt: null,
        signature: blob(row.mac),
        signedUntil: Number(row.until),
        bodyMac: null,
      };
    }
  }

  /** Remembers a further signature, or the fingerprint of a further key, of a file. */
  addAlias(mac: Bytes, seq: string, until: number): void {
    this.#sql.exec("INSERT OR REPLACE INTO aliases (mac, seq, until) VALUES (?, ?, ?)", mac, seq, until);
  }

  countAliases(): number {
    return Number(this.#sql.exec("SELECT count(*) AS n FROM aliases").one().n);
  }

  /** Deletes the aliases that ran out before `before`. */
  purgeAliases(before: number): void {
    this.#sql.exec("DELETE FROM aliases WHERE until < ?", before);
  }

  /** Writes the changed columns of one row. */
  update(
    seq: string,
    change: Partial<
      Pick<
        Row,
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
    if (change.state !== undefined) columns.push(["state", codeOf(change.state)]);
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
    this.#sql.exec(
      `UPDATE inbox SET ${assignments} WHERE seq = ?`,
      ...columns.map(([, value]) => value),
      seq,
    );
  }

  /** Newest first, at most `limit` rows that are older than `before`. */
  list(before: string | null, limit: number): Row[] {
    return this.#rows(
      `SELECT ${HEAD} FROM inbox WHERE seq < ? AND state NOT IN (${codeOf("receiving")}, ${codeOf("dropped")})
       ORDER BY seq DESC LIMIT ?`,
      before ?? "~",
      limit,
    );
  }

  /** Rows that never had a due time, are still queued, and were minted from `fromSeq` up to `toSeq`. */
  freshQueued(fromSeq: string, toSeq: string, limit: number): Row[] {
    return this.#rows(
      `SELECT ${HEAD} FROM inbox WHERE seq >= ? AND seq < ? AND due_at IS NULL AND state = ${codeOf("queued")} ORDER BY seq LIMIT ?`,
      fromSeq,
      toSeq,
      limit,
    );
  }

  /** Queued rows whose due time has come. */
  dueQueued(now: number, limit: number): Row[] {
    return this.#rows(
      `SELECT ${HEAD} FROM inbox WHERE due_at <= ? AND ${UNSETTLED} AND state = ${codeOf("queued")} ORDER BY due_at LIMIT ?`,
      now,
      limit,
    );
  }

  /** Reservations whose time has run out, and dropped rows whose object may still be there. */
  dueReservations(now: number, limit: number): Row[] {
    return this.#rows(
      `SELECT ${HEAD} FROM inbox WHERE due_at <= ? AND ${UNSETTLED} AND state <> ${codeOf("queued")} ORDER BY due_at LIMIT ?`,
      now,
      limit,
    );
  }

  /** Marks a reservation whose payload never came. Its signatures and keys are free again. */
  drop(seq: string, retryAt: number): void {
    this.update(seq, { state: "dropped", dueAt: retryAt });
    this.#sql.exec("DELETE FROM aliases WHERE seq = ?", seq);
  }

  /** Settled rows in the ordinary course whose payload is still here, oldest first, up to `maxBytes` of payload. */
  archivable(fromSeq: string, toSeq: string, maxBytes: number): { row: Row; sealed: Bytes }[] {
    return this.#withPayloads(
      `SELECT ${HEAD}, payload FROM inbox
       WHERE seq >= ? AND seq < ? AND due_at IS NULL AND payload IS NOT NULL AND ${SETTLED} ORDER BY seq`,
      [fromSeq, toSeq],
      maxBytes,
    );
  }

  /** Settled rows with a due time whose payload is still here, up to `maxBytes` of payload. */
  archivableLate(maxBytes: number): { row: Row; sealed: Bytes }[] {
    return this.#withPayloads(
      `SELECT ${HEAD}, payload FROM inbox
       WHERE due_at IS NOT NULL AND ${SETTLED} AND payload IS NOT NULL ORDER BY due_at`,
      [],
      maxBytes,
    );
  }

  /** Settled rows whose payload has left need no due time any more. */
  releaseArchived(): void {
    this.#sql.exec(
      `UPDATE inbox SET due_at = NULL WHERE due_at IS NOT NULL AND ${SETTLED} AND payload IS NULL`,
    );
  }

  #withPayloads(query: string, values: SqlStorageValue[], maxBytes: number): { row: Row; sealed: Bytes }[] {
    const found: { row: Row; sealed: Bytes }[] = [];
    let bytes = 0;
    const rows = this.#sql.exec(query, ...values);
    for (const raw of rows) {
      const sealed = new Uint8Array(blob(raw.payload));
      if (found.length > 0 && bytes + sealed.byteLength > maxBytes) break;
      bytes += sealed.byteLength;
      found.push({ row: parseRow(raw), sealed });
    }
    return found;
  }

  /** The payload now lies in the archive: the row lets go of it. A row that was replayed meanwhile stays due. */
  markArchived(seq: string, stored: Stored): void {
    this.#sql.exec(
      `UPDATE inbox SET stored = ?, payload = NULL, due_at = CASE WHEN ${SETTLED} THEN NULL ELSE due_at END WHERE seq = ?`,
      JSON.stringify(stored),
      seq,
    );
  }

  delete(seq: string): void {
    this.#sql.exec("DELETE FROM inbox WHERE seq = ?", seq);
  }

  /** Deletes what has outlived its use: at most `limit` settled and archived files from before `beforeSeq`. Answers how many. */
  purge(now: number, beforeSeq: string, limit: number): number {
    this.purgeAliases(now - DAY_MS);
    this.#sql.exec("DELETE FROM reads WHERE second < ?", Math.floor(now / 1_000) - READS_COUNT_S);
    const old = this.#sql.exec(
      `SELECT seq FROM inbox WHERE seq < ? AND payload IS NULL AND due_at IS NULL AND ${SETTLED} ORDER BY seq LIMIT ?`,
      beforeSeq,
      limit,
    );
    const seqs = old.toArray().map((row) => String(row.seq));
    for (const seq of seqs) this.delete(seq);
    return seqs.length;
  }

  /** The oldest key at or after `fromSeq`. */
  firstFrom(fromSeq: string): string | null {
    const [row] = this.#sql
      .exec("SELECT seq FROM inbox WHERE seq >= ? ORDER BY seq LIMIT 1", fromSeq)
      .toArray();
    return row === undefined ? null : String(row.seq);
  }

  /** The earliest due time of what waits for the consumer or is reserved. */
  earliestDue(): number | null {
    return this.#earliest(UNSETTLED);
  }

  /** The earliest due time of what waits for the archive. */
  earliestLate(): number | null {
    return this.#earliest(SETTLED);
  }

  #earliest(states: string): number | null {
    const { at } = this.#sql
      .exec(`SELECT min(due_at) AS at FROM inbox WHERE due_at IS NOT NULL AND ${states}`)
      .one();
    return at === null ? null : Number(at);
  }

  countRead(now: number): void {
    this.#sql.exec(
      "INSERT INTO reads (second, count) VALUES (?, 1) ON CONFLICT (second) DO UPDATE SET count = count + 1",
      Math.floor(now / 1_000),
    );
  }

  /** When the oldest counted read no longer matters; null without any. */
  readsExpireAt(): number | null {
    const { oldest } = this.#sql.exec("SELECT min(second) AS oldest FROM reads").one();
    return oldest === null ? null : (Number(oldest) + READS_KEPT_S) * 1_000;
  }

  reads(since: number): { at: number; count: number }[] {
    return this.#sql
      .exec("SELECT second, count FROM reads WHERE second >= ?", Math.floor(since / 1_000))
      .toArray()
      .map((row) => ({ at: Number(row.second) * 1_000, count: Number(row.count) }));
  }

  /** How far the alarm has come; empty before it first ran. */
  mark(name: Exclude<MarkName, "snapshot">): string {
    return this.#marks.get(name) ?? "";
  }

  setMark(name: MarkName, value: string): void {
    if (this.#marks.get(name) === value) return;
    this.#sql.exec(
      "INSERT INTO marks (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
      name,
      value,
    );
    this.#marks.set(name, value);
  }

  snapshot(): Snapshot | null {
    const text = this.#marks.get("snapshot");
    return text === undefined ? null : JSON.parse(text);
  }

  setSnapshot(snapshot: Snapshot): void {
    this.setMark("snapshot", JSON.stringify(snapshot));
  }

  #rows(query: string, ...bindings: SqlStorageValue[]): Row[] {
    return this.#sql
      .exec(query, ...bindings)
      .toArray()
      .map(parseRow);
  }
}

/** What a state is called outside: a reservation is no file yet. */
export function publicStatus(state: State): FileStatus | null {
  return state === "receiving" || state === "dropped" ? null : state;
}

function parseRow(row: SqlRow): Row {
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

function blob(value: SqlStorageValue | undefined): ArrayBuffer {
  if (!(value instanceof ArrayBuffer)) throw new Error("expected a blob");
  return value;
}
