/**
 * All changes of objects with a version go through here: connections, API keys, webhooks.
 *
 * A change finds the object in the client's scope, decides, writes by compare-and-set together with the audit row,
 * propagates the row to the parts that enforce it, and only then responds. Another owner's object does not exist for the
 * client. No change is lost: a request that was overtaken gets 409 (412 with `If-Match`), and a change that could not be
 * propagated gets a 503 that is safe to repeat. A change without an effect writes nothing, but is propagated, because the
 * repeat after a 503 must end in a 200.
 */

import type { Bindings } from "../bindings.ts";
import { type AuditEntry, type AuditRow, changedFields, newAuditRow } from "../db/audit.ts";
import { nextVersion } from "../db/gates.ts";
import type { AuditedFields } from "../db/schema.ts";
import { type AppContext, failureResponse } from "../http/context.ts";
import type { Failure } from "../http/failure.ts";
import { preconditionFailure } from "../http/precondition.ts";
import { logError } from "../log.ts";
import type { OwnerType } from "../model.ts";
import { err, ok, type Result } from "../result.ts";
import { madeBy } from "./audit-row.ts";
import { mayActFor } from "./owner.ts";

type VersionedKind = "connection" | "api_key" | "webhook";
/** The kinds of object that a path of the portal can name. */
export type ObjectKind = VersionedKind | "alert" | "employer" | "file" | "portal_link" | "session";
/** The kinds of object that a request can create, once per `Idempotency-Key`. */
export type CreatedKind = VersionedKind | "portal_link";

export interface Managed {
  id: string;
  version: number;
  updated_at: number;
  owner_type: OwnerType;
  owner_id: string;
}

/** The first version of an object with versions is the time of its creation. */
export type CreatedRow = Pick<Managed, "id" | "owner_type" | "owner_id"> & { created_at: number };

/** How objects of one kind are changed. */
export interface ManagedKind<Row extends Managed, Change extends Partial<Row>> {
  kind: VersionedKind;
  /** The row that a path names; null if there is none. Does not check the scope. */
  find(db: D1Database, id: string): Promise<Row | null>;
  /** In one batch, updates the row if it still has the version that was read, and inserts `auditRow` directly after. */
  write(db: D1Database, read: Row, change: Change & Stamp, auditRow: AuditRow): Promise<boolean>;
  /** Makes the row take effect everywhere. Rejects if that is not possible now; repeating is safe. */
  propagate(row: Row, env: Bindings): Promise<void>;
  /** The fields for the audit trail: no secret, no sealed value. */
  audited(row: Row): AuditedFields;
}

export interface Stamp {
  version: number;
  updated_at: number;
}

/** Decides on a change, or on the failure. `now` is the time of the change. */
type Decide<Row, Change> = (
  row: Row,
  now: number,
) => Result<Change, Failure> | Promise<Result<Change, Failure>>;

/** The row that a path parameter such as `webhook_id` names, within the client's scope. */
export async function findManaged<Row extends Managed>(
  c: AppContext,
  { kind, find }: Pick<ManagedKind<Row, Partial<Row>>, "kind" | "find">,
): Promise<Result<Row, Failure>> {
  const row = await find(c.env.DB, c.req.param(`${kind}_id`) ?? "");
  const within = row !== null && mayActFor(c.get("client"), { type: row.owner_type, id: row.owner_id });
  return within ? ok(row) : err(notFound(kind));
}

/** `what` names the change in the audit trail. Returns the current row, which has taken effect. */
export async function changeManaged<Row extends Managed, Change extends Partial<Row>>(
  c: AppContext,
  managed: ManagedKind<Row, Change>,
  what: string,
  decide: Decide<Row, Change>,
): Promise<Result<Row, Failure>> {
  const found = await findManaged(c, managed);
  if (!found.ok) return found;
  const read = found.value;
  const failed = preconditionFailure(c, read.version);
  if (failed !== null) return err(failed);
  const now = Date.now();
  const decided = await decide(read, now);
  if (!decided.ok) return decided;
  const change = decided.value;
  const stamp: Stamp = { version: nextVersion(read.version, now), updated_at: now };
  const wanted: Row = { ...read, ...change, ...stamp };
  const { before, after } = changedFields(managed.audited(read), managed.audited(wanted));
  if (Object.keys(after).length === 0) return propagated(c, managed, read);
  const auditRow = newAuditRow(entryOf(c, managed.kind, what, wanted, { before, after }));
  const written = await managed.write(c.env.DB, read, { ...change, ...stamp }, auditRow);
  return written ? propagated(c, managed, wanted) : err(overtaken(c, managed.kind));
}

/** The audit row of an object that is being created. */
export function createdRow<Row extends CreatedRow>(
  c: AppContext,
  { kind, audited }: { kind: CreatedKind; audited(row: Row): AuditedFields },
  row: Row,
): AuditRow {
  const fields = { before: null, after: audited(row) };
  return newAuditRow(entryOf(c, kind, "created", { ...row, version: row.created_at }, fields));
}

/** The response to a read or a change of a managed object: its failure, or what `present` makes of the row. */
export function answerManaged<Row>(
  c: AppContext,
  changed: Result<Row, Failure>,
  present: (row: Row) => Response | Promise<Response>,
): Response | Promise<Response> {
  return changed.ok ? present(changed.value) : failureResponse(c, changed.error);
}

async function propagated<Row extends Managed, Change extends Partial<Row>>(
  c: AppContext,
  { kind, propagate }: ManagedKind<Row, Change>,
  row: Row,
): Promise<Result<Row, Failure>> {
  try {
    await propagate(row, c.env);
    return ok(row);
  } catch (error) {
    logError("failed to propagate a change", { kind, id: row.id }, error);
    return err({ kind: "change_not_propagated" });
  }
}

function entryOf(
  c: AppContext,
  kind: CreatedKind,
  what: string,
  row: Omit<Managed, "updated_at">,
  fields: Pick<AuditEntry, "before" | "after">,
): AuditEntry {
  return {
    at: row.version,
    ...madeBy(c),
    kind,
    what,
    subjectId: row.id,
    owner: { type: row.owner_type, id: row.owner_id },
    ...fields,
  };
}

function overtaken(c: AppContext, kind: VersionedKind): Failure {
  const noun = kind === "api_key" ? "API key" : kind;
  return c.req.header("If-Match") === undefined ? { kind: `${kind}_changed` } : { kind: "overtaken", noun };
}

export function notFound(kind: ObjectKind): Failure {
  return { kind: `${kind}_not_found` };
}
