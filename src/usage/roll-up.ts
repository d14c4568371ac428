/**
 * Computes, from the hours that have changed, the days of all scopes and the hours of owners and of everything. Each row is a pure
 * function of the hours that it is computed from, in one statement, so that it does not matter how often, by how many runs at once,
 * or after which crash it is computed.
 *
 * `usage_changes` lists the hours that have changed. A run takes their marks under its name, and deletes them when it is done: a
 * change during the run leaves a mark of its own, and a later run takes the marks of a run that died.
 */
import * as z from "zod";
import { chunks } from "../chunks.ts";
import { newObjectId } from "../crypto/ids.ts";
import { HANDED_OVER_WITHIN_MS } from "./changed-hours.ts";
import { DAY_MS, dayOf } from "./periods.ts";

/** A changed hour is computed after this, so that the changes of many gates are computed at once. */
export const COMPUTED_AFTER_MS = 240_000;
/** A run that has not ended by then has died. The minute cron abandons its parts much earlier. */
const DEAD_AFTER_MS = 600_000;
const HOURS_PER_RUN = 24;
const OWNERS_AT_A_TIME = 25;
const DAYS_AT_A_TIME = 25;
/** Hours are kept for this long. An hour so old cannot change its day any more. */
export const KEEP_HOURS_MS = 90 * DAY_MS;

/** Rejects if D1 fails; a later run repeats what is left. */
export async function rollUp(db: D1Database, now: number, run = newObjectId()): Promise<void> {
  for (const at of await take(db, run, now)) {
    if (dayOf(at) >= dayOf(now - KEEP_HOURS_MS)) await compute(db, at, now);
    await db.prepare("DELETE FROM usage_changes WHERE at = ? AND taken_by = ?").bind(at, run).run();
  }
}

/** Takes the hours with the oldest changes for this run, and returns them. */
async function take(db: D1Database, run: string, now: number): Promise<number[]> {
  const due = `taken_by <> ?1 AND CASE taken_by WHEN '' THEN changed_at NOT BETWEEN ?2 AND ?4 ELSE taken_at NOT BETWEEN ?3 AND ?4 END`;
  // A time that is further ahead than this is that of a clock that was set back since.
  const times = [now - COMPUTED_AFTER_MS + 1, now - DEAD_AFTER_MS + 1, now + DEAD_AFTER_MS];
  const [, , taken] = await db.batch<{ at: number }>([
    db
      .prepare(
        `INSERT INTO usage_changes (at, taken_by, changed_at, taken_at)
         SELECT at, ?1, min(changed_at), ?5 FROM usage_changes WHERE ${due} GROUP BY at ORDER BY min(changed_at) LIMIT ${HOURS_PER_RUN}`,
      )
      .bind(run, ...times, now),
    db
      .prepare(
        `DELETE FROM usage_changes WHERE ${due} AND at IN (SELECT at FROM usage_changes WHERE taken_by = ?1)`,
      )
      .bind(run, ...times),
    db.prepare("SELECT at FROM usage_changes WHERE taken_by = ?").bind(run),
  ]);
  return taken?.results.map(({ at }) => at) ?? [];
}

/**
 * The time up to which the counts of days, owners and everything are complete, as far as D1 knows: later changes may be missing. D1
 * does not know of a gate that cannot reach it.
 */
export async function usageAsOf(db: D1Database, now: number): Promise<number> {
  const oldest = await db
    .prepare("SELECT min(changed_at) AS at FROM usage_changes WHERE changed_at <= ?")
    .bind(now)
    .first<number | null>("at");
  return (oldest ?? now) - HANDED_OVER_WITHIN_MS;
}

const ownerNames = z.array(z.object({ owner: z.string() }));
const scopeNames = z.array(z.object({ scope: z.string() }));

/** The owners that have counts, by one seek each in the index. */
const OWNERS_WITH_COUNTS = `owners (owner) AS (
  SELECT min(owner) FROM usage WHERE owner IS NOT NULL
  UNION ALL SELECT (SELECT min(u.owner) FROM usage u WHERE u.owner > owners.owner) FROM owners WHERE owner IS NOT NULL)`;

/** The request logs that have counts, by one seek each. */
const LOGS_WITH_COUNTS = `logs (scope) AS (
  SELECT min(scope) FROM usage WHERE scope >= 'unknown:' AND scope < 'unknown;'
  UNION ALL SELECT (SELECT min(u.scope) FROM usage u WHERE u.scope > logs.scope AND u.scope < 'unknown;')
  FROM logs WHERE scope IS NOT NULL)`;

async function compute(db: D1Database, at: number, now: number): Promise<void> {
  const { results } = await db
    .prepare(
      `WITH RECURSIVE ${OWNERS_WITH_COUNTS}
       SELECT owner FROM owners WHERE EXISTS (
         SELECT 1 FROM usage u WHERE u.owner = owners.owner AND u.period = 'hour' AND u.at = ?1)`,
    )
    .bind(at)
    .all();
  const owners = ownerNames.parse(results).map(({ owner }) => owner);
  for (const some of chunks(owners, OWNERS_AT_A_TIME)) await ownersHour(db, some, at, now).run();
  await hourOfAll(db, owners, at, now).run();
  for (const some of chunks(await staleDays(db, owners, at), DAYS_AT_A_TIME))
    await daysOf(db, some, dayOf(at), now).run();
}

