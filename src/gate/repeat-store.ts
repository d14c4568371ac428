/**
 * How repeats are found: by the `Idempotency-Key` or the signature of an earlier request. The first ones are in the file's row. Those
 * of repeats are aliases of the file.
 */
import type { DayPartitions } from "./day-partitions.ts";
import { rowKeyOf, seqAt } from "./file-id.ts";
import { stateCode } from "./file-row.ts";
import { MAX_CLOCK_SKEW_MS, type RememberedRequest } from "./recent-requests.ts";

/** HMAC-SHA256 in hex. Fingerprints of keys are shorter, so the length distinguishes the two kinds of alias. */
const SIGNATURE_DIGITS = 64;
/** How long an `Idempotency-Key` is remembered. From the wire contract. */
export const KEY_MEMORY_MS = 86_400_000;

const GET_BODY_MAC = "SELECT body_mac FROM inbox WHERE key = ? AND seq = ?";
const BY_KEY = `SELECT seq, body_mac, admitted_at FROM inbox
  WHERE key_mac = ?1 AND admitted_at > ?2 AND state <> ${stateCode("dropped")}`;
const REMEMBERED = `SELECT seq, admitted_at, signature, signed_until, body_mac FROM inbox
  WHERE key >= ? AND state <> ${stateCode("dropped")}`;

export class RepeatStore {
  readonly #sql: SqlStorage;
  readonly #partitions: DayPartitions;

  constructor(sql: SqlStorage, partitions: DayPartitions) {
    this.#sql = sql;
    this.#partitions = partitions;
  }

  /** The newest file that was admitted with this `Idempotency-Key`, or returned to it, and the fingerprint of its body. */
  byKey(keyMac: string, now: number): { seq: string; bodyMac: string } | null {
    const since = now - KEY_MEMORY_MS;
    const mintedSince = rowKeyOf(seqAt(since - MAX_CLOCK_SKEW_MS));
    const [admitted] = this.#partitions
      .select(this.#partitions.between(mintedSince, Number.POSITIVE_INFINITY), BY_KEY, keyMac, since)
      .sort((a, b) => Number(b.admitted_at) - Number(a.admitted_at));
    if (admitted !== undefined) return { seq: String(admitted.seq), bodyMac: String(admitted.body_mac) };
    const [alias] = this.#sql
      .exec("SELECT seq FROM aliases WHERE mac = ? AND until > ?", keyMac, now)
      .toArray();
    if (alias === undefined) return null;
    const seq = String(alias.seq);
    const key = rowKeyOf(seq);
    const row = this.#partitions.of(key)?.exec(GET_BODY_MAC, key, seq).toArray()[0];
    return row === undefined ? null : { seq, bodyMac: String(row.body_mac) };
  }

  /** The requests that are remembered: all rows from `fromSeq` on, and the signatures among the unexpired aliases. */
  *remembered(fromSeq: string, now: number): Generator<RememberedRequest> {
    const from = rowKeyOf(fromSeq);
    for (const partition of this.#partitions.between(from, Number.POSITIVE_INFINITY)) {
      for (const row of partition.exec(REMEMBERED, from)) {
        yield {
          seq: String(row.seq),
          admittedAt: Number(row.admitted_at),
          signature: row.signature === null ? null : String(row.signature),
          signedUntil: row.signed_until === null ? null : Number(row.signed_until),
          bodyMac: String(row.body_mac),
        };
      }
    }
    for (const row of this.#sql.exec(
      `SELECT mac, seq, until FROM aliases WHERE length(mac) = ${SIGNATURE_DIGITS} AND until >= ?`,
      now,
    )) {
      yield {
        seq: String(row.seq),
        admittedAt: null,
        signature: String(row.mac),
        signedUntil: Number(row.until),
        bodyMac: null,
      };
    }
  }

  /** Records another signature of a file, or the fingerprint of another key. */
  addAlias(mac: string, seq: string, until: number): void {
    this.#sql.exec("INSERT OR REPLACE INTO aliases (mac, seq, until) VALUES (?, ?, ?)", mac, seq, until);
  }

  countAliases(): number {
    return Number(this.#sql.exec("SELECT count(*) AS n FROM aliases").one().n);
  }

  /** Deletes the aliases that expired before `before`. */
  purgeAliases(before: number): void {
    this.#sql.exec("DELETE FROM aliases WHERE until < ?", before);
  }
}
