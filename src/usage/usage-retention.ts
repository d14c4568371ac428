/** Deletes hours after 90 days, days and the months of employers after seven years. */
import { repeatUntilDone } from "../db/repeat-until-done.ts";
import { DAY_MS, dayOf, monthOf } from "./periods.ts";
import { KEEP_HOURS_MS } from "./roll-up.ts";

/** As long as the archive keeps reports. */
const KEEP_DAYS_MS = 7 * 366 * DAY_MS;
/** Rows deleted per statement, which takes the database's only writer some milliseconds. */
const ROWS_AT_A_TIME = 2_000;

/** Ids from `from` up to but not including `to`: the connections, keys and webhooks whose turn it is. */
interface Slice {
  from: string;
  to: string;
}

/** Scopes without such an id are few; their turn is that of the first ids. Bounds of names, the upper one not included. */
const OTHER_SCOPES = [
  ["all", "all;"],
  ["events:", "events;"],
  ["owner:", "owner;"],
  ["unknown:", "unknown;"],
] as const;

/** Rejects if D1 fails. The slice has its next turn an hour later. */
export async function purgeUsage(db: D1Database, { from, to }: Slice, now: number): Promise<void> {
  const ranges = [
    ...["connection", "key", "webhook"].map((kind) => [`${kind}:${from}`, `${kind}:${to}`] as const),
    ...(/^0+$/.test(from) ? OTHER_SCOPES : []),
  ];
  for (const [period, before] of [
    ["hour", dayOf(now - KEEP_HOURS_MS)],
    ["day", dayOf(now - KEEP_DAYS_MS)],
  ] as const) {
    await repeatUntilDone(
      db
        .prepare(
          // One seek for each scope, and one for its oldest row.
          `WITH RECURSIVE ranges (low, high) AS (SELECT value ->> 0, value ->> 1 FROM json_each(?1)),
           scopes (scope, high) AS (
             SELECT (SELECT min(scope) FROM usage u WHERE u.scope >= low AND u.scope < ranges.high), ranges.high FROM ranges
             UNION ALL SELECT (SELECT min(scope) FROM usage u WHERE u.scope > scopes.scope AND u.scope < scopes.high), high
             FROM scopes WHERE scope IS NOT NULL)
           DELETE FROM usage WHERE rowid IN (
             SELECT old.rowid FROM scopes CROSS JOIN usage old
               ON old.scope = scopes.scope AND old.period = ?2 AND old.at < ?3 LIMIT ${ROWS_AT_A_TIME})`,
        )
        .bind(JSON.stringify(ranges), period, before),
      ROWS_AT_A_TIME,
    );
  }
  await db
    .prepare(
      `DELETE FROM employer_months WHERE rowid IN (
         SELECT rowid FROM employer_months WHERE month < ? LIMIT ${ROWS_AT_A_TIME})`,
    )
    .bind(monthOf(now - KEEP_DAYS_MS))
    .run();
}
