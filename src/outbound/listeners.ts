/**
 * Who wants to hear of files. The gates hold the truth about them, and most owners ask for nothing: so a gate keeps no word of
 * what it need not tell, and whether it need not is one read for a whole batch of files.
 */
import * as z from "zod";
import type { OwnerAddress } from "../db/owner-keys.ts";
import { ENVIRONMENTS, type Environment, OWNER_TYPES } from "../db/schema.ts";
import { type GateAddress, type GateKind, gateName } from "../gate/file-id.ts";

export interface GateListeners {
  owner: OwnerAddress;
  environment: Environment;
  /** Whether a webhook of the owner, active or not, asks for events of files. */
  listened: boolean;
}

const TABLES: Record<GateKind, string> = { connection: "connections", key: "api_keys" };

const row = z.object({
  id: z.string(),
  owner_type: z.enum(OWNER_TYPES),
  owner_id: z.string(),
  environment: z.enum(ENVIRONMENTS),
  listened: z.number(),
});

/** By the gate's name. Gates that no row ever had are left out. Rejects when D1 does not answer. */
export async function findListeners(
  db: D1Database,
  gates: readonly GateAddress[],
): Promise<Map<string, GateListeners>> {
  const found = new Map<string, GateListeners>();
  const byKind = Map.groupBy(gates, ({ kind }) => kind);
  const statements = [...byKind].map(([kind, ofKind]) => statementFor(db, kind, ofKind));
  const [first] = statements;
  const results = statements.length === 1 && first ? [await first.all()] : await db.batch(statements);
  for (const [index, kind] of [...byKind.keys()].entries()) {
    for (const each of results[index]?.results ?? []) {
      const { id, owner_type: type, owner_id, environment, listened } = row.parse(each);
      const owner = { type, id: owner_id };
      found.set(gateName({ kind, id }), { owner, environment, listened: listened === 1 });
    }
  }
  return found;
}

function statementFor(db: D1Database, kind: GateKind, gates: readonly GateAddress[]): D1PreparedStatement {
  const ids = [...new Set(gates.map(({ id }) => id))];
  const [only] = ids;
  return db
    .prepare(
      `SELECT g.id, g.owner_type, g.owner_id, g.environment, EXISTS (
         SELECT 1 FROM webhooks w
         WHERE w.owner_type = g.owner_type AND w.owner_id = g.owner_id AND w.deleted_at IS NULL
           AND w.environment = g.environment
           AND EXISTS (SELECT 1 FROM json_each(w.events) WHERE value = '*' OR value LIKE 'file.%')) AS listened
       FROM ${TABLES[kind]} g WHERE ${ids.length === 1 ? "g.id = ?" : "g.id IN (SELECT value FROM json_each(?))"}`,
    )
    .bind(ids.length === 1 ? only : JSON.stringify(ids));
}
