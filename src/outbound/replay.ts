/**
 * Replays a time range to one webhook in the background: the owner's events page by page, no faster than the endpoint accepts them.
 * Each page and the new position are one batch with a compare-and-set on the position, so that two crons at once, or one that died,
 * replay nothing twice.
 */
import { drizzle } from "drizzle-orm/d1";
import * as z from "zod";
import { type AuditRow, asStatement, insertAuditIfChanged } from "../db/audit.ts";
import { SUBSCRIBES } from "../db/deliveries.ts";
import { endReplaysOfOff, IS_OFF } from "../db/ended-replays.ts";
import { IS_TEST } from "../db/events.ts";
import { type ListCount, listCount } from "../db/list-count.ts";
import type { OwnerAddress } from "../db/owner-keys.ts";
import { logError } from "../log.ts";
import { tryWakeEndpoints, type WakeUpQueues } from "../messages.ts";
import { err, ok, type Result } from "../result.ts";

/**
 * Replays per run of the minute cron: one per webhook, the longest waiting first. Replays of paused webhooks wait; those of disabled
 * webhooks have ended.
 */
const REPLAYS_PER_RUN = 20;
/** Events per page. */
const EVENTS_PER_PAGE = 500;
/** While an endpoint has this many unsettled deliveries, no replay or bulk retry queues more for it. */
export const MAX_WAITING = 500;

const replayRow = z.object({
  id: z.string(),
  webhook_id: z.string(),
  only: z.enum(["failed", "all"]),
  from_seq: z.number(),
  position: z.number(),
  until: z.number(),
  queued: z.number(),
  status: z.enum(["running", "done", "ended"]),
  created_at: z.number(),
  updated_at: z.number(),
});
export type Replay = z.infer<typeof replayRow>;

/** The webhook is disabled, or another of its replays is running. */
export type ReplayProblem = { reason: "disabled" } | { reason: "running"; id: string };

/** `auditRow` is recorded when the replay begins. */
export async function beginReplay(
  db: D1Database,
  replay: Replay,
  auditRow: AuditRow,
): Promise<Result<null, ReplayProblem>> {
  const [inserted, , running] = await db.batch<{ id: string }>([
    db
      .prepare(
        `INSERT INTO replays (id, webhook_id, "only", from_seq, position, until, queued, status, created_at, updated_at)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10
         WHERE EXISTS (SELECT 1 FROM webhooks WHERE id = ?2 AND NOT ${IS_OFF})
           AND NOT EXISTS (SELECT 1 FROM replays WHERE webhook_id = ?2 AND status = 'running')`,
      )
      .bind(
        replay.id,
        replay.webhook_id,
        replay.only,
        replay.from_seq,
        replay.position,
        replay.until,
        replay.queued,
        replay.status,
        replay.created_at,
        replay.updated_at,
      ),
    asStatement(db, insertAuditIfChanged(drizzle(db), auditRow)),
    db.prepare("SELECT id FROM replays WHERE webhook_id = ? AND status = 'running'").bind(replay.webhook_id),
  ]);
  if (inserted?.meta.changes === 1) return ok(null);
  const [other] = running?.results ?? [];
  return err(other === undefined ? { reason: "disabled" } : { reason: "running", id: other.id });
}

/** Deliveries that it has already queued are still sent. A replay that is not running stays as it is. */
export async function endReplay(
  db: D1Database,
  { webhookId, id }: { webhookId: string; id: string },
  auditRow: AuditRow,
  now: number,
): Promise<void> {
  await db.batch([
    db
      .prepare(
        "UPDATE replays SET status = 'ended', updated_at = ?3 WHERE id = ?1 AND webhook_id = ?2 AND status = 'running'",
      )
      .bind(id, webhookId, now),
    asStatement(db, insertAuditIfChanged(drizzle(db), auditRow)),
  ]);
}

export async function findReplay(db: D1Database, webhookId: string, id: string): Promise<Replay | null> {
  const row = await db
    .prepare("SELECT * FROM replays WHERE id = ? AND webhook_id = ?")
    .bind(id, webhookId)
    .first();
  return row === null ? null : replayRow.parse(row);
}

/** The place of a replay in the list. */
export const replayPosition = z.tuple([z.number(), z.string()]);
type ReplayPosition = z.infer<typeof replayPosition>;

/** Of one webhook or of all, newest first, from below `before`. Returns `limit + 1` rows if there are more. */
export async function listReplaysOf(
  db: D1Database,
  { type, id }: OwnerAddress,
  webhookId: string | null,
  before: ReplayPosition | null,
  limit: number,
): Promise<Replay[]> {
  const [at, last] = before ?? [Number.MAX_SAFE_INTEGER, ""];
  const { results } = await db
    .prepare(
      `SELECT r.* FROM webhooks w CROSS JOIN replays r ON r.webhook_id = w.id
       WHERE w.owner_type = ?1 AND w.owner_id = ?2 AND (?3 IS NULL OR w.id = ?3) AND (r.created_at, r.id) < (?4, ?5)
       ORDER BY r.created_at DESC, r.id DESC LIMIT ?6`,
    )
    .bind(type, id, webhookId, at, last, limit + 1)
    .all();
  return results.map((row) => replayRow.parse(row));
}

/** Events that a count reads at most. */
const EVENTS_COUNTED = 50_000;

