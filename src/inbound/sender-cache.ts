/**
 * Senders as this isolate knows them: connections and API keys, cached for a minute with their imported keys, bounded in
 * number.
 *
 * A cached row never grants what the portal took away, because the gate refuses callers who know an older version. It
 * never refuses what the portal has just given, because a refusal is confirmed on D1's primary first: one confirmation
 * at a time per sender, and at most fifty per second. What callers who prove nothing look up is charged to their address by
 * {@link LookUps}, so that bad requests are not turned into database load.
 * Requests share plain data only: a promise of another request may never settle once its client has gone.
 */

import type { KeyRing } from "../crypto/vault.ts";
import { type Consistency, type EmployerMatch, type Found, findEmployers } from "../db/connections.ts";
import type { Admission } from "../gate/protocol.ts";
import type { Failure } from "../http/failure.ts";
import { logError } from "../log.ts";
import { gateName, type OwnerType } from "../model.ts";
import type { LookUps } from "./abuse-limiter.ts";
import type { Sender } from "./admit-report.ts";
import { keep } from "./bounded-map.ts";

const FRESH_MS = 60_000;
const MAX_SENDERS = 5_000;
const MAX_MISSING = 10_000;
/**
 * A name that the primary did not have is remembered for as long as it has been missing, at most this long: who was refused
 * once is looked up again at once, who keeps sending is not. Ids and keys are minted at random with their row, and a deleted
 * one never comes back, so that nobody waits for one who was just created.
 */
const LONGEST_MISSING_MS = 10_000;
const MAX_CONFIRMING = 1_000;
const MAX_EMPLOYERS_PER_SENDER = 200;
/** From the end of one confirmation of a sender to the next. */
const CONFIRMATIONS_APART_MS = 20;
/** After this, whoever was confirming is taken to be gone. */
const CONFIRMING_MS = 2_000;
const POLL_MS = 5;
/** While D1 is away or hangs, an expired row serves for so long before the next request waits for another reading. */
const ASK_AGAIN_MS = 5_000;

export interface BoundEmployer {
  id: string;
  fein: string | null;
  /** Whether the sender's owner may report for it. Withdrawing the grant is known here when the row is read again. */
  granted: boolean;
}

/** Who sends reports, as its row has it. */
export interface ReportSender extends Sender {
  owner: { type: OwnerType; id: string };
  /** The one employer it speaks for; null where any that is granted to its owner will do. */
  employer: BoundEmployer | null;
  sameBody: Admission["sameBody"];
  /** How long its answers are held where a request does not say. */
  waitSeconds: number;
}

/** One reading of a sender's row. */
export interface Known<S extends ReportSender> {
  sender: S;
  /** The {@link Directory.moment} at which the read began that the primary served; 0 when a replica served it. */
  primaryAt: number;
  loadedAt: number;
  /** An expired row is not read again before this; 0 unless its last reading failed. */
  askAgainAt: number;
  /** By what named them. They outlive the row's reload, but not their own minute. */
  employers: Map<string, KnownEmployers>;
}

/** What a look-up came to; a failure when the caller has to repeat the request. */
export type Looked<S extends ReportSender> = { found: Known<S> | null } | { failure: Failure };

/** Reads a sender's row and opens what is sealed in it. Null when there is none, or it is deleted. Rejects when D1 is away. */
export type ReadSender<S> = (
  name: string,
  deps: DirectoryDeps,
  consistency: Consistency,
) => Promise<Found<S | null>>;

interface KnownEmployers {
  matches: EmployerMatch[];
  /** As the sender's own. */
  primaryAt: number;
  loadedAt: number;
  askAgainAt: number;
}

/** A name that the primary did not have: since when, when it was last asked, and until when it need not be asked again. */
interface Missing {
  since: number;
  /** The {@link Directory.moment} at which the read began. */
  primaryAt: number;
  until: number;
}

export interface DirectoryDeps {
  db: D1Database;
  keyRing: KeyRing;
}

/** `S` are the senders of one door, named by what its requests name them by. */
export class Directory<S extends ReportSender> {
  readonly #read: ReadSender<S>;
  readonly #known = new Map<string, Known<S>>();
  readonly #confirmations = new Map<string, { at: number; ended: boolean }>();
  /** Names that the primary did not have. */
  readonly #missing = new Map<string, Missing>();
  #moment = 0;

  constructor(read: ReadSender<S>) {
    this.#read = read;
  }

  /** Orders what happens in this isolate. The clock cannot: it stands still between answers from outside. */
  moment(): number {
    return ++this.#moment;
  }

  /** Whether the sender was found here before, as far as that is remembered. */
  knows(name: string): boolean {
    return this.#known.has(name);
  }

