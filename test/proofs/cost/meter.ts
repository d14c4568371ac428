/**
 * Counts what reports cost, from the POST to the purge: every call that leaves the Worker, every row and alarm that an object
 * writes, every queue message, and every object in the bucket.
 */
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { expect, vi } from "vitest";
import type { FileWakeUp } from "../../../src/messages.ts";
import { rollUp } from "../../../src/usage/roll-up.ts";
import { advance, deliver } from "../../support/forwarding.ts";
import { bindings, type Connection, gateOf, portal, post, report } from "../../support/gateway.ts";
import { intercepted } from "../../support/interception.ts";
import { type Counts, NOTHING, PARTS, type Part } from "./model.ts";

/** No other code requests as many random bytes. */
const FILE_ID_RANDOM_DIGITS = 10;

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** The consumer's `max_batch_size`. */
const MESSAGES_PER_BATCH = 10;

export class Meter {
  readonly #counts = { ...NOTHING };
  readonly #parts = { evidence: { ...NOTHING }, counters: { ...NOTHING }, watch: { ...NOTHING } };
  readonly #cursors: { cursor: SqlStorageCursor<Record<string, SqlStorageValue>>; part: Part | null }[] = [];
  readonly #wakeUps: FileWakeUp[] = [];
  readonly #restore: (() => void)[] = [];
  /** The caller of D1 while counts are handed over (the gate's alarm) or added up (the cron). Null otherwise. */
  #handles: "alarm" | "cron" | null = null;
  #cronRanAt = 0;
  readonly using = intercepted(async (call, proceed) => {
    const result = await proceed();
    if (/^(CONNECTION_GATE|FORWARDING_GOVERNOR|REQUEST_LOG|WATCH)\./.test(call))
      this.#count("objectRequests", 1, partOfCall(call));
    if (call.startsWith("DB.")) this.#countD1(result);
    return result;
  });

