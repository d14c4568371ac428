/** Rows that have a gate: connections and API keys, as far as they are alike. */
import type { Environment, GateAddress, GateKind, Plan } from "../model.ts";

/** Reports that arrive with a bearer key are kept as long as the default connection keeps its own. */
export const DEFAULT_RETENTION_YEARS = 7;

const TABLES: Record<GateKind, string> = { connection: "connections", key: "api_keys" };
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

/** The version after `old`: grows with the clock, so that a database restored from a backup overtakes what gates remember. */
export function nextVersion(old: number, now: number): number {
  return Math.max(now, old + 1);
}

/** Notes that the gate knows this version, unless the row has changed again. */
export async function markPropagated(db: D1Database, gate: GateAddress, version: number): Promise<void> {
  await db
    .prepare(`UPDATE ${TABLES[gate.kind]} SET gate_version = ?2 WHERE id = ?1 AND version = ?2`)
    .bind(gate.id, version)
    .run();
}

/** Rows whose gate was not told of their last change, the longest waiting of them first. */
export async function findBehind(db: D1Database, kind: GateKind, limit: number): Promise<GateRow[]> {
  const { results } = await db
    .prepare(
      `SELECT ${COLUMNS[kind]} FROM ${TABLES[kind]} WHERE gate_version <> version ORDER BY updated_at LIMIT ?`,
    )
    .bind(limit)
    .all<GateRow>();
  return results;
}

/** Ids of rows from `from` up to `to`, inactive and deleted ones too. */
export async function findInRange(
  db: D1Database,
  kind: GateKind,
  from: string,
  to: string,
): Promise<GateAddress[]> {
  const { results } = await db
    .prepare(`SELECT id FROM ${TABLES[kind]} WHERE id >= ? AND id < ?`)
    .bind(from, to)
    .all<{ id: string }>();
  return results.map(({ id }) => ({ kind, id }));
}

export interface GateOwner {
  owner_type: string;
  owner_id: string;
  environment: Environment;
}

/** Who owns a gate; null for an address that no row ever had, whose object must not be created. */
export async function findGateOwner(db: D1Database, gate: GateAddress): Promise<GateOwner | null> {
  return db
    .prepare(`SELECT owner_type, owner_id, environment FROM ${TABLES[gate.kind]} WHERE id = ?`)
    .bind(gate.id)
    .first<GateOwner>();
}

export interface WrappedKey {
  id: string;
  data_key: string;
}

/** Wrapped data keys in the order of their ids, from after `afterId`; erased ones are empty. */
export async function wrappedKeysAfter(
  db: D1Database,
  kind: GateKind,
  afterId: string,
  limit: number,
): Promise<WrappedKey[]> {
  const { results } = await db
    .prepare(`SELECT id, data_key FROM ${TABLES[kind]} WHERE id > ? ORDER BY id LIMIT ?`)
    .bind(afterId, limit)
    .all<WrappedKey>();
  return results;
}

export async function countAfter(db: D1Database, kind: GateKind, afterId: string): Promise<number> {
  const row = await db
    .prepare(`SELECT count(*) AS count FROM ${TABLES[kind]} WHERE id > ?`)
    .bind(afterId)
    .first<{ count: number }>();
  return row?.count ?? 0;
}

export interface RewrappedKey extends WrappedKey {
  rewrapped: string;
}

/** Each a compare-and-set on the old value, as a new version of its row. With {@link COLUMNS} of the rows where it was made. */
export function replaceWrappedKeys(
  db: D1Database,
  kind: GateKind,
  keys: readonly RewrappedKey[],
  now: number,
): D1PreparedStatement {
  const table = TABLES[kind];
  return db
    .prepare(
      `UPDATE ${table} SET data_key = new.rewrapped, version = max(?2, version + 1)
       FROM (SELECT value ->> 'id' AS id, value ->> 'data_key' AS data_key, value ->> 'rewrapped' AS rewrapped
             FROM json_each(?1)) AS new
       WHERE ${table}.id = new.id AND ${table}.data_key = new.data_key RETURNING ${COLUMNS[kind]}`,
    )
    .bind(JSON.stringify(keys), now);
}
