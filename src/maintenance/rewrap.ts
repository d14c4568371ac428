/**
 * Rewraps every data key with the ring's first key, so that another key can be removed from the ring.
 *
 * A walk over all wrapped keys in bounded steps: the caller repeats the call with the position that the last step returned. Each key
 * is replaced by compare-and-set. A gate's key becomes a new version of its row, which is propagated: the gate replaces its own copy
 * and the one beside its archive. Repeating a step is safe; it finds nothing left to do.
 */

import { drizzle } from "drizzle-orm/d1";
import * as z from "zod";
import type { Bindings } from "../bindings.ts";
import { inParallel } from "../concurrency.ts";
import { dataKeyContext } from "../crypto/contexts.ts";
import { isWrappedByFirst, type KeyRing, rewrapDataKey, SealBroken } from "../crypto/vault.ts";
import { type AuditRow, asStatement, insertAuditWithCount } from "../db/audit.ts";
import {
  countAfter,
  type GateRow,
  type RewrappedKey,
  replaceWrappedKeys,
  type WrappedKey,
  wrappedKeysAfter,
} from "../db/gates.ts";
import {
  countOwnerKeysAfter,
  namedOwnerKeyContext,
  replaceOwnerKeys,
  wrappedOwnerKeysAfter,
} from "../db/owner-keys.ts";
import { propagate, snapshotOf } from "../gate/propagate.ts";
import { logError } from "../log.ts";
import type { GateKind } from "../model.ts";

const GATES_AT_A_TIME = 6;

/** A table with wrapped data keys. */
interface KeyTable {
  name: string;
  after(db: D1Database, id: string, limit: number): Promise<WrappedKey[]>;
  count(db: D1Database, afterId: string): Promise<number>;
  contextOf(id: string): string;
  replace(db: D1Database, keys: readonly RewrappedKey[], now: number): D1PreparedStatement;
  /** Sends a row that `replace` returned to the object that holds a copy of its key. */
  propagate(row: GateRow, env: Bindings): Promise<void>;
}

/** Nothing holds a copy of an owner's key: it is read whenever it is needed. */
const OWNER_KEYS: KeyTable = {
  name: "owner",
  after: wrappedOwnerKeysAfter,
  count: countOwnerKeysAfter,
  contextOf: namedOwnerKeyContext,
  replace: replaceOwnerKeys,
  propagate: () => Promise.resolve(),
};

/** In the order of the walk. */
const KEY_TABLES: readonly KeyTable[] = [gateKeys("connection"), gateKeys("key"), OWNER_KEYS];

function gateKeys(kind: GateKind): KeyTable {
  return {
    name: kind,
    after: (db, id, limit) => wrappedKeysAfter(db, kind, id, limit),
    count: (db, afterId) => countAfter(db, kind, afterId),
    contextOf: (id) => dataKeyContext({ kind, id }),
    replace: (db, keys, now) => replaceWrappedKeys(db, kind, keys, now),
    propagate: (row, env) => propagate(snapshotOf(kind, row), env),
  };
}

/** The last key that was examined: its table and its id. */
export const position = z.tuple([
  z.string().refine((name) => KEY_TABLES.some((table) => table.name === name)),
  z.string(),
]);
export type Position = z.infer<typeof position>;

export interface RewrapStep {
  examined: number;
  rewrapped: number;
  /** Keys that no key of the ring unwraps. */
  failed: number;
  /** Gates that could not be reached. The minute cron propagates their rows. */
  untold: number;
  /** Keys that are still to be examined. */
  remaining: number;
  /** Null at the end of the walk. */
  next: Position | null;
}

/** One step, over at most `limit` keys. `auditRowAt` makes the audit row of a step that replaces keys. */
export async function rewrapStep(
  from: Position | null,
  limit: number,
  ring: KeyRing,
  env: Bindings,
  auditRowAt: (now: number) => AuditRow,
): Promise<RewrapStep> {
  const at = Math.max(
    0,
    KEY_TABLES.findIndex(({ name }) => name === from?.[0]),
  );
  const table = KEY_TABLES[at];
  if (table === undefined) throw new Error("there is no table of data keys");
  const keys = await table.after(env.DB, from?.[1] ?? "", limit);
  const outdated = keys.filter(({ data_key }) => data_key !== "" && !isWrappedByFirst(ring, data_key));
  const replaced = await replaceAll(table, outdated, ring, env.DB, auditRowAt);
  const unreached = await propagateRows(table, replaced.rows, env);
  const last = keys.at(-1);
  const following = KEY_TABLES[at + 1];
  const next: Position | null =
    keys.length === limit && last !== undefined
      ? [table.name, last.id]
      : following === undefined
        ? null
        : [following.name, ""];
  const remaining = await remainingAfter(next, env.DB);
  return {
    examined: keys.length,
    rewrapped: replaced.rows.length,
    failed: replaced.failed,
    untold: unreached,
    remaining,
    next,
  };
}

async function replaceAll(
  table: KeyTable,
  keys: readonly WrappedKey[],
  ring: KeyRing,
  db: D1Database,
  auditRowAt: (now: number) => AuditRow,
): Promise<{ rows: GateRow[]; failed: number }> {
  const now = Date.now();
  const rewrapped: RewrappedKey[] = [];
  for (const key of keys) {
    try {
      rewrapped.push({ ...key, rewrapped: await rewrapDataKey(ring, key.data_key, table.contextOf(key.id)) });
    } catch (error) {
      if (!(error instanceof SealBroken)) throw error;
      logError("failed to unwrap a data key", { kind: table.name, id: key.id }, error);
    }
  }
  const failed = keys.length - rewrapped.length;
  if (rewrapped.length === 0) return { rows: [], failed };
  const audited = asStatement(db, insertAuditWithCount(drizzle(db), auditRowAt(now), "keys"));
  const [replaced] = await db.batch<GateRow>([table.replace(db, rewrapped, now), audited]);
  return { rows: replaced?.results ?? [], failed };
}

async function propagateRows(table: KeyTable, rows: readonly GateRow[], env: Bindings): Promise<number> {
  let unreached = 0;
  await inParallel(rows, GATES_AT_A_TIME, async (row) => {
    try {
      await table.propagate(row, env);
    } catch (error) {
      unreached++;
      logError("failed to propagate a change", { kind: table.name, id: row.id }, error);
    }
  });
  return unreached;
}

async function remainingAfter(next: Position | null, db: D1Database): Promise<number> {
  if (next === null) return 0;
  const [name, id] = next;
  const at = KEY_TABLES.findIndex((table) => table.name === name);
  const counts = await Promise.all(
    KEY_TABLES.slice(at).map((table, i) => table.count(db, i === 0 ? id : "")),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}
