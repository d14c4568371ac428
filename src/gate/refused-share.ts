/**
 * Raises a condition with the watch when a sender whose reports used to be accepted is suddenly refused, and clears it afterwards. It reads
 * the counts that evidence keeps per minute, and only when evidence arrives: a gate without refusals does nothing.
 */
import type { ConditionKind, RaisedCondition } from "../raised-conditions.ts";
import type { MarkPlace } from "../usage/changed-hours.ts";
import type { Counts } from "../usage/counts.ts";
import { FAILURE_CODES } from "../usage/error-budget.ts";
import { MINUTE_MS, minuteOf } from "../usage/periods.ts";

/** The minutes that are compared with the day before them. */
const RECENT_MINUTES = 15;
const DAY_MINUTES = 1_440;
/** The share of fewer requests means nothing. */
const LEAST_REQUESTS = 20;
const SHARE_NOW = 0.5;
const SHARE_BEFORE = 0.1;
/** The least requests that can make a share high. */
const LEAST_REFUSED = LEAST_REQUESTS * SHARE_NOW;
/** Notes arrive every second; few refusals are not worth reading rows each time. */
const BETWEEN_LOOKS_MS = 15_000;
/** Accepted reports are counted from their rows, no further than this: a few milliseconds. */
const MOST_COUNTED = 50_000;
/** While the condition holds, it is raised again this often. */
const AGAIN_MS = 5 * MINUTE_MS;
/** When the watch did not answer. */
const RETRY_MS = MINUTE_MS;

const KIND = "refused_share";

interface Requests {
  total: number;
  refused: number;
}

/** Of evidence, which has no accepted requests. The gateway's own failures are nobody's refusals: they spend the error budget. Pure. */
export function requestsOf(counts: Counts): Requests {
  let [total, refused] = [0, 0];
  for (const [name, n] of Object.entries(counts)) {
    const code = name.startsWith("refused:") ? name.slice("refused:".length) : null;
    if (code !== null && FAILURE_CODES.includes(code)) continue;
    if (code !== null) refused += n;
    if (code !== null || name === "duplicate") total += n;
  }
  return { total, refused };
}

/** `worked`: whether a report was ever accepted before. A sender that never worked is still being set up. Pure. */
export function hasJumped(recent: Requests, before: Requests, worked: boolean): boolean {
  return isHigh(recent) && worked && before.refused <= before.total * SHARE_BEFORE;
}

function isHigh({ total, refused }: Requests): boolean {
  return total >= LEAST_REQUESTS && refused >= total * SHARE_NOW;
}

export interface RefusedShareDeps {
  /** The counts of evidence of minutes from `from` up to but not including `to`. */
  countsBetween(from: number, to: number): Counts;
  /** How many reports were accepted from `from` up to but not including `to`, ms; at most `most`. */
  acceptedBetween(from: number, to: number, most: number): number;
  /** Whether the gate holds a report that was accepted before this time. */
  acceptedBefore(ms: number): boolean;
  /**
   * When the condition was first raised, kept through restarts: a gate that restarts hours into a flood would compare it with itself and
   * see no jump. Empty while it is not raised.
   */
  raisedAt: MarkPlace;
  /** Both resolve to whether the watch was reached, and never reject. */
  raise(condition: Omit<RaisedCondition, "subject">): Promise<boolean>;
  clear(kind: ConditionKind): Promise<boolean>;
  now(): number;
}

export class RefusedShare {
  readonly #deps: RefusedShareDeps;
  #isRaised: boolean;
  #lookedAt = 0;
  #refusedSinceLook = 0;
  /** Whether the share was high at the last look. If it had not jumped then, it has not seconds later. */
  #wasHigh = false;
  /** When the alarm must look. Null while the condition is neither raised nor about to be. */
  #checkAt: number | null;

  constructor(deps: RefusedShareDeps) {
    this.#deps = deps;
    this.#isRaised = deps.raisedAt.get() !== "";
    this.#checkAt = this.#isRaised ? 0 : null;
  }

  /** For the alarm. */
  nextAt(): number | null {
    return this.#checkAt;
  }

  /** Evidence of this many requests arrived. If the share has jumped, the alarm is due at once. */
  noted(requests: number): void {
    const now = this.#deps.now();
    this.#refusedSinceLook += requests;
    const isSoon = Math.abs(now - this.#lookedAt) < BETWEEN_LOOKS_MS;
    const mayHaveJumped = this.#refusedSinceLook >= LEAST_REFUSED && !this.#wasHigh;
    if (this.#checkAt !== null || (isSoon && !mayHaveJumped)) return;
    this.#lookedAt = now;
    this.#refusedSinceLook = 0;
    if (this.#jumped(now) !== null) this.#checkAt = now;
  }

  async run(): Promise<void> {
    const { now, raise, clear } = this.#deps;
    const waitMs = this.#checkAt === null ? null : this.#checkAt - now();
    // A longer wait is that of a clock that was set back.
    if (waitMs === null || (waitMs > 0 && waitMs <= AGAIN_MS)) return;
    const jumped = this.#jumped(now());
    if (jumped !== null) {
      const facts = { requests: jumped.total, refused: jumped.refused };
      const reached = await raise({ kind: KIND, facts, againMs: AGAIN_MS });
      if (reached) this.#setRaised(true);
      this.#checkAt = now() + (reached ? AGAIN_MS : RETRY_MS);
    } else if (this.#isRaised && !(await clear(KIND))) {
      this.#checkAt = now() + RETRY_MS;
    } else {
      this.#setRaised(false);
      this.#checkAt = null;
    }
  }

  #setRaised(isRaised: boolean): void {
    if (isRaised === this.#isRaised) return;
    this.#isRaised = isRaised;
    this.#deps.raisedAt.set(isRaised ? String(this.#deps.now()) : "");
  }

  /** The requests of the last minutes if their refused share has jumped, or if it is still high after that. */
  #jumped(now: number): Requests | null {
    const { acceptedBefore } = this.#deps;
    const to = minuteOf(now) + 1;
    const from = to - RECENT_MINUTES;
    const recent = this.#requestsBetween(from, to, SHARE_NOW);
    this.#wasHigh = isHigh(recent);
    if (!this.#wasHigh) return null;
    if (this.#isRaised) return recent;
    const before = this.#requestsBetween(from - DAY_MINUTES, from, SHARE_BEFORE);
    return hasJumped(recent, before, acceptedBefore(from * MINUTE_MS)) ? recent : null;
  }

  /** Counts no more accepted reports than it takes to bring the refused share below `share`. */
  #requestsBetween(fromMinute: number, toMinute: number, share: number): Requests {
    const { countsBetween, acceptedBetween } = this.#deps;
    const { total, refused } = requestsOf(countsBetween(fromMinute, toMinute));
    const most = Math.min(MOST_COUNTED, Math.ceil(refused / share) + 1);
    return { total: total + acceptedBetween(fromMinute * MINUTE_MS, toMinute * MINUTE_MS, most), refused };
  }
}
