/** Employers and who may report for them. */
import { and, eq, ne } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { employerGrants, employers, type OwnerType } from "./schema.ts";

export interface Employer {
  id: string;
  fein: string | null;
  name: string;
  owners: { owner_type: OwnerType; owner_id: string }[];
}

/** Creates or replaces an employer with its grants. Answers `"fein_taken"` when another employer has the FEIN. */
export async function putEmployer(
  db: D1Database,
  employer: Employer,
  now: number,
): Promise<"created" | "replaced" | "fein_taken"> {
  const orm = drizzle(db);
  const { id, fein, name, owners } = employer;
  if (fein !== null) {
    const [other] = await orm
      .select({ id: employers.id })
      .from(employers)
      .where(and(eq(employers.fein, fein), ne(employers.id, id)));
    if (other !== undefined) return "fein_taken";
  }
  const [existing] = await orm.select({ id: employers.id }).from(employers).where(eq(employers.id, id));
  try {
    await orm.batch([
      orm
        .insert(employers)
        .values({ id, fein, name, created_at: now, updated_at: now })
        .onConflictDoUpdate({ target: employers.id, set: { fein, name, updated_at: now } }),
      orm.delete(employerGrants).where(eq(employerGrants.employer_id, id)),
      ...owners.map((owner) =>
        orm
          .insert(employerGrants)
          .values({ employer_id: id, ...owner })
          .onConflictDoNothing(),
      ),
    ]);
  } catch (error) {
    // Another employer took it after it was looked for.
    if (/UNIQUE constraint failed: employers\.fein/.test(String(error))) return "fein_taken";
    throw error;
  }
  return existing === undefined ? "created" : "replaced";
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
