/**
 * Senders as this isolate knows them: connections and API keys, cached for a minute with their imported keys, bounded in
 * number.
 *
 * A cached row never grants what the portal took away, because the gate refuses callers who know an older version. It
 * never refuses what the portal has just given, because a refusal is confirmed on D1's primary first: one confirmation
 * at a time per sender. Confirmations, and reads that find nobody, are bounded by the second, so that bad requests are not
 * turned into database load.
 * Requests share plain data only: a promise of another request may never settle once its client has gone.
 */

import type { KeyRing } from "../crypto/vault.ts";
import { type Consistency, type EmployerMatch, type Found, findEmployers } from "../db/connections.ts";
import type { OwnerType } from "../db/schema.ts";
import type { Admission } from "../gate/protocol.ts";
import type { Sender } from "./admit.ts";

const FRESH_MS = 60_000;
const MAX_SENDERS = 5_000;
const MAX_MISSING = 1_000;
const MAX_EMPLOYERS_PER_SENDER = 200;
/** Confirmations a second and isolate; a refusal past them is answered 503, which is safe to repeat. */
const CONFIRMATIONS_PER_SECOND = 50;
/** Names looked up in vain a second and isolate; past them, names that are not known here are answered 503 until it ends. */
const MISSES_PER_SECOND = 200;
/** After this, whoever was confirming is taken to be gone. */
const CONFIRMING_MS = 2_000;
const POLL_MS = 5;

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
  /** By what named them. They outlive the row's reload, but not their own minute. */
  employers: Map<string, KnownEmployers>;
}

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
}

export interface DirectoryDeps {
  db: D1Database;
  keyRing: KeyRing;
}

/** `S` are the senders of one door, named by what its requests name them by. */
export class Directory<S extends ReportSender> {
  readonly #read: ReadSender<S>;
  readonly #known = new Map<string, Known<S>>();
  readonly #confirming = new Map<string, number>();
  /** Names that the primary did not know, and the moment it was asked: spares those who asked at the same time. */
  readonly #missing = new Map<string, number>();
  readonly #confirmations = new PerSecond();
  readonly #misses = new PerSecond();
  #moment = 0;

  constructor(read: ReadSender<S>) {
    this.#read = read;
  }

  /** Orders what happens in this isolate. The clock cannot: it stands still between answers from outside. */
  moment(): number {
    return ++this.#moment;
  }

  /** Whether the sender was ever found here, as far as that is remembered. */
  knows(name: string): boolean {
    return this.#known.has(name);
  }

  /**
   * Null when there is none or it is deleted, as far as a cache or a replica knows. `"busy"` when too many were looked up in
   * vain. Rejects when D1 is away and nothing is cached.
   */
  async find(name: string, deps: DirectoryDeps): Promise<Known<S> | null | "busy"> {
    const cached = this.#known.get(name);
    if (cached !== undefined && isFresh(cached)) return cached;
    if (cached === undefined && this.#misses.count >= MISSES_PER_SECOND) return "busy";
    try {
      const found = await this.#load(name, deps, "first-unconstrained");
      if (found === null) this.#misses.add();
      return found;
    } catch (error) {
      // D1 is away: the gate's version guards what the row says.
      if (cached !== undefined) return cached;
      throw error;
    }
  }

  /** What the primary says now, or said since the moment `since`. `"busy"` when too many are being confirmed. */
  async confirm(name: string, since: number, deps: DirectoryDeps): Promise<Known<S> | null | "busy"> {
    for (;;) {
      const cached = this.#known.get(name);
      if (cached !== undefined && cached.primaryAt >= since) return cached;
      if ((this.#missing.get(name) ?? 0) >= since) return null;
      const started = this.#confirming.get(name) ?? 0;
      if (Date.now() - started > CONFIRMING_MS) break;
      await scheduler.wait(POLL_MS);
    }
    if (this.#confirmations.count >= CONFIRMATIONS_PER_SECOND) return "busy";
    this.#confirmations.add();
    // Of a request whose client has gone, nothing ever takes the name away again.
    keep(this.#confirming, name, Date.now(), MAX_MISSING);
    try {
      return await this.#load(name, deps, "first-primary");
    } finally {
      this.#confirming.delete(name);
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
    if (cached !== undefined && (confirmed ? cached.primaryAt >= since : isFresh(cached)))
      return cached.matches;
    const { type: ownerType, id: ownerId } = known.sender.owner;
    const loadedAt = Date.now();
    const primaryAt = confirmed ? this.moment() : 0;
    const consistency = confirmed ? "first-primary" : "first-unconstrained";
    try {
      const matches = await findEmployers(db, { ...by, ownerType, ownerId }, consistency);
      keep(known.employers, named, { matches, primaryAt, loadedAt }, MAX_EMPLOYERS_PER_SENDER);
      return matches;
    } catch (error) {
      // D1 is away: what was known a while ago serves, but refuses nobody.
      if (cached !== undefined && !confirmed) return cached.matches;
      throw error;
    }
  }

  /** Forgets everything. */
  clear(): void {
    this.#known.clear();
    this.#missing.clear();
  }

  async #load(name: string, deps: DirectoryDeps, consistency: Consistency): Promise<Known<S> | null> {
    const loadedAt = Date.now();
    const began = this.moment();
    const { value: sender, fromPrimary } = await this.#read(name, deps, consistency);
    const before = this.#known.get(name);
    this.#known.delete(name);
    if (sender === null) {
      if (fromPrimary) keep(this.#missing, name, began, MAX_MISSING);
      return null;
    }
    const { owner } = sender;
    const sameOwner = before?.sender.owner.type === owner.type && before.sender.owner.id === owner.id;
    const employers = sameOwner ? before.employers : new Map();
    const known: Known<S> = { sender, primaryAt: fromPrimary ? began : 0, loadedAt, employers };
    keep(this.#known, name, known, MAX_SENDERS);
    return known;
  }
}

/** Counts within the present second. */
class PerSecond {
  #second = 0;
  #count = 0;

  get count(): number {
    const second = Math.floor(Date.now() / 1_000);
    if (this.#second !== second) this.#count = 0;
    this.#second = second;
    return this.#count;
  }

  add(): void {
    this.#count = this.count + 1;
  }
}

function isFresh({ loadedAt }: { loadedAt: number }): boolean {
  return Date.now() - loadedAt < FRESH_MS;
}

/** Sets an entry of a bounded map; the one set longest ago makes room. */
function keep<V>(map: Map<string, V>, key: string, value: V, limit: number): void {
  map.delete(key);
  const [oldest] = map.keys();
  if (map.size >= limit && oldest !== undefined) map.delete(oldest);
  map.set(key, value);
}
