/**
 * The one way in which the portal changes an object that has a version: connections, API keys, webhooks.
 *
 * Find it in the client's own scope, decide, write by compare-and-set together with the audit row, propagate it to whoever
 * enforces it, and only then answer. Another owner's object is one that does not exist. Nothing is lost: who was
 * overtaken gets 409 (412 with `If-Match`), and where a change could not be propagated the answer is a 503 that is safe to
 * repeat. A change that changes nothing writes nothing, but is propagated: the repetition of a 503 must end in 200.
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
import { mayActFor } from "./owner.ts";

type VersionedKind = "connection" | "api_key" | "webhook";
/** What a path of the portal can name. */
export type ObjectKind = VersionedKind | "employer" | "file";

export interface Managed {
  id: string;
  version: number;
  updated_at: number;
  owner_type: OwnerType;
  owner_id: string;
}

/** What changing one kind of object takes. */
export interface ManagedKind<Row extends Managed, Change extends Partial<Row>> {
  kind: VersionedKind;
  /** The row that a path names; null for none. Scope is not its business. */
  find(db: D1Database, id: string): Promise<Row | null>;
  /** One batch: the change over the row as it was read, if it still has that version, and `auditRow` directly after it. */
  write(db: D1Database, read: Row, change: Change & Stamp, auditRow: AuditRow): Promise<boolean>;
  /** Makes the row hold everywhere. Rejects when that cannot be done now; repeating is safe. */
  propagate(row: Row, env: Bindings): Promise<void>;
  /** What the audit trail tells of a row: no secret, no sealed value. */
  audited(row: Row): AuditedFields;
}

export interface Stamp {
  version: number;
  updated_at: number;
}

/** Decides on a change, or why there is none. `now` is the time of the change. */
export type Decide<Row, Change> = (row: Row, now: number) => Change | Failure | Promise<Change | Failure>;

/** The row that the path names, by a parameter such as `webhook_id`, within the client's scope. */
export async function findManaged<Row extends Managed>(
  c: AppContext,
  { kind, find }: Pick<ManagedKind<Row, Partial<Row>>, "kind" | "find">,
): Promise<Result<Row, Failure>> {
  const row = await find(c.env.DB, c.req.param(`${kind}_id`) ?? "");
  const within = row !== null && mayActFor(c.get("client"), { type: row.owner_type, id: row.owner_id });
  return within ? ok(row) : err(notFound(kind));
}

/** `what` names the change in the audit trail. Answers the row as it is now, in force. */
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
  if (isFailure(decided)) return err(decided);
  const stamp: Stamp = { version: nextVersion(read.version, now), updated_at: now };
  const wanted: Row = { ...read, ...decided, ...stamp };
  const { before, after } = changedFields(managed.audited(read), managed.audited(wanted));
  if (Object.keys(after).length === 0) return propagated(c, managed, read);
  const auditRow = newAuditRow(entryOf(c, managed.kind, what, wanted, { before, after }));
  const written = await managed.write(c.env.DB, read, { ...decided, ...stamp }, auditRow);
  return written ? propagated(c, managed, wanted) : err(overtaken(c, managed.kind));
}

/** The audit row of an object that is being made. */
export function createdRow<Row extends Managed>(
  c: AppContext,
  { kind, audited }: Pick<ManagedKind<Row, Partial<Row>>, "kind" | "audited">,
  row: Row,
): AuditRow {
  return newAuditRow(entryOf(c, kind, "created", row, { before: null, after: audited(row) }));
}

/** Answers a change: its failure, or what `present` makes of the row. */
export function answerChange<Row>(
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
  kind: VersionedKind,
  what: string,
  row: Managed,
  fields: Pick<AuditEntry, "before" | "after">,
): AuditEntry {
  return {
    at: row.version,
    actor: c.get("client").actor,
    requestId: c.get("requestId"),
    kind,
    what,
    subjectId: row.id,
    owner: { type: row.owner_type, id: row.owner_id },
    ...fields,
  };
}

function isFailure<Change extends object>(decided: Change | Failure): decided is Failure {
  return "kind" in decided;
}

function overtaken(c: AppContext, kind: VersionedKind): Failure {
  const noun = kind === "api_key" ? "API key" : kind;
  return c.req.header("If-Match") === undefined ? { kind: `${kind}_changed` } : { kind: "overtaken", noun };
}

export function notFound(kind: ObjectKind): Failure {
  return { kind: `${kind}_not_found` };
}
