import { expect, it } from "vitest";
import type { PaceBucket } from "../../../src/db/schema.ts";
import { allowance, nextStartAt, withRequests } from "../../../src/outbound/pace.ts";

const NOW = Date.UTC(2026, 10, 24);

/** Starts what is allowed whenever it is, for ten minutes; answers when each request started. */
function run(perMinute: number, everyMs: number, atATime: number): number[] {
  const starts: number[] = [];
  let pace: PaceBucket[] = [];
  for (let now = NOW; now < NOW + 600_000; now += everyMs) {
    const n = Math.min(atATime, allowance(pace, perMinute, now));
    if (n > 0) pace = withRequests(pace, n, now);
    for (let i = 0; i < n; i++) starts.push(now);
  }
  return starts;
}

it.each([
  [1, 333, 64],
  [10, 1_000, 64],
  [60, 700, 4],
  [600, 250, 20],
])(
  "with %i a minute, no minute sees more, and little less than that is sent",
  (perMinute, everyMs, atATime) => {
    const starts = run(perMinute, everyMs, atATime);
    for (const start of starts) {
      const inMinute = starts.filter((each) => each >= start && each < start + 60_000);
      expect(inMinute.length).toBeLessThanOrEqual(perMinute);
    }
    expect(starts.length).toBeGreaterThanOrEqual(perMinute * 9);
  },
);

it("returns when the next request may start: then, and not before", () => {
  const pace = withRequests(withRequests([], 2, NOW), 3, NOW + 10_000);
  const at = nextStartAt(pace, 5, NOW + 11_000);
  expect(at).toBeGreaterThan(NOW + 60_000);
  expect(at).toBeLessThanOrEqual(NOW + 62_000);
  expect(allowance(pace, 5, at - 1)).toBe(0);
  expect(allowance(pace, 5, at)).toBe(2);
  expect(nextStartAt(pace, 6, NOW + 11_000)).toBe(NOW + 11_000);
});

it("waits longer if the pace was lowered below what has started", () => {
  const pace = withRequests(withRequests([], 5, NOW), 5, NOW + 20_000);
  const at = nextStartAt(pace, 3, NOW + 21_000);
  expect(allowance(pace, 3, at - 1)).toBe(0);
  expect(allowance(pace, 3, at)).toBe(3);
});

it("forgets what no longer counts", () => {
  expect(withRequests(withRequests([], 5, NOW), 1, NOW + 120_000)).toHaveLength(1);
});
