/** The data key of an owner, under which everything outbound of it rests. */
import { createDataKey, type DataKey, type KeyRing, unwrapDataKey } from "../crypto/vault.ts";
import type { OwnerType } from "./schema.ts";

export interface OwnerAddress {
  type: OwnerType;
  id: string;
}

/** What the wrapping of an owner's data key is bound to. */
export function ownerKeyContext(owner: OwnerAddress): string {
  return `data-key:owner:${owner.type}:${owner.id}`;
}

/** Made if there is none. Of two that make one at the same time, both get the one that was stored. */
export async function ownerKey(db: D1Database, ring: KeyRing, owner: OwnerAddress): Promise<DataKey> {
  const stored = await findWrapped(db, owner);
  return unwrapDataKey(ring, stored ?? (await makeKey(db, ring, owner)), ownerKeyContext(owner));
}

async function makeKey(db: D1Database, ring: KeyRing, owner: OwnerAddress): Promise<string> {
  const made = await createDataKey(ring, ownerKeyContext(owner));
  await db
    .prepare(
      "INSERT INTO owner_keys (owner_type, owner_id, data_key, created_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
    )
    .bind(owner.type, owner.id, made, Date.now())
    .run();
  const stored = await findWrapped(db, owner);
  if (stored === null) throw new Error("an owner's data key went away while it was being made");
  return stored;
}

function findWrapped(db: D1Database, owner: OwnerAddress): Promise<string | null> {
  return db
    .prepare("SELECT data_key FROM owner_keys WHERE owner_type = ? AND owner_id = ?")
    .bind(owner.type, owner.id)
    .first<string>("data_key");
}

/** `{type}:{id}`, as the walk through all wrapped keys names an owner. */
type OwnerName = string;

export async function ownerKeysAfter(
  db: D1Database,
  after: OwnerName,
  limit: number,
): Promise<{ id: OwnerName; data_key: string }[]> {
  const { results } = await db
    .prepare(
      `SELECT owner_type || ':' || owner_id AS id, data_key FROM owner_keys WHERE (owner_type, owner_id) > (?, ?)
       ORDER BY owner_type, owner_id LIMIT ?`,
    )
    .bind(...partsOf(after), limit)
    .all<{ id: OwnerName; data_key: string }>();
  return results;
}

export async function countOwnerKeysAfter(db: D1Database, after: OwnerName): Promise<number> {
  const count = await db
    .prepare("SELECT count(*) AS count FROM owner_keys WHERE (owner_type, owner_id) > (?, ?)")
    .bind(...partsOf(after))
    .first<number>("count");
  return count ?? 0;
}

/** A compare-and-set on the old value. With the owner's name if it was made. */
export function replaceOwnerKey(
  db: D1Database,
  { id, data_key: old }: { id: OwnerName; data_key: string },
  wrapped: string,
): D1PreparedStatement {
  return db
    .prepare(
      `UPDATE owner_keys SET data_key = ?4 WHERE owner_type = ?1 AND owner_id = ?2 AND data_key = ?3
       RETURNING owner_type || ':' || owner_id AS id`,
    )
    .bind(...partsOf(id), old, wrapped);
}

/** Types have no colon; ids may. */
function partsOf(name: OwnerName): [type: string, id: string] {
  const colon = name.indexOf(":");
  return colon < 0 ? ["", ""] : [name.slice(0, colon), name.slice(colon + 1)];
}