/** Adds up `source`: rows with scope, environment, owner and a measure's key and count. ?2 is the period's beginning, ?3 the time. */
function summed(period: "hour" | "day", source: string, versions: string): string {
  return `INSERT INTO usage (scope, period, at, environment, owner, counts, version, updated_at)
    SELECT scope, '${period}', ?2, environment, owner, json_group_object(key, n), ${versions}, ?3
    FROM (SELECT scope, environment, owner, key, sum(value) AS n FROM (${source})
      GROUP BY scope, environment, owner, key ORDER BY scope, environment, key) AS summed
    GROUP BY scope, environment
    ON CONFLICT (scope, period, at, environment) DO UPDATE SET
      counts = excluded.counts, version = excluded.version, updated_at = excluded.updated_at
    WHERE excluded.version <> usage.version`;
}

function ownersHour(db: D1Database, owners: readonly string[], at: number, now: number): D1PreparedStatement {
  return db
    .prepare(
      summed(
        "hour",
        `SELECT 'owner:' || u.owner AS scope, u.environment, NULL AS owner, j.key, j.value
         FROM json_each(?1) o CROSS JOIN usage u ON u.owner = o.value AND u.period = 'hour' AND u.at = ?2
         CROSS JOIN json_each(u.counts) j`,
        `(SELECT sum(v.version) FROM usage v WHERE v.owner = substr(summed.scope, 7) AND v.period = 'hour'
           AND v.at = ?2 AND v.environment = summed.environment)`,
      ),
    )
    .bind(JSON.stringify(owners), at, now);
}

/** The owners' rows and those of request logs, which belong to no owner. */
const PARTS_OF_ALL = `parts AS (
  SELECT u.environment, u.version, u.counts
  FROM (SELECT 'owner:' || value AS scope FROM json_each(?1) UNION ALL SELECT scope FROM logs) s
  CROSS JOIN usage u ON u.scope = s.scope AND u.period = 'hour' AND u.at = ?2)`;

function hourOfAll(db: D1Database, owners: readonly string[], at: number, now: number): D1PreparedStatement {
  return db
    .prepare(
      `WITH RECURSIVE ${LOGS_WITH_COUNTS}, ${PARTS_OF_ALL} ${summed(
        "hour",
        `SELECT 'all' AS scope, p.environment, NULL AS owner, j.key, j.value
         FROM parts p CROSS JOIN json_each(p.counts) j`,
        "(SELECT sum(p.version) FROM parts p WHERE p.environment = summed.environment)",
      )}`,
    )
    .bind(JSON.stringify(owners), at, now);
}

/** The sum of the versions of a scope's hours of a day: the version of that day. */
function versionOfDay(scope: string, environment: string, day: string): string {
  return `(SELECT sum(h.version) FROM usage h WHERE h.scope = ${scope} AND h.period = 'hour'
    AND h.at >= ${day} AND h.at < ${day} + ${DAY_MS} AND h.environment = ${environment})`;
}

/** The scopes with counts in this hour whose day was computed from other versions of its hours. */
async function staleDays(db: D1Database, owners: readonly string[], at: number): Promise<string[]> {
  const { results } = await db
    .prepare(
      `WITH RECURSIVE ${LOGS_WITH_COUNTS}, names AS (
         SELECT u.scope FROM json_each(?1) o CROSS JOIN usage u ON u.owner = o.value AND u.period = 'hour' AND u.at = ?2
         UNION ALL SELECT 'owner:' || value FROM json_each(?1)
         UNION ALL SELECT scope FROM logs
         UNION ALL SELECT 'all')
       SELECT DISTINCT n.scope
       FROM names n CROSS JOIN usage u ON u.scope = n.scope AND u.period = 'hour' AND u.at = ?2
       LEFT JOIN usage d ON d.scope = n.scope AND d.period = 'day' AND d.at = ?3 AND d.environment = u.environment
       WHERE d.version IS NOT ${versionOfDay("n.scope", "u.environment", "?3")}`,
    )
    .bind(JSON.stringify(owners), at, dayOf(at))
    .all();
  return scopeNames.parse(results).map(({ scope }) => scope);
}

function daysOf(db: D1Database, scopes: readonly string[], day: number, now: number): D1PreparedStatement {
  return db
    .prepare(
      summed(
        "day",
        `SELECT h.scope, h.environment, h.owner, j.key, j.value
         FROM json_each(?1) s CROSS JOIN usage h
           ON h.scope = s.value AND h.period = 'hour' AND h.at >= ?2 AND h.at < ?2 + ${DAY_MS}
         CROSS JOIN json_each(h.counts) j`,
        versionOfDay("summed.scope", "summed.environment", "?2"),
      ),
    )
    .bind(JSON.stringify(scopes), day, now);
}
