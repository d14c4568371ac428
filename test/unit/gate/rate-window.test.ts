import { describe, expect, it } from "vitest";
import { HOUR_MS, RateWindows, UNNOTICED_STEP_MS } from "../../../src/gate/rate-window.ts";
import type { RateLimits } from "../../../src/model.ts";
import { seeded } from "../../support/random.ts";

const MINUTE_MS = 60_000;
const SECOND_MS = 1_000;
const T0 = Date.parse("2026-03-16T10:00:00.000Z");

/** How many of the ascending `log` lie in the last `ms` before `now`, `now` included. */
function within(log: readonly number[], now: number, ms: number): number {
  let count = 0;
  for (let i = log.length - 1; i >= 0 && (log[i] ?? 0) > now - ms; i--) count++;
  return count;
}

/** Gaps between requests: mostly bursts, some seconds, now and then minutes. */
function gap(random: () => number): number {
  const kind = random();
  if (kind < 0.7) return Math.floor(random() * 50);
  if (kind < 0.95) return Math.floor(random() * 5_000);
  return Math.floor(random() * 8 * MINUTE_MS);
}

const PLANS: [string, RateLimits][] = [
  ["the minute is the tighter one", { perMinute: 10, perHour: 400 }],
  ["the hour is the tighter one", { perMinute: 40, perHour: 120 }],
  ["both block in turn", { perMinute: 15, perHour: 60 }],
];

describe.each(PLANS)("against a log of exact times, where %s", (_name, limits) => {
  it.each([1, 2, 3, 4])(
    "admits no more than the plan in any window, and refuses at most one bucket early (seed %i)",
    (seed) => {
      const random = seeded(seed);
      const windows = new RateWindows();
      const log: number[] = [];
      let refused = 0;
      for (let now = T0, i = 0; i < 6_000; i++, now += gap(random)) {
        if (windows.standing(limits, now).allowed) {
          windows.add(now);
          log.push(now);
          // A window holds most when it ends with an admission: these are all windows that matter.
          expect(within(log, now, MINUTE_MS)).toBeLessThanOrEqual(limits.perMinute);
          expect(within(log, now, HOUR_MS)).toBeLessThanOrEqual(limits.perHour);
        } else {
          refused++;
          const minuteIsFull = within(log, now, MINUTE_MS + SECOND_MS) >= limits.perMinute;
          const hourIsFull = within(log, now, HOUR_MS + MINUTE_MS) >= limits.perHour;
          expect(minuteIsFull || hourIsFull).toBe(true);
        }
      }
      expect(refused).toBeGreaterThan(100);
      expect(log.length).toBeGreaterThan(100);
    },
  );

  it.each([5, 6])("admits at `resetAt` after a refusal, and not a millisecond before (seed %i)", (seed) => {
    const random = seeded(seed);
    const windows = new RateWindows();
    let refused = 0;
    for (let now = T0, i = 0; i < 2_000; i++, now += gap(random)) {
      const standing = windows.standing(limits, now);
      if (standing.allowed) {
        windows.add(now);
        continue;
      }
      refused++;
      expect(standing.remaining).toBe(0);
      expect(standing.resetAt).toBeGreaterThan(now);
      expect(windows.standing(limits, standing.resetAt - 1).allowed).toBe(false);
      expect(windows.standing(limits, standing.resetAt).allowed).toBe(true);
      now = standing.resetAt;
    }
    expect(refused).toBeGreaterThan(20);
  });

  it.each([7, 8])(
    "admits no more than the plan in any real minute or hour while its clock is set back (seed %i)",
    (seed) => {
      const random = seeded(seed);
      const windows = new RateWindows();
      const log: number[] = [];
      let behind = 0;
      for (let real = T0, i = 0; i < 4_000; i++, real += gap(random)) {
        if (random() < 0.01) behind += Math.floor(random() * 3 * MINUTE_MS);
        const clock = real - behind;
        if (!windows.standing(limits, clock).allowed) continue;
        windows.add(clock);
        log.push(real);
        expect(within(log, real, MINUTE_MS)).toBeLessThanOrEqual(limits.perMinute);
        expect(within(log, real, HOUR_MS)).toBeLessThanOrEqual(limits.perHour);
      }
      expect(log.length).toBeGreaterThan(100);
    },
  );
});

describe("the window that is described", () => {
  const limits: RateLimits = { perMinute: 10, perHour: 20 };

  it.each([
    { name: "nothing used: the one with fewer places", used: [], window: "1 minute", remaining: 10 },
    { name: "a burst: the minute", used: [[0, 8]], window: "1 minute", remaining: 2 },
    {
      name: "an hour's use long before: the hour",
      used: [
        [-10, 8],
        [-5, 8],
      ],
      window: "1 hour",
      remaining: 4,
    },
    { name: "the minute is full: the minute", used: [[0, 10]], window: "1 minute", remaining: 0 },
    {
      name: "the hour is full, the minute is not: the hour",
      used: [
        [-10, 10],
        [-5, 10],
      ],
      window: "1 hour",
      remaining: 0,
    },
    {
      name: "both full: the one that opens last",
      used: [
        [-10, 10],
        [0, 10],
      ],
      window: "1 hour",
      remaining: 0,
    },
  ])("is with $name", ({ used, window, remaining }) => {
    const windows = new RateWindows();
    for (const [minutes = 0, count] of used) windows.add(T0 + minutes * MINUTE_MS, count);
    expect(windows.standing(limits, T0)).toMatchObject({
      window,
      remaining,
      allowed: remaining > 0,
      limit: window === "1 hour" ? 20 : 10,
    });
  });

  it("counts what has just left again when the clock steps back by less than anybody notices", () => {
    const windows = new RateWindows();
    windows.add(T0, 10);
    const left = T0 + MINUTE_MS + SECOND_MS;
    expect(windows.standing(limits, left).remaining).toBe(10);
    expect(windows.standing(limits, left - 1)).toMatchObject({ remaining: 0, resetAt: left });
    expect(windows.standing(limits, left).remaining).toBe(10);
    windows.standing(limits, left + UNNOTICED_STEP_MS);
    expect(windows.standing(limits, left - 1).remaining).toBe(10);
  });

  it("opens the minute again when its oldest second has left, not when the newest has", () => {
    const windows = new RateWindows();
    windows.add(T0, 9);
    windows.add(T0 + 30 * SECOND_MS, 1);
    const standing = windows.standing(limits, T0 + 40 * SECOND_MS);
    expect(standing.resetAt).toBe(T0 + MINUTE_MS + SECOND_MS);
    expect(windows.standing(limits, standing.resetAt).remaining).toBe(9);
  });
});
