/** Objects that are made at most once per `Idempotency-Key`: whether one is made is decided by the batch that makes it. */
import { and, eq, getTableColumns, gt, type SQL, sql } from "drizzle-orm";
import { type DrizzleD1Database, drizzle } from "drizzle-orm/d1";
import { type AuditRow, insertAuditIfChanged, wasAudited } from "./audit.ts";
import type { OwnerAddress } from "./owner-keys.ts";
import { type apiKeys, type connections, creations, type webhooks } from "./schema.ts";

/** How long a key names the object that it made. From the wire contract. */
export const KEEP_CREATIONS_MS = 24 * 3_600_000;
const PURGED_PER_RUN = 500;

export type Creation = typeof creations.$inferSelect;

type CreatedTable = typeof apiKeys | typeof connections | typeof webhooks;

/** `refused`: a condition of the caller did not hold. */
export type Inserted = { outcome: "inserted" | "refused" } | { outcome: "made_before"; earlier: Creation };

/** What the key made; null where it made nothing in the last 24 hours. */
export async function findCreation(
  db: D1Database,
  owner: OwnerAddress,
  name: string,
  now: number,
): Promise<Creation | null> {
  const [row] = await drizzle(db)
    .select()
    .from(creations)
    .where(alive(owner, name, now));
  return row ?? null;
}

/**
 * Writes a new object and its audit row, and, where the request carried a key, what the key made. Of two requests with one
 * key, one inserts. `onlyIf` is a condition on the object.
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
  const made = alive(owner, creation.name, creation.created_at);
  const unmade = sql`NOT EXISTS (SELECT 1 FROM ${creations} WHERE ${made}) AND ${onlyIf ?? sql`1`}`;
  const { owner_type, owner_id, name } = creations;
  const [inserted, , , [earlier]] = await orm.batch([
    orm
      .insert(table)
      .select(valuesIf(table, row, unmade))
      .returning({ id: table.id }),
    insertAuditIfChanged(orm, auditRow),
    // A row of the same name is older than its 24 hours.
    orm
      .insert(creations)
      .select(valuesIf(creations, creation, wasAudited(auditRow)))
      .onConflictDoUpdate({ target: [owner_type, owner_id, name], set: REPLACED }),
    orm.select().from(creations).where(made),
  ]);
  if (inserted.length === 1) return { outcome: "inserted" };
  return earlier === undefined ? { outcome: "refused" } : { outcome: "made_before", earlier };
}

const REPLACED = {
  object_id: sql`excluded.object_id`,
  body_mac: sql`excluded.body_mac`,
  sealed_token: sql`excluded.sealed_token`,
  secret_ended: sql`excluded.secret_ended`,
  created_at: sql`excluded.created_at`,
};

/**
 * For the batch that changes an object: where the change ends its secret, no repeat of its creation answers the secret from
 * then on, not even once the object is active again.
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

/** Deletes rows that have been kept long enough, so many at a time that D1 does not notice. */
export async function purgeCreations(db: D1Database, now: number): Promise<void> {
  await db
    .prepare(
      `DELETE FROM creations WHERE rowid IN (
         SELECT rowid FROM creations WHERE created_at <= ? ORDER BY created_at LIMIT ?)`,
    )
    .bind(now - KEEP_CREATIONS_MS, PURGED_PER_RUN)
    .run();
}

function alive({ type, id }: OwnerAddress, name: string, now: number): SQL | undefined {
  return and(
    eq(creations.owner_type, type),
    eq(creations.owner_id, id),
    eq(creations.name, name),
    gt(creations.created_at, now - KEEP_CREATIONS_MS),
  );
}

/** In the order of the schema, which is the one that the query builder names the columns in. */
function valuesIf<Table extends CreatedTable | typeof creations>(
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
