/**
 * The outbox of file events: a row is written in the transaction that causes the event, and deleted once the event is stored in D1
 * with its deliveries. Until then the alarm wakes the consumer, which publishes it. Only files that webhooks may subscribe to have
 * rows here.
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

/** Longer than the consumer needs to publish the event of a file that it has settled. */
const REMIND_AFTER_MS = 60_000;
const LONGEST_REMINDER_MS = 3_600_000;

type SqlRow = Record<string, SqlStorageValue>;

/** A file before its settlement or report. */
type Before = Pick<FileRow, "attempts" | "generation" | "state">;

/** The event that a settlement causes; null for none. Pure. */
export function eventOfSettlement(
  before: Before,
  outcome: Outcome["kind"],
  settled: Settled,
): { type: OwedEventType; reason: OwedEventReason | null } | null {
  if (!settled.applied || outcome === "postponed") return null;
  if (settled.status === "failed")
    return { type: "file.failed", reason: outcome === "refused" ? "refused" : "gave_up" };
  return isFirst(before) ? { type: "file.uploaded", reason: null } : null;
}

/** The event that a report causes: one that overtakes the response to the POST is the first sign that the file was uploaded. */
export function eventOfReport(before: Before, reported: Reported): OwedEventType | null {
  return reported.outcome === "moved" && before.state === "queued" && isFirst(before)
    ? "file.uploaded"
    : null;
}

function isFirst({ attempts, generation }: Before): boolean {
  return attempts === 0 && generation === 1;
}

export class Outbox {
  readonly #sql: SqlStorage;
  /** When the first reminder is due. Null while the outbox is empty, as it nearly always is. */
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

  /** The events of one file in the order in which they happened: a file is uploaded before it fails. */
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

  /** Files to wake the consumer for. The delay before a file's next reminder doubles each time. */
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

  /** Drops the events of a file that has been purged. */
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
