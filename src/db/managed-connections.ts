/** Connections as the portal writes them. Every change is a compare-and-set on `version`, so that no change is lost. */
import {
  and,
  desc,
  eq,
  gte,
  isNotNull,
  isNull,
  lt,
  lte,
  or,
  type SQL,
  type SQLWrapper,
  sql,
} from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { AuditRow } from "./audit.ts";
import { type Creation, changeIfUnchanged, type Inserted, insertOnce } from "./creations.ts";
import { type ListCount, listCount, MAX_COUNT } from "./list-count.ts";
import { connections } from "./schema.ts";

export type ManagedConnection = typeof connections.$inferSelect;
/** The columns that may change: all but the owner and the type. */
export type ConnectionChange = Partial<
  Omit<
    ManagedConnection,
    "id" | "type" | "owner_type" | "owner_id" | "version" | "gate_version" | "created_at" | "updated_at"
  >
>;

export function insertConnection(
  db: D1Database,
  row: ManagedConnection,
  auditRow: AuditRow,
  creation: Creation | null,
): Promise<Inserted> {
  return insertOnce(db, connections, row, auditRow, { creation });
}

/** Null if there is none, or if it is deleted. */
export async function getConnection(db: D1Database, id: string): Promise<ManagedConnection | null> {
  const row = await getAnyConnection(db, id);
  return row === null || row.deleted_at !== null ? null : row;
}

/** Also returns a deleted connection. */
export async function getAnyConnection(db: D1Database, id: string): Promise<ManagedConnection | null> {
  const [row] = await drizzle(db).select().from(connections).where(eq(connections.id, id));
  return row ?? null;
}

/** The owners of those connections that exist, even of deleted ones. */
export function ownersOfConnections(
  db: D1Database,
  ids: readonly string[],
): Promise<Pick<ManagedConnection, "owner_type" | "owner_id">[]> {
  const { owner_type, owner_id } = connections;
  return drizzle(db)
    .select({ owner_type, owner_id })
    .from(connections)
    .where(sql`${connections.id} IN (SELECT value FROM json_each(${JSON.stringify(ids)}))`);
}

/** Deleted connections whose data key is due for deletion. */
export function findConnectionsToErase(
  db: D1Database,
  now: number,
  limit: number,
): Promise<ManagedConnection[]> {
  return drizzle(db)
    .select()
    .from(connections)
    .where(and(isNotNull(connections.erase_at), lte(connections.erase_at, now), sql`data_key <> ''`))
    .orderBy(connections.erase_at)
    .limit(limit);
}

export interface ConnectionFilter {
  status?: ManagedConnection["status"] | undefined;
  environment?: ManagedConnection["environment"] | undefined;
  type?: string | undefined;
  employer_id?: string | undefined;
}

/** The sort key of lists. */
export type ConnectionPosition = [createdAt: number, id: string];

export const positionOf = (row: Pick<ManagedConnection, "created_at" | "id">): ConnectionPosition => [
  row.created_at,
  row.id,
];

/** A page scans at most this many rows, so that a filter that matches few does not scan all. */
const SCANNED_ROWS = 1_000;

/**
 * An owner's connections after a position, newest first. Returns `limit + 1` rows if there are more. `scannedTo` is the position at
 * which the scan stopped; null if it reached the end.
 */
export async function listConnections(
  db: D1Database,
  owner: Pick<ManagedConnection, "owner_type" | "owner_id">,
  filter: ConnectionFilter,
  after: ConnectionPosition | null,
  limit: number,
): Promise<{ rows: ManagedConnection[]; scannedTo: ConnectionPosition | null }> {
  const orm = drizzle(db);
  const inOrder = (columns: { created_at: SQLWrapper; id: SQLWrapper }) =>
    [desc(columns.created_at), desc(columns.id)] as const;
  const within = and(
    eq(connections.owner_type, owner.owner_type),
    eq(connections.owner_id, owner.owner_id),
    isNull(connections.deleted_at),
    after === null
      ? undefined
      : sql`(${connections.created_at}, ${connections.id}) < (${after[0]}, ${after[1]})`,
  );
  const scanned = orm
    .select()
    .from(connections)
    .where(within)
    .orderBy(...inOrder(connections))
    .limit(SCANNED_ROWS)
    .as("scanned");
  const [rows, [end]] = await orm.batch([
    orm
      .select()
      .from(scanned)
      .where(matches(scanned, filter))
      .orderBy(...inOrder(scanned))
      .limit(limit + 1),
    orm
      .select({ created_at: connections.created_at, id: connections.id })
      .from(connections)
      .where(within)
      .orderBy(...inOrder(connections))
      .limit(1)
      .offset(SCANNED_ROWS - 1),
  ]);
  return { rows, scannedTo: end === undefined ? null : positionOf(end) };
}

