/** An endpoint's health, and when failure disables its webhook. Pure. */

import type { LastFailure } from "../db/schema.ts";
import { type Attempt, endedAt } from "./attempt-result.ts";
import { type LaneFacts, provesEndpoint, SLOW_ANSWER_MS } from "./lanes.ts";
import { GONE } from "./retry-schedule.ts";

export interface Health extends LaneFacts {
  /** Failed attempts since the last success. */
  consecutiveFailures: number;
  /** When the first of them failed, ms; null if none failed. */
  failingSince: number | null;
  lastSuccessAt: number | null;
  /** Null after a success. */
  lastFailure: LastFailure | null;
}

export const UNTRIED: Health = {
  consecutiveFailures: 0,
  failingSince: null,
  lastSuccessAt: null,
  slowAt: null,
  provenAt: null,
  lastFailure: null,
};

/** From the wire contract's design: five days of nothing but failures disable a webhook. */
export const DISABLE_AFTER_MS = 5 * 24 * 3_600_000;
/** Fewer failures than this in those days are not enough: it is more than the whole schedule of one delivery makes. */
export const DISABLE_AFTER_FAILURES = 10;

/** How long an endpoint fails before its owner is notified, and again on its way to being disabled. */
export const FAILURE_LEVELS = [
  { afterMs: 30 * 60_000, word: "half_an_hour" },
  { afterMs: DISABLE_AFTER_MS * 0.5, word: "half_way" },
  { afterMs: DISABLE_AFTER_MS * 0.8, word: "most_of_the_way" },
] as const;

/** `gone`: the endpoint answered 410. `failing`: it did nothing but fail for five days. */
export type DisableReason = "gone" | "failing";

/** The health after an attempt, and whether the webhook is to be disabled. The gateway's own failures do not count. */
export function healthAfter(
  health: Health,
  attempt: Attempt,
): { health: Health; disable: DisableReason | null } {
  const { kind, status, ms } = attempt;
  if (kind === "internal") return { health, disable: null };
  const now = endedAt(attempt);
  const slowAt = kind === "timeout" || ms > SLOW_ANSWER_MS ? now : health.slowAt;
  const provenAt = health.provenAt ?? (provesEndpoint(attempt) ? now : null);
  if (kind === "delivered")
    return { health: { ...UNTRIED, lastSuccessAt: now, slowAt, provenAt }, disable: null };
  const failingSince = health.failingSince ?? now;
  const consecutiveFailures = health.consecutiveFailures + 1;
  const failing = now - failingSince >= DISABLE_AFTER_MS && consecutiveFailures >= DISABLE_AFTER_FAILURES;
  const disable = status === GONE ? "gone" : failing ? "failing" : null;
  const lastFailure = { kind, status, bot_wall: attempt.botWall === true };
  return { health: { ...health, consecutiveFailures, failingSince, slowAt, provenAt, lastFailure }, disable };
}
