/** The Durable Object that keeps evidence of requests from senders that do not exist. There are a few of them, chosen by hash. */
import { DurableObject } from "cloudflare:workers";
import type { Bindings } from "../bindings.ts";
import { boundedForBackground } from "../bounded.ts";
import { logError } from "../log.ts";
import { ChangedHours } from "../usage/changed-hours.ts";
import { HandOver } from "../usage/hand-over.ts";
import { createEvidenceTable, createSampledIndex, EvidenceStore } from "./evidence-store.ts";
import type { Note, RequestEntry } from "./request-entry.ts";
import { mergeParts, type RequestPage, type RequestQuery } from "./request-page.ts";

/** The class name is stored: a renamed class would lose its objects. */
export class RequestLog extends DurableObject<Bindings> {
  readonly #sql: SqlStorage;
  readonly #hours: ChangedHours;
  readonly #store: EvidenceStore;
  readonly #handOver: HandOver;

  constructor(ctx: DurableObjectState, env: Bindings) {
    super(ctx, env);
    const { sql } = ctx.storage;
    this.#sql = sql;
    // Never change this: append another version, and let it convert the rows of this one.
    ctx.storage.transactionSync(() => {
      sql.exec("CREATE TABLE IF NOT EXISTS marks (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID");
      const layout = Number(this.#mark("layout"));
      if (layout < 1) createEvidenceTable(sql);
      if (layout < 2) createSampledIndex(sql);
      if (layout < 2) this.#setMark("layout", "2");
    });
    this.#hours = new ChangedHours(
      { get: () => this.#mark("changed_hours"), set: (mark) => this.#setMark("changed_hours", mark) },
      () => Math.random(),
    );
    this.#store = new EvidenceStore(sql, (at, now) => this.#hours.mark(at, now));
    this.#handOver = new HandOver({
      db: boundedForBackground(env).DB,
      hours: this.#hours,
      scope: () => ({ kind: "unknown", id: this.#mark("shard") }),
      countHour: async (at) => ({ counts: this.#store.countsOfHour(at), employers: new Set() }),
      now: () => Date.now(),
    });
  }

  async note(shard: number, note: Note): Promise<void> {
    if (this.#mark("shard") === "") this.#setMark("shard", String(shard));
    this.#store.note(note, Date.now(), { inDetail: true });
    await this.#rearm();
  }

  async requests(query: RequestQuery): Promise<RequestPage> {
    const merged = mergeParts([this.#store.page(query)], query.limit);
    const { since, until } = query;
    return { ...merged, counts: await this.#store.codes.between(since, until, () => scheduler.wait(0)) };
  }

  findRequest(requestId: string, at: number): RequestEntry | null {
    return this.#store.find(requestId, at);
  }

  override async alarm(): Promise<void> {
    try {
      this.#store.purge(Date.now());
      await this.#handOver.run();
    } catch (error) {
      logError("failed to hand over the counts of a request log", { shard: this.#mark("shard") }, error);
    } finally {
      await this.#rearm();
    }
  }

  async #rearm(): Promise<void> {
    const times = [this.#store.nextAt(), this.#handOver.nextAt()].filter((at) => at !== null);
    if (times.length === 0) return;
    const next = Math.max(Date.now() + 1_000, Math.min(...times));
    const set = await this.ctx.storage.getAlarm();
    if (set === null || set > next) await this.ctx.storage.setAlarm(next);
  }

  /** Empty if it is not set. */
  #mark(name: string): string {
    const [row] = this.#sql.exec("SELECT value FROM marks WHERE name = ?", name).toArray();
    return row === undefined ? "" : String(row.value);
  }

  #setMark(name: string, value: string): void {
    this.#sql.exec("INSERT OR REPLACE INTO marks (name, value) VALUES (?, ?)", name, value);
  }
}
