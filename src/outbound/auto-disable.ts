/** How an endpoint has been doing, what follows when it did nothing but fail, and whether it shares a queue. Pure. */

import type { LastFailure } from "../db/schema.ts";
import type { Lane } from "../messages.ts";
import type { Outcome } from "./outcome.ts";
import { GONE } from "./retry-schedule.ts";

export interface Health {
  /** Failed attempts since the last success. */
  consecutiveFailures: number;
  /** When the first of them failed, ms; null when there is none. */
  failingSince: number | null;
  lastSuccessAt: number | null;
  /** When it last took longer than {@link SLOW_ANSWER_MS}, whatever came of it. */
  slowAt: number | null;
  /** When it first answered within {@link SLOW_ANSWER_MS}, whatever it answered; null for an endpoint that is new. */
  provenAt: number | null;
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
/** Fewer attempts than this in those days tell nothing: more than one delivery makes with its whole schedule. */
export const DISABLE_AFTER_FAILURES = 10;
/** An answer this late holds a place in flight for long enough to be felt by others. */
export const SLOW_ANSWER_MS = 2_000;
/** How long a late answer is held against an endpoint: longer than the schedule's first waits, so that retries come apart. */
export const SLOW_FOR_MS = 10 * 60_000;

/** How long an endpoint fails before people are notified, and again on its way to being disabled. */
export const FAILURE_LEVELS = [
  { afterMs: 30 * 60_000, word: "half_an_hour" },
  { afterMs: DISABLE_AFTER_MS * 0.5, word: "half_way" },
  { afterMs: DISABLE_AFTER_MS * 0.8, word: "most_of_the_way" },
] as const;

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
  const provenAt = health.provenAt ?? (provesEndpoint(outcome) ? now : null);
  if (outcome.kind === "delivered") {
    return {
      health: { ...UNTRIED, lastSuccessAt: now, slowAt, provenAt },
      disable: null,
    };
  }
  const failingSince = health.failingSince ?? now;
  const consecutiveFailures = health.consecutiveFailures + 1;
  const failing = now - failingSince >= DISABLE_AFTER_MS && consecutiveFailures >= DISABLE_AFTER_FAILURES;
  const disable = outcome.status === GONE ? "gone" : failing ? "failing" : null;
  const { kind, status } = outcome;
  const lastFailure = { kind, status, bot_wall: outcome.botWall === true };
  return { health: { ...health, consecutiveFailures, failingSince, slowAt, provenAt, lastFailure }, disable };
}

/** Whether an endpoint that answers like this needs no lane for new endpoints: it answered in time, whatever it said. */
export function provesEndpoint({ kind, ms }: Pick<Outcome, "kind" | "ms">): boolean {
  return (kind === "delivered" || kind === "redirect" || kind === "status") && ms <= SLOW_ANSWER_MS;
}

/** One that was too late before it ever answered in time stays slow until it does: its first try alone is cut off. */
export function isSlow({ slowAt, provenAt }: Pick<Health, "slowAt" | "provenAt">, now: number): boolean {
  return slowAt !== null && (provenAt === null || now - slowAt < SLOW_FOR_MS);
}

/** The queue of an endpoint. */
export function laneOf(health: Pick<Health, "slowAt" | "provenAt">, now: number): Lane {
  if (isSlow(health, now)) return "slow";
  return health.provenAt === null ? "new" : "quick";
}

/** The same in SQL, of a row of webhooks. `slowSince` is the parameter that holds {@link slowSince}. */
export function laneSql(slowSince: string): string {
  return `CASE WHEN slow_at > ${slowSince} OR (slow_at IS NOT NULL AND proven_at IS NULL) THEN 'slow'
    WHEN proven_at IS NULL THEN 'new' ELSE 'quick' END`;
}

/** Endpoints that were slow after this time are slow at `now`. */
export function slowSince(now: number): number {
  return now - SLOW_FOR_MS;
}
