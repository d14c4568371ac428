/**
 * Events that a gate owes its owner's webhooks: noted in the transaction that makes them true, deleted when they are stored
 * where deliveries begin. Until then the alarm wakes the consumer for them. Only files that somebody listens to leave a row.
 */

import type { FileRow } from "./file-row.ts";
import type {
  FileFacts,
  Outcome,
  OwedEvent,
  OwedEventReason,
  OwedEventType,
  Reported,
  Settled,
} from "./protocol.ts";

/** As long as the consumer may take that settled the file, and more. */
const REMIND_AFTER_MS = 60_000;
const LONGEST_REMINDER_MS = 3_600_000;

type SqlRow = Record<string, SqlStorageValue>;

/** A file as it was before something happened to it. */
type Before = Pick<FileRow, "attempts" | "generation" | "state">;

/** The word that is owed after a settlement; null for none. Pure. */
export function owedAfterSettling(
  before: Before,
  outcome: Outcome["kind"],
  settled: Settled,
): { type: OwedEventType; reason: OwedEventReason | null } | null {
  if (!settled.applied || outcome === "postponed") return null;
  if (settled.status === "failed")
    return { type: "file.failed", reason: outcome === "refused" ? "refused" : "gave_up" };
  return isFirst(before) ? { type: "file.uploaded", reason: null } : null;
}

/** A report that comes before the answer to the POST says first that there is such a file. */
export function owedAfterReport(before: Before, reported: Reported): OwedEventType | null {
  return reported.outcome === "moved" && before.state === "queued" && isFirst(before)
    ? "file.uploaded"
    : null;
}

function isFirst({ attempts, generation }: Before): boolean {
  return attempts === 0 && generation === 1;
}

export class Outbox {
  readonly #sql: SqlStorage;
  /** When the first reminder is due; null while nothing is owed, which is nearly always. */
  #earliest: number | null;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    this.#earliest = this.#readEarliest();
  }

  add(
    seq: string,
    type: OwedEventType,
    generation: number,
    reason: OwedEventReason | null,
    now: number,
  ): void {
    this.#sql.exec(
      "INSERT OR IGNORE INTO owed (seq, type, generation, reason, at, due_at, tries) VALUES (?, ?, ?, ?, ?, ?, 0)",
      seq,
      type,
      generation,
      reason,
      now,
      now + REMIND_AFTER_MS,
    );
    this.#earliest = this.#readEarliest();
  }

  /** What is owed of one file, in the order in which it happened: a file is uploaded before it fails. */
  of(seq: string, fileId: string, facts: FileFacts): OwedEvent[] {
    const rows = this.#sql
      .exec(
        "SELECT type, generation, reason, at FROM owed WHERE seq = ? ORDER BY generation, type = 'file.failed'",
        seq,
      )
      .toArray();
    return rows.map((row) => parseOwed(row, fileId, facts));
  }

  markPublished(seq: string, { type, generation }: Pick<OwedEvent, "type" | "generation">): void {
    this.#sql.exec("DELETE FROM owed WHERE seq = ? AND type = ? AND generation = ?", seq, type, generation);
    this.#earliest = this.#readEarliest();
  }

  /** Files to wake the consumer for; each waits twice as long for its next reminder. */
  remind(now: number, limit: number): string[] {
    if (this.#earliest === null || this.#earliest > now) return [];
    const rows = this.#sql
      .exec("SELECT DISTINCT seq FROM owed WHERE due_at <= ? ORDER BY due_at LIMIT ?", now, limit)
      .toArray();
    const seqs = rows.map((row) => String(row.seq));
    for (const seq of seqs) {
      this.#sql.exec(
        "UPDATE owed SET tries = tries + 1, due_at = ?2 + min(?3, ?4 << min(tries, 10)) WHERE seq = ?1",
        seq,
        now,
        LONGEST_REMINDER_MS,
        REMIND_AFTER_MS,
      );
    }
    this.#earliest = this.#readEarliest();
    return seqs;
  }

  /** The files that left the gate take what they owe with them. */
  forget(seq: string): void {
    this.#sql.exec("DELETE FROM owed WHERE seq = ?", seq);
    this.#earliest = this.#readEarliest();
  }

  get earliest(): number | null {
    return this.#earliest;
  }

  #readEarliest(): number | null {
    const [row] = this.#sql.exec("SELECT due_at FROM owed ORDER BY due_at LIMIT 1").toArray();
    return row === undefined ? null : Number(row.due_at);
  }
}

function parseOwed(row: SqlRow, fileId: string, facts: FileFacts): OwedEvent {
  return {
    fileId,
    type: row.type === "file.failed" ? "file.failed" : "file.uploaded",
    generation: Number(row.generation),
    reason: row.reason === "refused" || row.reason === "gave_up" ? row.reason : null,
    at: Number(row.at),
    facts,
  };
}
