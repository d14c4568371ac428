/** Connections as the portal writes them. Every change is a compare-and-set on `version`, so that none is lost. */
import { and, eq, isNull } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { connections } from "./schema.ts";

export type ManagedConnection = typeof connections.$inferSelect;
export type ConnectionChange = Partial<Pick<ManagedConnection, "status" | "secrets" | "deleted_at">>;

export async function insertConnection(db: D1Database, row: ManagedConnection): Promise<void> {
  await drizzle(db).insert(connections).values(row);
}

/** Null when there is none, or it is deleted. */
export async function getConnection(db: D1Database, id: string): Promise<ManagedConnection | null> {
  const [row] = await drizzle(db)
    .select()
    .from(connections)
    .where(and(eq(connections.id, id), isNull(connections.deleted_at)));
  return row ?? null;
}

/** Writes `change` over the row as it was read; null when somebody else changed it meanwhile. */
export async function changeConnection(
  db: D1Database,
  read: ManagedConnection,
  change: ConnectionChange,
  version: number,
  now: number,
): Promise<ManagedConnection | null> {
  const [row] = await drizzle(db)
    .update(connections)
    .set({ ...change, version, updated_at: now })
    .where(and(eq(connections.id, read.id), eq(connections.version, read.version)))
    .returning();
  return row ?? null;
}