/** How many deliveries a replay of this range would queue now. Null if its webhook is off. */
export async function countReplayed(
  db: D1Database,
  { webhook_id, only, position, until }: Pick<Replay, "webhook_id" | "only" | "position" | "until">,
): Promise<ListCount | null> {
  const [webhook, counted] = await db.batch<Record<string, unknown>>([
    db.prepare(`SELECT NOT ${IS_OFF} AS is_on FROM webhooks WHERE id = ?`).bind(webhook_id),
    db
      .prepare(
        `SELECT count(*) AS examined, coalesce(sum(matches), 0) AS found FROM (
           SELECT NOT ${IS_TEST} AND ${SUBSCRIBES} AND NOT EXISTS (
             SELECT 1 FROM deliveries d WHERE d.webhook_id = w.id AND d.event_seq = e.seq AND NOT ${MAY_BEGIN_AGAIN("?4")}) AS matches
           FROM webhooks w JOIN events e
             ON e.owner_type = w.owner_type AND e.owner_id = w.owner_id AND e.environment = w.environment
           WHERE w.id = ?1 AND e.seq > ?2 AND e.seq < ?3 ORDER BY e.seq LIMIT ${EVENTS_COUNTED})`,
      )
      .bind(webhook_id, position, until, only),
  ]);
  if (webhook?.results[0]?.is_on !== 1) return null;
  const { examined, found } = countRow.parse(counted?.results[0]);
  return listCount(found, examined < EVENTS_COUNTED);
}
const countRow = z.object({ examined: z.number(), found: z.number() });

/** Whether a delivery that exists is begun again. `only` is the parameter that holds the replay's choice. */
const MAY_BEGIN_AGAIN = (only: string) =>
  `(next_attempt_at IS NULL AND (status IN ('failed', 'skipped') OR ${only} = 'all'))`;

/** A replay that fails does not delay the others. Rejects if D1 does not respond. */
export async function runReplays(env: WakeUpQueues & { DB: D1Database }, now: number): Promise<void> {
  await endReplaysOfOff(env.DB, now).run();
  const { results } = await env.DB.prepare(
    // The other columns of a group are those of the row that has its minimum.
    `SELECT r.*, min(r.updated_at) AS waits_since
     FROM replays r INDEXED BY replays_running JOIN webhooks w ON w.id = r.webhook_id
     WHERE r.status = 'running' AND w.status = 'active' AND w.deleted_at IS NULL
     GROUP BY r.webhook_id ORDER BY waits_since LIMIT ?`,
  )
    .bind(REPLAYS_PER_RUN)
    .all();
  for (const row of results) {
    const replay = replayRow.parse(row);
    try {
      await stepReplay(env, replay, now);
    } catch (error) {
      logError("failed to advance a replay", { replay_id: replay.id }, error);
    }
  }
}

async function stepReplay(
  env: WakeUpQueues & { DB: D1Database },
  replay: Replay,
  now: number,
): Promise<void> {
  const { DB: db } = env;
  const [waiting, page] = await db.batch<{ n: number; last: number | null }>([
    db
      .prepare(
        `SELECT count(*) AS n FROM (
           SELECT 1 FROM deliveries WHERE webhook_id = ? AND next_attempt_at IS NOT NULL LIMIT ${MAX_WAITING})`,
      )
      .bind(replay.webhook_id),
    db
      .prepare(
        `SELECT count(*) AS n, max(seq) AS last FROM (
           SELECT e.seq FROM webhooks w JOIN events e
             ON e.owner_type = w.owner_type AND e.owner_id = w.owner_id AND e.environment = w.environment
           WHERE w.id = ? AND e.seq > ? AND e.seq < ? ORDER BY e.seq LIMIT ${EVENTS_PER_PAGE})`,
      )
      .bind(replay.webhook_id, replay.position, replay.until),
  ]);
  if ((waiting?.results[0]?.n ?? 0) >= MAX_WAITING) {
    // Moves to the end of the line, so that a slow endpoint does not keep others from their turn.
    await db
      .prepare("UPDATE replays SET updated_at = ? WHERE id = ? AND position = ?")
      .bind(now, replay.id, replay.position)
      .run();
    return;
  }
  const { n = 0, last = null } = page?.results[0] ?? {};
  const done = n < EVENTS_PER_PAGE;
  const to = done ? replay.until - 1 : (last ?? replay.until - 1);
  await db.batch([
    db
      .prepare(
        `INSERT INTO deliveries (webhook_id, event_seq, status, attempts, round_start, next_attempt_at, created_at, updated_at, history)
         SELECT w.id, e.seq, 'pending', 0, 0, ?4, ?4, ?4, '[]'
         FROM replays r JOIN webhooks w ON w.id = r.webhook_id JOIN events e
           ON e.owner_type = w.owner_type AND e.owner_id = w.owner_id AND e.environment = w.environment
         WHERE r.id = ?1 AND r.position = ?2 AND r.status = 'running' AND e.seq > ?2 AND e.seq <= ?3 AND NOT ${IS_TEST}
           AND w.status = 'active' AND w.deleted_at IS NULL AND ${SUBSCRIBES}
         ON CONFLICT (webhook_id, event_seq) DO UPDATE SET status = 'pending', round_start = attempts,
           last_error = CASE WHEN status = 'skipped' THEN NULL ELSE last_error END,
           next_attempt_at = excluded.next_attempt_at, updated_at = excluded.updated_at
         WHERE ${MAY_BEGIN_AGAIN("?5")}`,
      )
      .bind(replay.id, replay.position, to, now, replay.only),
    db
      .prepare(
        `UPDATE replays SET queued = queued + changes(), position = ?3, status = ?4, updated_at = ?5
         WHERE id = ?1 AND position = ?2 AND status = 'running'
           AND EXISTS (SELECT 1 FROM webhooks WHERE id = replays.webhook_id AND status = 'active' AND deleted_at IS NULL)`,
      )
      .bind(replay.id, replay.position, to, done ? "done" : "running", now),
  ]);
  await tryWakeEndpoints(env, [{ id: replay.webhook_id, lane: "quick" }]);
}
