/**
 * Latency histograms that add up: one count per bucket. Bucket bounds are eighths of an octave, so a percentile is at most 9 %
 * too high, and one bound is exactly 15 minutes, the goal of the freshness metric. Pure.
 */
import { type Counts, count } from "./counts.ts";

/** In {@link Counts}, a colon and a bucket follow the name. */
export type Latency =
  /** From the request's arrival until the report was accepted. */
  | "latency_accepted"
  /** From the 202 to the files-creator's first success answer. */
  | "latency_forwarded"
  /** From the sender's timestamp to `completed`. */
  | "latency_completed"
  /** From the storing of an event to the receiver's success answer. */
  | "latency_delivered";

const BUCKETS_PER_OCTAVE = 8;
/** The bound that is exact: 15 minutes. */
const EXACT_BOUND_MS = 15 * 60_000;
/** The bucket whose upper bound is {@link EXACT_BOUND_MS}. A millisecond and less is bucket 1. */
export const EXACT_BOUND_BUCKET = 160;
/** Buckets end at 28 days, which is bucket 252. */
const LAST_BUCKET = 252;

/** The bucket of a duration: the first whose upper bound is not below it. */
export function bucketOf(ms: number): number {
  if (!(ms > 1)) return 1;
  const bucket = EXACT_BOUND_BUCKET + Math.ceil(BUCKETS_PER_OCTAVE * Math.log2(ms / EXACT_BOUND_MS));
  return Math.min(Math.max(bucket, 1), LAST_BUCKET);
}

/** The upper bound of a bucket, ms. */
export function boundOf(bucket: number): number {
  return EXACT_BOUND_MS * 2 ** ((bucket - EXACT_BOUND_BUCKET) / BUCKETS_PER_OCTAVE);
}

/** Counts a duration, in place. */
export function countLatency(counts: Counts, latency: Latency, ms: number): void {
  count(counts, `${latency}:${bucketOf(ms)}`);
}

export interface Percentiles {
  /** Milliseconds, rounded to whole ones; null without a count. */
  p50: number | null;
  p95: number | null;
  p99: number | null;
  count: number;
}

/** The histogram of one latency: from bucket to count. */
export function histogramOf(counts: Counts, latency: Latency): Map<number, number> {
  const prefix = `${latency}:`;
  return new Map(
    Object.entries(counts).flatMap(([name, n]) =>
      name.startsWith(prefix) ? [[Number(name.slice(prefix.length)), n] as const] : [],
    ),
  );
}

/** The upper bounds of the buckets that hold the percentiles. */
export function percentilesOf(histogram: ReadonlyMap<number, number>): Percentiles {
  const buckets = [...histogram].filter(([, n]) => n > 0).sort(([a], [b]) => a - b);
  const total = buckets.reduce((sum, [, n]) => sum + n, 0);
  const at = (share: number) => {
    let left = Math.ceil(share * total);
    for (const [bucket, n] of buckets) {
      left -= n;
      if (left <= 0) return Math.round(boundOf(bucket));
    }
    return null;
  };
  if (total === 0) return { p50: null, p95: null, p99: null, count: 0 };
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), count: total };
}
