/** The agenda: what the gate's alarm asks of the inbox. Every question is answered by a key range or by an index. */
import type { Bytes } from "../crypto/encoding.ts";
import { rowKeyOf } from "./file-id.ts";
import { blob, codeOf, HEAD, parseRow, type Row, SETTLED, UNSETTLED } from "./rows.ts";

export class Agenda {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** Rows that never had a due time, are still queued, and were minted from `fromSeq` up to `toSeq`. */
  freshQueued(fromSeq: string, toSeq: string, limit: number): Row[] {
    return this.#rows(
      `SELECT ${HEAD} FROM inbox WHERE key >= ? AND key < ? AND due_at IS NULL AND state = ${codeOf("queued")} ORDER BY key LIMIT ?`,
      rowKeyOf(fromSeq),
      rowKeyOf(toSeq),
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

  /** Settled rows in the ordinary course whose payload is still here, oldest first, up to `maxBytes` of payload. */
  archivable(fromSeq: string, toSeq: string, maxBytes: number): { row: Row; sealed: Bytes }[] {
    return this.#withPayloads(
      `SELECT ${HEAD}, payload FROM inbox
       WHERE key >= ? AND key < ? AND due_at IS NULL AND payload IS NOT NULL AND ${SETTLED} ORDER BY key`,
      [rowKeyOf(fromSeq), rowKeyOf(toSeq)],
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

  /** Deletes at most `limit` settled and archived files from before `beforeSeq`. Answers how many. */
  purge(beforeSeq: string, limit: number): number {
    const old = this.#sql.exec(
      `SELECT key FROM inbox WHERE key < ? AND payload IS NULL AND due_at IS NULL AND ${SETTLED} ORDER BY key LIMIT ?`,
      rowKeyOf(beforeSeq),
      limit,
    );
    const keys = old.toArray().map(({ key }) => Number(key));
    for (const key of keys) this.#sql.exec("DELETE FROM inbox WHERE key = ?", key);
    return keys.length;
  }

  /** The oldest key at or after `fromSeq`. */
  firstFrom(fromSeq: string): string | null {
    const [row] = this.#sql
      .exec("SELECT seq FROM inbox WHERE key >= ? ORDER BY key LIMIT 1", rowKeyOf(fromSeq))
      .toArray();
    return row === undefined ? null : String(row.seq);
  }

  /** Whether there is a row from `fromSeq` up to `toSeq`. */
  holdsAny(fromSeq: string, toSeq: string): boolean {
    const first = this.firstFrom(fromSeq);
    return first !== null && first < toSeq;
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

  #rows(query: string, ...bindings: SqlStorageValue[]): Row[] {
    return this.#sql
      .exec(query, ...bindings)
      .toArray()
      .map(parseRow);
  }
}
