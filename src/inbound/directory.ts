/**
 * Connections as this isolate knows them: cached for a minute with their imported keys, bounded in number.
 *
 * A cached row never grants what the portal took away, because the gate refuses callers who know an older version. It
 * never refuses what the portal has just given, because a refusal is confirmed on D1's primary first: one confirmation
 * at a time per connection, and a bounded number per second, so that bad requests are not turned into database load.
 * Requests share plain data only: a promise of another request may never settle once its client has gone.
 */

import { type DataKey, type KeyRing, openText, unwrapDataKey } from "../crypto/vault.ts";
import {
  type ConnectionRow,
  type Consistency,
  type EmployerMatch,
  findConnection,
  findEmployers,
} from "../db/connections.ts";
import { dataKeyContext, secretContext } from "../gate/contexts.ts";
import type { GateAddress } from "../gate/file-id.ts";
import type { Snapshot } from "../gate/protocol.ts";
import { importSigningKey } from "./signature.ts";

const FRESH_MS = 60_000;
const MAX_CONNECTIONS = 5_000;
const MAX_MISSING = 1_000;
const MAX_EMPLOYERS_PER_CONNECTION = 200;
/** Confirmations a second and isolate; a refusal past them is answered 503, which is safe to repeat. */
const CONFIRMATIONS_PER_SECOND = 50;
/** After this, whoever was confirming is taken to be gone. */
const CONFIRMING_MS = 2_000;
const POLL_MS = 5;

export interface KnownConnection {
  row: ConnectionRow;
  gate: GateAddress;
  snapshot: Snapshot;
  dataKey: DataKey;
  secrets: { key: CryptoKey; expiresAt: number | null }[];
  /** The {@link ConnectionDirectory.moment} at which the read began that the primary served; 0 when a replica served it. */
  primaryAt: number;
  loadedAt: number;
  /** By what named them. They outlive the row's reload, but not their own minute. */
  employers: Map<string, KnownEmployers>;
}

interface KnownEmployers {
  matches: EmployerMatch[];
  /** As the connection's own. */
  primaryAt: number;
  loadedAt: number;
}

export interface DirectoryDeps {
  db: D1Database;
  keyRing: KeyRing;
}

export class ConnectionDirectory {
  readonly #known = new Map<string, KnownConnection>();
  readonly #confirming = new Map<string, number>();
  /** Ids that the primary did not know, and the moment it was asked: spares those who asked at the same time. */
  readonly #missing = new Map<string, number>();
  #confirmations = { second: 0, count: 0 };
  #moment = 0;

  /** Orders what happens in this isolate. The clock cannot: it stands still between answers from outside. */
  moment(): number {
    return ++this.#moment;
  }

  /** Null when there is none or it is deleted, as far as a cache or a replica knows. Rejects when D1 is away and nothing is cached. */
  async find(id: string, deps: DirectoryDeps): Promise<KnownConnection | null> {
    const cached = this.#known.get(id);
    if (cached !== undefined && isFresh(cached)) return cached;
    try {
      return await this.#load(id, deps, "first-unconstrained");
    } catch (error) {
      // D1 is away: the gate's version guards what the row says.
      if (cached !== undefined) return cached;
      throw error;
    }
  }

  /** What the primary says now, or said since the moment `since`. `"busy"` when too many are being confirmed. */
  async confirm(id: string, since: number, deps: DirectoryDeps): Promise<KnownConnection | null | "busy"> {
    for (;;) {
      const cached = this.#known.get(id);
      if (cached !== undefined && cached.primaryAt >= since) return cached;
      if ((this.#missing.get(id) ?? 0) >= since) return null;
      const started = this.#confirming.get(id) ?? 0;
      if (Date.now() - started > CONFIRMING_MS) break;
      await scheduler.wait(POLL_MS);
    }
    if (!this.#mayConfirm()) return "busy";
    this.#confirming.set(id, Date.now());
    try {
      return await this.#load(id, deps, "first-primary");
    } finally {
      this.#confirming.delete(id);
    }
  }

  /** The employers a body names: from the primary where the connection was confirmed since then, else from the cache. */
  async employers(
    connection: KnownConnection,
    by: { fein: string | null; id: string | null },
    db: D1Database,
    since: number,
  ): Promise<EmployerMatch[]> {
    const name = `${by.fein ?? ""}|${by.id ?? ""}`;
    const confirmed = connection.primaryAt >= since;
    const cached = connection.employers.get(name);
    if (cached !== undefined && (confirmed ? cached.primaryAt >= since : isFresh(cached)))
      return cached.matches;
    const { owner_type: ownerType, owner_id: ownerId } = connection.row;
    const loadedAt = Date.now();
    const primaryAt = confirmed ? this.moment() : 0;
    const consistency = confirmed ? "first-primary" : "first-unconstrained";
    try {
      const matches = await findEmployers(db, { ...by, ownerType, ownerId }, consistency);
      keep(connection.employers, name, { matches, primaryAt, loadedAt }, MAX_EMPLOYERS_PER_CONNECTION);
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

  async #load(
    id: string,
    { db, keyRing }: DirectoryDeps,
    consistency: Consistency,
  ): Promise<KnownConnection | null> {
    const loadedAt = Date.now();
    const began = this.moment();
    const { value: row, fromPrimary } = await findConnection(db, id, consistency);
    const before = this.#known.get(id);
    this.#known.delete(id);
    if (row === null || row.deleted_at !== null) {
      if (fromPrimary) keep(this.#missing, id, began, MAX_MISSING);
      return null;
    }
    const connection = await openConnection(row, keyRing, fromPrimary ? began : 0, loadedAt);
    if (before?.row.owner_type === row.owner_type && before.row.owner_id === row.owner_id)
      connection.employers = before.employers;
    keep(this.#known, id, connection, MAX_CONNECTIONS);
    return connection;
  }

  #mayConfirm(): boolean {
    const second = Math.floor(Date.now() / 1_000);
    if (this.#confirmations.second !== second) this.#confirmations = { second, count: 0 };
    return ++this.#confirmations.count <= CONFIRMATIONS_PER_SECOND;
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

async function openConnection(
  row: ConnectionRow,
  keyRing: KeyRing,
  primaryAt: number,
  loadedAt: number,
): Promise<KnownConnection> {
  const gate: GateAddress = { kind: "connection", id: row.id };
  const dataKey = await unwrapDataKey(keyRing, row.data_key, dataKeyContext(gate));
  const secrets = await Promise.all(
    row.secrets.map(async ({ id, sealed, expires_at }) => ({
      key: await importSigningKey(await openText(dataKey, sealed, secretContext(row.id, id))),
      expiresAt: expires_at,
    })),
  );
  const snapshot: Snapshot = {
    gate,
    version: row.version,
    plan: row.plan,
    environment: row.environment,
    retentionYears: row.retention_years,
    wrappedKey: row.data_key,
  };
  return { row, gate, snapshot, dataKey, secrets, primaryAt, loadedAt, employers: new Map() };
}
