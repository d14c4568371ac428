/**
 * The job `deliveries.retry`: sends the deliveries that its filters find again, webhook by webhook, oldest first.
 *
 * A webhook that is paused, or that has many deliveries waiting already, is held and visited again after the others. A delivery that
 * cannot be sent is skipped: that of a disabled webhook, of an expired event, or of a type that the webhook no longer subscribes to.
 * A replay of the webhook may run at the same time: both respect the limit of waiting deliveries, and a delivery that waits already is
 * only made due, so that neither queues a delivery twice.
 */
import * as z from "zod";
import { madeDue, SUBSCRIBES } from "../db/deliveries.ts";
import { type DeliveryFilter, seqRangeOf } from "../db/delivery-list.ts";
import { IS_TEST } from "../db/events.ts";
import { WEBHOOK_STATUSES } from "../db/schema.ts";
import { tryWakeEndpoints, type WakeUpQueues } from "../messages.ts";
import { deliveryFilterOf } from "../outbound/delivery-filter.ts";
import { laneOf } from "../outbound/lanes.ts";
import { MAX_WAITING } from "../outbound/replay.ts";
import { finishJob, IS_AT, type Job, moveJob, type Stepped } from "./job-store.ts";
import { type RetryFilters, retryConditionsOf, retryFilters } from "./retry-selection.ts";

/** Deliveries read per step. */
const DELIVERIES_PER_STEP = 500;
/** A webhook, and the `event_seq` of the last delivery of it that was read. */
const place = z.tuple([z.string(), z.number()]);
const position = z.object({
  /** Webhooks with ids after this one are still to come. */
  after: z.string(),
  /** The webhook that is being read. */
  at: place.nullable(),
  /** Webhooks to visit again. */
  held: z.array(place),
});
type Position = z.infer<typeof position>;

export const FIRST_WEBHOOK: string = JSON.stringify({ after: "", at: null, held: [] } satisfies Position);

/** The webhooks that the job has come to and will visit again: they are paused, or many of their deliveries wait. */
export function heldWebhooks(job: Job): string[] {
  return position.parse(JSON.parse(job.position)).held.map(([id]) => id);
}

const webhookState = z.object({
  status: z.enum(WEBHOOK_STATUSES),
  deleted: z.number(),
  slow_at: z.number().nullable(),
  proven_at: z.number().nullable(),
  waiting: z.number(),
});
type WebhookState = z.infer<typeof webhookState>;

/** Reads one page of one webhook. Rejects if D1 does not respond; the step is then repeated by the next run. */
export async function stepRetry(
  env: WakeUpQueues & { DB: D1Database },
  job: Job,
  now: number,
): Promise<Stepped> {
  const filters = retryFilters.parse(job.filters);
  const filter = deliveryFilterOf(filters);
  const { since, until } = seqRangeOf(filter);
  const from = position.parse(JSON.parse(job.position));
  const at = from.at ?? (await nextWebhook(env.DB, job, filters, from.after, since)) ?? from.held[0];
  if (at === undefined) {
    await finishJob(env.DB, job, "done", null, now).run();
    return "ended";
  }
  const [webhookId, seq] = at;
  const held = from.held.filter(([id]) => id !== webhookId);
  const after = webhookId > from.after ? webhookId : from.after;
  const { webhook, page } = await readPage(env.DB, webhookId, seq, until);
  const isOff = webhook.status === "disabled" || webhook.deleted === 1;
  if (!isOff && (webhook.status === "paused" || webhook.waiting >= MAX_WAITING)) {
    const next: Position = { after, at: null, held: [...held, at] };
    await moveJob(env.DB, job, JSON.stringify(next), now).run();
    return held.length === 0 && from.held.length > 0 ? "waits" : "goes_on";
  }
  const isLast = page.n < DELIVERIES_PER_STEP;
  const to = isLast ? until - 1 : page.last;
  const next: Position = { after, at: isLast ? null : [webhookId, to], held };
  await retryPage(env.DB, job, JSON.stringify(next), { webhookId, webhook, from: seq, to, filter }, now);
  const lane = laneOf({ slowAt: webhook.slow_at, provenAt: webhook.proven_at }, now);
  if (!isOff) await tryWakeEndpoints(env, [{ id: webhookId, lane }]);
  return "goes_on";
}

