/**
 * Erasure by deleting data keys: everything sealed with a deleted key is unreadable, wherever it is stored.
 *
 * Of a connection or an API key, the data key and the secrets are deleted: first in D1, then in the gate, which drops its copy and
 * deletes the one beside the archive. This is due some days after the deletion, so that reports in flight still arrive.
 *
 * Of an owner, the events are deleted first, in small steps. Then one batch deletes the owner's key and the rows that came meanwhile.
 */

import type { Bindings } from "../bindings.ts";
import { inParallel } from "../concurrency.ts";
import { type ApiKey, changeApiKey, findKeysToErase } from "../db/api-keys.ts";
import { type AuditRow, newAuditRow } from "../db/audit.ts";
import { DEFAULT_RETENTION_YEARS, nextVersion } from "../db/gates.ts";
import {
  changeConnection,
  findConnectionsToErase,
  type ManagedConnection,
} from "../db/managed-connections.ts";
import { deleteEvents, eraseOwner, findOwnersToErase } from "../db/owner-erasure.ts";
import { type OwnerAddress, ownerName } from "../db/owner-keys.ts";
import { propagate, snapshotOf } from "../gate/propagate.ts";
import { type LogFields, logError } from "../log.ts";

/** Longer than an outage of the files-creator may last before reports fail, and time to change one's mind. */
export const ERASE_AFTER_MS = 7 * 86_400_000;

const ERASED_PER_RUN = 50;
const AT_A_TIME = 6;
/** Events deleted per statement, which takes the database's only writer some milliseconds. */
const EVENTS_AT_A_TIME = 500;
/** Per run, far below the platform's limit per invocation. An owner that still has events then is due again. */
const STATEMENTS_PER_RUN = 100;

/** Erases the connections that are due. A failed one is due again; the minute cron propagates to a gate that was not reached. */
export async function eraseConnectionsDue(env: Bindings, now: number): Promise<void> {
  await inParallel(await findConnectionsToErase(env.DB, now, ERASED_PER_RUN), AT_A_TIME, (row) =>
    logged("failed to erase a connection", { connection_id: row.id }, () => eraseConnection(row, env, now)),
  );
}

/** As {@link eraseConnectionsDue}, for API keys. */
export async function eraseKeysDue(env: Bindings, now: number): Promise<void> {
  await inParallel(await findKeysToErase(env.DB, now, ERASED_PER_RUN), AT_A_TIME, (row) =>
    logged("failed to erase an API key", { api_key_id: row.id }, () => eraseApiKey(row, env, now)),
  );
}

async function logged(message: string, fields: LogFields, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    logError(message, fields, error);
  }
}

async function eraseConnection(row: ManagedConnection, env: Bindings, now: number): Promise<void> {
  const version = nextVersion(row.version, now);
  const change = {
    data_key: "",
    secrets: [],
    ended_secrets: [],
    notification_email: null,
    version,
    updated_at: now,
  };
  if (await changeConnection(env.DB, row, change, erasedRow("connection", row, version))) {
    await propagate(snapshotOf("connection", { ...row, ...change }), env);
  }
}

async function eraseApiKey(row: ApiKey, env: Bindings, now: number): Promise<void> {
  const version = nextVersion(row.version, now);
  const change = { data_key: "", is_active: false, version, updated_at: now };
  if (await changeApiKey(env.DB, row, change, erasedRow("api_key", row, version))) {
    const erased = { ...row, ...change, retention_years: DEFAULT_RETENTION_YEARS };
    await propagate(snapshotOf("key", erased), env);
  }
}

function erasedRow(
  kind: "connection" | "api_key",
  row: ManagedConnection | ApiKey,
  version: number,
): AuditRow {
  return newAuditRow({
    at: version,
    actor: "system:erasure",
    requestId: "",
    kind,
    what: "erased",
    subjectId: row.id,
    owner: { type: row.owner_type, id: row.owner_id },
    before: { erased: false },
    after: { erased: true },
  });
}

/** As {@link eraseConnectionsDue}, for owners. */
export async function eraseOwnersDue(db: D1Database, now: number): Promise<void> {
  const statements = { left: STATEMENTS_PER_RUN };
  for (const owner of await findOwnersToErase(db, now, ERASED_PER_RUN)) {
    try {
      await eraseOwnerDue(db, owner, now, statements);
    } catch (error) {
      logError("failed to erase an owner", { owner: ownerName(owner) }, error);
    }
  }
}

async function eraseOwnerDue(
  db: D1Database,
  owner: OwnerAddress,
  now: number,
  statements: { left: number },
): Promise<void> {
  for (let deleted = EVENTS_AT_A_TIME; deleted === EVENTS_AT_A_TIME; statements.left--) {
    if (statements.left <= 0) return;
    deleted = await deleteEvents(db, owner, EVENTS_AT_A_TIME);
  }
  const auditRow = newAuditRow({
    at: now,
    actor: "system:erasure",
    requestId: "",
    kind: "owner",
    what: "erased",
    subjectId: ownerName(owner),
    owner,
    before: { erased: false },
    after: { erased: true },
  });
  await eraseOwner(db, owner, auditRow, now);
}
