/**
 * The minute cron's sweep: wakes every endpoint that has due deliveries and is not leased. It starts the retries, and the deliveries
 * whose wake-up or consumer was lost. It changes no row: two sweeps at once only wake endpoints twice.
 */
import * as z from "zod";
import { newObjectId } from "../crypto/ids.ts";
import { logError } from "../log.ts";
import { type Endpoint, LANES, type Lane, type WakeUpQueues, wakeEndpoints } from "../messages.ts";
import { laneSql, slowSince } from "./lanes.ts";

/** Endpoints per query. */
const ENDPOINTS_PER_PAGE = 1_000;
/** With a backlog of this many messages, more wake-ups would only repeat those that are waiting. */
const MAX_BACKLOG = 10_000;

/** Starts at a random id and wraps around. Rejects if D1 or a queue does not answer. */
export async function sweep(
  env: WakeUpQueues & { DB: D1Database },
  now: number,
  startFrom: string = newObjectId(),
): Promise<void> {
  const behind = new Set<Lane>();
  await sweepRange(env, { after: startFrom, upTo: null }, behind, now);
  await sweepRange(env, { after: "", upTo: startFrom }, behind, now);
}

/**
 * Sweeps the endpoints with ids after `after`, up to and including `upTo`. A lane with a large backlog is added to `behind` and not
 * swept further, so that it does not delay the other lanes.
 */
async function sweepRange(
  env: WakeUpQueues & { DB: D1Database },
  { after, upTo }: { after: string; upTo: string | null },
  behind: Set<Lane>,
  now: number,
): Promise<void> {
  let from: string | null = after;
  while (from !== null && behind.size < LANES.length) {
    const page = await unsettledEndpoints(env.DB, from, upTo, now);
    const backlogs = await wakeEndpoints(
      env,
      page.due.filter(({ lane }) => !behind.has(lane)),
    );
    for (const lane of LANES) {
      const backlog = backlogs[lane];
      if (backlog <= MAX_BACKLOG) continue;
      behind.add(lane);
      logError("stopped sweeping a lane: its consumers are behind", { lane, backlog });
    }
    from = page.next;
  }
}

const endpointRow = z.object({ id: z.string(), lane: z.enum(LANES), due: z.number() });

/**
 * One page of the endpoints that have unsettled deliveries, ordered by id: those to wake, and where the next page begins. No other
 * endpoint is read: CROSS JOIN keeps SQLite from scanning all webhooks and probing each for deliveries.
 */
async function unsettledEndpoints(
  db: D1Database,
  after: string,
  upTo: string | null,
  now: number,
): Promise<{ due: Endpoint[]; next: string | null }> {
  const { results } = await db
    .prepare(
      `WITH RECURSIVE unsettled(id) AS (
         SELECT (SELECT webhook_id FROM deliveries
           WHERE next_attempt_at IS NOT NULL AND webhook_id > ?1 ORDER BY webhook_id LIMIT 1)
         UNION ALL
         SELECT (SELECT webhook_id FROM deliveries
           WHERE next_attempt_at IS NOT NULL AND webhook_id > unsettled.id ORDER BY webhook_id LIMIT 1)
         FROM unsettled WHERE unsettled.id IS NOT NULL AND unsettled.id <= ?2
         LIMIT ?4
       )
       SELECT unsettled.id, ${laneSql("?5")} AS lane, held_until <= ?3 AND (
           status = 'disabled' OR deleted_at IS NOT NULL OR status = 'active' AND paced_until <= ?3 AND EXISTS (
             SELECT 1 FROM deliveries WHERE webhook_id = unsettled.id AND next_attempt_at <= ?3)) AS due
       FROM unsettled CROSS JOIN webhooks USING (id) WHERE unsettled.id <= ?2`,
    )
    .bind(after, upTo ?? "~", now, ENDPOINTS_PER_PAGE, slowSince(now))
    .all();
  const rows = results.map((row) => endpointRow.parse(row));
  const due = rows.filter((row) => row.due === 1);
  return { due, next: rows.length < ENDPOINTS_PER_PAGE ? null : (rows.at(-1)?.id ?? null) };
}
