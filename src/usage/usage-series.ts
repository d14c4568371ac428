/**
 * Reads the table `usage` for metrics: the counts of some measures and scopes, period by period. Reads are bounded: each scope is found
 * by one seek, and the more periods there are, the fewer scopes a page has.
 */
import * as z from "zod";
import type { UsagePeriod } from "../db/schema.ts";
import { ENVIRONMENTS, type Environment } from "../model.ts";
import type { Counts } from "./counts.ts";
import { DAY_MS, HOUR_MS } from "./periods.ts";

/** Rows of one page, at most; twice as many for scopes with counts of both environments. */
const MAX_ROWS = 6_000;
/** Where counts have to be picked by a prefix, which takes four times as long a row. */
const MAX_PICKED_ROWS = 1_500;

/**
 * Periods are read as JSON texts of several, which takes half as long as a row for each. A text of as many, with every bucket of a
 * histogram in both environments, is a quarter of what D1 allows.
 */
const PERIODS_PER_TEXT = 32;

/** The names of {@link Counts} to read: the exact ones, and all that begin with the prefix. */
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
  /** Empty for counts that belong to no owner. */
  environment: Environment | "";
  counts: Counts;
}

export type ScopeKind = "connection" | "key" | "webhook" | "owner";

/** The scopes of a page. */
export type Scopes =
  | { scope: string }
  /** Some, in the order of their names. `after` is a position in the list. */
  | { scopes: readonly string[]; after: string | null; limit: number }
  /** All of one kind, of one owner (`{type}:{id}`) or, if null, of all owners. `after` is a position in the list. */
  | { kind: ScopeKind; owner: string | null; after: string | null; limit: number };

export interface SeriesPage {
  rows: SeriesRow[];
  /** The last scope of the page if another page may follow. Null if none does. */
  next: string | null;
}

const foundRow = z.object({
  scope: z.string(),
  points: z.string().transform((text) => points.parse(JSON.parse(text))),
});
const points = z.array(
  z.tuple([z.number(), z.enum([...ENVIRONMENTS, ""]), z.record(z.string(), z.number()).nullable()]),
);

const PERIOD_MS = { hour: HOUR_MS, day: DAY_MS } as const satisfies Record<UsagePeriod, number>;

/** Oldest first. */
export async function readSeries(db: D1Database, scopes: Scopes, query: SeriesQuery): Promise<SeriesPage> {
  const { period, from, to, environment, names } = query;
  const rows = names.prefix === undefined ? MAX_ROWS : MAX_PICKED_ROWS;
  const most = Math.max(1, Math.floor((rows * PERIOD_MS[period]) / (to - from)));
  const { sql, values, limit } = foundBy(scopes, most);
  const { results } = await db
    .prepare(
      `WITH RECURSIVE scopes (scope) AS (${sql})
       SELECT scopes.scope, (
         SELECT json_group_array(json_array(u.at, u.environment, json(${countsOf(names)}))) FROM usage u
         WHERE u.scope = scopes.scope AND u.period = ?5 AND u.at >= spans.value ->> 0 AND u.at < spans.value ->> 1
           AND (?7 IS NULL OR u.environment = ?7)) AS points
       FROM scopes CROSS JOIN json_each(?6) AS spans WHERE scopes.scope IS NOT NULL`,
    )
    .bind(...values, limit, period, JSON.stringify(spansOf(query)), environment)
    .all();
  const found = z.array(foundRow).parse(results);
  const scopesFound = new Set(found.map(({ scope }) => scope));
  return {
    rows: found
      .flatMap(({ scope, points }) =>
        points.flatMap(([at, environment, counts]) =>
          counts === null ? [] : [{ scope, at, environment, counts }],
        ),
      )
      .sort((a, b) => a.at - b.at),
    next: scopesFound.size === limit && !("scope" in scopes) ? (found.at(-1)?.scope ?? null) : null,
  };
}

/** Parts of the range. */
function spansOf({ period, from, to }: SeriesQuery): [from: number, to: number][] {
  const length = PERIODS_PER_TEXT * PERIOD_MS[period];
  const spans: [number, number][] = [];
  for (let start = from; start < to; start += length) spans.push([start, Math.min(to, start + length)]);
  return spans;
}

/** The query that finds the scopes, with ?1 to ?3, and at most ?4 of them. */
function foundBy(
  scopes: Scopes,
  most: number,
): { sql: string; values: [string, string | null, string | null]; limit: number } {
  if ("scope" in scopes) return { sql: "SELECT ?1 LIMIT ?4", values: [scopes.scope, null, null], limit: 1 };
  if ("scopes" in scopes)
    return {
      sql: "SELECT value FROM json_each(?1) WHERE value > coalesce(?2, ?3, '') ORDER BY value LIMIT ?4",
      values: [JSON.stringify(scopes.scopes), scopes.after, null],
      limit: Math.min(scopes.limit, most),
    };
  const { kind, owner, after, limit } = scopes;
  const among = owner === null ? "" : "owner = ?3 AND period = 'day' AND";
  return {
    sql: `SELECT min(scope) FROM usage WHERE ${among} scope > ?1 AND scope < ?2
      UNION ALL SELECT (SELECT min(usage.scope) FROM usage WHERE ${among} usage.scope > scopes.scope AND usage.scope < ?2)
      FROM scopes WHERE scopes.scope IS NOT NULL LIMIT ?4`,
    values: [after !== null && after > `${kind}:` ? after : `${kind}:`, `${kind};`, owner],
    limit: Math.min(limit, most),
  };
}

/** The counts that a measure is made of, of counts that are at hand. */
export function namedCounts(counts: Counts, { exact = [], prefix }: Names): Counts {
  const isNamed = (name: string) => exact.includes(name) || (prefix !== undefined && name.startsWith(prefix));
  return Object.fromEntries(Object.entries(counts).filter(([name]) => isNamed(name)));
}

/**
 * SQL for the counts to read, as JSON; null for none. The names are those of the table of measures. A single one is looked up by its
 * name. The others are picked in SQL: to send all counts takes twice as long.
 */
function countsOf({ exact = [], prefix }: Names): string {
  const [name] = exact;
  if (name !== undefined && exact.length === 1 && prefix === undefined)
    return `CASE WHEN u.counts ->> '${name}' IS NOT NULL THEN json_object('${name}', u.counts ->> '${name}') END`;
  const names = exact.map((each) => `key = '${each}'`);
  const prefixed = prefix === undefined ? [] : [`(key >= '${prefix}' AND key < '${prefix.slice(0, -1)};')`];
  return `(SELECT json_group_object(key, value) FROM json_each(u.counts) WHERE ${[...names, ...prefixed].join(" OR ")})`;
}
