/** Objects of the portal are created at most once per `Idempotency-Key`, and changed only if nobody changed them meanwhile. One batch decides. */
import { and, eq, getTableColumns, gt, type SQL, sql } from "drizzle-orm";
import type { BatchItem } from "drizzle-orm/batch";
import { type DrizzleD1Database, drizzle } from "drizzle-orm/d1";
import type { SQLiteUpdateSetSource } from "drizzle-orm/sqlite-core";
import { type AuditRow, insertAuditIfChanged, wasAudited } from "./audit.ts";
import type { OwnerAddress } from "./owner-keys.ts";
import {
  type apiKeys,
  type connections,
  creations,
  type portalLinks,
  type sessions,
  type webhooks,
} from "./schema.ts";

/** How long a repeat of the key returns the object that it created. From the wire contract. */
export const KEEP_CREATIONS_MS = 24 * 3_600_000;
const PURGED_PER_RUN = 500;

export type Creation = typeof creations.$inferSelect;

type VersionedTable = typeof apiKeys | typeof connections | typeof webhooks;
type CreatedTable = VersionedTable | typeof portalLinks;

/** `refused`: a condition of the caller was not met. */
export type Inserted = { outcome: "inserted" | "refused" } | { outcome: "made_before"; earlier: Creation };

/** The creation with this key. Null if there was none in the last 24 hours. */
export async function findCreation(
  db: D1Database,
  owner: OwnerAddress,
  name: string,
  now: number,
): Promise<Creation | null> {
  const [row] = await drizzle(db)
    .select()
    .from(creations)
    .where(unexpired(owner, name, now));
  return row ?? null;
}

/**
 * Inserts a new object, its audit row and, if the request had a key, its creation. Only one of two requests with the same key
 * inserts. `onlyIf` is a further condition.
 */
export async function insertOnce<Table extends CreatedTable>(
  db: D1Database,
  table: Table,
  row: Table["$inferSelect"],
  auditRow: AuditRow,
  { creation, onlyIf }: { creation: Creation | null; onlyIf?: SQL },
): Promise<Inserted> {
  const orm = drizzle(db);
  if (creation === null) {
    const [inserted] = await orm.batch([
      orm
        .insert(table)
        .select(valuesIf(table, row, onlyIf ?? sql`1`))
        .returning({ id: table.id }),
      insertAuditIfChanged(orm, auditRow),
    ]);
    return { outcome: inserted.length === 1 ? "inserted" : "refused" };
  }
  const owner = { type: creation.owner_type, id: creation.owner_id };
  const made = unexpired(owner, creation.name, creation.created_at);
  const unmade = sql`NOT EXISTS (SELECT 1 FROM ${creations} WHERE ${made}) AND ${onlyIf ?? sql`1`}`;
  const { owner_type, owner_id, name } = creations;
  const [inserted, , , [earlier]] = await orm.batch([
    orm
      .insert(table)
      .select(valuesIf(table, row, unmade))
      .returning({ id: table.id }),
    insertAuditIfChanged(orm, auditRow),
    // An existing row of this name has expired.
    orm
      .insert(creations)
      .select(valuesIf(creations, creation, wasAudited(auditRow)))
      .onConflictDoUpdate({ target: [owner_type, owner_id, name], set: REPLACED }),
    orm.select().from(creations).where(made),
  ]);
  if (inserted.length === 1) return { outcome: "inserted" };
  return earlier === undefined ? { outcome: "refused" } : { outcome: "made_before", earlier };
}

/**
 * Writes `change` if the row is still as it was read, with its audit row and the statements of `also`, which must check
 * {@link wasAudited} themselves. Returns false if the row was changed meanwhile. `endsSecret`: see {@link endSecret}.
 */
export async function changeIfUnchanged<Table extends VersionedTable>(
  db: D1Database,
  table: Table,
  read: Pick<Table["$inferSelect"], "id" | "version" | "owner_type" | "owner_id">,
  change: SQLiteUpdateSetSource<Table>,
  auditRow: AuditRow,
  { endsSecret, also = [] }: { endsSecret: boolean; also?: BatchItem<"sqlite">[] },
): Promise<boolean> {
  const orm = drizzle(db);
  const owner = { type: read.owner_type, id: read.owner_id };
  const [changed] = await orm.batch([
    orm
      .update(table)
      .set(change)
      .where(and(eq(table.id, read.id), eq(table.version, read.version)))
      .returning({ id: table.id }),
    insertAuditIfChanged(orm, auditRow),
    ...(endsSecret ? [endSecret(orm, owner, read.id, auditRow)] : []),
    ...also,
  ]);
  return changed.length === 1;
}

const REPLACED = {
  object_id: sql`excluded.object_id`,
  body_mac: sql`excluded.body_mac`,
  sealed_token: sql`excluded.sealed_token`,
  secret_ended: sql`excluded.secret_ended`,
  created_at: sql`excluded.created_at`,
};

/**
 * For the batch of a change that ends an object's secret: from then on, no repeat of the object's creation returns the secret, not
 * even after the object is active again.
 */
export function endSecret(orm: DrizzleD1Database, owner: OwnerAddress, objectId: string, auditRow: AuditRow) {
  return orm
    .update(creations)
    .set({ secret_ended: true, sealed_token: null })
    .where(
      and(
        eq(creations.owner_type, owner.type),
        eq(creations.owner_id, owner.id),
        eq(creations.object_id, objectId),
        wasAudited(auditRow),
      ),
    );
}

/** Deletes expired rows, few enough at a time not to slow D1 down. */
export async function purgeCreations(db: D1Database, now: number): Promise<void> {
  await db
    .prepare(
      `DELETE FROM creations WHERE rowid IN (
         SELECT rowid FROM creations WHERE created_at <= ? ORDER BY created_at LIMIT ?)`,
    )
    .bind(now - KEEP_CREATIONS_MS, PURGED_PER_RUN)
    .run();
}

function unexpired({ type, id }: OwnerAddress, name: string, now: number): SQL | undefined {
  return and(
    eq(creations.owner_type, type),
    eq(creations.owner_id, id),
    eq(creations.name, name),
    gt(creations.created_at, now - KEEP_CREATIONS_MS),
  );
}

/** For an insert: the row if the condition holds, else nothing. The query builder lists the columns in the order of the schema. */
export function valuesIf<Table extends CreatedTable | typeof creations | typeof sessions>(
  table: Table,
  row: Table["$inferSelect"],
  condition: SQL,
): SQL {
  const values = sql.join(
    Object.values(getTableColumns(table)).map((column) =>
      sql.param(row[column.name as keyof Table["$inferSelect"]], column),
    ),
    sql`, `,
  );
  return sql`SELECT ${values} WHERE ${condition}`;
}
