/** When a file is retried. Pure: `random` is in [0, 1). */

const BASE_MS = 5_000;
const LONGEST_MS = 3_600_000;
/** The longest `Retry-After` of the files-creator that is honoured. */
const LONGEST_RETRY_AFTER_MS = 6 * 3_600_000;
/** A file fails after it has been retried for this long. From the wire contract: at least 24 hours. */
export const GIVE_UP_AFTER_MS = 24 * 3_600_000;

/** Exponential from 5 s to 1 h with 25 % of jitter. `Retry-After` can only lengthen it. */
export function retryDelayMs(attempts: number, retryAfterMs: number | null, random: number): number {
  const step = Math.min(LONGEST_MS, BASE_MS * 2 ** Math.min(attempts - 1, 20));
  const jittered = step * (0.75 + random / 2);
  return Math.round(Math.max(jittered, Math.min(retryAfterMs ?? 0, LONGEST_RETRY_AFTER_MS)));
}

/** The delay before the consumer is woken again for an unsettled file: doubles from two minutes to an hour, with jitter. */
export function wakeAgainDelayMs(wakeUps: number, random: number): number {
  return Math.round(Math.min(LONGEST_MS, 120_000 * 2 ** Math.min(wakeUps, 10)) * (0.75 + random / 2));
}

const LONGEST_POSTPONE_MS = 900_000;

/**
 * The delay for a file that was not tried because the files-creator is down: as long as the file has waited already, up to 15
 * minutes, so that an hour's backlog does not circle through the queue.
 */
export function postponeDelayMs(retryAfterMs: number, waitedMs: number, random: number): number {
  return Math.round(Math.max(retryAfterMs, Math.min(LONGEST_POSTPONE_MS, waitedMs)) * (1 + random / 2));
}
