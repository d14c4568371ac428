/**
 * Wrapping every data key anew with the ring's first key, so that another key of the ring can be taken out of it.
 *
 * A walk through all places where wrapped keys rest, in bounded steps that the caller repeats from the position that the
 * last one answered. Each key is replaced by compare-and-set; that of a gate as a new version of its row, and the gate is
 * told, which replaces its own copy and the one beside its archive. A step that is repeated finds nothing left to do.
 */

import { drizzle } from "drizzle-orm/d1";
import * as z from "zod";
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
import type { Bindings } from "../env.ts";
import { propagate, snapshotOf } from "../gate/propagate.ts";
import { logError } from "../log.ts";
import type { GateKind } from "../model.ts";

const GATES_AT_A_TIME = 6;

/** Where wrapped data keys rest, in the order of the walk. */
interface Place {
  name: string;
  after(db: D1Database, id: string, limit: number): Promise<WrappedKey[]>;
  count(db: D1Database, afterId: string): Promise<number>;
  contextOf(id: string): string;
  replace(db: D1Database, keys: readonly RewrappedKey[], now: number): D1PreparedStatement;
  /** Tells whoever holds a copy. Gets the rows that `replace` answered. */
  propagate(row: GateRow, env: Bindings): Promise<void>;
}

/** Nobody holds a copy of an owner's key: it is read whenever it is needed. */
const OWNERS: Place = {
  name: "owner",
  after: wrappedOwnerKeysAfter,
  count: countOwnerKeysAfter,
  contextOf: namedOwnerKeyContext,
  replace: replaceOwnerKeys,
  propagate: () => Promise.resolve(),
};

const PLACES: readonly Place[] = [gatePlace("connection"), gatePlace("key"), OWNERS];

function gatePlace(kind: GateKind): Place {
  return {
    name: kind,
    after: (db, id, limit) => wrappedKeysAfter(db, kind, id, limit),
    count: (db, afterId) => countAfter(db, kind, afterId),
    contextOf: (id) => dataKeyContext({ kind, id }),
    replace: (db, keys, now) => replaceWrappedKeys(db, kind, keys, now),
    propagate: (row, env) => propagate(snapshotOf(kind, row), env),
  };
}

/** The last key that was looked at: its place and its id. */
export const position = z.tuple([
  z.string().refine((name) => PLACES.some((place) => place.name === name)),
  z.string(),
]);
export type Position = z.infer<typeof position>;

export interface Progress {
  rewrapped: number;
  /** Keys that no key of the ring opens. */
  failed: number;
  /** Gates that could not be told now; the minute cron tells them. */
  untold: number;
  /** Keys that the walk has yet to look at. */
  remaining: number;
  /** Null when the walk has come to its end. */
  next: Position | null;
}

/** One step: looks at `limit` keys at most. `auditRowAt` makes the audit row of a step that replaces some; it tells how many. */
export async function rewrapStep(
  from: Position | null,
  limit: number,
  ring: KeyRing,
  env: Bindings,
  auditRowAt: (now: number) => AuditRow,
): Promise<Progress> {
  const at = Math.max(
    0,
    PLACES.findIndex(({ name }) => name === from?.[0]),
  );
  const place = PLACES[at];
  if (place === undefined) throw new Error("there is no place where keys rest");
  const keys = await place.after(env.DB, from?.[1] ?? "", limit);
  const outdated = keys.filter(({ data_key }) => data_key !== "" && !isWrappedByFirst(ring, data_key));
  const replaced = await replaceAll(place, outdated, ring, env.DB, auditRowAt);
  const unreached = await propagateRows(place, replaced.rows, env);
  const last = keys.at(-1);
  const following = PLACES[at + 1];
  const next: Position | null =
    keys.length === limit && last !== undefined
      ? [place.name, last.id]
      : following === undefined
        ? null
        : [following.name, ""];
  const remaining = await remainingAfter(next, env.DB);
  return { rewrapped: replaced.rows.length, failed: replaced.failed, untold: unreached, remaining, next };
}

async function replaceAll(
  place: Place,
  keys: readonly WrappedKey[],
  ring: KeyRing,
  db: D1Database,
  auditRowAt: (now: number) => AuditRow,
): Promise<{ rows: GateRow[]; failed: number }> {
  const now = Date.now();
  const rewrapped: RewrappedKey[] = [];
  for (const key of keys) {
    try {
      rewrapped.push({ ...key, rewrapped: await rewrapDataKey(ring, key.data_key, place.contextOf(key.id)) });
    } catch (error) {
      if (!(error instanceof SealBroken)) throw error;
      logError("a data key does not open", { place: place.name, id: key.id }, error);
    }
  }
  const failed = keys.length - rewrapped.length;
  if (rewrapped.length === 0) return { rows: [], failed };
  const audited = asStatement(db, insertAuditWithCount(drizzle(db), auditRowAt(now), "keys"));
  const [replaced] = await db.batch<GateRow>([place.replace(db, rewrapped, now), audited]);
  return { rows: replaced?.results ?? [], failed };
}

async function propagateRows(place: Place, rows: readonly GateRow[], env: Bindings): Promise<number> {
  let unreached = 0;
  await inParallel(rows, GATES_AT_A_TIME, async (row) => {
    try {
      await place.propagate(row, env);
    } catch (error) {
      unreached++;
      logError("failed to propagate a change", { kind: place.name, id: row.id }, error);
    }
  });
  return unreached;
}

async function remainingAfter(next: Position | null, db: D1Database): Promise<number> {
  if (next === null) return 0;
  const [name, id] = next;
  const at = PLACES.findIndex((place) => place.name === name);
  const counts = await Promise.all(PLACES.slice(at).map((place, i) => place.count(db, i === 0 ? id : "")));
  return counts.reduce((sum, count) => sum + count, 0);
}
