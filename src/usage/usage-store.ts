/** Writes and reads the tables `usage` and `employer_months`. `roll-up.ts` computes what is not written here. */
import * as z from "zod";
import { jsonColumn } from "../db/json-column.ts";
import type { UsagePeriod } from "../db/schema.ts";
import type { Environment } from "../model.ts";
import type { Counts } from "./counts.ts";
import { hourOf } from "./periods.ts";

/** Counts of one hour of a gate or request log. */
export interface HourCounts {
  /** The beginning of the hour. */
  at: number;
  /** Replaces what was stored under a lower version. */
  version: number;
  counts: Counts;
}

/**
 * The measures that come from evidence. They only grow, so the greater count wins. That keeps them when the evidence of the hour has
 * been deleted, while files of the hour still change.
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

/** The tables whose rows say to whom a scope belongs. */
const TABLES = { connection: "connections", key: "api_keys" } as const;

export type GateScope = { kind: keyof typeof TABLES; id: string };

/** The environment of a stored hour. An hour that is counted again must not appear a second time under an environment that changed since. */
const ENVIRONMENT_OF_HOUR = `(SELECT stored.environment FROM usage AS stored
  WHERE stored.scope = ?1 AND stored.period = 'hour' AND stored.at = value ->> 'at' LIMIT 1)`;

/** The statement that stores hours of a gate. It returns the `at` of each hour that was stored: the others had no greater version. */
export function storeGateHours(
  db: D1Database,
  { kind, id }: GateScope,
  hours: readonly HourCounts[],
  now: number,
): D1PreparedStatement {
  return db
    .prepare(
      `INSERT INTO usage (scope, period, at, environment, owner, counts, version, updated_at)
       SELECT ?1, 'hour', value ->> 'at', coalesce(${ENVIRONMENT_OF_HOUR}, g.environment), g.owner_type || ':' || g.owner_id,
         value -> 'counts', value ->> 'version', ?3
       FROM json_each(?2) CROSS JOIN ${TABLES[kind]} g WHERE g.id = ?4 ${UPSERT_HOURS}`,
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

/** Ends an insert into `usage`: counts that are there already are added to. */
export const ADD_COUNTS = `ON CONFLICT (scope, period, at, environment) DO UPDATE SET
  counts = (SELECT json_group_object(key, n) FROM (
    SELECT key, sum(value) AS n FROM (
      SELECT key, value FROM json_each(usage.counts)
      UNION ALL SELECT key, value FROM json_each(excluded.counts)) GROUP BY key ORDER BY key)),
  version = usage.version + 1, updated_at = excluded.updated_at`;

/** The greatest version of these hours of a scope. Null if there is none of them. */
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

/**
 * The statements that add counts to the hour of `now` of a webhook, in the batch that records its attempts. `condition`: SQL that
 * holds if the attempts were recorded; `values` are bound to its parameters from ?5 on.
 */
export function addWebhookCounts(
  db: D1Database,
  webhookId: string,
  counts: Counts,
  now: number,
  condition = "true",
  values: readonly unknown[] = [],
): D1PreparedStatement[] {
  const at = hourOf(now);
  return [
    db
      .prepare(
        `INSERT INTO usage (scope, period, at, environment, owner, counts, version, updated_at)
         SELECT 'webhook:' || id, 'hour', ?2, environment, owner_type || ':' || owner_id, ?3, 1, ?4
         FROM webhooks WHERE id = ?1 AND (${condition})
         ${ADD_COUNTS}`,
      )
      .bind(webhookId, at, JSON.stringify(counts), now, ...values),
    markChanged(db, [at], now),
  ];
}

/** The statement that has the cron compute days, owners and everything from these hours. In the batch that changes them. */
export function markChanged(db: D1Database, hours: readonly number[], now: number): D1PreparedStatement {
  return db
    .prepare(
      `INSERT OR IGNORE INTO usage_changes (at, taken_by, changed_at)
       SELECT value, '', ?2 FROM json_each(?1)`,
    )
    .bind(JSON.stringify(hours), now);
}

/** An employer, and the month (`yyyy-mm`) in which reports on it were received. */
export type EmployerMonth = readonly [employerId: string, month: string];

/** The statement that stores in which months a gate received reports of which employers. */
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

/** Periods from `from` up to but not including `to`. */
export interface UsageRange {
  period: UsagePeriod;
  from: number;
  to: number;
}

export interface UsageRow {
  scope: string;
  at: number;
  /** Empty for what no owner sent. */
  environment: Environment | "";
  counts: Counts;
  updated_at: number;
}

const usageRows = z.array(
  z.object({
    scope: z.string(),
    at: z.number(),
    environment: z.enum(["sandbox", "production", ""]),
    counts: jsonColumn(z.record(z.string(), z.number())),
    updated_at: z.number(),
  }),
);

/** One scope, oldest first. The rows of an owner and of everything are one per environment. */
export async function usageOf(db: D1Database, scope: string, range: UsageRange): Promise<UsageRow[]> {
  const { results } = await db
    .prepare(
      `SELECT scope, at, environment, counts, updated_at FROM usage
       WHERE scope = ?1 AND period = ?2 AND at >= ?3 AND at < ?4 ORDER BY at, environment`,
    )
    .bind(scope, range.period, range.from, range.to)
    .all();
  return usageRows.parse(results);
}

/** The connections, keys and webhooks of an owner (`{type}:{id}`), oldest first. `kind`: one of the three. */
export async function usageOfOwnersScopes(
  db: D1Database,
  owner: string,
  kind: "connection" | "key" | "webhook",
  range: UsageRange,
): Promise<UsageRow[]> {
  const { results } = await db
    .prepare(
      `SELECT scope, at, environment, counts, updated_at FROM usage
       WHERE owner = ?1 AND period = ?2 AND at >= ?3 AND at < ?4 AND scope GLOB ?5 ORDER BY at, scope`,
    )
    .bind(owner, range.period, range.from, range.to, `${kind}:*`)
    .all();
  return usageRows.parse(results);
}

/** All owners that have counts, by one seek per owner in the index. */
export const OWNERS_WITH_COUNTS = `owners (owner) AS (
  SELECT min(owner) FROM usage WHERE owner IS NOT NULL
  UNION ALL SELECT (SELECT min(u.owner) FROM usage u WHERE u.owner > owners.owner) FROM owners WHERE owner IS NOT NULL)`;

/** As {@link usageOfOwnersScopes}, of all owners, in no order. */
export async function usageOfAllScopes(
  db: D1Database,
  kind: "connection" | "key" | "webhook",
  range: UsageRange,
): Promise<UsageRow[]> {
  const { results } = await db
    .prepare(
      `WITH RECURSIVE ${OWNERS_WITH_COUNTS}
       SELECT u.scope, u.at, u.environment, u.counts, u.updated_at
       FROM owners CROSS JOIN usage u ON u.owner = owners.owner
       WHERE u.period = ?1 AND u.at >= ?2 AND u.at < ?3 AND u.scope GLOB ?4`,
    )
    .bind(range.period, range.from, range.to, `${kind}:*`)
    .all();
  return usageRows.parse(results);
}
