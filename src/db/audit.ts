/**
 * The audit trail: which client changed which object, when and how.
 *
 * A row is written in the same batch as its change, directly after the statement that makes the change, and only if that statement
 * changed one row. So every change is recorded, and no change that lost its compare-and-set is.
 */
import { and, desc, eq, gte, lt, sql } from "drizzle-orm";
import { type DrizzleD1Database, drizzle } from "drizzle-orm/d1";
import { integerToBase32 } from "../crypto/encoding.ts";
import { randomBase32 } from "../crypto/ids.ts";
import type { OwnerType } from "../model.ts";
import { type AuditedFields, audit, type SubjectKind } from "./schema.ts";

export type AuditRow = typeof audit.$inferSelect;

export interface AuditEntry<Kind extends SubjectKind = SubjectKind> {
  /** Milliseconds. For an object with a version, the new version, which orders the object's rows. */
  at: number;
  /** See the column of the same name. */
  actor: string;
  /** Empty for a change that the gateway makes itself. */
  requestId: string;
  kind: Kind;
  /** The action without the kind: `created`, `updated`, `deleted`, `secret_rotated`. */
  what: string;
  subjectId: string;
  owner: { type: OwnerType; id: string } | null;
  /** The whole object, or the result of {@link changedFields}. Never contains a secret or a sealed value. */
  before: AuditedFields | null;
  after: AuditedFields | null;
}

/** Like file ids: 50 bits of milliseconds, then 50 random bits. */
const TIME_DIGITS = 10;
const RANDOM_DIGITS = 10;

/** The lowest id that a row of this time can have. */
export function auditIdAt(at: number): string {
  return `aud_${integerToBase32(at, TIME_DIGITS)}`;
}

export function newAuditRow(entry: AuditEntry): AuditRow {
  return {
    id: `${auditIdAt(entry.at)}${randomBase32(RANDOM_DIGITS)}`,
    at: entry.at,
    actor: entry.actor,
    action: `${entry.kind}.${entry.what}`,
    subject_kind: entry.kind,
    subject_id: entry.subjectId,
    owner_type: entry.owner?.type ?? null,
    owner_id: entry.owner?.id ?? null,
    request_id: entry.requestId,
    before: entry.before,
    after: entry.after,
  };
}

/** For a batch, directly after the statement that makes the change. Writes nothing if that statement changed nothing. */
export function insertAuditIfChanged(orm: DrizzleD1Database, row: AuditRow) {
  return orm.insert(audit).select(
    sql`SELECT ${row.id}, ${row.at}, ${row.actor}, ${row.action}, ${row.subject_kind}, ${row.subject_id},
      ${row.owner_type}, ${row.owner_id}, ${row.request_id}, ${textOf(row.before)}, ${textOf(row.after)}
      WHERE changes() = 1`,
  );
}

/** As {@link insertAuditIfChanged}, for a statement that changes many rows: `after` records their number under `name`. */
export function insertAuditWithCount(orm: DrizzleD1Database, row: AuditRow, name: string) {
  return orm.insert(audit).select(
    sql`SELECT ${row.id}, ${row.at}, ${row.actor}, ${row.action}, ${row.subject_kind}, ${row.subject_id},
      ${row.owner_type}, ${row.owner_id}, ${row.request_id}, ${textOf(row.before)}, json_object(${name}, changes())
      WHERE changes() > 0`,
  );
}

/** Writes the row whatever the batch changes. */
function insertAudit(orm: DrizzleD1Database, row: AuditRow) {
  return orm.insert(audit).values(row);
}

/** For an action that changes nothing in D1. */
export async function recordAudit(db: D1Database, row: AuditRow): Promise<void> {
  await insertAudit(drizzle(db), row);
}

/** Converts a statement of the query builder for a batch of D1's own. */
export function asStatement(
  db: D1Database,
  query: { toSQL(): { sql: string; params: unknown[] } },
): D1PreparedStatement {
  const { sql: text, params } = query.toSQL();
  return db.prepare(text).bind(...params);
}

/** A condition for later statements of the batch: whether the change that `row` records was made. */
export function wasAudited(row: AuditRow) {
  return sql`EXISTS (SELECT 1 FROM ${audit} WHERE ${audit.id} = ${row.id})`;
}

/** The fields that differ, before and after. */
export function changedFields(
  before: AuditedFields,
  after: AuditedFields,
): { before: AuditedFields; after: AuditedFields } {
  const names = Object.keys(after).filter((name) => textOf(before[name]) !== textOf(after[name]));
  const pick = (fields: AuditedFields) => Object.fromEntries(names.map((name) => [name, fields[name]]));
  return { before: pick(before), after: pick(after) };
}

function textOf(value: unknown): string | null {
  return value === undefined || value === null ? null : JSON.stringify(value);
}

export interface AuditFilter {
  owner: { type: OwnerType; id: string } | null;
  subject: { kind: SubjectKind; id: string } | null;
  action: string | null;
  /** Milliseconds; rows from this time on. */
  since: number | null;
}

/** After every id. */
const END = "aud_~";

/** Newest first, from below the id `before`. Returns `limit + 1` rows if there are more. */
export function listAudit(
  db: D1Database,
  { owner, subject, action, since }: AuditFilter,
  before: string | null,
  limit: number,
): Promise<AuditRow[]> {
  return drizzle(db)
    .select()
    .from(audit)
    .where(
      and(
        lt(audit.id, before ?? END),
        since === null ? undefined : gte(audit.id, auditIdAt(since)),
        owner === null ? undefined : and(eq(audit.owner_type, owner.type), eq(audit.owner_id, owner.id)),
        subject === null
          ? undefined
          : and(eq(audit.subject_kind, subject.kind), eq(audit.subject_id, subject.id)),
        action === null ? undefined : eq(audit.action, action),
      ),
    )
    .orderBy(desc(audit.id))
    .limit(limit + 1);
}

/**
 * The changes that a request made, in their order, at most `limit`. `owners` are owners, or one field of an owner, that each
 * row must have.
 */
export function auditOfRequest(
  db: D1Database,
  requestId: string,
  owners: readonly { type?: OwnerType | undefined; id?: string | undefined }[],
  limit: number,
): Promise<AuditRow[]> {
  const limits = owners.flatMap(({ type, id }) => [
    type === undefined ? undefined : eq(audit.owner_type, type),
    id === undefined ? undefined : eq(audit.owner_id, id),
  ]);
  return (
    drizzle(db)
      .select()
      .from(audit)
      // Repeats the condition of the index, so that SQLite uses it.
      .where(and(eq(audit.request_id, requestId), sql`request_id <> ''`, ...limits))
      .orderBy(sql`rowid`)
      .limit(limit)
  );
}

/** Seven years, like the archived reports. */
const KEEP_AUDIT_MS = 7 * 366 * 86_400_000;
const PURGED_PER_RUN = 500;

/** Deletes expired rows, few enough at a time not to slow D1 down. */
export async function purgeAudit(db: D1Database, now: number): Promise<void> {
  await db
    .prepare("DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE id < ? ORDER BY id LIMIT ?)")
    .bind(auditIdAt(now - KEEP_AUDIT_MS), PURGED_PER_RUN)
    .run();
}
