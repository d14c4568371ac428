import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { addCounts, type Counts } from "../../../src/usage/counts.ts";
import {
  boundOf,
  bucketOf,
  countLatency,
  EXACT_BOUND_BUCKET,
  histogramOf,
  percentilesOf,
} from "../../../src/usage/histogram.ts";

const durations = fc.array(fc.integer({ min: 1, max: 20 * 86_400_000 }), { minLength: 1, maxLength: 50 });

function counted(list: readonly number[]): Counts {
  const counts: Counts = {};
  for (const ms of list) countLatency(counts, "latency_accepted", ms);
  return counts;
}

describe("a latency histogram", () => {
  it("separates 15 minutes from one millisecond more", () => {
    expect([bucketOf(900_000), bucketOf(900_001)]).toEqual([EXACT_BOUND_BUCKET, EXACT_BOUND_BUCKET + 1]);
    expect(boundOf(EXACT_BOUND_BUCKET)).toBe(900_000);
  });

  it("puts every duration between the bounds of its bucket", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 20 * 86_400_000 }), (ms) => {
        const bucket = bucketOf(ms);
        expect(boundOf(bucket)).toBeGreaterThanOrEqual(ms * (1 - 1e-9));
        expect(boundOf(bucket - 1)).toBeLessThan(ms * (1 + 1e-9));
      }),
    );
  });

  it("has percentiles at most 9.1 % above the exact ones, and never below", () => {
    fc.assert(
      fc.property(durations, (list) => {
        const sorted = list.toSorted((a, b) => a - b);
        const { p50, p99, count } = percentilesOf(histogramOf(counted(list), "latency_accepted"));
        const exact = (share: number) => sorted[Math.ceil(share * sorted.length) - 1] ?? 0;
        expect(count).toBe(list.length);
        for (const [value, share] of [
          [p50, 0.5],
          [p99, 0.99],
        ] as const) {
          expect(value).toBeGreaterThanOrEqual(Math.floor(exact(share) * (1 - 1e-9)));
          expect(value).toBeLessThanOrEqual(Math.ceil(exact(share) * 1.0906) + 1);
        }
      }),
    );
  });

  it("adds up: counted together or apart, the counts are equal", () => {
    fc.assert(
      fc.property(durations, durations, (one, other) => {
        const sum = counted(one);
        addCounts(sum, counted(other));
        expect(sum).toEqual(counted([...one, ...other]));
      }),
    );
  });

  it("has no percentile without a count", () => {
    expect(percentilesOf(new Map())).toEqual({ p50: null, p95: null, p99: null, count: 0 });
  });
});
