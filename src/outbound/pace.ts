/**
 * The pace of an endpoint (`max_per_minute`): how many requests may start now, counted in buckets of one second. A bucket counts
 * until a minute after the last request that it can contain, so that no minute exceeds the pace. Pure.
 */
import type { PaceBucket } from "../db/schema.ts";

const SECOND_MS = 1_000;
const WINDOW_MS = 60_000;
/** Requests arrive less evenly than they are sent. */
const JITTER_MS = 1_000;

/** How many requests may start at `now`. */
export function allowance(pace: readonly PaceBucket[], maxPerMinute: number, now: number): number {
  return Math.max(0, maxPerMinute - sum(counting(pace, now)));
}

/** Adds `requests` that start by `at`, and drops the buckets that no longer count. */
export function withRequests(pace: readonly PaceBucket[], requests: number, at: number): PaceBucket[] {
  const second = Math.floor(at / SECOND_MS);
  const others = counting(pace, at).filter(([each]) => each !== second);
  const same = sum(pace.filter(([each]) => each === second)) + requests;
  return same === 0 ? others : [...others, [second, same]];
}

/** When the next request may start. */
export function nextStartAt(pace: readonly PaceBucket[], maxPerMinute: number, now: number): number {
  let left = maxPerMinute - sum(counting(pace, now));
  if (left > 0) return now;
  for (const bucket of counting(pace, now).toSorted(([a], [b]) => a - b)) {
    left += bucket[1];
    if (left > 0) return leavesAt(bucket);
  }
  return now;
}

function counting(pace: readonly PaceBucket[], now: number): PaceBucket[] {
  return pace.filter((bucket) => leavesAt(bucket) > now);
}

function leavesAt([second]: PaceBucket): number {
  return (second + 1) * SECOND_MS + WINDOW_MS + JITTER_MS;
}

function sum(pace: readonly PaceBucket[]): number {
  return pace.reduce((total, [, requests]) => total + requests, 0);
}