  #count(name: keyof Counts, n: number, part: Part | null): void {
    this.#counts[name] += n;
    if (part !== null) this.#parts[part][name] += n;
  }

  #countD1(result: unknown): void {
    const part = this.#handles === null ? null : "counters";
    for (const answered of [result].flat() as (Partial<D1Result> | null)[]) {
      // `first` returns a row found by its key, without metadata on the rows read.
      this.#count("d1RowsRead", answered?.meta?.rows_read ?? 1, part);
      this.#count("d1RowsWritten", answered?.meta?.rows_written ?? 0, part);
    }
  }

  /** Starts counting. `connection` must have been used before, so that its gate exists. */
  async start(connection: Connection): Promise<void> {
    await runInDurableObject(gateOf(connection), (_gate, { storage }) => {
      const [sql, store] = [Object.getPrototypeOf(storage.sql), Object.getPrototypeOf(storage)];
      const [exec, setAlarm] = [sql.exec, store.setAlarm];
      const cursors = this.#cursors;
      const counts = this.#counts;
      sql.exec = function (this: SqlStorage, ...args: unknown[]) {
        const cursor = exec.apply(this, args);
        cursors.push({ cursor, part: partOfStatement(args) });
        return cursor;
      };
      store.setAlarm = function (this: DurableObjectStorage, ...args: unknown[]) {
        counts.objectRowsWritten++;
        return setAlarm.apply(this, args);
      };
      this.#restore.push(() => Object.assign(sql, { exec }) && Object.assign(store, { setAlarm }));
    });
    const database = Object.getPrototypeOf(bindings.DB);
    const { batch } = database;
    // A gate calls D1 with bindings of its own.
    const countD1 = (result: unknown) => this.#handles === "alarm" && this.#countD1(result);
    database.batch = async function (this: D1Database, statements: D1PreparedStatement[]) {
      const result = await batch.call(this, statements);
      countD1(result);
      return result;
    };
    this.#restore.push(() => Object.assign(database, { batch }));
    // Decides how long a hand-over waits: fixed, so that the numbers do not depend on chance.
    vi.spyOn(Math, "random").mockReturnValue(0.5);
    vi.spyOn(bindings.FILES, "sendBatch").mockImplementation(async (messages) => {
      for (const { body } of messages) this.#wakeUps.push(body);
      return { metadata: { metrics: { backlogCount: 0, backlogBytes: 0 } } };
    });
    const { put, get, delete: remove } = bindings.ARCHIVE;
    const counting =
      (name: "bucketWrites" | "bucketReads", method: (...args: never[]) => unknown) =>
      (...args: unknown[]) => {
        this.#counts[name]++;
        return Reflect.apply(method, bindings.ARCHIVE, args);
      };
    vi.spyOn(bindings.ARCHIVE, "put").mockImplementation(counting("bucketWrites", put) as typeof put);
    vi.spyOn(bindings.ARCHIVE, "delete").mockImplementation(
      counting("bucketWrites", remove) as typeof remove,
    );
    vi.spyOn(bindings.ARCHIVE, "get").mockImplementation(counting("bucketReads", get) as typeof get);
    this.#mintApart();
    vi.spyOn(console, "log").mockImplementation(() => void this.#counts.logLines++);
  }

  /** The test's clock stands still during a burst, so file ids could collide that would not in production. */
  #mintApart(): void {
    const original = crypto.getRandomValues;
    let minted = 0;
    vi.spyOn(crypto, "getRandomValues").mockImplementation((array) => {
      Reflect.apply(original, crypto, [array]);
      const isFileId = array instanceof Uint8Array && array.length === FILE_ID_RANDOM_DIGITS;
      if (isFileId) array.set([minted >> 5, minted++ & 31]);
      return array;
    });
  }

  /** Ends counting. Returns the counts per report. */
  stop(reports: number): Counts {
    for (const restore of this.#restore) restore();
    vi.restoreAllMocks();
    for (const { cursor, part } of this.#cursors) {
      this.#count("objectRowsWritten", cursor.rowsWritten, part);
      this.#count("objectRowsRead", cursor.rowsRead, part);
    }
    return perReport(this.#counts, reports);
  }

  /** The part of it that was spent on what people see. To be called after {@link stop}. */
  parts(reports: number): Record<Part, Partial<Counts>> {
    const spent = (part: Part) =>
      Object.fromEntries(Object.entries(perReport(this.#parts[part], reports)).filter(([, n]) => n > 0));
    return Object.fromEntries(PARTS.map((part) => [part, spent(part)])) as Record<Part, Partial<Counts>>;
  }

  async accept(connection: Connection, body: string = report()): Promise<string> {
    this.#counts.workerRequests++;
    const answer = await post(connection, body, undefined, this.using);
    expect(answer.status).toBe(202);
    return answer.json.file_id;
  }

  /** Hands all collected wake-ups to the consumer, in batches as the queue makes them. */
  async consume(): Promise<void> {
    while (this.#wakeUps.length > 0) {
      const batch = this.#wakeUps.splice(0, MESSAGES_PER_BATCH);
      this.#counts.workerRequests++;
      this.#counts.queueMessages += batch.length;
      await deliver(batch, this.using);
    }
  }

  /** The two reports of the files-creator on a file that it processes. */
  async complete(fileId: string): Promise<void> {
    for (const type of ["file.validated", "file.processed"]) {
      this.#counts.workerRequests++;
      const data = {
        fileId,
        recordsTotal: 1,
        ...(type === "file.processed" && { recordsProcessed: 1, recordsFailed: 0 }),
      };
      const answer = await portal(
        "POST",
        "/events",
        { id: `${type.replace(".", "-")}-${fileId}`, type, data },
        "portal",
        this.using,
      );
      expect(answer.json.status).toBe(type === "file.validated" ? "processing" : "completed");
    }
  }

  /** Runs the gate's alarms until `until`, each when it is due. */
  async alarmsUntil(connection: Connection, until: number): Promise<void> {
    const gate = gateOf(connection);
    for (;;) {
      const at = await runInDurableObject(gate, (_gate, { storage }) => storage.getAlarm());
      if (at === null || at > until) break;
      advance(Math.max(0, at - Date.now()));
      this.#counts.objectRequests++;
      await this.#handling("alarm", () => runDurableObjectAlarm(gate));
      await this.consume();
      await this.#cron();
    }
    advance(Math.max(0, until - Date.now()));
    await this.#cron();
  }

  /** The part of the minute cron that adds counts up. */
  async #cron(): Promise<void> {
    if (Date.now() < this.#cronRanAt + MINUTE_MS) return;
    this.#cronRanAt = Date.now();
    await this.#handling("cron", () => rollUp(this.using.DB, Date.now()));
  }

  async #handling(who: "alarm" | "cron", work: () => Promise<unknown>): Promise<void> {
    this.#handles = who;
    try {
      await work();
    } finally {
      this.#handles = null;
    }
  }

  /** Later than any gate keeps a file. */
  async purge(connection: Connection): Promise<void> {
    await this.alarmsUntil(connection, Date.now() + 98 * DAY_MS);
  }
}

function perReport(counts: Counts, reports: number): Counts {
  const each = (total: number) => Math.round((total / reports) * 1_000) / 1_000;
  return Object.fromEntries(Object.entries(counts).map(([name, n]) => [name, each(n)])) as unknown as Counts;
}

function partOfCall(call: string): Part | null {
  if (call.startsWith("WATCH.")) return "watch";
  return call.startsWith("REQUEST_LOG.") || call === "CONNECTION_GATE.note" ? "evidence" : null;
}

/** Of a statement in a gate, with its values. */
function partOfStatement([query, ...values]: unknown[]): Part | null {
  if (/\bevidence\b/.test(String(query))) return "evidence";
  return values.includes("changed_hours") || /AS forwarded_at/.test(String(query)) ? "counters" : null;
}
