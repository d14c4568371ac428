import { describe, expect, it } from "vitest";
import { type Attempt, FAILURE_KINDS } from "../../../src/outbound/attempt-result.ts";
import { ATTEMPTS_PER_DELIVERY, nextAttemptAt } from "../../../src/outbound/retry-schedule.ts";

type Outcome = Omit<Attempt, "startedAt">;

const FAILED_AT = Date.UTC(2026, 10, 24, 12, 0, 0, 250);
const S = 1_000;
const HOUR = 3_600 * S;

function answered(status: number, retryAfterMs: number | null = null): Outcome {
  return { kind: "status", status, ms: 5, answer: "", retryAfterMs };
}

/** Seconds from the failure of attempt 1, 2, … 7 to the next one. */
const SCHEDULE = [0, 60, 300, 1_800, 7_200, 21_600, null];

const FAILURES: [name: string, outcome: Outcome][] = [
  ...FAILURE_KINDS.filter((kind) => kind !== "status" && kind !== "redirect").map(
    (kind): [string, Outcome] => [kind, { kind, status: null, ms: 5, answer: null, retryAfterMs: null }],
  ),
  ["redirect", { kind: "redirect", status: 302, ms: 5, answer: "", retryAfterMs: null }],
  ...[400, 401, 404, 408, 409, 422, 429, 500, 502, 503, 504].map((status): [string, Outcome] => [
    `HTTP ${status}`,
    answered(status),
  ]),
];

describe("the schedule", () => {
  it.each(FAILURES)("is the documented one to the millisecond after %s", (_, outcome) => {
    const waits = SCHEDULE.map((__, index) => {
      const at = nextAttemptAt(index + 1, FAILED_AT, outcome);
      return at === null ? null : (at - FAILED_AT) / S;
    });
    expect(waits).toEqual(SCHEDULE);
    expect(ATTEMPTS_PER_DELIVERY).toBe(SCHEDULE.length);
  });

  it("ends with a success and with a receiver that is gone, whichever attempt it was", () => {
    for (let attempt = 1; attempt <= ATTEMPTS_PER_DELIVERY; attempt++) {
      expect(
        nextAttemptAt(attempt, FAILED_AT, { kind: "delivered", status: 200, retryAfterMs: null }),
      ).toBeNull();
      expect(nextAttemptAt(attempt, FAILED_AT, answered(410, 60 * S))).toBeNull();
    }
  });

  it.each([
    [1, 429, 90 * S, 90 * S],
    [1, 503, 1, 1],
    [2, 429, 30 * S, 60 * S],
    [2, 503, 61 * S, 61 * S],
    [6, 503, 7 * HOUR, 7 * HOUR],
    [6, 429, 30 * HOUR, 24 * HOUR],
    [1, 429, Number.MAX_SAFE_INTEGER, 24 * HOUR],
    [2, 429, 0, 60 * S],
    [2, 500, HOUR, 60 * S],
    [2, 404, HOUR, 60 * S],
  ])("after attempt %i with %i and Retry-After of %i ms waits %i ms", (attempt, status, asked, waited) => {
    expect(nextAttemptAt(attempt, FAILED_AT, answered(status, asked))).toBe(FAILED_AT + waited);
  });

  it("is not made longer than its last attempt by Retry-After", () => {
    expect(nextAttemptAt(ATTEMPTS_PER_DELIVERY, FAILED_AT, answered(503, HOUR))).toBeNull();
  });
});
