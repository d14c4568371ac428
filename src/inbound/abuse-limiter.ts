/**
 * Limits callers whose requests are refused before a rate limit can count them: unknown connections and keys, wrong
 * signatures. One per isolate, shared by both intakes and the developer API's reads; it keeps plain data only.
 *
 * - **An address towards one sender.** After a refusal, the platform's per-location limiter is asked; an honest request
 *   never asks it. An address over that limit is refused from memory for a while, for that connection or key alone.
 * - **An address's allowance of lookups.** A lookup or confirmation that ends in a refusal is charged to the address that
 *   caused it. Nothing is looked up for an address that has used up its allowance, until some of it has come back.
 *   Senders that the isolate knows need no lookup, so they are not affected, even behind the same address. Lookups that
 *   find a sender are free: a vendor may send for thousands of connections. Repeated refusals of one name cost little,
 *   because the address is soon held back for that name.
 *
 * Each address has its own allowance. {@link LookupTurns} limits callers with many addresses.
 */
import { setBounded } from "../bounded-map.ts";
import type { Failure } from "../http/failure.ts";
import { logError } from "../log.ts";
import { err, ok, type Result } from "../result.ts";
import { LookupTurns } from "./lookup-turns.ts";

const HELD_BACK_MS = 10_000;
const MAX_HELD_BACK = 10_000;

/** Lookups per address that may end in a refusal at once, and how many come back per second. */
const ALLOWANCE = 120;
const ALLOWANCE_PER_SECOND = 10;
/** What a refusal costs when the address was charged for the same name within the last seconds. */
const REPEATED_COST = 0.1;
const REPEATED_WITHIN_MS = 10_000;
/** The address that was charged longest ago is forgotten first, and so is the name. */
const MAX_ADDRESSES = 10_000;
const MAX_CHARGED_NAMES = 10_000;

export const SENDER_NOT_LOOKED_UP: Failure = { kind: "sender_lookup_unavailable" };

export class AbuseLimiter {
  readonly #heldBack = new Map<string, number>();
  readonly #charges = new Map<string, { charged: number; at: number }>();
  /** When an address was charged for a name. */
  readonly #chargedNames = new Map<string, number>();
  readonly #turns = new LookupTurns();

  /** The failure for an address that is held back for this name; null if it may go on. */
  heldBack(address: string, name: string, now: number): Failure | null {
    const until = this.#heldBack.get(`${address} ${name}`) ?? 0;
    if (until <= now) return null;
    return {
      kind: "too_many_refusals",
      scope: "sender",
      retryAfterSeconds: Math.ceil((until - now) / 1_000),
    };
  }

  /** Counts a refusal of the address for this name. Never rejects. */
  async count(address: string, name: string, limiter: RateLimit): Promise<void> {
    try {
      const { success } = await limiter.limit({ key: `${address} ${name}` });
      if (success) return;
    } catch (error) {
      logError("failed to ask the refusal limiter", {}, error);
      return;
    }
    setBounded(this.#heldBack, `${address} ${name}`, Date.now() + HELD_BACK_MS, MAX_HELD_BACK);
  }

  /** The account for the lookups of one request. */
  account(address: string, name: string): LookupAccount {
    return new LookupAccount(this, address, name);
  }

  /** Runs `look` in the address's turn. A failure when its allowance is used up or no turn came in time. Rejects as `look` does. */
  async inTurn<T>(address: string, look: () => Promise<T>): Promise<Result<T, Failure>> {
    const usedUp = this.#usedUp(address);
    if (usedUp !== null) return err(usedUp);
    const acquired = this.#turns.acquire(address);
    const turn = acquired instanceof Promise ? await acquired : acquired;
    if (turn === null) return err(SENDER_NOT_LOOKED_UP);
    try {
      // Other requests of the address may have been refused while this one waited.
      const failure = this.#usedUp(address);
      return failure === null ? ok(await look()) : err(failure);
    } finally {
      this.#turns.release(turn);
    }
  }

  charge(address: string, name: string): void {
    const at = Date.now();
    const last = this.#chargedNames.get(`${address} ${name}`) ?? Number.NEGATIVE_INFINITY;
    const repeated = at - last < REPEATED_WITHIN_MS;
    if (!repeated) setBounded(this.#chargedNames, `${address} ${name}`, at, MAX_CHARGED_NAMES);
    const charged = this.#charged(address, at) + (repeated ? REPEATED_COST : 1);
    setBounded(this.#charges, address, { charged, at }, MAX_ADDRESSES);
  }

  /** Forgets everything. */
  clear(): void {
    this.#heldBack.clear();
    this.#charges.clear();
    this.#chargedNames.clear();
  }

  #usedUp(address: string): Failure | null {
    const over = this.#charged(address, Date.now()) - ALLOWANCE + 1;
    if (over <= 0) return null;
    return {
      kind: "too_many_refusals",
      scope: "address",
      retryAfterSeconds: Math.ceil(over / ALLOWANCE_PER_SECOND),
    };
  }

  #charged(address: string, now: number): number {
    const { charged, at } = this.#charges.get(address) ?? { charged: 0, at: now };
    return Math.max(0, charged - (Math.max(0, now - at) / 1_000) * ALLOWANCE_PER_SECOND);
  }
}

/** The lookups of one request, charged to its address if the request is refused for what they found. */
export class LookupAccount {
  readonly #limiter: AbuseLimiter;
  readonly #address: string;
  readonly #name: string;
  #hasRead = false;

  constructor(limiter: AbuseLimiter, address: string, name: string) {
    this.#limiter = limiter;
    this.#address = address;
    this.#name = name;
  }

  /** As {@link AbuseLimiter.inTurn}. Every `read` within `look` may be charged. */
  inTurn<T>(look: () => Promise<T>): Promise<Result<T, Failure>> {
    return this.#limiter.inTurn(this.#address, look);
  }

  /** One lookup in the database. */
  read<T>(look: () => Promise<T>): Promise<T> {
    this.#hasRead = true;
    return look();
  }

  /** Call when the request is refused before it proved its sender. Free when it looked nothing up. */
  chargeRefusal(): void {
    if (this.#hasRead) this.#limiter.charge(this.#address, this.#name);
    this.#hasRead = false;
  }
}

/** The isolate's limiter: an address has one allowance, whichever intake it calls. */
export const abuseLimiter = new AbuseLimiter();
