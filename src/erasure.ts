/**
 * Erasing, by deleting data keys.
 *
 * A connection: its data key and secrets are deleted, and with the key everything that rests under it, wherever it
 * rests. First in D1, then in its gate, which forgets its copy and deletes the one beside the archive. Due some days after
 * the connection was deleted, so that reports on their way still arrive.
 *
 * What is outbound of an owner: its events go first, a little at a time, then its key in one batch with what came meanwhile.
 */
import { auditRow } from "./db/audit.ts";
import { nextVersion } from "./db/gates.ts";
import { changeConnection, findToErase, type ManagedConnection } from "./db/managed-connections.ts";
import { deleteEvents, eraseOwner, findOwnersToErase } from "./db/owner-erasure.ts";
import { type OwnerAddress, ownerName } from "./db/owner-keys.ts";
import type { Bindings } from "./env.ts";
import { inParallel } from "./forwarding/parallel.ts";
import { announce, snapshotOf } from "./gate/announce.ts";
import { logError } from "./log.ts";

/** Longer than the files-creator may be away before a report counts as failed, and time to think better of it. */
export const ERASE_AFTER_MS = 7 * 86_400_000;

const ERASED_PER_RUN = 50;
const AT_A_TIME = 6;
/** Events deleted by one statement: some milliseconds of the database's one writer. */
const EVENTS_AT_A_TIME = 500;
/** For all owners of one run, far below what an invocation may ask of the database. Whose events are not all gone is due again. */
const STATEMENTS_PER_RUN = 100;

/** Erases what is due. One that fails is due again; a gate that was not told is told by the cron. */
export async function eraseDue(env: Bindings, now: number): Promise<void> {
  await inParallel(await findToErase(env.DB, now, ERASED_PER_RUN), AT_A_TIME, async (row) => {
    try {
      await erase(row, env, now);
    } catch (error) {
      logError("a connection was not erased", { connection_id: row.id }, error);
    }
  });
}

async function erase(row: ManagedConnection, env: Bindings, now: number): Promise<void> {
  const version = nextVersion(row.version, now);
  const change = { data_key: "", secrets: [], version, updated_at: now };
  const told = auditRow({
    at: version,
    actor: "system:erasure",
    requestId: crypto.randomUUID(),
    kind: "connection",
    what: "erased",
    subjectId: row.id,
    owner: { type: row.owner_type, id: row.owner_id },
    before: { erased: false },
    after: { erased: true },
  });
  if (await changeConnection(env.DB, row, change, told)) {
    await announce(snapshotOf("connection", { ...row, ...change }), env);
  }
}

/** As {@link eraseDue}, for owners. */
export async function eraseOwnersDue(db: D1Database, now: number): Promise<void> {
  const statements = { left: STATEMENTS_PER_RUN };
  for (const owner of await findOwnersToErase(db, now, ERASED_PER_RUN)) {
    try {
      await eraseOwnerDue(db, owner, now, statements);
    } catch (error) {
      logError("an owner was not erased", { owner: ownerName(owner) }, error);
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
  const told = auditRow({
    at: now,
    actor: "system:erasure",
    requestId: crypto.randomUUID(),
    kind: "owner",
    what: "erased",
    subjectId: ownerName(owner),
    owner,
    before: { erased: false },
    after: { erased: true },
  });
  await eraseOwner(db, owner, told, now);
}
