/** Connections as the inbound webhook reads them: one query per connection, one more per employer. */
import * as z from "zod";
import { ENVIRONMENTS, OWNER_TYPES, PLANS } from "../model.ts";
import { jsonColumn } from "./json-column.ts";

/** Whether a read may be served by the nearest replica, or only by the primary. */
export type Consistency = "first-unconstrained" | "first-primary";

const connectionRow = z.object({
  id: z.string(),
  type: z.string(),
  owner_type: z.enum(OWNER_TYPES),
  owner_id: z.string(),
  status: z.enum(["active", "inactive"]),
  plan: z.enum(PLANS),
  environment: z.enum(ENVIRONMENTS),
  employer_id: z.string().nullable(),
  employer_fein: z.string().nullable(),
  /** Whether the owner is granted the employer that the connection is bound to. */
  employer_granted: z.number().transform((n) => n === 1),
  default_wait_seconds: z.number(),
  same_body: z.enum(["accept", "deduplicate"]),
  retention_years: z.number(),
  secrets: z.string().transform((text) => storedSecrets.parse(JSON.parse(text))),
  data_key: z.string(),
  version: z.number(),
  deleted_at: z.number().nullable(),
});
const storedSecrets = z.array(
  z.object({ id: z.string(), sealed: z.string(), created_at: z.number(), expires_at: z.number().nullable() }),
);
export type ConnectionRow = z.infer<typeof connectionRow>;

export interface Found<T> {
  value: T;
  /** Whether the primary served the read, so that nothing newer exists. */
  fromPrimary: boolean;
}

/** The row, even if it is soft-deleted. Null if there is none. Rejects if D1 fails. */
export async function findConnection(
  db: D1Database,
  id: string,
  consistency: Consistency,
): Promise<Found<ConnectionRow | null>> {
  const { results, meta } = await db
    .withSession(consistency)
    .prepare(
      `SELECT c.id, c.type, c.owner_type, c.owner_id, c.status, c.plan, c.environment, c.employer_id,
         e.fein AS employer_fein, g.employer_id IS NOT NULL AS employer_granted, c.default_wait_seconds, c.same_body,
         c.retention_years, c.secrets, c.data_key, c.version, c.deleted_at
       FROM connections c LEFT JOIN employers e ON e.id = c.employer_id
       LEFT JOIN employer_grants g
         ON g.employer_id = c.employer_id AND g.owner_type = c.owner_type AND g.owner_id = c.owner_id
       WHERE c.id = ?`,
    )
    .bind(id)
    .all();
  const [row] = results;
  return {
    value: row === undefined ? null : connectionRow.parse(row),
    fromPrimary: consistency === "first-primary" || meta.served_by_primary === true,
  };
}

const secretsRow = z.object({
  id: z.string(),
  data_key: z.string(),
  secrets: jsonColumn(storedSecrets),
  ended_secrets: jsonColumn(
    z.array(z.object({ id: z.string(), sealed: z.string(), created_at: z.number(), ended_at: z.number() })),
  ),
});
export type SecretsRow = z.infer<typeof secretsRow>;

/** How many other connections of an owner are read. */
const OTHER_CONNECTIONS = 20;
const SECRETS = "SELECT id, data_key, secrets, ended_secrets FROM connections";

/** The secrets of a connection and of its owner's newest other connections. `own` is null if there is none. Rejects if D1 fails. */
export async function findSecretsOfOwner(
  db: D1Database,
  id: string,
  owner: { type: string; id: string },
): Promise<{ own: SecretsRow | null; others: SecretsRow[] }> {
  const [own, owned] = await db.batch([
    db.prepare(`${SECRETS} WHERE id = ?`).bind(id),
    db
      .prepare(
        `${SECRETS} WHERE owner_type = ? AND owner_id = ? AND deleted_at IS NULL
         ORDER BY created_at DESC, id DESC LIMIT ?`,
      )
      .bind(owner.type, owner.id, OTHER_CONNECTIONS + 1),
  ]);
  const [row] = own?.results ?? [];
  const others = (owned?.results ?? [])
    .map((each) => secretsRow.parse(each))
    .filter((each) => each.id !== id);
  return {
    own: row === undefined ? null : secretsRow.parse(row),
    others: others.slice(0, OTHER_CONNECTIONS),
  };
}

export interface EmployerMatch {
  id: string;
  fein: string | null;
  /** Whether the given owner is granted the employer. */
  granted: boolean;
}

const employerRow = z.object({
  id: z.string(),
  fein: z.string().nullable(),
  granted: z.number().transform((n) => n === 1),
});

/** The employers with this FEIN (nine digits) or this id, at most two. */
export async function findEmployers(
  db: D1Database,
  by: { fein: string | null; id: string | null; ownerType: string; ownerId: string },
  consistency: Consistency,
): Promise<EmployerMatch[]> {
  const { results } = await db
    .withSession(consistency)
    .prepare(
      `SELECT e.id, e.fein, g.employer_id IS NOT NULL AS granted FROM employers e
       LEFT JOIN employer_grants g ON g.employer_id = e.id AND g.owner_type = ?3 AND g.owner_id = ?4
       WHERE e.fein = ?1 OR e.id = ?2`,
    )
    .bind(by.fein, by.id, by.ownerType, by.ownerId)
    .all();
  return results.map((row) => employerRow.parse(row));
}
