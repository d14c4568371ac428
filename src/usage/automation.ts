/**
 * The automation metric: the share of completed audits whose employer had reports through the gateway in the policy period. Months
 * decide: a report in the first or last month of the period counts.
 */
import * as z from "zod";
import { EVENTS_PER_MS, seqAt } from "../db/events.ts";
import type { OwnerAddress } from "../db/owner-keys.ts";
import type { UsagePeriod } from "../db/schema.ts";
import { ENVIRONMENTS, type Environment, OWNER_TYPES } from "../model.ts";
import { DAY_MS, HOUR_MS } from "./periods.ts";

const part = z.object({
  at: z.number(),
  environment: z.enum(ENVIRONMENTS),
  audits: z.number(),
  unknown: z.number(),
  automated: z.number(),
});
/** The audits of one period and environment. `unknown`: without a usable employer or policy period. */
export type AuditedPart = z.infer<typeof part>;

export interface AutomationRange {
  period: UsagePeriod;
  from: number;
  to: number;
}

/**
 * For an owner, only the reports that it sent itself count, or, if it is the audited employer, the reports that anybody sent.
 * Otherwise an owner could publish an audit of any employer and learn whether others send reports for that employer.
 */
const OWN = `((e.owner_type = 'employer' AND e.owner_id = e.employer_id)
  OR EXISTS (SELECT 1 FROM connections g WHERE m.scope GLOB 'connection:*' AND g.id = substr(m.scope, 12)
    AND g.owner_type = e.owner_type AND g.owner_id = e.owner_id)
  OR EXISTS (SELECT 1 FROM api_keys g WHERE m.scope GLOB 'key:*' AND g.id = substr(m.scope, 5)
    AND g.owner_type = e.owner_type AND g.owner_id = e.owner_id))`;

/** Oldest first. A null `owner` means all owners, and then anybody's reports count; a null `environment` means both. */
export async function automationOf(
  db: D1Database,
  owner: OwnerAddress | null,
  environment: Environment | null,
  { period, from, to }: AutomationRange,
): Promise<AuditedPart[]> {
  const types = JSON.stringify(owner === null ? OWNER_TYPES : [owner.type]);
  // A number in the query: one that is bound is a float, by which SQLite does not divide to whole numbers.
  const length = (period === "hour" ? HOUR_MS : DAY_MS) * EVENTS_PER_MS;
  const { results } = await db
    .prepare(
      `SELECT e.seq / ${length} * ${length / EVENTS_PER_MS} AS at, e.environment, count(*) AS audits,
         count(*) FILTER (WHERE e.employer_id IS NULL OR e.period_start IS NULL) AS unknown,
         count(*) FILTER (WHERE EXISTS (
           SELECT 1 FROM employer_months m WHERE m.employer_id = e.employer_id
             AND m.month >= substr(e.period_start, 1, 7) AND m.month <= substr(e.period_end, 1, 7)
             ${owner === null ? "" : `AND ${OWN}`})) AS automated
       FROM events e INDEXED BY events_audits
       WHERE e.type = 'audit.completed' AND e.owner_type IN (SELECT value FROM json_each(?1))
         ${owner === null ? "" : "AND e.owner_id = ?5"}
         AND e.seq >= ?2 AND e.seq < ?3 AND (?4 IS NULL OR e.environment = ?4)
       GROUP BY 1, 2 ORDER BY 1, 2`,
    )
    .bind(types, seqAt(from), seqAt(to), environment, ...(owner === null ? [] : [owner.id]))
    .all();
  return results.map((row) => part.parse(row));
}
