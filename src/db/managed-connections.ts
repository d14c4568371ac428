/** Connections as the portal writes them. Every change is a compare-and-set on `version`, so that none is lost. */
import { and, eq, isNull } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { type AuditRow, tellIfChanged } from "./audit.ts";
import { connections } from "./schema.ts";

export type ManagedConnection = typeof connections.$inferSelect;
export type ConnectionChange = Partial<Pick<ManagedConnection, "status" | "secrets" | "deleted_at">>;

export async function insertConnection(
  db: D1Database,
  row: ManagedConnection,
  told: AuditRow,
): Promise<void> {
  const orm = drizzle(db);
  await orm.batch([orm.insert(connections).values(row), tellIfChanged(orm, told)]);
}

/** Null when there is none, or it is deleted. */
export async function getConnection(db: D1Database, id: string): Promise<ManagedConnection | null> {
  const [row] = await drizzle(db)
    .select()
    .from(connections)
    .where(and(eq(connections.id, id), isNull(connections.deleted_at)));
  return row ?? null;
}

/** Writes `change` over the row as it was read; false when somebody else changed it meanwhile. */
export async function changeConnection(
  db: D1Database,
  read: ManagedConnection,
  change: ConnectionChange & Pick<ManagedConnection, "version" | "updated_at">,
  told: AuditRow,
): Promise<boolean> {
  const orm = drizzle(db);
  const [changed] = await orm.batch([
    orm
      .update(connections)
      .set(change)
      .where(and(eq(connections.id, read.id), eq(connections.version, read.version)))
      .returning({ id: connections.id }),
    tellIfChanged(orm, told),
  ]);
  return changed.length === 1;
}
