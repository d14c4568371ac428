/** How an endpoint has been doing, what follows when it did nothing but fail, and whether it shares a queue. Pure. */
import type { Outcome } from "./outcome.ts";
import { GONE } from "./retry.ts";

export interface Health {
  /** Failed attempts since the last success. */
  consecutiveFailures: number;
  /** When the first of them failed, ms; null when there is none. */
  failingSince: number | null;
  lastSuccessAt: number | null;
  /** When it last took longer than {@link SLOW_ANSWER_MS}, whatever came of it. */
  slowAt: number | null;
}

export const UNTRIED: Health = {
  consecutiveFailures: 0,
  failingSince: null,
  lastSuccessAt: null,
  slowAt: null,
};

/** From the wire contract's design: five days of nothing but failures disable a webhook. */
export const DISABLE_AFTER_MS = 5 * 24 * 3_600_000;
/** Fewer attempts than this in those days tell nothing: more than one delivery makes with its whole schedule. */
export const DISABLE_AFTER_FAILURES = 10;
/** An answer this late holds a place in flight for long enough to be felt by others. */
export const SLOW_ANSWER_MS = 2_000;
/** How long a late answer is held against an endpoint: longer than the schedule's first waits, so that retries come apart. */
export const SLOW_FOR_MS = 10 * 60_000;

/** Why a webhook is disabled: it said so itself (410), or it did nothing but fail for five days. */
export type DisableReason = "gone" | "failing";

/** The health after an attempt that ended at `now`, and whether it was one too many. Our own failures are not the endpoint's. */
export function healthAfter(
  health: Health,
  outcome: Outcome,
  now: number,
): { health: Health; disable: DisableReason | null } {
  if (outcome.kind === "internal") return { health, disable: null };
  const slowAt = outcome.kind === "timeout" || outcome.ms > SLOW_ANSWER_MS ? now : health.slowAt;
  if (outcome.kind === "delivered") {
    return {
      health: { consecutiveFailures: 0, failingSince: null, lastSuccessAt: now, slowAt },
      disable: null,
    };
  }
  const failingSince = health.failingSince ?? now;
  const consecutiveFailures = health.consecutiveFailures + 1;
  const failing = now - failingSince >= DISABLE_AFTER_MS && consecutiveFailures >= DISABLE_AFTER_FAILURES;
  const disable = outcome.status === GONE ? "gone" : failing ? "failing" : null;
  return { health: { ...health, consecutiveFailures, failingSince, slowAt }, disable };
}

/** Whether deliveries to this endpoint go through the queue of those that may take long. */
export function isSlow(health: Health, now: number): boolean {
  return health.slowAt !== null && now - health.slowAt < SLOW_FOR_MS;
}
