/** What connections and API keys have in common: each row has a gate. */
import type { Environment, GateAddress, GateKind, OwnerType, Plan } from "../model.ts";

/** The archive retention of reports that arrive with an API key: the default of connections. */
export const DEFAULT_RETENTION_YEARS = 7;

export const GATE_TABLES: Record<GateKind, string> = { connection: "connections", key: "api_keys" };
/** The columns of a {@link GateRow}. */
const COLUMNS: Record<GateKind, string> = {
  connection: "id, version, plan, environment, retention_years, data_key",
  key: `id, version, plan, environment, ${DEFAULT_RETENTION_YEARS} AS retention_years, data_key`,
};

export interface GateRow {
  id: string;
  version: number;
  plan: Plan;
  environment: Environment;
  retention_years: number;
  data_key: string;
}

/** The version after `old`. It grows with the clock, so that a database restored from a backup overtakes the versions that gates know. */
export function nextVersion(old: number, now: number): number {
  return Math.max(now, old + 1);
}

/** Records that the gate has this version, unless the row has changed again. */
export async function markPropagated(db: D1Database, gate: GateAddress, version: number): Promise<void> {
  await db
    .prepare(`UPDATE ${GATE_TABLES[gate.kind]} SET gate_version = ?2 WHERE id = ?1 AND version = ?2`)
    .bind(gate.id, version)
    .run();
}

/** Rows whose last change was not propagated, oldest first. */
export async function findUnpropagated(db: D1Database, kind: GateKind, limit: number): Promise<GateRow[]> {
  const { results } = await db
    .prepare(
      `SELECT ${COLUMNS[kind]} FROM ${GATE_TABLES[kind]} WHERE gate_version <> version ORDER BY updated_at LIMIT ?`,
    )
    .bind(limit)
    .all<GateRow>();
  return results;
}

/** Gates with ids from `from` up to but not including `to`, even of inactive and deleted rows. */
export async function findGatesInRange(
  db: D1Database,
  kind: GateKind,
  from: string,
  to: string,
): Promise<GateAddress[]> {
  const { results } = await db
    .prepare(`SELECT id FROM ${GATE_TABLES[kind]} WHERE id >= ? AND id < ?`)
    .bind(from, to)
    .all<{ id: string }>();
  return results.map(({ id }) => ({ kind, id }));
}

const IS_DELETED: Record<GateKind, string> = { connection: "deleted_at IS NOT NULL", key: "0" };

export interface GateOwner {
  owner_type: OwnerType;
  owner_id: string;
  environment: Environment;
  /** 1 for a deleted connection. */
  is_deleted: number;
}

/** The owner of a gate, even of a deleted connection. Null for an address that no row ever had: its object must not be created. */
export async function findGateOwner(db: D1Database, gate: GateAddress): Promise<GateOwner | null> {
  return db
    .prepare(
      `SELECT owner_type, owner_id, environment, ${IS_DELETED[gate.kind]} AS is_deleted FROM ${GATE_TABLES[gate.kind]} WHERE id = ?`,
    )
    .bind(gate.id)
    .first<GateOwner>();
}

export interface WrappedKey {
  id: string;
  data_key: string;
}

/** Wrapped data keys after `afterId`, in the order of ids. An erased key is empty. */
export async function wrappedKeysAfter(
  db: D1Database,
  kind: GateKind,
  afterId: string,
  limit: number,
): Promise<WrappedKey[]> {
  const { results } = await db
    .prepare(`SELECT id, data_key FROM ${GATE_TABLES[kind]} WHERE id > ? ORDER BY id LIMIT ?`)
    .bind(afterId, limit)
    .all<WrappedKey>();
  return results;
}

export async function countAfter(db: D1Database, kind: GateKind, afterId: string): Promise<number> {
  const row = await db
    .prepare(`SELECT count(*) AS count FROM ${GATE_TABLES[kind]} WHERE id > ?`)
    .bind(afterId)
    .first<{ count: number }>();
  return row?.count ?? 0;
}

export interface RewrappedKey extends WrappedKey {
  rewrapped: string;
}

/** Replaces each key by compare-and-set on the old value, as a new version of its row. Returns the {@link COLUMNS} of changed rows. */
export function replaceWrappedKeys(
  db: D1Database,
  kind: GateKind,
  keys: readonly RewrappedKey[],
  now: number,
): D1PreparedStatement {
  const table = GATE_TABLES[kind];
  return db
    .prepare(
      `UPDATE ${table} SET data_key = new.rewrapped, version = max(?2, version + 1)
       FROM (SELECT value ->> 'id' AS id, value ->> 'data_key' AS data_key, value ->> 'rewrapped' AS rewrapped
             FROM json_each(?1)) AS new
       WHERE ${table}.id = new.id AND ${table}.data_key = new.data_key RETURNING ${COLUMNS[kind]}`,
    )
    .bind(JSON.stringify(keys), now);
}
