/**
 * Tells the watch while the gate holds a file that has waited for long, and once it no longer does. A file that is forwarded in time costs
 * nothing: neither a call nor an alarm of its own.
 */
import type { Told } from "../tell-watch.ts";

/** A file that has waited this long is told to the watch. From the wire contract. */
export const WAITS_LONG_MS = 10 * 60_000;
/** While it waits, it is told again after delays that double: a file that waits for days must not keep the alarm busy. */
const FIRST_AGAIN_MS = 5 * 60_000;
const LONGEST_AGAIN_MS = 6 * 3_600_000;
/** When the watch did not answer, and between two looks at the rows while files are settled. */
const RETRY_MS = 60_000;

export interface WaitingFilesDeps {
  /** Since when the file waits that has waited longest, ms. Null if none waits. */
  oldestQueuedAt(): number | null;
  /**
   * When the watch was last told, kept through restarts. Otherwise a gate that restarts in a long outage could not tell that it is over,
   * and the gateway would look late for hours. Empty for never.
   */
  toldAt: { get(): string; set(at: string): void };
  /** The gate's name. */
  subject(): string;
  /** Both resolve to whether the watch was reached, and never reject. */
  tell(told: Told): Promise<boolean>;
  over(told: Pick<Told, "kind" | "subject">): Promise<boolean>;
  now(): number;
}

const KIND = "report_waiting";

export class WaitingFiles {
  readonly #deps: WaitingFilesDeps;
  /** When the watch was last told. Null if no file waits for long, as far as the watch knows. */
  #toldAt: number | null = null;
  #againMs = FIRST_AGAIN_MS;
  #checkedAt = 0;
  /** When the rows must be looked at again. Null if no file waits. */
  #checkAt: number | null = null;

  constructor(deps: WaitingFilesDeps) {
    this.#deps = deps;
    const toldAt = deps.toldAt.get();
    if (toldAt === "") return;
    this.#toldAt = Number(toldAt);
    this.#checkAt = 0;
  }

  /** For the alarm. */
  nextAt(): number | null {
    return this.#checkAt;
  }

  /** A file was settled: it may have been the last one that waited. */
  settled(): void {
    if (this.#toldAt !== null && this.#checkAt !== null)
      this.#checkAt = Math.min(this.#checkAt, this.#checkedAt + RETRY_MS);
  }

  async run(): Promise<void> {
    const { now, oldestQueuedAt } = this.#deps;
    if (this.#checkAt !== null && now() < this.#checkAt) return;
    this.#checkedAt = now();
    const oldestAt = oldestQueuedAt();
    this.#checkAt =
      oldestAt !== null && now() - oldestAt >= WAITS_LONG_MS
        ? await this.#tell(oldestAt)
        : await this.#end(oldestAt);
  }

  /** Returns when to look again. */
  async #tell(oldestAt: number): Promise<number> {
    const { now, subject, tell } = this.#deps;
    if (this.#toldAt !== null && now() < this.#toldAt + this.#againMs) return this.#toldAt + this.#againMs;
    const againMs = this.#toldAt === null ? FIRST_AGAIN_MS : Math.min(2 * this.#againMs, LONGEST_AGAIN_MS);
    const told = { kind: KIND, subject: subject(), facts: { oldest_at: oldestAt }, againMs } as const;
    if (!(await tell(told))) return now() + RETRY_MS;
    this.#setToldAt(now());
    this.#againMs = againMs;
    return now() + againMs;
  }

  async #end(oldestAt: number | null): Promise<number | null> {
    const { now, subject, over } = this.#deps;
    if (this.#toldAt !== null && !(await over({ kind: KIND, subject: subject() }))) return now() + RETRY_MS;
    this.#setToldAt(null);
    return oldestAt === null ? null : oldestAt + WAITS_LONG_MS;
  }

  #setToldAt(at: number | null): void {
    if (at === this.#toldAt) return;
    this.#toldAt = at;
    this.#deps.toldAt.set(at === null ? "" : String(at));
  }
}
