/**
 * The subscribers to a file's events: the owner of the connection or key that sent the file, and the file's employer. Most
 * owners subscribe to nothing, so a gate records an event only if there is a subscriber; one read finds the subscribers of
 * a whole batch of files.
 */
import * as z from "zod";
import { GATE_TABLES } from "../db/gates.ts";
import type { OwnerAddress } from "../db/owner-keys.ts";
import {
  ENVIRONMENTS,
  type Environment,
  type GateAddress,
  type GateKind,
  gateName,
  OWNER_TYPES,
} from "../model.ts";

export interface GateSubscribers {
  owner: OwnerAddress;
  environment: Environment;
  /** Whether a webhook of the owner, active or not, subscribes to file events. */
  ownerSubscribed: boolean;
  /** Whether a webhook of any employer does, in this environment. */
  employersSubscribed: boolean;
}

/** The parts of a file that decide its subscribers. */
export interface FileOfGate {
  gate: GateAddress;
  employerId: string;
}

/** The owners that subscribe to a file's events. */
export interface FileSubscribers {
  environment: Environment;
  owners: OwnerAddress[];
}

const SUBSCRIBES_TO_FILES =
  "EXISTS (SELECT 1 FROM json_each(w.events) WHERE value = '*' OR value LIKE 'file.%')";

const row = z.object({
  id: z.string(),
  owner_type: z.enum(OWNER_TYPES),
  owner_id: z.string(),
  environment: z.enum(ENVIRONMENTS),
  owner_subscribed: z.number(),
  employers_subscribed: z.number(),
});

/** By the gate's name. A gate whose connection or key never existed is left out. Rejects if D1 does not respond. */
export async function findSubscribersOfGates(
  db: D1Database,
  gates: readonly GateAddress[],
): Promise<Map<string, GateSubscribers>> {
  const found = new Map<string, GateSubscribers>();
  const byKind = Map.groupBy(gates, ({ kind }) => kind);
  const statements = [...byKind].map(([kind, ofKind]) => statementFor(db, kind, ofKind));
  const [first] = statements;
  const results = statements.length === 1 && first ? [await first.all()] : await db.batch(statements);
  for (const [index, kind] of [...byKind.keys()].entries()) {
    for (const each of results[index]?.results ?? []) {
      const {
        id,
        owner_type: type,
        owner_id,
        environment,
        owner_subscribed,
        employers_subscribed,
      } = row.parse(each);
      const owner = { type, id: owner_id };
      found.set(gateName({ kind, id }), {
        owner,
        environment,
        ownerSubscribed: owner_subscribed === 1,
        employersSubscribed: employers_subscribed === 1,
      });
    }
  }
  return found;
}

/** Looks up each file's subscribers; undefined if the gate's connection or key never existed. Rejects if D1 does not respond. */
export async function findSubscribersOfFiles(
  db: D1Database,
  files: readonly FileOfGate[],
): Promise<(file: FileOfGate) => FileSubscribers | undefined> {
  const gates = await findSubscribersOfGates(
    db,
    files.map(({ gate }) => gate),
  );
  const employers = files
    .filter(({ gate }) => gates.get(gateName(gate))?.employersSubscribed)
    .map(({ employerId }) => employerId);
  const subscribed = await subscribedEmployers(db, employers);
  return ({ gate, employerId }) => {
    const gateSubscribers = gates.get(gateName(gate));
    return gateSubscribers && subscribersOf(gateSubscribers, employerId, subscribed);
  };
}

/** The same as {@link findSubscribersOfFiles}, for one file whose gate has been looked up. */
export async function findSubscribersOfFile(
  db: D1Database,
  gateSubscribers: GateSubscribers,
  employerId: string,
): Promise<FileSubscribers> {
  return subscribersOf(
    gateSubscribers,
    employerId,
    await subscribedEmployers(db, gateSubscribers.employersSubscribed ? [employerId] : []),
  );
}

function subscribersOf(
  { owner, environment, ownerSubscribed }: GateSubscribers,
  employerId: string,
  subscribed: ReadonlySet<string>,
): FileSubscribers {
  const employer: OwnerAddress = { type: "employer", id: employerId };
  const isOwner = owner.type === employer.type && owner.id === employer.id;
  const employerSubscribes = !isOwner && subscribed.has(employerKey(environment, employerId));
  return {
    environment,
    owners: [...(ownerSubscribed ? [owner] : []), ...(employerSubscribes ? [employer] : [])],
  };
}

/** Which of the employers, per environment, have a webhook of their own, active or not, that subscribes to file events. */
async function subscribedEmployers(db: D1Database, employerIds: readonly string[]): Promise<Set<string>> {
  if (employerIds.length === 0) return new Set();
  const { results } = await db
    .prepare(
      `SELECT DISTINCT w.owner_id, w.environment FROM webhooks w
       WHERE w.owner_type = 'employer' AND w.owner_id IN (SELECT value FROM json_each(?)) AND w.deleted_at IS NULL
         AND ${SUBSCRIBES_TO_FILES}`,
    )
    .bind(JSON.stringify([...new Set(employerIds)]))
    .all<{ owner_id: string; environment: string }>();
  return new Set(results.map(({ owner_id, environment }) => employerKey(environment, owner_id)));
}

function employerKey(environment: string, employerId: string): string {
  return `${environment} ${employerId}`;
}

/** Evaluated once per statement; the search ends at the first such webhook. */
const someEmployerSubscribed = (environment: Environment) =>
  `(SELECT EXISTS (SELECT 1 FROM webhooks w WHERE w.owner_type = 'employer' AND w.deleted_at IS NULL
     AND w.environment = '${environment}' AND ${SUBSCRIBES_TO_FILES}))`;

function statementFor(db: D1Database, kind: GateKind, gates: readonly GateAddress[]): D1PreparedStatement {
  const ids = [...new Set(gates.map(({ id }) => id))];
  const [only] = ids;
  return db
    .prepare(
      `SELECT g.id, g.owner_type, g.owner_id, g.environment, EXISTS (
         SELECT 1 FROM webhooks w
         WHERE w.owner_type = g.owner_type AND w.owner_id = g.owner_id AND w.deleted_at IS NULL
           AND w.environment = g.environment AND ${SUBSCRIBES_TO_FILES}) AS owner_subscribed,
         CASE g.environment WHEN 'sandbox' THEN ${someEmployerSubscribed("sandbox")}
           ELSE ${someEmployerSubscribed("production")} END AS employers_subscribed
       FROM ${GATE_TABLES[kind]} g WHERE ${ids.length === 1 ? "g.id = ?" : "g.id IN (SELECT value FROM json_each(?))"}`,
    )
    .bind(ids.length === 1 ? only : JSON.stringify(ids));
}
