/**
 * Who wants to hear of files: the owner of the connection or key they came by, and the employer they are about. The gates hold
 * the truth about files, and most owners ask for nothing: so a gate keeps no word of what it need not tell, and whether it need
 * not is one read for a whole batch of files.
 */
import * as z from "zod";
import type { OwnerAddress } from "../db/owner-keys.ts";
import {
  ENVIRONMENTS,
  type Environment,
  type GateAddress,
  type GateKind,
  gateName,
  OWNER_TYPES,
} from "../model.ts";

export interface GateListeners {
  owner: OwnerAddress;
  environment: Environment;
  /** Whether a webhook of the owner, active or not, asks for events of files. */
  listened: boolean;
  /** Whether a webhook of some employer does, in this environment. */
  employersListen: boolean;
}

/** A file, as far as it says who listens. */
export interface HeardFile {
  gate: GateAddress;
  employerId: string;
}

/** Those who hear of a file; none where nobody asks. */
export interface Audience {
  environment: Environment;
  owners: OwnerAddress[];
}

const TABLES: Record<GateKind, string> = { connection: "connections", key: "api_keys" };
const ASKS_FOR_FILES = "EXISTS (SELECT 1 FROM json_each(w.events) WHERE value = '*' OR value LIKE 'file.%')";

const row = z.object({
  id: z.string(),
  owner_type: z.enum(OWNER_TYPES),
  owner_id: z.string(),
  environment: z.enum(ENVIRONMENTS),
  listened: z.number(),
  employers_listen: z.number(),
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
      const { id, owner_type: type, owner_id, environment, listened, employers_listen } = row.parse(each);
      const owner = { type, id: owner_id };
      found.set(gateName({ kind, id }), {
        owner,
        environment,
        listened: listened === 1,
        employersListen: employers_listen === 1,
      });
    }
  }
  return found;
}

/** Who hears of each of the files; undefined for one whose gate no row ever had. Rejects when D1 does not answer. */
export async function findAudiences(
  db: D1Database,
  files: readonly HeardFile[],
): Promise<(file: HeardFile) => Audience | undefined> {
  const gates = await findListeners(
    db,
    files.map(({ gate }) => gate),
  );
  const employers = files
    .filter(({ gate }) => gates.get(gateName(gate))?.employersListen)
    .map(({ employerId }) => employerId);
  const listening = await listeningEmployers(db, employers);
  return ({ gate, employerId }) => {
    const heard = gates.get(gateName(gate));
    return heard && audienceOf(heard, employerId, listening);
  };
}

/** As {@link findAudiences}, of one file whose gate has been looked up. */
export async function findAudience(
  db: D1Database,
  heard: GateListeners,
  employerId: string,
): Promise<Audience> {
  return audienceOf(
    heard,
    employerId,
    await listeningEmployers(db, heard.employersListen ? [employerId] : []),
  );
}

function audienceOf(
  { owner, environment, listened }: GateListeners,
  employerId: string,
  listening: ReadonlySet<string>,
): Audience {
  const employer: OwnerAddress = { type: "employer", id: employerId };
  const isOwner = owner.type === employer.type && owner.id === employer.id;
  const hears = !isOwner && listening.has(nameOf(environment, employerId));
  return { environment, owners: [...(listened ? [owner] : []), ...(hears ? [employer] : [])] };
}

/** Those of the employers, with the environment, that have a webhook of their own for files, active or not. */
async function listeningEmployers(db: D1Database, employerIds: readonly string[]): Promise<Set<string>> {
  if (employerIds.length === 0) return new Set();
  const { results } = await db
    .prepare(
      `SELECT DISTINCT w.owner_id, w.environment FROM webhooks w
       WHERE w.owner_type = 'employer' AND w.owner_id IN (SELECT value FROM json_each(?)) AND w.deleted_at IS NULL
         AND ${ASKS_FOR_FILES}`,
    )
    .bind(JSON.stringify([...new Set(employerIds)]))
    .all<{ owner_id: string; environment: string }>();
  return new Set(results.map(({ owner_id, environment }) => nameOf(environment, owner_id)));
}

function nameOf(environment: string, employerId: string): string {
  return `${environment} ${employerId}`;
}

/** That some employer listens is asked once a statement, and ends at the first webhook that does. */
const someEmployerListens = (environment: Environment) =>
  `(SELECT EXISTS (SELECT 1 FROM webhooks w WHERE w.owner_type = 'employer' AND w.deleted_at IS NULL
     AND w.environment = '${environment}' AND ${ASKS_FOR_FILES}))`;

function statementFor(db: D1Database, kind: GateKind, gates: readonly GateAddress[]): D1PreparedStatement {
  const ids = [...new Set(gates.map(({ id }) => id))];
  const [only] = ids;
  return db
    .prepare(
      `SELECT g.id, g.owner_type, g.owner_id, g.environment, EXISTS (
         SELECT 1 FROM webhooks w
         WHERE w.owner_type = g.owner_type AND w.owner_id = g.owner_id AND w.deleted_at IS NULL
           AND w.environment = g.environment AND ${ASKS_FOR_FILES}) AS listened,
         CASE g.environment WHEN 'sandbox' THEN ${someEmployerListens("sandbox")}
           ELSE ${someEmployerListens("production")} END AS employers_listen
       FROM ${TABLES[kind]} g WHERE ${ids.length === 1 ? "g.id = ?" : "g.id IN (SELECT value FROM json_each(?))"}`,
    )
    .bind(ids.length === 1 ? only : JSON.stringify(ids));
}
