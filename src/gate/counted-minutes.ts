/** Counts a gate's requests by the minute, from its rows and its evidence. */
import { addCounts, type Counts } from "../usage/counts.ts";
import { MINUTE_MS } from "../usage/periods.ts";
import type { GateState } from "./state.ts";

/** Counted without a pause: at most twenty thousand rows of the largest plan, in some ten milliseconds. */
const AT_A_TIME_MS = 10 * MINUTE_MS;

export interface CountedMinute {
  /** Its beginning. */
  at: number;
  counts: Counts;
}

/** The minutes that have requests, oldest first. `from` and `to` begin minutes. `pause` resolves once waiting calls have been served. */
export async function countMinutes(
  { files, evidence }: GateState,
  { from, to }: { from: number; to: number },
  pause: () => Promise<void>,
): Promise<CountedMinute[]> {
  const minutes = new Map<number, Counts>();
  const add = (at: number, more: Counts) => {
    const counts = minutes.get(at) ?? {};
    addCounts(counts, more);
    minutes.set(at, counts);
  };
  for (let start = from; start < to; start += AT_A_TIME_MS) {
    const end = Math.min(to, start + AT_A_TIME_MS);
    for (const { at, n } of files.countByMinute(start, end)) add(at, { accepted: n });
    for (const { at, counts } of evidence.minutesBetween(start, end)) add(at, counts);
    if (end < to) await pause();
  }
  return [...minutes].map(([at, counts]) => ({ at, counts })).sort((a, b) => a.at - b.at);
}
