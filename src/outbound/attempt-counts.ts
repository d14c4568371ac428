/**
 * Counts attempts in the hours of their webhook: `delivered`, `failed_attempts:{cause}`, `failed_deliveries`, and the time from the
 * storing of an event to its delivery. An attempt counts in the hour in which it ended, tests included, as in the delivery log.
 */
import { storedAt } from "../db/events.ts";
import type { StoredAttempt } from "../db/schema.ts";
import { bucketOf } from "../usage/histogram.ts";
import { hourOf } from "../usage/periods.ts";
import { ADD_COUNTS, markChanged } from "../usage/usage-store.ts";
import type { LeasedEndpoint } from "./endpoint-lease.ts";

interface Counted {
  eventSeq: number;
  attempt: StoredAttempt;
  /** Of the delivery, after the attempt. */
  status: "delivered" | "retrying" | "failed";
}
type CountedWebhook = Pick<LeasedEndpoint, "id" | "environment" | "owner_type" | "owner_id">;

/** The names of a latency begin like this. */
const LATENCY = "latency_delivered";
/** A delivery that was created this much later than its event was created by a replay. Replayed deliveries are not timed. */
const FANNED_OUT_MS = 60_000;

/** The names of the counts that an attempt adds one to. */
function namesOf({ eventSeq, attempt, status }: Counted): string[] {
  const names =
    attempt.kind === "delivered"
      ? ["delivered", `${LATENCY}:${bucketOf(endOf(attempt) - storedAt(eventSeq))}`]
      : [`failed_attempts:${attempt.kind}`];
  return status === "failed" ? [...names, "failed_deliveries"] : names;
}

/**
 * The statements that count attempts, in the batch that records them. `counted` is the condition, on an update `o` and its delivery
 * `d`, under which an attempt counts; ?1 is the webhook.
 */
export function countAttempts(
  db: D1Database,
  { id, environment, owner_type, owner_id }: CountedWebhook,
  updates: readonly Counted[],
  counted: string,
  now: number,
): D1PreparedStatement[] {
  const attempts = updates.map((update) => {
    const { eventSeq: seq, attempt } = update;
    const fannedOutBy = storedAt(seq) + FANNED_OUT_MS;
    return {
      seq,
      number: attempt.number,
      hour: hourOf(endOf(attempt)),
      fannedOutBy,
      names: namesOf(update),
    };
  });
  return [
    db
      .prepare(
        `WITH o AS MATERIALIZED (
           SELECT value->>'seq' AS seq, value->>'number' AS number, value->>'hour' AS hour,
             value->>'fannedOutBy' AS fanned_out_by, value->'names' AS names FROM json_each(?2)
         ), counted AS (
           SELECT o.hour, name.value AS name, count(*) AS n FROM o CROSS JOIN deliveries AS d CROSS JOIN json_each(o.names) AS name
           WHERE ${counted} AND (name.value NOT GLOB '${LATENCY}:*' OR (d.round_start = 0 AND d.created_at <= fanned_out_by))
           GROUP BY o.hour, name.value
         )
         INSERT INTO usage (scope, period, at, environment, owner, counts, version, updated_at)
         SELECT 'webhook:' || ?1, 'hour', hour, ?3, ?4, json_group_object(name, n), 1, ?5 FROM counted WHERE true GROUP BY hour
         ${ADD_COUNTS}`,
      )
      .bind(id, JSON.stringify(attempts), environment, `${owner_type}:${owner_id}`, now),
    markChanged(db, [...new Set(attempts.map(({ hour }) => hour))], now),
  ];
}

function endOf({ started_at, ms }: Counted["attempt"]): number {
  return started_at + ms;
}
