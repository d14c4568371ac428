/** How long an event that the gateway did not take rests before it is sent again. */

const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 300_000;

/** When to try again after the n-th failure: doubling from a second to five minutes; null gives up. */
export function nextReportAt(now: number, tries: number, maxTries: number): number | null {
  if (tries >= maxTries) return null;
  return now + Math.min(FIRST_WAIT_MS * 2 ** (tries - 1), LONGEST_WAIT_MS);
}
