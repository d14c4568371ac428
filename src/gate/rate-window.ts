/**
 * Sliding rate windows with sub-buckets: seconds for the minute, minutes for the hour.
 *
 * A bucket counts until the last instant that it may hold has left the window. So a window never admits more than the plan allows,
 * and refuses a request at most one sub-bucket too early. Buckets in the future count too: the clock may have been set back.
 */
import type { RateLimits, RateStatus } from "../model.ts";

export const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
/** How long a request may count: the longest window and one of its buckets. */
export const COUNTS_FOR_MS = HOUR_MS + MINUTE_MS;
/** Setting the clock back by at most this much goes unnoticed: requests that left a window in that time count again. */
export const UNNOTICED_STEP_MS = 1_000;

class SlidingCount {
  readonly #bucketMs: number;
  readonly #windowMs: number;
  /** From bucket number to count, in the order of first use. */
  readonly #buckets = new Map<number, number>();

  constructor(bucketMs: number, windowMs: number) {
    this.#bucketMs = bucketMs;
    this.#windowMs = windowMs;
  }

  add(at: number, count: number): void {
    const bucket = Math.floor(at / this.#bucketMs);
    this.#buckets.set(bucket, (this.#buckets.get(bucket) ?? 0) + count);
  }

  total(now: number): number {
    let total = 0;
    for (const [bucket, count] of this.#buckets) {
      const leavesAt = this.#leavesAt(bucket);
      if (leavesAt > now) total += count;
      else if (leavesAt <= now - UNNOTICED_STEP_MS) this.#buckets.delete(bucket);
    }
    return total;
  }

  /**
   * The first instant at which the total is below `limit`. If it already is: when the oldest bucket leaves the window. `total` is
   * the result of {@link total} for `now`.
   */
  resetAt(limit: number, total: number, now: number): number {
    if (total < limit) return total === 0 ? now + this.#windowMs : this.#oldestLeavesAt(now);
    let left = total;
    const counted = [...this.#buckets.keys()].filter((bucket) => this.#leavesAt(bucket) > now);
    for (const bucket of counted.sort((a, b) => a - b)) {
      left -= this.#buckets.get(bucket) ?? 0;
      if (left < limit) return this.#leavesAt(bucket);
    }
    return now + this.#windowMs;
  }

  #oldestLeavesAt(now: number): number {
    let oldest = Number.POSITIVE_INFINITY;
    for (const bucket of this.#buckets.keys()) {
      if (bucket < oldest && this.#leavesAt(bucket) > now) oldest = bucket;
    }
    return this.#leavesAt(oldest);
  }

  #leavesAt(bucket: number): number {
    return (bucket + 1) * this.#bucketMs + this.#windowMs;
  }
}

export class RateWindows {
  readonly #minute = new SlidingCount(1_000, MINUTE_MS);
  readonly #hour = new SlidingCount(MINUTE_MS, HOUR_MS);

  /** Counts `count` requests at the instant `at` (ms). */
  add(at: number, count = 1): void {
    this.#minute.add(at, count);
    this.#hour.add(at, count);
  }

  /** Whether both windows have room. */
  allows(limits: RateLimits, now: number): boolean {
    return this.#minute.total(now) < limits.perMinute && this.#hour.total(now) < limits.perHour;
  }

  standing(limits: RateLimits, now: number): RateStatus {
    const minute = this.#describe(this.#minute, "1 minute", limits.perMinute, now);
    const hour = this.#describe(this.#hour, "1 hour", limits.perHour, now);
    if (!minute.allowed && !hour.allowed) return hour.resetAt > minute.resetAt ? hour : minute;
    return hour.remaining < minute.remaining ? hour : minute;
  }

  #describe(count: SlidingCount, window: RateStatus["window"], limit: number, now: number): RateStatus {
    const total = count.total(now);
    const remaining = Math.max(0, limit - total);
    return { allowed: remaining > 0, limit, remaining, resetAt: count.resetAt(limit, total, now), window };
  }
}
