/** An API key as a sender of reports: its row, opened. Requests identify it by the hash of its token. */
import { dataKeyContext } from "../crypto/contexts.ts";
import { unwrapDataKey } from "../crypto/vault.ts";
import { findSendingKey, type SendingKeyRow } from "../db/api-keys.ts";
import type { Consistency, Found } from "../db/connections.ts";
import { DEFAULT_RETENTION_YEARS } from "../db/gates.ts";
import { snapshotOf } from "../gate/propagate.ts";
import { type ReadDeps, type ReportSender, SenderCache } from "../inbound/sender-cache.ts";
import type { Environment } from "../model.ts";
import type { UsedKey } from "./last-use.ts";

export interface KeySender extends ReportSender, UsedKey {
  environment: Environment;
  isActive: boolean;
}

/** Kept by the isolate between requests: plain data only. */
export const keySenders = new SenderCache(readKeySender);

async function readKeySender(
  tokenSha256: string,
  { db, keyRing }: ReadDeps,
  consistency: Consistency,
): Promise<Found<KeySender | null>> {
  const { value: row, fromPrimary } = await findSendingKey(db, tokenSha256, consistency);
  // A key whose data key was erased no longer exists.
  const value = row === null || row.data_key === "" ? null : await openSender(row, keyRing);
  return { value, fromPrimary };
}

async function openSender(row: SendingKeyRow, keyRing: ReadDeps["keyRing"]): Promise<KeySender> {
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
