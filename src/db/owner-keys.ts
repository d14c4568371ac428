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
