/**
 * The stand-in's memory: one object with every POST, every file, the ordered faults and the events not yet reported. It
 * decides which of several copies of a report is the first, and reports each event until the gateway has accepted it.
 */

import { DurableObject } from "cloudflare:workers";
import { type ReportEnv, type ReportResult, sendReports } from "./event-reports.ts";
import { type FileEvent, nextReportAt } from "./file-events.ts";
import { type FilePage, fileMeta, listFiles } from "./file-views.ts";
import { type ReportRow, SCHEMA, type SubmissionRow } from "./ledger-schema.ts";
import { type Fault, storesFile, takeFault } from "./ordered-faults.ts";

/** One POST /files as it arrived. `table` is null if the body could not be read. */
export interface Post {
  fileId: string;
  idempotencyKey: string;
  attempt: string | null;
  sha256: string;
  byteLength: number;
  headers: Record<string, string>;
  table: { total: number; written: number } | null;
}

/** The answer to the first copy, which every later copy gets as well. */
export interface Submission {
  fileId: string;
  sha256: string;
  recordsTotal: number;
  stored: boolean;
}

export interface Admission {
  fault: Fault | undefined;
  /** Null if this POST stores no file: its body is unreadable, or a fault prevents it. */
  submission: Submission | null;
}

/** How long the Worker that stored a file may take to report it, before the alarm does. */
const REPORT_LEASE_MS = 20_000;
const REPORTS_PER_ALARM = 60;

export interface LedgerEnv extends ReportEnv {
  /** How often a report is tried before the ledger gives it up. */
  REPORT_TRIES: string;
}

export class FileLedger extends DurableObject<LedgerEnv> {
  readonly #sql: SqlStorage;

  constructor(ctx: DurableObjectState, env: LedgerEnv) {
    super(ctx, env);
    this.#sql = ctx.storage.sql;
    this.#sql.exec(SCHEMA);
  }

  /** Records a POST, takes the next ordered fault, and says whether the POST is the first with its key. */
  admit(post: Post): Admission {
    const now = Date.now();
    const { fault, left } = takeFault(this.faults());
    if (fault !== undefined) this.setFaults(left);
    const known = this.#submission(post.idempotencyKey);
    const submission =
      known ?? (post.table !== null && storesFile(fault) ? this.#insert(post, post.table, now) : null);
    const outcome = known ? "repeat" : submission ? "first" : post.table ? "not stored" : "unreadable";
    this.#sql.exec(
      `INSERT INTO posts (file_id, idempotency_key, attempt, sha256, byte_length, headers, received_at, outcome)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      post.fileId,
      post.idempotencyKey,
      post.attempt,
      post.sha256,
      post.byteLength,
      JSON.stringify(post.headers),
      now,
      outcome,
    );
    return { fault, submission };
  }

  /** Called once the file's objects are in the bucket. From now on its events are due at the gateway. */
  async stored(idempotencyKey: string, events: FileEvent[]): Promise<void> {
    const now = Date.now();
    this.#sql.exec(
      "UPDATE submissions SET stored_at = coalesce(stored_at, ?) WHERE idempotency_key = ?",
      now,
      idempotencyKey,
    );
    for (const event of events) {
      this.#sql.exec(
        "INSERT INTO reports (idempotency_key, event, event_id, due_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        idempotencyKey,
        JSON.stringify(event),
        event.id,
        now + REPORT_LEASE_MS,
      );
    }
    await this.#arm();
  }

  /** Records how reporting went. Events that the gateway did not accept become due again later. */
  async reported(results: ReportResult[]): Promise<void> {
    const now = Date.now();
    for (const { eventId, error } of results) {
      if (error === null) {
        this.#sql.exec(
          "UPDATE reports SET reported_at = ?, due_at = NULL, tries = tries + 1, last_error = NULL WHERE event_id = ?",
          now,
          eventId,
        );
        continue;
      }
      const [row] = this.#sql.exec<ReportRow>("SELECT * FROM reports WHERE event_id = ?", eventId).toArray();
      if (row === undefined || row.reported_at !== null) continue;
      const tries = row.tries + 1;
      this.#sql.exec(
        "UPDATE reports SET tries = ?, due_at = ?, last_error = ? WHERE event_id = ?",
        tries,
        nextReportAt(now, tries, Number(this.env.REPORT_TRIES)),
        error,
        eventId,
      );
    }
    await this.#arm();
  }

  override async alarm(): Promise<void> {
    try {
      const due = this.#sql
        .exec<ReportRow>(
          "SELECT * FROM reports WHERE due_at <= ? ORDER BY number LIMIT ?",
          Date.now(),
          REPORTS_PER_ALARM,
        )
        .toArray();
      const byKey = Map.groupBy(due, (row) => row.idempotency_key);
      const batches = [...byKey.values()].map((rows) => rows.map((row): FileEvent => JSON.parse(row.event)));
      await Promise.all(batches.map(async (events) => this.reported(await sendReports(this.env, events))));
    } catch (error) {
      console.error(JSON.stringify({ message: "failed to report events", error: String(error) }));
    } finally {
      await this.#arm();
    }
  }

  faults(): Fault[] {
    const [row] = this.#sql.exec<{ list: string }>("SELECT list FROM faults").toArray();
    return row === undefined ? [] : JSON.parse(row.list);
  }

  setFaults(faults: Fault[]): void {
    this.#sql.exec("INSERT OR REPLACE INTO faults (only, list) VALUES (1, ?)", JSON.stringify(faults));
  }

  list(limit: number, before: number): FilePage {
    return listFiles(this.#sql, limit, before);
  }

  meta(fileId: string): Record<string, unknown> | null {
    return fileMeta(this.#sql, fileId);
  }

  #insert(post: Post, table: { total: number; written: number }, now: number): Submission {
    this.#sql.exec(
      `INSERT INTO submissions
         (idempotency_key, file_id, sha256, byte_length, records_total, records_written, headers, received_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      post.idempotencyKey,
      post.fileId,
      post.sha256,
      post.byteLength,
      table.total,
      table.written,
      JSON.stringify(post.headers),
      now,
    );
    return { fileId: post.fileId, sha256: post.sha256, recordsTotal: table.total, stored: false };
  }

  #submission(idempotencyKey: string): Submission | null {
    const [row] = this.#sql
      .exec<SubmissionRow>("SELECT * FROM submissions WHERE idempotency_key = ?", idempotencyKey)
      .toArray();
    if (row === undefined) return null;
    return {
      fileId: row.file_id,
      sha256: row.sha256,
      recordsTotal: row.records_total,
      stored: row.stored_at !== null,
    };
  }

  async #arm(): Promise<void> {
    const [next] = this.#sql
      .exec<{ at: number | null }>("SELECT min(due_at) AS at FROM reports WHERE due_at IS NOT NULL")
      .toArray();
    if (next?.at === undefined || next.at === null) await this.ctx.storage.deleteAlarm();
    else await this.ctx.storage.setAlarm(next.at);
  }
}
