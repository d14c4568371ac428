/**
 * What one request looks up about its sender: the sender's row and the employers that its body names, from the isolate's
 * cache or from D1. The object owns the request's place on the cache's logical clock: a row that the primary began to
 * read after the request came is confirmed, and a refusal that rests on it is final.
 */
import { setBounded } from "../bounded-map.ts";
import { RingKeyMissing, SealBroken } from "../crypto/vault.ts";
import { type EmployerMatch, findEmployers } from "../db/connections.ts";
import { isOutage } from "../deadline.ts";
import type { Failure } from "../http/failure.ts";
import { logError } from "../log.ts";
import { gateName } from "../model.ts";
import { err, ok, type Result } from "../result.ts";
import { type LookupAccount, SENDER_NOT_LOOKED_UP } from "./abuse-limiter.ts";
import {
  type CachedSender,
  isFresh,
  type ReadDeps,
  type ReportSender,
  type SenderCache,
  serveOn,
} from "./sender-cache.ts";

const POLL_CONFIRMATION_MS = 5;
const MAX_EMPLOYERS_PER_SENDER = 200;

/** The sender's row, null if there is none or it is deleted; a failure when the caller has to repeat the request. */
export type FoundSender<S extends ReportSender> = Result<CachedSender<S> | null, Failure>;

export class SenderLookup<S extends ReportSender> {
  readonly #cache: SenderCache<S>;
  readonly #name: string;
  readonly #deps: ReadDeps;
  readonly #account: LookupAccount;
  /** The tick of the logical clock at which the request came. */
  readonly #cameAt: number;

  constructor(cache: SenderCache<S>, name: string, deps: ReadDeps, account: LookupAccount) {
    this.#cache = cache;
    this.#name = name;
    this.#deps = deps;
    this.#account = account;
    this.#cameAt = cache.tick();
  }

  /** Whether the row was read from the primary since the request came. */
  isConfirmed({ primaryAt }: CachedSender<S>): boolean {
    return primaryAt >= this.#cameAt;
  }

  /** The row as the cache or a replica has it. An expired row serves when D1 is unavailable. */
  find(): Promise<FoundSender<S>> {
    return orRepeat(this.#deps, () => this.#find());
  }

  /**
   * The row as the primary has it, read since the request came. Set `verified` for a caller that has proved to be the
   * sender: its lookup waits for no turn and is charged to no address, because its plan limits it.
   */
  confirmOnPrimary({ verified }: { verified: boolean }): Promise<FoundSender<S>> {
    return orRepeat(this.#deps, () => this.#confirm(verified));
  }

  /** The employers that a body names: from the primary when the sender is confirmed, otherwise from the cache or a replica. */
  async employers(
    cached: CachedSender<S>,
    by: { fein: string | null; id: string | null },
  ): Promise<EmployerMatch[]> {
    const named = `${by.fein ?? ""}|${by.id ?? ""}`;
    const confirmed = this.isConfirmed(cached);
    const known = cached.employers.get(named);
    if (known !== undefined && (confirmed ? known.primaryAt >= this.#cameAt : isFresh(known)))
      return known.matches;
    const { type: ownerType, id: ownerId } = cached.sender.owner;
    const loadedAt = Date.now();
    const primaryAt = confirmed ? this.#cache.tick() : 0;
    const consistency = confirmed ? "first-primary" : "first-unconstrained";
    try {
      const matches = await findEmployers(this.#deps.db, { ...by, ownerType, ownerId }, consistency);
      const read = { matches, primaryAt, loadedAt, retryReadAt: 0 };
      setBounded(cached.employers, named, read, MAX_EMPLOYERS_PER_SENDER);
      return matches;
    } catch (error) {
      // D1 is unavailable. The expired matches may resolve the employer; they never cause a refusal that is final.
      if (known === undefined || confirmed) throw error;
      logError("failed to reload a sender's employers", { gate: gateName(cached.sender.gate) }, error);
      serveOn(known);
      return known.matches;
    }
  }

  /**
   * Reads another row of the same name from the primary. Null if there is none. A name that this isolate knows
   * (`isKnown`, or a cached sender) waits for no turn. Rejects as `read` does.
   */
  async readByName<T>(isKnown: boolean, read: () => Promise<T | null>): Promise<Result<T | null, Failure>> {
    const readUnlessMissing = async () => {
      if (this.#isMissing()) return null;
      const began = this.#cache.tick();
      const now = Date.now();
      const row = await this.#account.read(read);
      if (row === null) this.#cache.addMissing(this.#name, began, now);
      return row;
    };
    return isKnown || this.#cache.get(this.#name) !== undefined
      ? ok(await readUnlessMissing())
      : this.#account.inTurn(readUnlessMissing);
  }

  async #find(): Promise<FoundSender<S>> {
    const cached = this.#cache.get(this.#name);
    if (cached !== undefined) return ok(isFresh(cached) ? cached : await this.#reload(cached));
    if (this.#isMissing()) return ok(null);
    return this.#account.inTurn(async () => {
      // Other requests may have read the row while this one waited for its turn.
      const found = this.#cache.get(this.#name);
      if (found !== undefined && isFresh(found)) return found;
      if (this.#isMissing()) return null;
      return this.#account.read(() => this.#load("first-unconstrained"));
    });
  }

  async #reload(expired: CachedSender<S>): Promise<CachedSender<S> | null> {
    try {
      return await this.#load("first-unconstrained");
    } catch (error) {
      // The gate rejects the row's version if it is too old.
      logError("failed to reload a sender's row", { gate: gateName(expired.sender.gate) }, error);
      serveOn(expired);
      return expired;
    }
  }

  async #confirm(verified: boolean): Promise<FoundSender<S>> {
    for (;;) {
      const cached = this.#cache.get(this.#name);
      if (cached !== undefined && this.isConfirmed(cached)) return ok(cached);
      if (cached === undefined && this.#isMissing()) return ok(null);
      // Nothing may be awaited between this check and the mark below, or requests that come together would all read.
      if (!this.#cache.isConfirming(this.#name)) break;
      await scheduler.wait(POLL_CONFIRMATION_MS);
    }
    this.#cache.setConfirmation(this.#name, "began");
    let asked = false;
    const load = () => {
      asked = true;
      return this.#load("first-primary");
    };
    try {
      if (verified) return ok(await load());
      return await this.#account.inTurn(() => this.#account.read(load));
    } finally {
      this.#cache.setConfirmation(this.#name, asked ? "ended" : null);
    }
  }

  #isMissing(): boolean {
    return this.#cache.isMissing(this.#name, this.#cameAt);
  }

  #load(consistency: "first-unconstrained" | "first-primary"): Promise<CachedSender<S> | null> {
    return this.#cache.load(this.#name, this.#deps, consistency);
  }
}

/**
 * D1 is unavailable and nothing is cached, or a row does not open because its ring key is missing or it was altered.
 * Operators can correct all of these, so the failure asks the caller to repeat the request. Rejects for a bug.
 */
async function orRepeat<S extends ReportSender>(
  { missesRingKey }: Pick<ReadDeps, "missesRingKey">,
  look: () => Promise<FoundSender<S>>,
): Promise<FoundSender<S>> {
  try {
    return await look();
  } catch (error) {
    if (!(error instanceof SealBroken) && !isOutage(error)) throw error;
    const fields = error instanceof RingKeyMissing ? { ring_key: error.ringKey } : {};
    logError("failed to look up a sender", fields, error);
    if (error instanceof RingKeyMissing) missesRingKey(error.ringKey);
    return err(SENDER_NOT_LOOKED_UP);
  }
}
