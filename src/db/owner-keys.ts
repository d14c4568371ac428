/** The data key of an owner, which seals all outbound data of the owner. */
import {
  createDataKey,
  type DataKey,
  type KeyRing,
  SealBroken,
  unsealText,
  unwrapDataKey,
} from "../crypto/vault.ts";
import { logError } from "../log.ts";
import type { OwnerType } from "../model.ts";
import type { RewrappedKey, WrappedKey } from "./gates.ts";

export interface OwnerAddress {
  type: OwnerType;
  id: string;
}

/** The context (AAD) of an owner's wrapped data key. */
export function ownerKeyContext(owner: OwnerAddress): string {
  return namedOwnerKeyContext(ownerName(owner));
}

/** A data key of an owner. A key that replaces an erased one has a later `createdAt`; rewrapping does not change it. */
export interface OwnerKey {
  key: DataKey;
  createdAt: number;
}

/** Creates the key if there is none. Two concurrent callers get the same key. */
export async function ownerKey(db: D1Database, ring: KeyRing, owner: OwnerAddress): Promise<DataKey> {
  return (await currentOwnerKey(db, ring, owner)).key;
}

/**
 * As {@link ownerKey}, for values that are to be stored. If an erasure comes first, nobody could unseal the stored value. So the
 * statement that stores it must require that the owner's key still has this `createdAt`.
 */
export async function currentOwnerKey(db: D1Database, ring: KeyRing, owner: OwnerAddress): Promise<OwnerKey> {
  const stored = (await findStored(db, owner)) ?? (await makeKey(db, ring, owner));
  const key = await unwrapDataKey(ring, stored.data_key, ownerKeyContext(owner));
  return { key, createdAt: stored.created_at };
}

/** Null if there is none. Values from before `createdAt` were sealed with a key that has been erased. */
export async function findOwnerKey(
  db: D1Database,
  ring: KeyRing,
  owner: OwnerAddress,
): Promise<OwnerKey | null> {
  const stored = await findStored(db, owner);
  if (stored === null) return null;
  const key = await unwrapDataKey(ring, stored.data_key, ownerKeyContext(owner));
  return { key, createdAt: stored.created_at };
}

/**
 * Unseals a value whose key may have been erased, so that a page omits the value instead of failing as a whole. Returns null, and
 * logs it, if the owner has no key or has another one.
 */
export async function tryUnsealText(
  key: DataKey | null,
  sealed: string,
  context: string,
): Promise<string | null> {
  try {
    if (key === null) throw new SealBroken(`the owner has no data key: ${context}`);
    return await unsealText(key, sealed, context);
  } catch (error) {
    if (!(error instanceof SealBroken)) throw error;
    logError("left out a sealed value that does not open", { context }, error);
    return null;
  }
}

interface StoredKey {
  data_key: string;
  created_at: number;
}

async function makeKey(db: D1Database, ring: KeyRing, owner: OwnerAddress): Promise<StoredKey> {
  const made = await createDataKey(ring, ownerKeyContext(owner));
  await db
    .prepare(
      "INSERT INTO owner_keys (owner_type, owner_id, data_key, created_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
    )
    .bind(owner.type, owner.id, made, Date.now())
    .run();
  const stored = await findStored(db, owner);
  if (stored === null) throw new Error("the owner's data key was erased while it was being created");
  return stored;
}

function findStored(db: D1Database, owner: OwnerAddress): Promise<StoredKey | null> {
  return db
    .prepare("SELECT data_key, created_at FROM owner_keys WHERE owner_type = ? AND owner_id = ?")
    .bind(owner.type, owner.id)
    .first<StoredKey>();
}

/** An owner as one string, for the walk over all wrapped keys and for the audit trail. No type contains a colon. */
export function ownerName(owner: OwnerAddress): string {
  return `${owner.type}:${owner.id}`;
}

function named(name: string): { type: string; id: string } {
  const [type = ""] = name.split(":", 1);
  return { type, id: name.slice(type.length + 1) };
}

/** As {@link ownerKeyContext}, for a name from {@link wrappedOwnerKeysAfter}. */
export function namedOwnerKeyContext(name: string): string {
  return `data-key:owner:${name}`;
}

/** Wrapped data keys after the owner of this name, in the order of owners. */
export async function wrappedOwnerKeysAfter(
  db: D1Database,
  after: string,
  limit: number,
): Promise<WrappedKey[]> {
  const { type, id } = named(after);
  const { results } = await db
    .prepare(
      `SELECT owner_type AS type, owner_id AS id, data_key FROM owner_keys WHERE (owner_type, owner_id) > (?, ?)
       ORDER BY owner_type, owner_id LIMIT ?`,
    )
    .bind(type, id, limit)
    .all<OwnerAddress & { data_key: string }>();
  return results.map((row) => ({ id: ownerName(row), data_key: row.data_key }));
}

export async function countOwnerKeysAfter(db: D1Database, after: string): Promise<number> {
  const { type, id } = named(after);
  const row = await db
    .prepare("SELECT count(*) AS count FROM owner_keys WHERE (owner_type, owner_id) > (?, ?)")
    .bind(type, id)
    .first<{ count: number }>();
  return row?.count ?? 0;
}

/** Replaces each key by compare-and-set on the old value. Returns one row per replaced key. */
export function replaceOwnerKeys(db: D1Database, keys: readonly RewrappedKey[]): D1PreparedStatement {
  const owned = keys.map((key) => ({ ...key, ...named(key.id) }));
  return db
    .prepare(
      `UPDATE owner_keys SET data_key = new.rewrapped
       FROM (SELECT value ->> 'type' AS type, value ->> 'id' AS id, value ->> 'data_key' AS data_key,
                    value ->> 'rewrapped' AS rewrapped FROM json_each(?1)) AS new
       WHERE owner_type = new.type AND owner_id = new.id AND owner_keys.data_key = new.data_key
       RETURNING owner_type`,
    )
    .bind(JSON.stringify(owned));
}
