/**
 * Counts attempts in the hours of their webhook: `delivered`, `failed_attempts:{cause}`, `failed_deliveries`, and the time from the
 * storing of an event to its delivery. An attempt counts in the hour in which it ended, tests included, as in the delivery log.
 */
import { storedAt } from "../db/events.ts";
import type { StoredAttempt } from "../db/schema.ts";
import { type Counts, count } from "../usage/counts.ts";
import { countLatency } from "../usage/histogram.ts";
import { hourOf } from "../usage/periods.ts";
import { ADD_COUNTS, markChanged } from "../usage/usage-store.ts";
import type { LeasedEndpoint } from "./endpoint-lease.ts";

interface Counted {
  eventSeq: number;
  attempt: StoredAttempt;
  /** Of the delivery, after the attempt. */
  status: "delivered" | "retrying" | "failed";
}
type Counting = Pick<LeasedEndpoint, "id" | "environment" | "owner_type" | "owner_id">;

/** The names of a latency begin like this. */
const LATENCY = "latency_delivered";
/** A delivery that was created this much later than its event was created by a replay. Replayed deliveries are not timed. */
const FANNED_OUT_MS = 60_000;

/** What an attempt counts as. Pure. */
export function countsOfAttempt({ eventSeq, attempt, status }: Counted): Counts {
  const counts: Counts = {};
  if (attempt.kind === "delivered") {
    count(counts, "delivered");
    countLatency(counts, LATENCY, endOf(attempt) - storedAt(eventSeq));
  } else count(counts, `failed_attempts:${attempt.kind}`);
  if (status === "failed") count(counts, "failed_deliveries");
  return counts;
}

/**
 * For the batch that records the attempts, before they are recorded: an attempt that has been recorded counts no more. `unrecorded`
 * is the condition of both, on an update `o` and its delivery `d`; ?1 is the webhook.
 */
export function countAttempts(
  db: D1Database,
  { id, environment, owner_type, owner_id }: Counting,
  updates: readonly Counted[],
  unrecorded: string,
  now: number,
): D1PreparedStatement[] {
  const counted = updates.flatMap((update) => {
    const { eventSeq: seq, attempt } = update;
    const fannedOutBy = storedAt(seq) + FANNED_OUT_MS;
    const names = Object.keys(countsOfAttempt(update));
    return [{ seq, number: attempt.number, hour: hourOf(endOf(attempt)), fannedOutBy, names }];
  });
  return [
    db
      .prepare(
        `WITH o AS MATERIALIZED (
           SELECT value->>'seq' AS seq, value->>'number' AS number, value->>'hour' AS hour,
             value->>'fannedOutBy' AS fanned_out_by, value->'names' AS names FROM json_each(?2)
         ), counted AS (
           SELECT o.hour, name.value AS name, count(*) AS n FROM o CROSS JOIN deliveries AS d CROSS JOIN json_each(o.names) AS name
           WHERE ${unrecorded} AND (name.value NOT GLOB '${LATENCY}:*' OR (d.round_start = 0 AND d.created_at <= fanned_out_by))
           GROUP BY o.hour, name.value
         )
         INSERT INTO usage (scope, period, at, environment, owner, counts, version, updated_at)
         SELECT 'webhook:' || ?1, 'hour', hour, ?3, ?4, json_group_object(name, n), 1, ?5 FROM counted WHERE true GROUP BY hour
         ${ADD_COUNTS}`,
      )
      .bind(id, JSON.stringify(counted), environment, `${owner_type}:${owner_id}`, now),
    markChanged(db, [...new Set(counted.map(({ hour }) => hour))], now),
  ];
}

function endOf({ started_at, ms }: Counted["attempt"]): number {
  return started_at + ms;
}