async function nextWebhook(
  db: D1Database,
  { owner_type, owner_id }: Job,
  { webhook_id, environment }: RetryFilters,
  after: string,
  since: number,
): Promise<z.infer<typeof place> | undefined> {
  const row = await db
    .prepare(
      `SELECT id FROM webhooks WHERE owner_type = ?1 AND owner_id = ?2 AND id > ?3 AND (?4 IS NULL OR id = ?4)
         AND (?5 IS NULL OR environment = ?5) ORDER BY id LIMIT 1`,
    )
    .bind(owner_type, owner_id, after, webhook_id ?? null, environment ?? null)
    .first<{ id: string }>();
  return row === null ? undefined : [row.id, since - 1];
}

async function readPage(
  db: D1Database,
  webhookId: string,
  seq: number,
  until: number,
): Promise<{ webhook: WebhookState; page: { n: number; last: number } }> {
  const [state, page] = await db.batch<Record<string, unknown>>([
    db
      .prepare(
        `SELECT status, deleted_at IS NOT NULL AS deleted, slow_at, proven_at, (SELECT count(*) FROM (
           SELECT 1 FROM deliveries WHERE webhook_id = ?1 AND next_attempt_at IS NOT NULL LIMIT ${MAX_WAITING})) AS waiting
         FROM webhooks WHERE id = ?1`,
      )
      .bind(webhookId),
    db
      .prepare(
        `SELECT count(*) AS n, coalesce(max(event_seq), 0) AS last FROM (
           SELECT event_seq FROM deliveries WHERE webhook_id = ? AND event_seq > ? AND event_seq < ?
           ORDER BY event_seq LIMIT ${DELIVERIES_PER_STEP})`,
      )
      .bind(webhookId, seq, until),
  ]);
  return {
    webhook: webhookState.parse(state?.results[0]),
    page: z.object({ n: z.number(), last: z.number() }).parse(page?.results[0]),
  };
}

interface Page {
  webhookId: string;
  /** As it was read: if it has changed, the step changes nothing. */
  webhook: WebhookState;
  from: number;
  to: number;
  filter: DeliveryFilter;
}

/** Moves the job past the page, queues what the filters find in it, and counts both, in one batch. */
async function retryPage(
  db: D1Database,
  job: Job,
  next: string,
  { webhookId, webhook, from, to, filter }: Page,
  now: number,
): Promise<void> {
  const values: unknown[] = [job.id, job.position, webhookId, from, to, now];
  const conditions = ["d.event_seq > ?4", "d.event_seq <= ?5", ...retryConditionsOf(filter, values)];
  const matching = `d.webhook_id = ?3 AND ${conditions.join(" AND ")}`;
  const [toNext, status, deleted] = [1, 2, 3].map((n) => `?${values.length + n}`);
  await db.batch([
    db
      .prepare(
        `UPDATE jobs SET position = ${toNext}, updated_at = ?6, found = found + (
           SELECT count(*) FROM deliveries d WHERE ${matching})
         WHERE ${IS_AT} AND EXISTS (
           SELECT 1 FROM webhooks WHERE id = ?3 AND status = ${status} AND (deleted_at IS NOT NULL) = ${deleted})`,
      )
      .bind(...values, next, webhook.status, webhook.deleted),
    db
      .prepare(
        `UPDATE deliveries SET ${madeDue("?6")}
         WHERE changes() = 1 AND webhook_id = ?3 AND event_seq IN (
           SELECT d.event_seq FROM webhooks w CROSS JOIN deliveries d JOIN events e ON e.seq = d.event_seq
           WHERE w.id = ?3 AND w.status = 'active' AND w.deleted_at IS NULL AND ${matching}
             AND (${IS_TEST} OR ${SUBSCRIBES}))`,
      )
      .bind(...values),
    db.prepare("UPDATE jobs SET done = done + changes() WHERE id = ?").bind(job.id),
  ]);
}
