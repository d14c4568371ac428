/** Writes the tables `usage` and `employer_months`. `roll-up.ts` computes the rows of `usage` that are not written here. */
import { GATE_TABLES } from "../db/gates.ts";
import type { GateAddress } from "../model.ts";
import type { Counts } from "./counts.ts";

/** Counts of one hour of a gate or request log. */
export interface HourCounts {
  /** The beginning of the hour. */
  at: number;
  /** Replaces what was stored under a lower version. */
  version: number;
  counts: Counts;
}

/**
 * The measures that come from evidence. They only grow, so the greater count wins: they stay when the evidence of the hour has been
 * deleted and files of the hour still change.
 */
const FROM_EVIDENCE = "key = 'duplicate' OR key GLOB 'refused:*'";

const UPSERT_HOURS = `ON CONFLICT (scope, period, at, environment) DO UPDATE SET
    counts = (SELECT json_group_object(key, n) FROM (
      SELECT key, max(value) AS n FROM (
        SELECT key, value FROM json_each(usage.counts) WHERE ${FROM_EVIDENCE}
        UNION ALL SELECT key, value FROM json_each(excluded.counts)) GROUP BY key ORDER BY key)),
    version = excluded.version, updated_at = excluded.updated_at
  WHERE excluded.version > usage.version
  RETURNING at`;

/** The environment of a stored hour. An hour that is counted again must not appear a second time under an environment that changed since. */
const ENVIRONMENT_OF_HOUR = `(SELECT stored.environment FROM usage AS stored
  WHERE stored.scope = ?1 AND stored.period = 'hour' AND stored.at = value ->> 'at' LIMIT 1)`;

/** The statement that stores hours of a gate. It returns the `at` of each hour that was stored: the others had no greater version. */
export function storeGateHours(
  db: D1Database,
  { kind, id }: GateAddress,
  hours: readonly HourCounts[],
  now: number,
): D1PreparedStatement {
  return db
    .prepare(
      `INSERT INTO usage (scope, period, at, environment, owner, counts, version, updated_at)
       SELECT ?1, 'hour', value ->> 'at', coalesce(${ENVIRONMENT_OF_HOUR}, g.environment), g.owner_type || ':' || g.owner_id,
         value -> 'counts', value ->> 'version', ?3
       FROM json_each(?2) CROSS JOIN ${GATE_TABLES[kind]} g WHERE g.id = ?4 ${UPSERT_HOURS}`,
    )
    .bind(`${kind}:${id}`, JSON.stringify(hours), now, id);
}

/** As {@link storeGateHours}, of a request log: its hours have neither owner nor environment. */
export function storeLogHours(
  db: D1Database,
  scope: string,
  hours: readonly HourCounts[],
  now: number,
): D1PreparedStatement {
  return db
    .prepare(
      `INSERT INTO usage (scope, period, at, environment, owner, counts, version, updated_at)
       SELECT ?1, 'hour', value ->> 'at', '', NULL, value -> 'counts', value ->> 'version', ?3
       FROM json_each(?2) WHERE true ${UPSERT_HOURS}`,
    )
    .bind(scope, JSON.stringify(hours), now);
}

/** Ends an insert into `usage` that adds to the stored counts. */
export const ADD_COUNTS = `ON CONFLICT (scope, period, at, environment) DO UPDATE SET
  counts = (SELECT json_group_object(key, n) FROM (
    SELECT key, sum(value) AS n FROM (
      SELECT key, value FROM json_each(usage.counts)
      UNION ALL SELECT key, value FROM json_each(excluded.counts)) GROUP BY key ORDER BY key)),
  version = usage.version + 1, updated_at = excluded.updated_at`;

/** The greatest stored version of these hours of a scope. Null if none of them is stored. */
export async function storedVersion(
  db: D1Database,
  scope: string,
  hours: readonly number[],
): Promise<number | null> {
  return db
    .prepare(
      `SELECT max(version) AS version FROM json_each(?2) AS hours
       CROSS JOIN usage ON scope = ?1 AND period = 'hour' AND at = hours.value`,
    )
    .bind(scope, JSON.stringify(hours))
    .first<number | null>("version");
}

/** The statement that makes the cron compute days, owners and everything from these hours. It belongs in the batch that changes them. */
export function markChanged(db: D1Database, hours: readonly number[], now: number): D1PreparedStatement {
  return db
    .prepare(
      `INSERT OR IGNORE INTO usage_changes (at, taken_by, changed_at)
       SELECT value, '', ?2 FROM json_each(?1)`,
    )
    .bind(JSON.stringify(hours), now);
}

/** An employer, and a month (`yyyy-mm`) in which reports for that employer were received. */
export type EmployerMonth = readonly [employerId: string, month: string];

/** The statement that stores the months in which a gate received reports for employers. */
export function storeEmployerMonths(
  db: D1Database,
  scope: string,
  months: readonly EmployerMonth[],
): D1PreparedStatement {
  return db
    .prepare(
      `INSERT OR IGNORE INTO employer_months (employer_id, month, scope)
       SELECT value ->> 0, value ->> 1, ?2 FROM json_each(?1)`,
    )
    .bind(JSON.stringify(months), scope);
}
