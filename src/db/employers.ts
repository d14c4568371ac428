/** Employers, and the owners that may report for them. */
import { and, eq, gt, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { OwnerType } from "../model.ts";
import { type AuditRow, asStatement, insertAuditIfChanged, wasAudited } from "./audit.ts";
import { employerGrants, employers } from "./schema.ts";

export interface Employer {
  id: string;
  fein: string | null;
  name: string;
  owners: Grantee[];
}

export interface Grantee {
  owner_type: OwnerType;
  owner_id: string;
}

export type StoredEmployer = Employer & { version: number };

export async function getEmployer(db: D1Database, id: string): Promise<StoredEmployer | null> {
  return (await getEmployers(db, [id])).get(id) ?? null;
}

/** By id. Ids without an employer are missing. */
export async function getEmployers(
  db: D1Database,
  ids: readonly string[],
): Promise<Map<string, StoredEmployer>> {
  const orm = drizzle(db);
  const asked = sql`(SELECT value FROM json_each(${JSON.stringify(ids)}))`;
  const [rows, grants] = await orm.batch([
    orm.select().from(employers).where(sql`${employers.id} IN ${asked}`),
    orm.select().from(employerGrants).where(sql`${employerGrants.employer_id} IN ${asked}`),
  ]);
  const found = new Map(
    rows.map(({ id, fein, name, version }) => [id, { id, fein, name, version, owners: [] as Grantee[] }]),
  );
  for (const { employer_id, ...owner } of grants) found.get(employer_id)?.owners.push(owner);
  for (const employer of found.values()) employer.owners = inOrder(employer.owners);
  return found;
}

/** Employers after an id, in the order of ids: all of them, or those that an owner is granted. `limit + 1` rows if there are more. */
export async function listEmployers(
  db: D1Database,
  owner: { type: OwnerType; id: string } | null,
  after: string,
  limit: number,
): Promise<StoredEmployer[]> {
  const orm = drizzle(db);
  const rows =
    owner === null
      ? await orm
          .select({ id: employers.id })
          .from(employers)
          .where(gt(employers.id, after))
          .orderBy(employers.id)
          .limit(limit + 1)
      : await orm
          .select({ id: employerGrants.employer_id })
          .from(employerGrants)
          .where(
            and(
              eq(employerGrants.owner_type, owner.type),
              eq(employerGrants.owner_id, owner.id),
              gt(employerGrants.employer_id, after),
            ),
          )
          .orderBy(employerGrants.employer_id)
          .limit(limit + 1);
  const ids = rows.map(({ id }) => id);
  const found = await getEmployers(db, ids);
  return ids.flatMap((id) => found.get(id) ?? []);
}

/** Sorts grants, which have no order of their own, so that equal lists compare equal. Removes duplicates. */
export function inOrder(owners: readonly Grantee[]): Grantee[] {
  const named = owners.map((owner) => [nameOf(owner), owner] as const);
  return [...new Map(named)].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, owner]) => owner);
}

function nameOf({ owner_type, owner_id }: Grantee): string {
  return `${owner_type} ${owner_id}`;
}

export interface EmployerChange {
  /** Null if the employer is to be created. */
  read: StoredEmployer | null;
  wanted: StoredEmployer;
  auditRow: AuditRow;
}

export type EmployerWritten = "written" | "fein_taken" | "overtaken";

/**
 * Creates or replaces employers with their grants in one transaction, in order. Each is written only if it is still as it was `read`
 * and no other employer has its FEIN. No employer may occur in two changes.
 */
export async function putEmployers(
  db: D1Database,
  changes: readonly EmployerChange[],
  now: number,
): Promise<EmployerWritten[]> {
  if (changes.length === 0) return [];
  const statements = changes.map((change) => statementsOf(db, change, now));
  const results = await db.batch(statements.flat());
  let at = 0;
  const written = statements.map((each) => {
    const isWritten = (results[at]?.results.length ?? 0) === 1;
    at += each.length;
    return isWritten;
  });
  if (!written.includes(false)) return changes.map(() => "written");
  const holders = await holdersOf(
    db,
    changes.flatMap(({ wanted }, i) => (written[i] || wanted.fein === null ? [] : [wanted.fein])),
  );
  return changes.map(({ wanted }, i) => {
    if (written[i]) return "written";
    return (holders.get(wanted.fein ?? "") ?? wanted.id) === wanted.id ? "overtaken" : "fein_taken";
  });
}

