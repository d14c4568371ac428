/** When a file is tried again. Pure: `random` is in [0, 1). */

const BASE_MS = 5_000;
const LONGEST_MS = 3_600_000;
/** A files-creator that asks for more patience than this is asked again all the same. */
const LONGEST_RETRY_AFTER_MS = 6 * 3_600_000;
/** A file is tried for this long before it fails. From the wire contract: at least 24 hours. */
export const GIVE_UP_AFTER_MS = 24 * 3_600_000;

/** Exponential from 5 s to 1 h with a quarter of jitter; `Retry-After` can only lengthen it. */
export function retryDelayMs(attempts: number, retryAfterMs: number | null, random: number): number {
  const step = Math.min(LONGEST_MS, BASE_MS * 2 ** Math.min(attempts - 1, 20));
  const jittered = step * (0.75 + random / 2);
  return Math.round(Math.max(jittered, Math.min(retryAfterMs ?? 0, LONGEST_RETRY_AFTER_MS)));
}

/** When the consumer is woken again for a file that it did not settle: doubling from two minutes to an hour, with jitter. */
export function wakeAgainDelayMs(wakeUps: number, random: number): number {
  return Math.round(Math.min(LONGEST_MS, 120_000 * 2 ** Math.min(wakeUps, 10)) * (0.75 + random / 2));
}

const LONGEST_POSTPONE_MS = 900_000;

/**
 * When a file is tried that was held back because the files-creator is down for everyone: after as long again as it has
 * waited, up to a quarter of an hour, so that an hour's backlog does not circle through the queue.
 */
export function postponeDelayMs(retryAfterMs: number, waitedMs: number, random: number): number {
  return Math.round(Math.max(retryAfterMs, Math.min(LONGEST_POSTPONE_MS, waitedMs)) * (1 + random / 2));
}
