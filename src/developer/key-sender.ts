/** An API key as the door for reports knows it: its row, opened. The directory names keys by the hash of their token. */

import { dataKeyContext } from "../crypto/contexts.ts";
import { unwrapDataKey } from "../crypto/vault.ts";
import { findSendingKey, type SendingKeyRow } from "../db/api-keys.ts";
import type { Consistency, Found } from "../db/connections.ts";
import { DEFAULT_RETENTION_YEARS } from "../db/gates.ts";
import { snapshotOf } from "../gate/propagate.ts";
import { Directory, type DirectoryDeps, type ReportSender } from "../inbound/sender-cache.ts";
import type { Environment } from "../model.ts";
import type { UsedKey } from "./last-use.ts";

export interface Key extends ReportSender, UsedKey {
  environment: Environment;
  isActive: boolean;
}

class KeyDirectory extends Directory<Key> {
  constructor() {
    super(readKey);
  }
}

/** What an isolate keeps between requests: plain data only. */
export const keyDirectory = new KeyDirectory();

async function readKey(
  tokenSha256: string,
  { db, keyRing }: DirectoryDeps,
  consistency: Consistency,
): Promise<Found<Key | null>> {
  const { value: row, fromPrimary } = await findSendingKey(db, tokenSha256, consistency);
  // What came under an erased key is gone, and so is the key.
  const value = row === null || row.data_key === "" ? null : await openKey(row, keyRing);
  return { value, fromPrimary };
}

async function openKey(row: SendingKeyRow, keyRing: DirectoryDeps["keyRing"]): Promise<Key> {
  const snapshot = snapshotOf("key", { ...row, retention_years: DEFAULT_RETENTION_YEARS });
  const { gate } = snapshot;
  return {
    gate,
    snapshot,
    dataKey: await unwrapDataKey(keyRing, row.data_key, dataKeyContext(gate)),
    owner: { type: row.owner_type, id: row.owner_id },
    employer: null,
    sameBody: "retry",
    waitSeconds: 0,
    id: row.id,
    lastUsedAt: row.last_used_at,
    environment: row.environment,
    isActive: row.is_active,
  };
}
