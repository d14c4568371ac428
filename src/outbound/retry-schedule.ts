/** When a delivery is retried: the documented schedule. Pure. */
import type { Attempt } from "./attempt-result.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** Delays before the second, third, … attempt, each counted from the previous failure. From the wire contract. */
export const RETRY_DELAYS_MS: readonly number[] = [
  0,
  MINUTE_MS,
  5 * MINUTE_MS,
  30 * MINUTE_MS,
  2 * HOUR_MS,
  6 * HOUR_MS,
];
export const ATTEMPTS_PER_DELIVERY = RETRY_DELAYS_MS.length + 1;

/** The longest `Retry-After` that is respected: with a longer one the delivery could outlive its event. */
export const LONGEST_RETRY_AFTER_MS = 24 * HOUR_MS;
/** The statuses with which `Retry-After` is respected. From the wire contract. */
const RETRY_AFTER_STATUSES: ReadonlySet<number> = new Set([429, 503]);
/** The endpoint is gone for good. */
export const GONE = 410;

/**
 * When the next attempt is due, after attempt `number` (counted from 1) failed at `failedAt` ms. Null if there is no next
 * attempt: the delivery succeeded, this was the last attempt, or the endpoint is gone.
 */
export function nextAttemptAt(
  number: number,
  failedAt: number,
  { kind, status, retryAfterMs }: Pick<Attempt, "kind" | "status" | "retryAfterMs">,
): number | null {
  if (kind === "delivered" || status === GONE) return null;
  const delayMs = RETRY_DELAYS_MS[number - 1];
  if (delayMs === undefined) return null;
  const askedMs = status !== null && RETRY_AFTER_STATUSES.has(status) ? (retryAfterMs ?? 0) : 0;
  return failedAt + Math.max(delayMs, Math.min(askedMs, LONGEST_RETRY_AFTER_MS));
}
