/**
 * Holds back callers whose requests are refused before a rate limit can count them: unknown connections and keys, wrong
 * signatures. One per isolate, for every door; it keeps plain data only.
 *
 * - **An address towards one sender**: the platform's per-location limiter is asked after a refusal, never before an honest
 *   request. Over its limit, the address is answered from memory for a while, towards that connection or key alone.
 * - **An address's share of look-ups**: a look-up or a confirmation that ends in a refusal is charged to the address that
 *   caused it. An address that has used up its share is not looked up for until some of it has come back. Senders that the
 *   isolate knows need no look-up, so they notice nothing, even behind the same address. Look-ups that find somebody are
 *   free: a vendor may send for thousands of connections. One name that is refused again and again costs little more than
 *   once, because the address is soon held back towards it.
 *
 * Callers with many addresses have a share of each. What bounds them is {@link LookupTurns}: at most 256 look-ups in flight
 * per isolate, addresses taking turns.
 */
import type { Failure } from "../http/failure.ts";
import { logError } from "../log.ts";
import { keep } from "./bounded-map.ts";
import { LookupTurns } from "./lookup-turns.ts";

const HELD_BACK_MS = 10_000;
const MAX_HELD_BACK = 10_000;

/** Look-ups of an address that may end in a refusal at once, and how many come back per second. */
const SHARE = 120;
const SHARE_PER_SECOND = 10;
/** What a refusal costs at a name that the address was charged for within the last seconds. */
const REPEATED = 0.1;
const REPEATED_WITHIN_MS = 10_000;
/** The address charged longest ago is forgotten first, and so is the name. */
const MAX_ADDRESSES = 10_000;
const MAX_CHARGED_NAMES = 10_000;

const NO_TURN: Failure = {
  kind: "unavailable",
  retryAfterSeconds: 1,
  reason: "The sender could not be looked up in time.",
};

export class AbuseLimiter {
  readonly #heldBack = new Map<string, number>();
  readonly #charges = new Map<string, { charged: number; at: number }>();
  /** When an address was charged for a name. */
  readonly #chargedNames = new Map<string, number>();
  readonly #turns = new LookupTurns();

  /** The answer to an address that is held back towards the sender of this name; null when it may go on. */
  heldBack(address: string, name: string, now: number): Failure | null {
    const until = this.#heldBack.get(`${address} ${name}`) ?? 0;
    if (until <= now) return null;
    return {
      kind: "too_many_refusals",
      scope: "sender",
      retryAfterSeconds: Math.ceil((until - now) / 1_000),
    };
  }

  /** Counts a refusal of the address at the sender of this name. Never rejects. */
  async count(address: string, name: string, limiter: RateLimit): Promise<void> {
    try {
      const { success } = await limiter.limit({ key: `${address} ${name}` });
      if (success) return;
    } catch (error) {
      logError("the refusal limiter gave no answer", {}, error);
      return;
    }
    keep(this.#heldBack, `${address} ${name}`, Date.now() + HELD_BACK_MS, MAX_HELD_BACK);
  }

  /** The look-ups of one request from this address, for the sender of this name. */
  lookUps(address: string, name: string): LookUps {
    return new LookUps(this, address, name);
  }

  /** Looks up in the address's turn; a failure when its share is used up, or no turn came in time. Rejects as `look` does. */
  async inTurn<T>(address: string, look: () => Promise<T>): Promise<{ found: T } | { failure: Failure }> {
    const usedUp = this.#usedUp(address);
    if (usedUp !== null) return { failure: usedUp };
    const taken = this.#turns.take(address);
    const turn = taken instanceof Promise ? await taken : taken;
    if (turn === null) return { failure: NO_TURN };
    try {
      // Others of the address may have been refused while this one was in line.
      const failure = this.#usedUp(address);
      return failure === null ? { found: await look() } : { failure };
    } finally {
      this.#turns.end(turn);
    }
  }

  charge(address: string, name: string): void {
    const at = Date.now();
    const last = this.#chargedNames.get(`${address} ${name}`) ?? Number.NEGATIVE_INFINITY;
    const repeated = at - last < REPEATED_WITHIN_MS;
    if (!repeated) keep(this.#chargedNames, `${address} ${name}`, at, MAX_CHARGED_NAMES);
    const charged = this.#charged(address, at) + (repeated ? REPEATED : 1);
    keep(this.#charges, address, { charged, at }, MAX_ADDRESSES);
  }

  /** Forgets everything. */
  clear(): void {
    this.#heldBack.clear();
    this.#charges.clear();
    this.#chargedNames.clear();
  }

  #usedUp(address: string): Failure | null {
    const over = this.#charged(address, Date.now()) - SHARE + 1;
    if (over <= 0) return null;
    return {
      kind: "too_many_refusals",
      scope: "address",
      retryAfterSeconds: Math.ceil(over / SHARE_PER_SECOND),
    };
  }

  #charged(address: string, now: number): number {
    const { charged, at } = this.#charges.get(address) ?? { charged: 0, at: now };
    return Math.max(0, charged - (Math.max(0, now - at) / 1_000) * SHARE_PER_SECOND);
  }
}

/** What one request looks up, on its address's account. */
export class LookUps {
  readonly #limiter: AbuseLimiter;
  readonly #address: string;
  readonly #name: string;
  #made = false;

  constructor(limiter: AbuseLimiter, address: string, name: string) {
    this.#limiter = limiter;
    this.#address = address;
    this.#name = name;
  }

  /** As {@link AbuseLimiter.inTurn}. Every `read` within `look` may be charged. */
  inTurn<T>(look: () => Promise<T>): Promise<{ found: T } | { failure: Failure }> {
    return this.#limiter.inTurn(this.#address, look);
  }

  /** One look-up, which is charged if the request is refused for what it found. */
  read<T>(look: () => Promise<T>): Promise<T> {
    this.#made = true;
    return look();
  }

  /** The request is refused, and nothing has proved who sent it. */
  refused(): void {
    if (this.#made) this.#limiter.charge(this.#address, this.#name);
    this.#made = false;
  }
}

/** The isolate's own: a caller has one share, whatever door he comes to. */
export const abuseLimiter = new AbuseLimiter();
