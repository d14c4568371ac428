/** What an attempt means for its delivery. Pure. */
import type { DueDelivery } from "./hold.ts";
import type { Recorded } from "./record.ts";
import { nextAttemptAt } from "./retry.ts";
import type { Sent } from "./send.ts";

/** `answer` is the start of the receiver's answer, sealed. */
export function judge(
  due: Pick<DueDelivery, "event_seq" | "attempts" | "round_start">,
  { startedAt, outcome }: Sent,
  answer: string | null,
): Recorded {
  const number = due.attempts + 1;
  const { kind, status, ms } = outcome;
  const next = nextAttemptAt(number - due.round_start, startedAt + ms, outcome);
  return {
    eventSeq: due.event_seq,
    attempt: { number, started_at: startedAt, ms, kind, status, answer },
    status: kind === "delivered" ? "delivered" : next === null ? "failed" : "retrying",
    nextAttemptAt: next,
    error: kind === "delivered" ? null : errorOf(kind, status),
  };
}

/** The failure in a word or two. */
export function errorOf(kind: string, status: number | null): string {
  return status === null ? kind : `HTTP ${status}`;
}
