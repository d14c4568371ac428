/** When a delivery is tried again: the documented schedule. Pure. */
import type { Outcome } from "./outcome.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** Waits before the second, third, … attempt, each counted from the failure before it. From the wire contract. */
export const RETRY_DELAYS_MS: readonly number[] = [
  0,
  MINUTE_MS,
  5 * MINUTE_MS,
  30 * MINUTE_MS,
  2 * HOUR_MS,
  6 * HOUR_MS,
];
export const MAX_ATTEMPTS = RETRY_DELAYS_MS.length + 1;

/** A receiver that asks for more patience than this is asked again all the same: the delivery would outlive its event. */
export const LONGEST_RETRY_AFTER_MS = 24 * HOUR_MS;
/** The answers with which `Retry-After` is heard. From the wire contract. */
const HEARD: ReadonlySet<number> = new Set([429, 503]);
/** The receiver is gone for good. */
export const GONE = 410;

/**
 * When the attempt after number `attempt` (counted from 1) is due, having failed at `failedAt` ms; null when there is none: it
 * was delivered, it was the last, or the receiver is gone.
 */
export function nextAttemptAt(attempt: number, failedAt: number, outcome: Outcome): number | null {
  if (outcome.kind === "delivered" || outcome.status === GONE) return null;
  const delayMs = RETRY_DELAYS_MS[attempt - 1];
  if (delayMs === undefined) return null;
  const asked = outcome.status !== null && HEARD.has(outcome.status) ? (outcome.retryAfterMs ?? 0) : 0;
  return failedAt + Math.max(delayMs, Math.min(asked, LONGEST_RETRY_AFTER_MS));
}
