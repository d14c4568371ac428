/**
 * Reads the table `usage` for metrics: of some scopes, the counts of some measures, period by period. What is read is bounded: the
 * scopes are found by one seek each, and a page has few enough for the number of periods.
 */
import * as z from "zod";
import { nullableJsonColumn } from "../db/json-column.ts";
import type { UsagePeriod } from "../db/schema.ts";
import { ENVIRONMENTS, type Environment } from "../model.ts";
import type { Counts } from "./counts.ts";
import { DAY_MS, HOUR_MS } from "./periods.ts";

/** Rows of one page, at most; twice as many for scopes with counts of both environments. */
const MAX_ROWS = 6_000;

/** Which names of {@link Counts} are read: some, and all that begin with a prefix. */
export interface Names {
  exact?: readonly string[];
  /** Ends in a colon. */
  prefix?: string;
}

export interface SeriesQuery {
  period: UsagePeriod;
  /** Both at the beginning of a period. */
  from: number;
  to: number;
  /** Null for both. */
  environment: Environment | null;
  names: Names;
}

/** Of one scope, period and environment. */
export interface SeriesRow {
  scope: string;
  at: number;
  /** Empty for what belongs to no owner. */
  environment: Environment | "";
  counts: Counts;
}

export type ScopeKind = "connection" | "key" | "webhook" | "owner";

/** Which scopes a page is about. */
export type Scopes =
  | { scope: string }
  /** All of one kind, of one owner (`{type}:{id}`) or of all, after a position of the list. */
  | { kind: ScopeKind; owner: string | null; after: string | null; limit: number };

export interface SeriesPage {
  rows: SeriesRow[];
  /** The last scope of a page that may not be the last one. */
  next: string | null;
}

const pageRow = z.object({
  scope: z.string(),
  at: z.number().nullable(),
  environment: z.enum([...ENVIRONMENTS, ""]).nullable(),
  counts: nullableJsonColumn(z.record(z.string(), z.number())),
});

const PERIOD_MS = { hour: HOUR_MS, day: DAY_MS } as const satisfies Record<UsagePeriod, number>;

/** Oldest first within a scope. */
export async function readSeries(db: D1Database, scopes: Scopes, query: SeriesQuery): Promise<SeriesPage> {
  const { period, from, to, environment, names } = query;
  const periods = (to - from) / PERIOD_MS[period];
  const most = Math.max(1, Math.floor(MAX_ROWS / periods));
  const { sql, values, limit } = foundBy(scopes, most);
  const { results } = await db
    .prepare(
      `WITH RECURSIVE found (scope) AS (${sql})
       SELECT found.scope, u.at, u.environment, (SELECT json_group_object(key, value) FROM json_each(u.counts)
         WHERE key IN (SELECT value FROM json_each(?9)) OR (key >= ?10 AND key < ?11)) AS counts
       FROM found LEFT JOIN usage u ON u.scope = found.scope AND u.period = ?5 AND u.at >= ?6 AND u.at < ?7
         AND (?8 IS NULL OR u.environment = ?8)
       WHERE found.scope IS NOT NULL ORDER BY found.scope, u.at`,
    )
    .bind(...values, limit, period, from, to, environment, ...boundsOf(names))
    .all();
  const rows = results.map((row) => pageRow.parse(row));
  const isFull = new Set(rows.map(({ scope }) => scope)).size === limit && !("scope" in scopes);
  return {
    rows: rows.flatMap(({ scope, at, environment, counts }) =>
      at === null || environment === null || counts === null ? [] : [{ scope, at, environment, counts }],
    ),
    next: isFull ? (rows.at(-1)?.scope ?? null) : null,
  };
}

/** The query that finds the scopes, with ?1 to ?3, and at most ?4 of them. */
function foundBy(
  scopes: Scopes,
  most: number,
): { sql: string; values: [string, string | null, string | null]; limit: number } {
  if ("scope" in scopes) return { sql: "SELECT ?1 LIMIT ?4", values: [scopes.scope, null, null], limit: 1 };
  const { kind, owner, after, limit } = scopes;
  const among = owner === null ? "" : "owner = ?3 AND period = 'day' AND";
  return {
    sql: `SELECT min(scope) FROM usage WHERE ${among} scope > ?1 AND scope < ?2
      UNION ALL SELECT (SELECT min(scope) FROM usage WHERE ${among} scope > found.scope AND scope < ?2)
      FROM found WHERE found.scope IS NOT NULL LIMIT ?4`,
    values: [after !== null && after > `${kind}:` ? after : `${kind}:`, `${kind};`, owner],
    limit: Math.min(limit, most),
  };
}

/** Names before the prefix's end and after its beginning have the prefix. Without one, nothing is between them. */
function boundsOf({ exact = [], prefix }: Names): [string, string, string] {
  return [JSON.stringify(exact), prefix ?? "", prefix === undefined ? "" : `${prefix.slice(0, -1)};`];
}
