/** Employers and who may report for them. */
import { and, eq, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { type AuditRow, tellIfChanged, wasTold } from "./audit.ts";
import { employerGrants, employers, type OwnerType } from "./schema.ts";

export interface Employer {
  id: string;
  fein: string | null;
  name: string;
  owners: { owner_type: OwnerType; owner_id: string }[];
}

export type StoredEmployer = Employer & { version: number };

export async function getEmployer(db: D1Database, id: string): Promise<StoredEmployer | null> {
  const orm = drizzle(db);
  const [rows, owners] = await orm.batch([
    orm.select().from(employers).where(eq(employers.id, id)),
    orm.select().from(employerGrants).where(eq(employerGrants.employer_id, id)),
  ]);
  const [row] = rows;
  if (row === undefined) return null;
  const { fein, name, version } = row;
  return { id, fein, name, version, owners: owners.map(({ employer_id: _, ...owner }) => owner) };
}

export type EmployerWritten = "written" | "fein_taken" | "overtaken";

/** Creates the employer, or replaces it with its grants, if it is still as it was `read`. */
export async function putEmployer(
  db: D1Database,
  read: StoredEmployer | null,
  { id, fein, name, owners, version }: StoredEmployer,
  now: number,
  told: AuditRow,
): Promise<EmployerWritten> {
  const orm = drizzle(db);
  const write =
    read === null
      ? orm
          .insert(employers)
          .values({ id, fein, name, version, created_at: now, updated_at: now })
          .onConflictDoNothing({ target: employers.id })
          .returning({ id: employers.id })
      : orm
          .update(employers)
          .set({ fein, name, version, updated_at: now })
          .where(and(eq(employers.id, id), eq(employers.version, read.version)))
          .returning({ id: employers.id });
  try {
    const [written] = await orm.batch([
      write,
      tellIfChanged(orm, told),
      orm.delete(employerGrants).where(and(eq(employerGrants.employer_id, id), wasTold(told))),
      ...owners.map(({ owner_type, owner_id }) =>
        orm
          .insert(employerGrants)
          .select(sql`SELECT ${id}, ${owner_type}, ${owner_id} WHERE ${wasTold(told)}`)
          .onConflictDoNothing(),
      ),
    ]);
    return written.length === 1 ? "written" : "overtaken";
  } catch (error) {
    if (/UNIQUE constraint failed: employers\.fein/.test(messageOf(error))) return "fein_taken";
    throw error;
  }
}

/** The query builder's error has the database's own as its cause. */
function messageOf(error: unknown): string {
  return error instanceof Error ? `${error.message} ${messageOf(error.cause)}` : "";
}

/** Nine digits; null when `text` is no FEIN with or without its dash. */
export function normalizeFein(text: string): string | null {
  return /^\d{2}-?\d{7}$/.test(text) ? text.replace("-", "") : null;
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
