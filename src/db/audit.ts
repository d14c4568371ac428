/**
 * The audit trail: who changed what, when and how.
 *
 * A row is written in the same batch as the change it tells of, directly after the statement that makes the change, and
 * only if that statement changed one row. So no change goes untold, and none is told that lost its compare-and-set.
 */
import { sql } from "drizzle-orm";
import type { DrizzleD1Database } from "drizzle-orm/d1";
import { integerToBase32 } from "../crypto/encoding.ts";
import { randomBase32 } from "../crypto/ids.ts";
import { type AuditedFields, audit, type OwnerType, type SubjectKind } from "./schema.ts";

export type AuditRow = typeof audit.$inferSelect;

export interface AuditEntry<Kind extends SubjectKind = SubjectKind> {
  /** Milliseconds. For an object that has a version, the version that the change makes: it orders the object's rows. */
  at: number;
  /** See the column of the same name. */
  actor: string;
  requestId: string;
  kind: Kind;
  /** What happened, without the kind: `created`, `updated`, `deleted`, `secret_rotated`. */
  what: string;
  subjectId: string;
  owner: { type: OwnerType; id: string } | null;
  /** Whole, or as {@link changedFields} answers; never with a secret or a sealed value. */
  before: AuditedFields | null;
  after: AuditedFields | null;
}

/** 45 bits of milliseconds, then 50 random ones. */
const TIME_DIGITS = 9;
const RANDOM_DIGITS = 10;

/** The lowest id that a row of this time can have. */
export function auditIdAt(at: number): string {
  return `aud_${integerToBase32(at, TIME_DIGITS)}`;
}

export function auditRow(entry: AuditEntry): AuditRow {
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

/** A statement for a batch, to stand directly after the one whose change it tells. Writes nothing if that changed nothing. */
export function tellIfChanged(orm: DrizzleD1Database, row: AuditRow) {
  return orm.insert(audit).select(
    sql`SELECT ${row.id}, ${row.at}, ${row.actor}, ${row.action}, ${row.subject_kind}, ${row.subject_id},
      ${row.owner_type}, ${row.owner_id}, ${row.request_id}, ${textOf(row.before)}, ${textOf(row.after)}
      WHERE changes() = 1`,
  );
}

/** A condition for the statements that follow in the batch: whether the change that `row` tells of was made. */
export function wasTold(row: AuditRow) {
  return sql`EXISTS (SELECT 1 FROM ${audit} WHERE ${audit.id} = ${row.id})`;
}

/** The fields in which `after` differs, as they were and as they are. */
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
