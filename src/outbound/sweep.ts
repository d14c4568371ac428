/**
 * The minute cron's part in delivery: wakes every endpoint for which something is due and that nobody holds. So retries are
 * sent, and whatever lost its wake-up or its consumer. It changes no row: two sweeps at once only wake twice.
 */
import * as z from "zod";
import { newObjectId } from "../crypto/ids.ts";
import { logError } from "../log.ts";
import { type Endpoint, LANES, type Lane, type WakeUpQueues, wakeEndpoints } from "../messages.ts";
import { laneSql, slowSince } from "./lanes.ts";

/** Endpoints looked at by one query. */
const ENDPOINTS_PER_PAGE = 1_000;
/** Behind this many messages consumers have work enough: more would only repeat what they have. */
const MAX_BACKLOG = 10_000;

/** Rejects when D1 or a queue does not answer; the next sweep begins somewhere else. */
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
 * Endpoints with ids after `after`, up to and with `upTo`. A lane whose consumers are behind is added to `behind` and swept no
 * further: it keeps no other lane waiting.
 */
async function sweepRange(
  env: WakeUpQueues & { DB: D1Database },
  { after, upTo }: { after: string; upTo: string | null },
  behind: Set<Lane>,
  now: number,
): Promise<void> {
  let from: string | null = after;
  while (from !== null && behind.size < LANES.length) {
    const page = await openEndpoints(env.DB, from, upTo, now);
    const backlogs = await wakeEndpoints(
      env,
      page.due.filter(({ lane }) => !behind.has(lane)),
    );
    for (const lane of LANES) {
      const backlog = backlogs[lane];
      if (backlog <= MAX_BACKLOG) continue;
      behind.add(lane);
      logError("the sweep stops for a lane: its consumers are behind", { lane, backlog });
    }
    from = page.next;
  }
}

const openRow = z.object({ id: z.string(), lane: z.enum(LANES), due: z.number() });

/**
 * One page of the endpoints that have open deliveries, in the order of their ids: those to wake, and where to go on. Only they
 * are read: CROSS JOIN keeps SQLite from going through all webhooks and asking which of them are open.
 */
async function openEndpoints(
  db: D1Database,
  after: string,
  upTo: string | null,
  now: number,
): Promise<{ due: Endpoint[]; next: string | null }> {
  const { results } = await db
    .prepare(
      `WITH RECURSIVE open(id) AS (
         SELECT (SELECT webhook_id FROM deliveries
           WHERE next_attempt_at IS NOT NULL AND webhook_id > ?1 ORDER BY webhook_id LIMIT 1)
         UNION ALL
         SELECT (SELECT webhook_id FROM deliveries
           WHERE next_attempt_at IS NOT NULL AND webhook_id > open.id ORDER BY webhook_id LIMIT 1)
         FROM open WHERE open.id IS NOT NULL AND open.id <= ?2
         LIMIT ?4
       )
       SELECT open.id, ${laneSql("?5")} AS lane, held_until <= ?3 AND (
           status = 'disabled' OR deleted_at IS NOT NULL OR status = 'active' AND paced_until <= ?3 AND EXISTS (
             SELECT 1 FROM deliveries WHERE webhook_id = open.id AND next_attempt_at <= ?3)) AS due
       FROM open CROSS JOIN webhooks USING (id) WHERE open.id <= ?2`,
    )
    .bind(after, upTo ?? "~", now, ENDPOINTS_PER_PAGE, slowSince(now))
    .all();
  const rows = results.map((row) => openRow.parse(row));
  const due = rows.filter((row) => row.due === 1);
  return { due, next: rows.length < ENDPOINTS_PER_PAGE ? null : (rows.at(-1)?.id ?? null) };
}