function statementsOf(
  db: D1Database,
  { read, wanted, auditRow }: EmployerChange,
  now: number,
): D1PreparedStatement[] {
  const { id, fein, name, owners, version } = wanted;
  const orm = drizzle(db);
  const isFree = sql`NOT EXISTS (SELECT 1 FROM ${employers} WHERE fein = ${fein} AND id <> ${id})`;
  const write =
    read === null
      ? orm
          .insert(employers)
          .select(sql`SELECT ${id}, ${fein}, ${name}, ${version}, ${now}, ${now} WHERE ${isFree}`)
          .onConflictDoNothing({ target: employers.id })
          .returning({ id: employers.id })
      : orm
          .update(employers)
          .set({ fein, name, version, updated_at: now })
          .where(and(eq(employers.id, id), eq(employers.version, read.version), isFree))
          .returning({ id: employers.id });
  const granted = sql`SELECT ${id}, value ->> 'owner_type', value ->> 'owner_id'
    FROM json_each(${JSON.stringify(inOrder(owners))}) WHERE ${wasAudited(auditRow)}`;
  return [
    write,
    insertAuditIfChanged(orm, auditRow),
    orm.delete(employerGrants).where(and(eq(employerGrants.employer_id, id), wasAudited(auditRow))),
    orm.insert(employerGrants).select(granted),
  ].map((statement) => asStatement(db, statement));
}

/** The ids of the employers that have these FEINs, by FEIN. */
async function holdersOf(db: D1Database, feins: readonly string[]): Promise<Map<string | null, string>> {
  const asked = sql`(SELECT value FROM json_each(${JSON.stringify(feins)}))`;
  const rows = await drizzle(db)
    .select({ id: employers.id, fein: employers.fein })
    .from(employers)
    .where(sql`${employers.fein} IN ${asked}`);
  return new Map(rows.map(({ id, fein }) => [fein, id]));
}

/** The owners that may report for an employer before a change but not after it. */
export function withdrawnBy({ read, wanted }: Pick<EmployerChange, "read" | "wanted">): Grantee[] {
  const kept = new Set(wanted.owners.map(nameOf));
  return read === null ? [] : read.owners.filter((owner) => !kept.has(nameOf(owner)));
}

export interface BoundConnections {
  /** The first ids, in order. */
  ids: string[];
  count: number;
}

/** How many connections a response lists. */
const NAMED_CONNECTIONS = 20;

/**
 * The connections that could no longer report: they are bound to an employer whose grant the changes withdraw from their owner. By
 * employer id. Employers without such connections are missing.
 */
export async function connectionsLosing(
  db: D1Database,
  changes: readonly Pick<EmployerChange, "read" | "wanted">[],
): Promise<Map<string, BoundConnections>> {
  const withdrawn = changes.flatMap((change) =>
    withdrawnBy(change).map((owner) => ({ ...owner, employer_id: change.wanted.id })),
  );
  const found = new Map<string, BoundConnections>();
  if (withdrawn.length === 0) return found;
  const { results } = await db
    .prepare(
      `SELECT c.id, c.employer_id FROM json_each(?) AS w JOIN connections AS c
         ON c.owner_type = w.value ->> 'owner_type' AND c.owner_id = w.value ->> 'owner_id'
       WHERE c.deleted_at IS NULL AND c.employer_id = w.value ->> 'employer_id' ORDER BY c.id`,
    )
    .bind(JSON.stringify(withdrawn))
    .all<{ id: string; employer_id: string }>();
  for (const { id, employer_id: employerId } of results) {
    const bound = found.get(employerId) ?? { ids: [], count: 0 };
    bound.count++;
    if (bound.ids.length < NAMED_CONNECTIONS) bound.ids.push(id);
    found.set(employerId, bound);
  }
  return found;
}

export async function isGranted(
  db: D1Database,
  employerId: string,
  ownerType: OwnerType,
  ownerId: string,
): Promise<boolean> {
  const [grant] = await drizzle(db)
    .select({ id: employerGrants.employer_id })
    .from(employerGrants)
    .where(
      and(
        eq(employerGrants.employer_id, employerId),
        eq(employerGrants.owner_type, ownerType),
        eq(employerGrants.owner_id, ownerId),
      ),
    );
  return grant !== undefined;
}
