/**
 * Raises a condition with the watch while the gate holds a file that has waited for long, and clears it afterwards. A file that is forwarded
 * in time costs nothing: neither a call nor an alarm of its own.
 */
import type { ConditionKind, RaisedCondition } from "../raised-conditions.ts";
import type { MarkPlace } from "../usage/changed-hours.ts";

/** When a waiting file is reported to the watch. From the wire contract. */
const WAITS_LONG_MS = 10 * 60_000;
/** The delay until the condition is raised again doubles each time: a file that waits for days must not keep the alarm busy. */
const FIRST_AGAIN_MS = 5 * 60_000;
const LONGEST_AGAIN_MS = 6 * 3_600_000;
/** When the watch did not answer, and between two looks at the rows while files are settled. */
const RETRY_MS = 60_000;

export interface WaitingFilesDeps {
  /** When the file that has waited longest was queued, ms. Null if none waits. */
  oldestQueuedAt(): number | null;
  /**
   * When the condition was last raised, kept through restarts: otherwise a gate that restarts in a long outage would never clear the
   * condition, and the gateway would look late for hours. Empty while it is not raised.
   */
  raisedAt: MarkPlace;
  /** Both resolve to whether the watch was reached, and never reject. */
  raise(condition: Omit<RaisedCondition, "subject">): Promise<boolean>;
  clear(kind: ConditionKind): Promise<boolean>;
  now(): number;
}

const KIND = "report_waiting";

export class WaitingFiles {
  readonly #deps: WaitingFilesDeps;
  /** When the condition was last raised. Null while it is not. */
  #raisedAt: number | null = null;
  #againMs = FIRST_AGAIN_MS;
  #checkedAt = 0;
  /** When the rows must be looked at again. Null if no file waits. */
  #checkAt: number | null = null;

  constructor(deps: WaitingFilesDeps) {
    this.#deps = deps;
    const raisedAt = deps.raisedAt.get();
    if (raisedAt === "") return;
    this.#raisedAt = Number(raisedAt);
    this.#checkAt = 0;
  }

  /** For the alarm. */
  nextAt(): number | null {
    return this.#checkAt;
  }

  /** A file was settled: it may have been the last one that waited. */
  settled(): void {
    if (this.#raisedAt !== null && this.#checkAt !== null)
      this.#checkAt = Math.min(this.#checkAt, this.#checkedAt + RETRY_MS);
  }

  async run(): Promise<void> {
    const { now, oldestQueuedAt } = this.#deps;
    // After a check that lies in the future, the clock was set back.
    if (this.#checkAt !== null && now() < this.#checkAt && now() >= this.#checkedAt) return;
    this.#checkedAt = now();
    const oldestAt = oldestQueuedAt();
    this.#checkAt =
      oldestAt !== null && now() - oldestAt >= WAITS_LONG_MS
        ? await this.#raise(oldestAt)
        : await this.#clear(oldestAt);
  }

  /** Returns when to look again. */
  async #raise(oldestAt: number): Promise<number> {
    const { now, raise } = this.#deps;
    const raisedAt = this.#raisedAt;
    if (raisedAt !== null && Math.abs(now() - raisedAt) < this.#againMs) return raisedAt + this.#againMs;
    const againMs = raisedAt === null ? FIRST_AGAIN_MS : Math.min(2 * this.#againMs, LONGEST_AGAIN_MS);
    if (!(await raise({ kind: KIND, facts: { oldest_at: oldestAt }, againMs }))) return now() + RETRY_MS;
    this.#setRaisedAt(now());
    this.#againMs = againMs;
    return now() + againMs;
  }

  /** Returns when to look again; null if no file waits. */
  async #clear(oldestAt: number | null): Promise<number | null> {
    const { now, clear } = this.#deps;
    if (this.#raisedAt !== null && !(await clear(KIND))) return now() + RETRY_MS;
    this.#setRaisedAt(null);
    return oldestAt === null ? null : oldestAt + WAITS_LONG_MS;
  }

  #setRaisedAt(at: number | null): void {
    if (at === this.#raisedAt) return;
    this.#raisedAt = at;
    this.#deps.raisedAt.set(at === null ? "" : String(at));
  }
}
