/**
 * The counts of refused and repeated requests by code, over whole minutes. Counting a month of a busy gate takes more than a second, so
 * other calls are served in between, and the counts of an hour are remembered until they change.
 */
import { setBounded } from "../bounded-map.ts";
import { addCounts, type Counts } from "../usage/counts.ts";
import { HOUR_MS, MINUTE_MS, minuteOf } from "../usage/periods.ts";

const HOUR_MINUTES = HOUR_MS / MINUTE_MS;
/** All for which evidence is kept. */
const REMEMBERED_HOURS = 31 * 24;
/** Hours counted without a pause: some ten milliseconds for a busy gate. */
const HOURS_AT_A_TIME = 12;

/** The rows of the minutes that are counted. */
export interface CountedMinutes {
  /** By measure, from `fromMinute` up to but not including `toMinute`. */
  countsBetween(fromMinute: number, toMinute: number): Counts;
  /** The first minute of the range that has a row. */
  firstBetween(fromMinute: number, toMinute: number): number | null;
}

export class CodeCounts {
  readonly #minutes: CountedMinutes;
  /** Of whole hours. */
  readonly #remembered = new Map<number, Record<string, number>>();

  constructor(minutes: CountedMinutes) {
    this.#minutes = minutes;
  }

  /** `pause` resolves once waiting calls have been served. */
  async between(since: number, until: number, pause: () => Promise<void>): Promise<Record<string, number>> {
    const codes: Record<string, number> = {};
    const end = Math.ceil(until / MINUTE_MS);
    let counted = 0;
    let next: number | null = minuteOf(since);
    while (next !== null && next < end) {
      const from: number = next;
      const hour = Math.floor(from / HOUR_MINUTES);
      const to = Math.min((hour + 1) * HOUR_MINUTES, end);
      const isWhole = to - from === HOUR_MINUTES;
      const known = isWhole ? this.#remembered.get(hour) : undefined;
      next = to;
      if (known !== undefined) {
        addCounts(codes, known);
        continue;
      }
      const counts = this.#minutes.countsBetween(from, to);
      const found = codesOf(counts);
      addCounts(codes, found);
      if (Object.keys(counts).length === 0) next = this.#hourFrom(to, end);
      else if (isWhole) setBounded(this.#remembered, hour, found, REMEMBERED_HOURS);
      if (++counted % HOURS_AT_A_TIME === 0) await pause();
    }
    return codes;
  }

  /** The counts of this minute have changed. */
  forget(minute: number): void {
    this.#remembered.delete(Math.floor(minute / HOUR_MINUTES));
  }

  /** The rows before this minute have been deleted. */
  forgetBefore(minute: number): void {
    for (const hour of [...this.#remembered.keys()])
      if (hour * HOUR_MINUTES < minute) this.#remembered.delete(hour);
  }

  /** The first minute of the first hour that has a row in the range. */
  #hourFrom(fromMinute: number, toMinute: number): number | null {
    const first = this.#minutes.firstBetween(fromMinute, toMinute);
    return first === null ? null : Math.floor(first / HOUR_MINUTES) * HOUR_MINUTES;
  }
}

const DUPLICATE = "duplicate";
const REFUSED = "refused:";

/** The measure that counts a code. */
export function measureOf(code: string): string {
  return code === "DUPLICATE" ? DUPLICATE : REFUSED + code;
}

function codesOf(counts: Counts): Record<string, number> {
  return Object.fromEntries(
    Object.entries(counts).flatMap(([measure, n]) => {
      if (measure === DUPLICATE) return [["DUPLICATE", n]];
      return measure.startsWith(REFUSED) ? [[measure.slice(REFUSED.length), n]] : [];
    }),
  );
}