function matches(
  columns: Record<keyof ConnectionFilter, SQLWrapper>,
  { status, environment, type, employer_id }: ConnectionFilter,
): SQL | undefined {
  return and(
    status === undefined ? undefined : sql`${columns.status} = ${status}`,
    environment === undefined ? undefined : sql`${columns.environment} = ${environment}`,
    type === undefined ? undefined : sql`${columns.type} = ${type}`,
    employer_id === undefined ? undefined : sql`${columns.employer_id} = ${employer_id}`,
  );
}

/** How many of an owner's newest connections match: of one more than are counted exactly. */
export async function countConnections(
  db: D1Database,
  owner: Pick<ManagedConnection, "owner_type" | "owner_id">,
  filter: ConnectionFilter,
): Promise<ListCount> {
  const orm = drizzle(db);
  const { status, environment, type, employer_id, created_at, id } = connections;
  const scanned = orm
    .select({ status, environment, type, employer_id })
    .from(connections)
    .where(
      and(
        eq(connections.owner_type, owner.owner_type),
        eq(connections.owner_id, owner.owner_id),
        isNull(connections.deleted_at),
      ),
    )
    .orderBy(desc(created_at), desc(id))
    .limit(MAX_COUNT + 1)
    .as("scanned");
  const [counted] = await orm
    .select({
      examined: sql<number>`count(*)`,
      found: sql<number>`coalesce(sum(${matches(scanned, filter) ?? sql`1`}), 0)`,
    })
    .from(scanned);
  return listCount(counted?.found ?? 0, (counted?.examined ?? 0) <= MAX_COUNT);
}

/** The secrets of a row, and its version. */
export type SecretsOfRow = Pick<ManagedConnection, "id" | "version" | "secrets" | "ended_secrets">;

/** Connections with ids from `from` up to but not including `to` that have a secret that has ended, even deleted ones. */
export function findEndedSecrets(
  db: D1Database,
  { from, to }: { from: string; to: string },
  now: number,
): Promise<SecretsOfRow[]> {
  const { id, version, secrets, ended_secrets } = connections;
  const hasExpired = sql`EXISTS (SELECT 1 FROM json_each(${secrets}) WHERE value ->> 'expires_at' <= ${now})`;
  return drizzle(db)
    .select({ id, version, secrets, ended_secrets })
    .from(connections)
    .where(and(gte(id, from), lt(id, to), or(sql`${ended_secrets} <> '[]'`, hasExpired)));
}

/** Replaces the secrets of rows that were not changed meanwhile. What verifies stays the same, so the version does too. */
export async function replaceSecrets(db: D1Database, rows: readonly SecretsOfRow[]): Promise<void> {
  const orm = drizzle(db);
  const [first, ...others] = rows.map(({ id, version, secrets, ended_secrets }) =>
    orm
      .update(connections)
      .set({ secrets, ended_secrets })
      .where(and(eq(connections.id, id), eq(connections.version, version))),
  );
  if (first !== undefined) await orm.batch([first, ...others]);
}

/** Writes `change` if the row is still as it was read. Returns false if it was changed meanwhile. */
export function changeConnection(
  db: D1Database,
  read: ManagedConnection,
  change: ConnectionChange & Pick<ManagedConnection, "version" | "updated_at">,
  auditRow: AuditRow,
): Promise<boolean> {
  const endsSecret =
    change.secrets !== undefined || change.status === "inactive" || change.deleted_at != null;
  return changeIfUnchanged(db, connections, read, change, auditRow, { endsSecret });
}
