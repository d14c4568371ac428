/** The watch's marks and the conditions that others raised, in its SQLite. */
import type { ConditionKind, RaisedCondition } from "../raised-conditions.ts";
import type { Reading } from "./readings.ts";

const MINUTE_MS = 60_000;

/** A condition that was not raised again for this long has ended. While it holds, it is raised more often. */
const ENDS_AFTER_MS: Record<ConditionKind, number> = {
  report_waiting: 12 * MINUTE_MS,
  refused_share: 20 * MINUTE_MS,
  dead_letters: 60 * MINUTE_MS,
  ring_key_missing: 40 * MINUTE_MS,
};
/** Added to a condition's own `againMs`. */
const AGAIN_MARGIN_MS = 5 * MINUTE_MS;

export interface RaisedRow extends Omit<RaisedCondition, "againMs"> {
  firstAt: number;
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
  raise({ kind, subject, facts, againMs }: RaisedCondition, now: number): void {
    this.expire(now);
    const [before] = this.#raised("kind = ? AND subject = ?", kind, subject);
    const added = (name: string) => Number(before?.facts[name] ?? 0) + Number(facts[name] ?? 0);
    const kept = kind === "dead_letters" ? { ...facts, messages: added("messages") } : facts;
    this.#sql.exec(
      `INSERT INTO raised (kind, subject, facts, first_at, until) VALUES (?1, ?2, ?3, ?4, ?5)
       ON CONFLICT (kind, subject) DO UPDATE SET facts = ?3, until = ?5`,
      kind,
      subject,
      JSON.stringify(kept),
      now,
      now + (againMs === undefined ? ENDS_AFTER_MS[kind] : againMs + AGAIN_MARGIN_MS),
    );
  }

  clear(kind: ConditionKind, subject: string): void {
    this.#sql.exec("DELETE FROM raised WHERE kind = ? AND subject = ?", kind, subject);
  }

  /** Deletes conditions that were not raised again in time. */
  expire(now: number): void {
    this.#sql.exec("DELETE FROM raised WHERE until < ?", now);
  }

  /** When the longest waiting report was queued, of those that gates raised. In an outage every gate raises one. */
  oldestWaitingAt(): number | null {
    const { at } = this.#sql
      .exec("SELECT min(facts ->> 'oldest_at') AS at FROM raised WHERE kind = 'report_waiting'")
      .one();
    return at === null ? null : Number(at);
  }

  allRaised(): RaisedRow[] {
    return this.#raised("1");
  }

  raised(kind: ConditionKind): RaisedRow[] {
    return this.#raised("kind = ?", kind);
  }

  #raised(condition: string, ...values: string[]): RaisedRow[] {
    return this.#sql
      .exec(`SELECT kind, subject, facts, first_at FROM raised WHERE ${condition}`, ...values)
      .toArray()
      .map((row) => ({
        kind: row.kind as ConditionKind,
        subject: String(row.subject),
        facts: JSON.parse(String(row.facts)),
        firstAt: Number(row.first_at),
      }));
  }
}
