/**
 * What a gate remembers in memory of its last hour, rebuilt from its rows when it wakes: signatures that can still
 * verify, bodies seen, and the rate windows.
 */
import type { RateLimits, RateStatus } from "./rate-window.ts";
import { HOUR_MS, RateWindows, UNNOTICED_STEP_MS } from "./rate-window.ts";

/** A timestamp may be this far from the clock, on either side. From the wire contract. */
export const SIGNATURE_WINDOW_MS = 300_000;
/** An equal body is told for this long. From the wire contract. */
export const SAME_BODY_MS = HOUR_MS;
/** Within this, an equal body without an `Idempotency-Key` under an API key is a repeat. From the wire contract. */
export const RETRIED_BODY_MS = 600_000;
/** How far the clocks of a Worker and a gate may differ; Cloudflare keeps them within milliseconds. */
export const MAX_CLOCK_SKEW_MS = 60_000;
const SWEEP_EVERY_MS = 30_000;

/** A row, or an alias (`signature` only), as the inbox reads it back. */
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

  /** True when the clock went back so far that entries may have been forgotten that count again. */
  wentBack(now: number): boolean {
    return now < this.#latest - UNNOTICED_STEP_MS;
  }

  /** Starts over from what the inbox holds of the last hour. */
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

  /** Forgets a file whose payload never came. Its place in the rate windows stays used. */
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

  /** A signed request that was refused: counts, as long as the gate is awake. */
  charge(now: number): void {
    this.#rate.add(now);
  }

  allows(limits: RateLimits, now: number): boolean {
    return this.#rate.allows(limits, now);
  }

  standing(limits: RateLimits, now: number): RateStatus {
    return this.#rate.standing(limits, now);
  }

  /** Notes the clock and drops what can no longer matter. */
  sweep(now: number): void {
    this.#latest = Math.max(this.#latest, now);
    if (now - this.#sweptAt < SWEEP_EVERY_MS) return;
    this.#sweptAt = now;
    // A step back that is too small to be noticed makes a signature verify again that had run out.
    const before = now - UNNOTICED_STEP_MS;
    for (const [key, entry] of this.#signatures) if (entry.until < before) this.#signatures.delete(key);
    for (const [key, entry] of this.#bodies) if (now - entry.at >= SAME_BODY_MS) this.#bodies.delete(key);
  }
}
