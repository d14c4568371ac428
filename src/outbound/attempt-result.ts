/** What an attempt means for its delivery. Pure. */
import type { StoredAttempt } from "../db/schema.ts";
import type { Recorded } from "./attempt-store.ts";
import type { DueDelivery } from "./endpoint-lease.ts";
import type { KeptAnswer } from "./kept-answer.ts";
import type { Outcome } from "./outcome.ts";
import { nextAttemptAt } from "./retry-schedule.ts";
import type { Sent } from "./send.ts";

/** `kept` is what is kept of the receiver's answer, sealed. */
export function judge(
  due: Pick<DueDelivery, "event_seq" | "attempts" | "round_start">,
  { startedAt, outcome }: Sent,
  kept: KeptAnswer,
): Recorded {
  const number = due.attempts + 1;
  const { kind, status, ms } = outcome;
  const next = nextAttemptAt(number - due.round_start, startedAt + ms, outcome);
  return {
    eventSeq: due.event_seq,
    attempt: attemptOf(number, startedAt, outcome, kept),
    status: kind === "delivered" ? "delivered" : next === null ? "failed" : "retrying",
    nextAttemptAt: next,
    error: kind === "delivered" ? null : errorOf(kind, status),
  };
}

/** An attempt as it is stored. */
export function attemptOf(
  number: number,
  startedAt: number,
  outcome: Outcome,
  kept: KeptAnswer,
): StoredAttempt {
  const { kind, status, ms } = outcome;
  const cause = kind === "delivered" ? undefined : outcome.tlsCause;
  return { number, started_at: startedAt, ms, kind, status, ...kept, ...(cause && { tls_cause: cause }) };
}

/** The failure in a word or two. */
export function errorOf(kind: string, status: number | null): string {
  return status === null ? kind : `HTTP ${status}`;
}
