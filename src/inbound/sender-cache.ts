/**
 * Senders that this isolate knows: connections and API keys, cached for a minute with their imported keys.
 *
 * A cached row never grants what the portal took away: the gate rejects callers that know an older version of the row. A
 * cached row never refuses what the portal has just granted: a refusal is first confirmed on D1's primary, with one
 * confirmation at a time per sender and at most fifty per second.
 * Requests share plain data only: a promise of another request may never settle once its client has gone.
 */
import { setBounded } from "../bounded-map.ts";
import type { DataKey, KeyRing } from "../crypto/vault.ts";
import type { Consistency, EmployerMatch, Found } from "../db/connections.ts";
import type { Admission, Snapshot } from "../gate/protocol.ts";
import type { GateAddress, OwnerType } from "../model.ts";

const FRESH_MS = 60_000;
const MAX_SENDERS = 5_000;
const MAX_MISSING = 10_000;
/**
 * A name that the primary did not have is remembered for as long as it has been missing, at most this long: the second
 * request for it is looked up again at once, a steady stream of requests is not. Ids and keys are minted at random with
 * their row, and a deleted one never comes back, so a new sender is never kept waiting.
 */
const LONGEST_MISSING_MS = 10_000;
const MAX_CONFIRMATIONS = 1_000;
/** From the end of one confirmation of a sender to the start of the next. */
const CONFIRMATIONS_APART_MS = 20;
/** A confirmation that has not ended after this belongs to a request whose client has gone. */
const ABANDONED_CONFIRMATION_MS = 2_000;
/** While D1 is unavailable, an expired row serves this long before another request tries to read it again. */
const RETRY_READ_MS = 5_000;

export interface BoundEmployer {
  id: string;
  fein: string | null;
  /** Whether the sender's owner may report for it. A withdrawn grant takes effect here when the row is read again. */
  granted: boolean;
}

/** A sender of reports, as its row describes it. */
export interface ReportSender {
  gate: GateAddress;
  /** What its gate knows of the row. */
  snapshot: Snapshot;
  dataKey: DataKey;
  owner: { type: OwnerType; id: string };
  /** The one employer that it reports for; null if it reports for any employer granted to its owner. */
  employer: BoundEmployer | null;
  sameBody: Admission["sameBody"];
  /** How long its answers are held when the request does not say. */
  waitSeconds: number;
}

/** When something was read, and until when it may be used. */
export interface Reading {
  /** The tick of the cache's logical clock at which the primary began to read it; 0 when a replica served it. */
  primaryAt: number;
  loadedAt: number;
  /** When it has expired, it is not read again before this. 0 unless the last attempt to read it failed. */
  retryReadAt: number;
}

/** One reading of a sender's row. */
export interface CachedSender<S extends ReportSender> extends Reading {
  sender: S;
  /** By what a body names them. They survive a reload of the row, but not their own minute. */
  employers: Map<string, CachedEmployers>;
}

export interface CachedEmployers extends Reading {
  matches: EmployerMatch[];
}

export interface ReadDeps {
  db: D1Database;
  keyRing: KeyRing;
  /** A row cannot be opened until this key of the ring is back. */
  missesRingKey(ringKey: string): void;
}

/** Reads a sender's row and opens its sealed columns. Null if there is none, or it is deleted. Rejects if D1 is unavailable. */
export type ReadSender<S> = (
  name: string,
  deps: ReadDeps,
  consistency: Consistency,
) => Promise<Found<S | null>>;

/** A name that the primary did not have. */
interface Missing {
  since: number;
  /** The tick at which the primary was last asked. */
  primaryAt: number;
  /** It is not looked up again before this. */
  until: number;
}

/** The senders of one intake. `name` is what its requests identify a sender by: a connection's id, the hash of a key. */
export class SenderCache<S extends ReportSender> {
  readonly #read: ReadSender<S>;
  readonly #senders = new Map<string, CachedSender<S>>();
  readonly #missing = new Map<string, Missing>();
  readonly #confirmations = new Map<string, { at: number; ended: boolean }>();
  #logicalClock = 0;

  constructor(read: ReadSender<S>) {
    this.#read = read;
  }

  /** Advances the logical clock, which orders requests and reads in this isolate. `Date.now()` stands still between I/O. */
  tick(): number {
    return ++this.#logicalClock;
  }

  get(name: string): CachedSender<S> | undefined {
    return this.#senders.get(name);
  }

  async load(name: string, deps: ReadDeps, consistency: Consistency): Promise<CachedSender<S> | null> {
    const loadedAt = Date.now();
    const began = this.tick();
    const { value: sender, fromPrimary } = await this.#read(name, deps, consistency);
    const before = this.#senders.get(name);
    this.#senders.delete(name);
    if (sender === null) {
      if (fromPrimary) this.addMissing(name, began, loadedAt);
      return null;
    }
    const { owner } = sender;
    const sameOwner = before?.sender.owner.type === owner.type && before.sender.owner.id === owner.id;
    const employers = sameOwner ? before.employers : new Map();
    const primaryAt = fromPrimary ? began : 0;
    const cached: CachedSender<S> = { sender, primaryAt, loadedAt, retryReadAt: 0, employers };
    setBounded(this.#senders, name, cached, MAX_SENDERS);
    return cached;
  }

  /** Whether the primary did not have this name, either since the tick `since` or so recently that it is not asked again. */
  isMissing(name: string, since: number): boolean {
    const missing = this.#missing.get(name);
    return missing !== undefined && (missing.primaryAt >= since || Date.now() < missing.until);
  }

  /** Records that the primary did not have this name at the tick `primaryAt`, at the time `now`. */
  addMissing(name: string, primaryAt: number, now: number): void {
    const before = this.#missing.get(name);
    const since = before !== undefined && now - before.until < LONGEST_MISSING_MS ? before.since : now;
    const until = now + Math.min(LONGEST_MISSING_MS, Math.max(0, now - since));
    setBounded(this.#missing, name, { since, primaryAt, until }, MAX_MISSING);
  }

  /** Whether another request confirms this sender now, or did so a moment ago. */
  isConfirming(name: string): boolean {
    const last = this.#confirmations.get(name);
    if (last === undefined) return false;
    const age = performance.now() - last.at;
    return age <= (last.ended ? CONFIRMATIONS_APART_MS : ABANDONED_CONFIRMATION_MS);
  }

  /** Records that a confirmation of this sender began or ended; null if it never reached the database. */
  setConfirmation(name: string, state: "began" | "ended" | null): void {
    if (state === null) this.#confirmations.delete(name);
    else {
      const confirmation = { at: performance.now(), ended: state === "ended" };
      setBounded(this.#confirmations, name, confirmation, MAX_CONFIRMATIONS);
    }
  }

  /** Forgets everything. */
  clear(): void {
    this.#senders.clear();
    this.#missing.clear();
    this.#confirmations.clear();
  }
}

/** Whether a reading may be used without reading again. */
export function isFresh({ loadedAt, retryReadAt }: Reading): boolean {
  const now = Date.now();
  return now - loadedAt < FRESH_MS || (now < retryReadAt && retryReadAt - now <= RETRY_READ_MS);
}

/** Reading it again failed: it serves on for a few seconds. */
export function serveOn(reading: Reading): void {
  reading.retryReadAt = Date.now() + RETRY_READ_MS;
}
