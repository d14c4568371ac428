/** Rate windows against a naive log of exact times: any plan, any traffic, with restarts in between. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { HOUR_MS } from "../../../src/gate/rate-window.ts";
import { RecentRequests, type RememberedRequest } from "../../../src/gate/recent-requests.ts";
import { PLAN_LIMITS, type RateLimits } from "../../../src/model.ts";
import { inGate, newGate } from "../../support/gate.ts";

const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;
const T0 = Date.parse("2026-03-16T10:00:00.000Z");

/** Steps of the clock before a request; null is a restart of the object. */
const steps = fc.array(
  fc.oneof(
    { weight: 60, arbitrary: fc.nat(40) },
    { weight: 30, arbitrary: fc.nat(4_000) },
    { weight: 6, arbitrary: fc.nat(2 * MINUTE_MS) },
    { weight: 2, arbitrary: fc.nat(40 * MINUTE_MS) },
    { weight: 4, arbitrary: fc.constant(null) },
  ),
  { minLength: 50, maxLength: 800, size: "max" },
);
const plans = fc.record({
  perMinute: fc.integer({ min: 1, max: 40 }),
  perHour: fc.integer({ min: 1, max: 150 }),
});

/** How many of the ascending `log` lie in the last `ms` before `now`, `now` included. */
function within(log: readonly number[], now: number, ms: number): number {
  let count = 0;
  for (let i = log.length - 1; i >= 0 && (log[i] ?? 0) > now - ms; i--) count++;
  return count;
}

/** What must hold of one decision, `log` being the admissions before it. */
function expectExact(allowed: boolean, log: readonly number[], limits: RateLimits, now: number): void {
  if (allowed) {
    expect(within(log, now, MINUTE_MS)).toBeLessThan(limits.perMinute);
    expect(within(log, now, HOUR_MS)).toBeLessThan(limits.perHour);
    return;
  }
  const minuteIsFull = within(log, now, MINUTE_MS + SECOND_MS) >= limits.perMinute;
  const hourIsFull = within(log, now, HOUR_MS + MINUTE_MS) >= limits.perHour;
  expect(minuteIsFull || hourIsFull).toBe(true);
}

const rowAt = (admittedAt: number): RememberedRequest => ({
  seq: "",
  admittedAt,
  signature: null,
  signedUntil: null,
  bodyMac: null,
});

describe("in any window of a minute or an hour", () => {
  it("no more are admitted than the plan, and none is refused more than one sub-bucket early", () => {
    const property = fc.property(plans, fc.nat(HOUR_MS), steps, (plan, offset, gaps) => {
      const recent = new RecentRequests();
      const log: number[] = [];
      let now = T0 + offset;
      for (const gap of gaps) {
        if (gap === null) {
          recent.rebuild(now, log.filter((at) => at > now - HOUR_MS - MINUTE_MS).map(rowAt));
          continue;
        }
        now += gap;
        const { allowed } = recent.standing(plan, now);
        expectExact(allowed, log, plan, now);
        if (!allowed) continue;
        recent.add(rowAt(now));
        log.push(now);
      }
    });
    fc.assert(property, { numRuns: 150 });
  });

  it("there is room at the time that a refusal names, and not before", () => {
    const property = fc.property(plans, fc.nat(HOUR_MS), steps, (plan, offset, gaps) => {
      const recent = new RecentRequests();
      let now = T0 + offset;
      for (const gap of gaps) {
        now += gap ?? 0;
        const standing = recent.standing(plan, now);
        if (standing.allowed) {
          recent.charge(now);
          continue;
        }
        expect(standing.remaining).toBe(0);
        expect(recent.standing(plan, standing.resetAt - 1).allowed).toBe(false);
        now = standing.resetAt;
        expect(recent.standing(plan, now).allowed).toBe(true);
      }
    });
    fc.assert(property, { numRuns: 100 });
  });
});

describe("a gate over its real rows", () => {
  it("keeps to its plan through any restarts", async () => {
    const plan = PLAN_LIMITS.sandbox;
    // Most of an hour's places are used up in bursts, so that both windows get to block.
    const bursts = fc.array(
      fc.record({
        waitMs: fc.oneof(fc.nat(90 * SECOND_MS), fc.nat(12 * MINUTE_MS)),
        requests: fc.integer({ min: 1, max: 160 }),
        spacingMs: fc.nat(300),
        restart: fc.boolean(),
      }),
      { minLength: 10, maxLength: 30, size: "max" },
    );
    const property = fc.asyncProperty(bursts, async (traffic) => {
      const gate = await newGate({ plan: "sandbox" });
      await inGate(gate, (bench) => {
        const log: number[] = [];
        for (const { waitMs, requests, spacingMs, restart } of traffic) {
          bench.clock.now += waitMs;
          if (restart) bench.restart();
          for (let i = 0; i < requests; i++) {
            bench.clock.now += spacingMs;
            const { outcome } = bench.admit(bench.admission());
            expect(["accepted", "limited"]).toContain(outcome);
            expectExact(outcome === "accepted", log, plan, bench.clock.now);
            if (outcome === "accepted") log.push(bench.clock.now);
          }
        }
      });
    });
    await fc.assert(property, { numRuns: 6 });
  });
});
