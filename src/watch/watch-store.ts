/** The watch's marks and what others told it, in its SQLite. */
import type { Told, ToldKind } from "../tell-watch.ts";
import type { Reading } from "./readings.ts";

const MINUTE_MS = 60_000;

/** A condition that was not told again for this long has ended. Consumers tell theirs more often while it holds. */
const TOLD_FOR_MS: Record<ToldKind, number> = {
  report_waiting: 12 * MINUTE_MS,
  refused_share: 20 * MINUTE_MS,
  dead_letters: 60 * MINUTE_MS,
  ring_key_missing: 40 * MINUTE_MS,
};
/** Added to the time within which the teller meant to tell again. */
const AGAIN_MARGIN_MS = 5 * MINUTE_MS;

export interface ToldRow extends Omit<Told, "againMs"> {
  firstAt: number;
  /** When it was last told. */
  at: number;
}

export class WatchStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  mark(name: "awake_since" | "cron_ran_at"): number | null {
    const text = this.#mark(name);
    return text === null ? null : Number(text);
  }

  setMark(name: "awake_since" | "cron_ran_at", at: number): void {
    this.#setMark(name, String(at));
  }

  reading(): Reading | null {
    const text = this.#mark("reading");
    return text === null ? null : JSON.parse(text);
  }

  setReading(reading: Reading): void {
    this.#setMark("reading", JSON.stringify(reading));
  }

  #mark(name: string): string | null {
    const [row] = this.#sql.exec("SELECT value FROM marks WHERE name = ?", name).toArray();
    return row === undefined ? null : String(row.value);
  }

  #setMark(name: string, value: string): void {
    this.#sql.exec(
      "INSERT INTO marks (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2",
      name,
      value,
    );
  }

  /** Dead letters add up for as long as they keep coming. */
  tell({ kind, subject, facts, againMs }: Told, now: number): void {
    this.forgetUntold(now);
    const [before] = this.#told("kind = ? AND subject = ?", kind, subject);
    const added = (name: string) => Number(before?.facts[name] ?? 0) + Number(facts[name] ?? 0);
    const kept = kind === "dead_letters" ? { ...facts, messages: added("messages") } : facts;
    this.#sql.exec(
      `INSERT INTO told (kind, subject, facts, first_at, at, until) VALUES (?1, ?2, ?3, ?4, ?4, ?5)
       ON CONFLICT (kind, subject) DO UPDATE SET facts = ?3, at = ?4, until = ?5`,
      kind,
      subject,
      JSON.stringify(kept),
      now,
      now + (againMs === undefined ? TOLD_FOR_MS[kind] : againMs + AGAIN_MARGIN_MS),
    );
  }

  over(kind: ToldKind, subject: string): void {
    this.#sql.exec("DELETE FROM told WHERE kind = ? AND subject = ?", kind, subject);
  }

  /** Deletes what nobody tells any more. */
  forgetUntold(now: number): void {
    this.#sql.exec("DELETE FROM told WHERE until < ?", now);
  }

  /** When the report was queued that waits longest, of those that gates told of. In an outage every gate tells of one. */
  oldestWaitingAt(): number | null {
    const { at } = this.#sql
      .exec("SELECT min(facts ->> 'oldest_at') AS at FROM told WHERE kind = 'report_waiting'")
      .one();
    return at === null ? null : Number(at);
  }

  allTold(): ToldRow[] {
    return this.#told("1");
  }

  told(kind: ToldKind): ToldRow[] {
    return this.#told("kind = ?", kind);
  }

  #told(condition: string, ...values: string[]): ToldRow[] {
    return this.#sql
      .exec(`SELECT kind, subject, facts, first_at, at FROM told WHERE ${condition}`, ...values)
      .toArray()
      .map((row) => ({
        kind: row.kind as ToldKind,
        subject: String(row.subject),
        facts: JSON.parse(String(row.facts)),
        firstAt: Number(row.first_at),
        at: Number(row.at),
      }));
  }
}
