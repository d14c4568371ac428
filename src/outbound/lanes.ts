/** Which of the three delivery queues an endpoint belongs to: `slow`, `new` or `quick`. Pure. */
import type { Lane } from "../messages.ts";
import type { Attempt } from "./attempt-result.ts";

/** An answer that takes longer holds a place in flight for so long that other endpoints notice. */
export const SLOW_ANSWER_MS = 2_000;
/** How long an endpoint counts as slow after a late answer: longer than the first retry delays, so that retries come apart. */
export const SLOW_FOR_MS = 10 * 60_000;

/** The columns of a webhook that decide its lane. */
export interface LaneFacts {
  /** When it last took longer than {@link SLOW_ANSWER_MS}, whatever the result. */
  slowAt: number | null;
  /** When it first answered within {@link SLOW_ANSWER_MS}, whatever the answer; null for a new endpoint. */
  provenAt: number | null;
}

/** Whether an attempt proves its endpoint: it answered in time, whatever the answer. A proven endpoint leaves the lane for new ones. */
export function provesEndpoint({ kind, ms }: Pick<Attempt, "kind" | "ms">): boolean {
  return (kind === "delivered" || kind === "redirect" || kind === "status") && ms <= SLOW_ANSWER_MS;
}

/** An endpoint that was late before it was ever proven stays slow until it is: only its first attempt is cut off. */
export function isSlow({ slowAt, provenAt }: LaneFacts, now: number): boolean {
  return slowAt !== null && (provenAt === null || now - slowAt < SLOW_FOR_MS);
}

export function laneOf(facts: LaneFacts, now: number): Lane {
  if (isSlow(facts, now)) return "slow";
  return facts.provenAt === null ? "new" : "quick";
}

/** {@link laneOf} in SQL, for a row of `webhooks`. `slowSince` is the parameter that holds {@link slowSince}. */
export function laneSql(slowSince: string): string {
  return `CASE WHEN slow_at > ${slowSince} OR (slow_at IS NOT NULL AND proven_at IS NULL) THEN 'slow'
    WHEN proven_at IS NULL THEN 'new' ELSE 'quick' END`;
}

/** Endpoints that were late after this time are slow at `now`. */
export function slowSince(now: number): number {
  return now - SLOW_FOR_MS;
}
