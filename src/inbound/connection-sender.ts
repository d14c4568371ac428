/** A connection as a sender of signed reports: its row, opened, with its secrets imported for verification. */
import { dataKeyContext, secretContext } from "../crypto/contexts.ts";
import { unsealText, unwrapDataKey } from "../crypto/vault.ts";
import { type ConnectionRow, type Consistency, type Found, findConnection } from "../db/connections.ts";
import { snapshotOf } from "../gate/propagate.ts";
import type { ReadDeps, ReportSender } from "./sender-cache.ts";
import { importSigningKey } from "./signature.ts";

export interface ConnectionSender extends ReportSender {
  id: string;
  type: string;
  status: ConnectionRow["status"];
  secrets: { key: CryptoKey; expiresAt: number | null }[];
}

/** Null if there is none, or it is deleted. */
export async function readConnectionSender(
  id: string,
  deps: ReadDeps,
  consistency: Consistency,
): Promise<Found<ConnectionSender | null>> {
  const { value: row, fromPrimary } = await findConnection(deps.db, id, consistency);
  const exists = row !== null && row.deleted_at === null;
  return { value: exists ? await openSender(row, deps) : null, fromPrimary };
}

async function openSender(row: ConnectionRow, { keyRing }: ReadDeps): Promise<ConnectionSender> {
  const snapshot = snapshotOf("connection", row);
  const { gate } = snapshot;
  const dataKey = await unwrapDataKey(keyRing, row.data_key, dataKeyContext(gate));
  const secrets = await Promise.all(
    row.secrets.map(async ({ id, sealed, expires_at }) => ({
      key: await importSigningKey(await unsealText(dataKey, sealed, secretContext(row.id, id))),
      expiresAt: expires_at,
    })),
  );
  return {
    gate,
    snapshot,
    dataKey,
    owner: { type: row.owner_type, id: row.owner_id },
    employer:
      row.employer_id === null
        ? null
        : { id: row.employer_id, fein: row.employer_fein, granted: row.employer_granted },
    sameBody: row.same_body,
    waitSeconds: row.default_wait_seconds,
    id: row.id,
    type: row.type,
    status: row.status,
    secrets,
  };
}
