/**
 * The requests of a gate's last hour, in memory and rebuilt from its rows when it starts: signatures that can still be valid, bodies,
 * and the rate windows.
 */

import type { RateLimits, RateStatus } from "../model.ts";
import { HOUR_MS, RateWindows, UNNOTICED_STEP_MS } from "./rate-window.ts";

/** An equal body is recognized for this long. From the wire contract. */
export const SAME_BODY_MS = HOUR_MS;
/** Within this, an equal body without an `Idempotency-Key` under an API key is a repeat. From the wire contract. */
export const RETRIED_BODY_MS = 600_000;
/** How far the clocks of a Worker and a gate may differ; Cloudflare keeps them within milliseconds. */
export const MAX_CLOCK_SKEW_MS = 60_000;
const SWEEP_EVERY_MS = 30_000;

/** A file row, or an alias (`signature` only), as it is read back. */
export interface RememberedRequest {
  seq: string;
  admittedAt: number | null;
  signature: string | null;
  signedUntil: number | null;
  bodyMac: string | null;
}

export class RecentRequests {
  #signatures = new Map<string, { seq: string; until: number }>();
  #bodies = new Map<string, { seq: string; at: number }>();
  #rate = new RateWindows();
  #latest = 0;
  #sweptAt = 0;

  /** Whether the clock was set back so far that entries which count again may have been forgotten. */
  wentBack(now: number): boolean {
    return now < this.#latest - UNNOTICED_STEP_MS;
  }

  /** Starts over with the rows of the last hour. */
  rebuild(now: number, rows: Iterable<RememberedRequest>): void {
    this.#signatures = new Map();
    this.#bodies = new Map();
    this.#rate = new RateWindows();
    this.#latest = now;
    for (const row of rows) this.add(row);
  }

  add(row: RememberedRequest): void {
    if (row.signature !== null && row.signedUntil !== null) {
      this.#signatures.set(row.signature, { seq: row.seq, until: row.signedUntil });
    }
    if (row.admittedAt === null) return;
    if (row.bodyMac !== null) this.#bodies.set(row.bodyMac, { seq: row.seq, at: row.admittedAt });
    this.#rate.add(row.admittedAt);
  }

  /** Forgets a file whose payload never arrived. It still counts in the rate windows. */
  forget(seq: string): void {
    for (const [key, entry] of this.#signatures) if (entry.seq === seq) this.#signatures.delete(key);
    for (const [key, entry] of this.#bodies) if (entry.seq === seq) this.#bodies.delete(key);
  }

  bySignature(signature: string, now: number): string | null {
    const entry = this.#signatures.get(signature);
    return entry !== undefined && entry.until >= now ? entry.seq : null;
  }

  byBody(bodyMac: string, now: number, withinMs = SAME_BODY_MS): string | null {
    const entry = this.#bodies.get(bodyMac);
    return entry !== undefined && now - entry.at < withinMs ? entry.seq : null;
  }

  /** Counts a refused signed request. The count is lost when the gate restarts. */
  charge(now: number): void {
    this.#rate.add(now);
  }

  allows(limits: RateLimits, now: number): boolean {
    return this.#rate.allows(limits, now);
  }

  standing(limits: RateLimits, now: number): RateStatus {
    return this.#rate.standing(limits, now);
  }

  /** Records the time and drops entries that no longer count. */
  sweep(now: number): void {
    this.#latest = Math.max(this.#latest, now);
    if (now - this.#sweptAt < SWEEP_EVERY_MS) return;
    this.#sweptAt = now;
    // After the clock is set back by less than that, an expired signature is valid again.
    const before = now - UNNOTICED_STEP_MS;
    for (const [key, entry] of this.#signatures) if (entry.until < before) this.#signatures.delete(key);
    for (const [key, entry] of this.#bodies) if (now - entry.at >= SAME_BODY_MS) this.#bodies.delete(key);
  }
}