  /**
   * Null when there is none or it is deleted, as far as a cache or a replica knows. `since` is the moment at which the
   * request came. Rejects when D1 is away and nothing is cached.
   */
  async find(name: string, since: number, deps: DirectoryDeps, lookUps: LookUps): Promise<Looked<S>> {
    const cached = this.#known.get(name);
    if (cached !== undefined) return { found: await this.#fresh(cached, name, deps) };
    if (this.isMissing(name, since)) return { found: null };
    return lookUps.inTurn(async () => {
      // Others may have found out while this request was in line.
      const found = this.#known.get(name);
      if (found !== undefined && serves(found)) return found;
      if (this.isMissing(name, since)) return null;
      return lookUps.read(() => this.#load(name, deps, "first-unconstrained"));
    });
  }

  /**
   * What the primary says now, or said since the moment `since`. Without `lookUps` for a caller who has proved to be the
   * sender: what he asks for takes no turn, because his plan limits him.
   */
  async confirm(
    name: string,
    since: number,
    deps: DirectoryDeps,
    lookUps: LookUps | null,
  ): Promise<Looked<S>> {
    for (;;) {
      const cached = this.#known.get(name);
      if (cached !== undefined && cached.primaryAt >= since) return { found: cached };
      if (cached === undefined && this.isMissing(name, since)) return { found: null };
      const last = this.#confirmations.get(name);
      if (last === undefined) break;
      const age = performance.now() - last.at;
      if (age > (last.ended ? CONFIRMATIONS_APART_MS : CONFIRMING_MS)) break;
      await scheduler.wait(POLL_MS);
    }
    // Of a request whose client has gone, nothing ever says that it ended.
    keep(this.#confirmations, name, { at: performance.now(), ended: false }, MAX_CONFIRMING);
    const load = () => this.#load(name, deps, "first-primary");
    let asked = false;
    try {
      if (lookUps === null) {
        asked = true;
        return { found: await load() };
      }
      return await lookUps.inTurn(() => {
        asked = true;
        return lookUps.read(load);
      });
    } finally {
      if (asked) keep(this.#confirmations, name, { at: performance.now(), ended: true }, MAX_CONFIRMING);
      else this.#confirmations.delete(name);
    }
  }

  /** The employers a body names: from the primary where the sender was confirmed since then, else from the cache. */
  async employers(
    known: Known<S>,
    by: { fein: string | null; id: string | null },
    db: D1Database,
    since: number,
  ): Promise<EmployerMatch[]> {
    const named = `${by.fein ?? ""}|${by.id ?? ""}`;
    const confirmed = known.primaryAt >= since;
    const cached = known.employers.get(named);
    if (cached !== undefined && (confirmed ? cached.primaryAt >= since : serves(cached)))
      return cached.matches;
    const { type: ownerType, id: ownerId } = known.sender.owner;
    const loadedAt = Date.now();
    const primaryAt = confirmed ? this.moment() : 0;
    const consistency = confirmed ? "first-primary" : "first-unconstrained";
    try {
      const matches = await findEmployers(db, { ...by, ownerType, ownerId }, consistency);
      const read = { matches, primaryAt, loadedAt, askAgainAt: 0 };
      keep(known.employers, named, read, MAX_EMPLOYERS_PER_SENDER);
      return matches;
    } catch (error) {
      // D1 is away: what was known a while ago serves, but refuses nobody.
      if (cached === undefined || confirmed) throw error;
      logError("failed to read a sender's employers again", { gate: gateName(known.sender.gate) }, error);
      cached.askAgainAt = Date.now() + ASK_AGAIN_MS;
      return cached.matches;
    }
  }

  /** Forgets everything. */
  clear(): void {
    this.#known.clear();
    this.#missing.clear();
    this.#confirmations.clear();
  }

  /** Its row again once it is old. */
  async #fresh(cached: Known<S>, name: string, deps: DirectoryDeps): Promise<Known<S> | null> {
    if (serves(cached)) return cached;
    try {
      return await this.#load(name, deps, "first-unconstrained");
    } catch (error) {
      // The gate's version guards what the row says.
      logError("failed to read a sender's row again", { gate: gateName(cached.sender.gate) }, error);
      cached.askAgainAt = Date.now() + ASK_AGAIN_MS;
      return cached;
    }
  }

  /** Whether the primary did not have this name, since the moment `since` or within the time that is remembered. */
  isMissing(name: string, since: number): boolean {
    const missing = this.#missing.get(name);
    return missing !== undefined && (missing.primaryAt >= since || Date.now() < missing.until);
  }

  /** The primary did not have this name at the moment `primaryAt`, the time `now`. */
  addMissing(name: string, primaryAt: number, now: number): void {
    const before = this.#missing.get(name);
    const since = before !== undefined && now - before.until < LONGEST_MISSING_MS ? before.since : now;
    const until = now + Math.min(LONGEST_MISSING_MS, Math.max(0, now - since));
    keep(this.#missing, name, { since, primaryAt, until }, MAX_MISSING);
  }

  async #load(name: string, deps: DirectoryDeps, consistency: Consistency): Promise<Known<S> | null> {
    const loadedAt = Date.now();
    const began = this.moment();
    const { value: sender, fromPrimary } = await this.#read(name, deps, consistency);
    const before = this.#known.get(name);
    this.#known.delete(name);
    if (sender === null) {
      if (fromPrimary) this.addMissing(name, began, loadedAt);
      return null;
    }
    const { owner } = sender;
    const sameOwner = before?.sender.owner.type === owner.type && before.sender.owner.id === owner.id;
    const employers = sameOwner ? before.employers : new Map();
    const primaryAt = fromPrimary ? began : 0;
    const known: Known<S> = { sender, primaryAt, loadedAt, askAgainAt: 0, employers };
    keep(this.#known, name, known, MAX_SENDERS);
    return known;
  }
}

/** Whether what was read is used without reading again. */
function serves({ loadedAt, askAgainAt }: { loadedAt: number; askAgainAt: number }): boolean {
  const now = Date.now();
  return now - loadedAt < FRESH_MS || (now < askAgainAt && askAgainAt - now <= ASK_AGAIN_MS);
}
