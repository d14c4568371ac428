/**
 * Lists the deliveries of an owner, newest first. Each webhook's deliveries are a key range, and the list merges these ranges: a
 * recursive query with ORDER BY takes the newest of all heads and puts that webhook's next delivery in its place. So a page reads a
 * key per webhook and a few rows per delivery that it walks past, wherever in the list it begins.
 */
import * as z from "zod";
import type { Environment } from "../model.ts";
import { DELIVERY_COLUMNS, type Delivery, deliveryRow } from "./deliveries.ts";
import { seqAt } from "./events.ts";
import { type ListCount, listCount, MAX_COUNT } from "./list-count.ts";
import type { OwnerAddress } from "./owner-keys.ts";
import { DELIVERY_STATUSES, type DeliveryStatus } from "./schema.ts";

/** The webhooks of one environment whose deliveries are listed: those of an owner, or one webhook, whose owner the caller has checked. */
export type DeliveryScope = { environment: Environment } & ({ owner: OwnerAddress } | { webhookId: string });

/** Restricts a list. Times are milliseconds at which events were stored, from `since` up to but not including `until`. */
export interface DeliveryFilter {
  type?: string | undefined;
  status?: DeliveryStatus | undefined;
  responseCode?: number | undefined;
  /** The value of `last_error`, or {@link ANY_STATUS}. */
  error?: string | undefined;
  since?: number | undefined;
  until?: number | undefined;
}

/** Selects the deliveries whose last failure was the HTTP status of the response. */
export const ANY_STATUS = "status";

/** The sort key. Of two deliveries of one event, the one to the webhook with the higher id comes first. */
export type DeliveryPosition = [eventSeq: number, webhookId: string];

interface DeliveryPage {
  rows: Delivery[];
  /** The position to continue from. Null at the end of the list. */
  next: DeliveryPosition | null;
}

/** Enough for every safe integer. */
const SEQ_DIGITS = 16;

/** A filtered page walks past at most this many deliveries, which takes up to three rows to read for each. */
const WALKED = 250;
/** A filtered list is counted among at most this many deliveries, which takes up to three rows to read for each. */
const EXAMINED = 600;

/** The deliveries of a webhook that was deleted longer ago have been deleted themselves. */
const DELETED_LISTED_MS = 31 * 86_400_000;
/** Of webhooks deleted since then, the last deleted ones. Each is a head of the merge. */
const DELETED_LISTED = 500;

/** An index holds exactly the deliveries with this status, so every delivery that a page walks past has it. */
const INDEXED: readonly DeliveryStatus[] = ["failed", "skipped"];

/** Deliveries after the position `after`, at most `limit`. May be fewer although the list continues. */
export async function listDeliveriesOf(
  db: D1Database,
  scope: DeliveryScope,
  filter: DeliveryFilter,
  { after, limit, now }: { after: DeliveryPosition | null; limit: number; now: number },
): Promise<DeliveryPage> {
  const { ours, range, conditions, values } = parts(scope, filter, after, now);
  const walked = conditions.length === 0 ? limit + 1 : WALKED;
  const examines =
    conditions.length === 0
      ? ""
      : "CROSS JOIN deliveries AS d ON d.webhook_id = w.webhook_id AND d.event_seq = w.event_seq";
  const newest = (webhookId: string, before: string) =>
    `(SELECT max(d.event_seq) FROM deliveries AS d WHERE d.webhook_id = ${webhookId} AND ${range(before)})`;
  const { results } = await db
    .prepare(
      `WITH RECURSIVE ${ours}, walked (webhook_id, event_seq) AS (
         SELECT ours.id, ${newest("ours.id", FIRST_BEFORE)} FROM ours
         UNION ALL
         SELECT w.webhook_id, ${newest("w.webhook_id", "w.event_seq")} FROM walked AS w WHERE w.event_seq IS NOT NULL
         ORDER BY 2 DESC, 1 DESC LIMIT ${walked}
       ), page AS MATERIALIZED (
         SELECT count(*) AS walked, min(printf('%0${SEQ_DIGITS}d', w.event_seq) || w.webhook_id) AS last,
           json_group_array(json_array(w.event_seq, w.webhook_id) ORDER BY w.event_seq DESC, w.webhook_id DESC)
             FILTER (WHERE ${["true", ...conditions].join(" AND ")}) AS matching
         FROM walked AS w ${examines} WHERE w.event_seq IS NOT NULL
       )
       SELECT ${DELIVERY_COLUMNS}, page.walked, page.last FROM page
         LEFT JOIN json_each(page.matching) AS m ON m.key <= ${limit}
         LEFT JOIN deliveries AS d ON d.webhook_id = m.value ->> 1 AND d.event_seq = m.value ->> 0
         LEFT JOIN events AS e ON e.seq = d.event_seq
       ORDER BY m.key`,
    )
    .bind(...values)
    .all();
  const found = results.filter((row) => row.webhook_id !== null).map((row) => deliveryRow.parse(row));
  const rows = found.slice(0, limit);
  const last = rows.at(-1);
  if (found.length > limit && last !== undefined) return { rows, next: [last.event_seq, last.webhook_id] };
  const end = pageEnd.parse(results[0]);
  return { rows, next: end.walked < walked ? null : end.last };
}
const pageEnd = z.object({
  walked: z.number(),
  /** Null if no webhook has a delivery in the range. */
  last: z
    .string()
    .transform((text): DeliveryPosition => [Number(text.slice(0, SEQ_DIGITS)), text.slice(SEQ_DIGITS)])
    .nullable(),
});

/** Exact up to {@link MAX_COUNT} if the filter is only a range of time or a status that has an index. Otherwise it may be a least number. */
export async function countDeliveriesOf(
  db: D1Database,
  scope: DeliveryScope,
  filter: DeliveryFilter,
  now: number,
): Promise<ListCount> {
  const { found, complete } = await countAmong(db, scope, filter, now, EXAMINED);
  return listCount(found, complete);
}

/** As {@link countDeliveriesOf}, among at most `most` deliveries. */
export async function countAmong(
  db: D1Database,
  scope: DeliveryScope,
  filter: DeliveryFilter,
  now: number,
  most: number,
): Promise<{ found: number; complete: boolean }> {
  const { ours, range, conditions, values } = parts(scope, filter, null, now);
  const examined = conditions.length === 0 ? MAX_COUNT + 1 : most;
  const row = await db
    .prepare(
      `WITH ${ours}
       SELECT count(*) AS examined, coalesce(sum(matches), 0) AS found FROM (
         SELECT ${["true", ...conditions].join(" AND ")} AS matches
         FROM ours CROSS JOIN deliveries AS d ON d.webhook_id = ours.id AND ${range(FIRST_BEFORE)} LIMIT ${examined})`,
    )
    .bind(...values)
    .first();
  const counted = countRow.parse(row);
  return { found: counted.found, complete: counted.examined < examined };
}
const countRow = z.object({ examined: z.number(), found: z.number() });

/** The first `event_seq` that a webhook's range does not include: the webhooks after that of the position begin one higher. */
const FIRST_BEFORE = "?6 + (ours.id < ?7)";

function parts(scope: DeliveryScope, filter: DeliveryFilter, after: DeliveryPosition | null, now: number) {
  const { since, until } = seqRangeOf(filter);
  const [before, webhookId] = after === null || after[0] >= until ? [until, ""] : after;
  const of = "webhookId" in scope ? [scope.webhookId, null] : [scope.owner.type, scope.owner.id];
  const values: unknown[] = [...of, scope.environment, now - DELETED_LISTED_MS, since, before, webhookId];
  const indexed = INDEXED.find((status) => status === filter.status);
  const conditions = conditionsOf(indexed === undefined ? filter : { ...filter, status: undefined }, values);
  const only = indexed === undefined ? "" : ` AND d.status = '${indexed}'`;
  return {
    ours: `ours (id) AS (${"webhookId" in scope ? ONE : OF_OWNER})`,
    range: (end: string) => `d.event_seq >= ?5 AND d.event_seq < ${end}${only}`,
    conditions,
    values,
  };
}

/** The range of a filter in values of `event_seq`. */
export function seqRangeOf({ since, until }: DeliveryFilter): { since: number; until: number } {
  return {
    since: since === undefined ? 0 : seqAt(Math.max(0, since)),
    until: until === undefined ? Number.MAX_SAFE_INTEGER : seqAt(Math.max(0, until)),
  };
}

/** The conditions of a filter on a delivery `d`, apart from its range. Adds their values to `values`, of which the first is `?1`. */
export function conditionsOf(
  { status, responseCode, error, type }: DeliveryFilter,
  values: unknown[],
): string[] {
  const conditions: string[] = [];
  const require = (condition: (value: string) => string, value: unknown) => {
    if (value !== undefined) conditions.push(condition(`?${values.push(value)}`));
  };
  require((value) => `d.status = ${value}`, status);
  require((value) => `d.response_code IS ${value}`, responseCode);
  if (error === ANY_STATUS) conditions.push("d.last_error GLOB 'HTTP *'");
  else require((value) => `d.last_error IS ${value}`, error);
  require((value) => `(SELECT type FROM events WHERE seq = d.event_seq) IS ${value}`, type);
  return conditions;
}

const ONE = "SELECT id FROM webhooks WHERE id = ?1 AND environment = ?3";
/** Of the owner ?1, ?2 in the environment ?3; those that were deleted only after ?4. */
const OF_OWNER = `
  SELECT id FROM webhooks WHERE owner_type = ?1 AND owner_id = ?2 AND environment = ?3 AND deleted_at IS NULL
  UNION ALL SELECT * FROM (
    SELECT id FROM webhooks WHERE owner_type = ?1 AND owner_id = ?2 AND environment = ?3 AND deleted_at > ?4
    ORDER BY deleted_at DESC LIMIT ${DELETED_LISTED})`;

const fanOutRow = z.object({ event_seq: z.number(), status: z.enum(DELIVERY_STATUSES), n: z.number() });

/** How many deliveries each of the events has, by status. An event that is left out has none. */
export async function countFanOut(
  db: D1Database,
  { type, id }: OwnerAddress,
  environment: Environment,
  seqs: readonly number[],
  now: number,
): Promise<Map<number, Partial<Record<DeliveryStatus, number>>>> {
  const counts = new Map<number, Partial<Record<DeliveryStatus, number>>>();
  if (seqs.length === 0) return counts;
  const { results } = await db
    .prepare(
      `WITH ours (id) AS (${OF_OWNER})
       SELECT d.event_seq, d.status, count(*) AS n FROM ours CROSS JOIN json_each(?5) AS e
         CROSS JOIN deliveries AS d ON d.webhook_id = ours.id AND d.event_seq = e.value
       GROUP BY d.event_seq, d.status`,
    )
    .bind(type, id, environment, now - DELETED_LISTED_MS, JSON.stringify(seqs))
    .all();
  for (const row of results) {
    const { event_seq: seq, status, n } = fanOutRow.parse(row);
    counts.set(seq, { ...counts.get(seq), [status]: n });
  }
  return counts;
}

/** The deliveries of one event, to the webhooks with the highest ids first. */
export async function deliveriesOfEvent(
  db: D1Database,
  { type, id }: OwnerAddress,
  environment: Environment,
  seq: number,
  { limit, now }: { limit: number; now: number },
): Promise<Delivery[]> {
  const { results } = await db
    .prepare(
      `WITH ours (id) AS (${OF_OWNER})
       SELECT ${DELIVERY_COLUMNS} FROM ours
         CROSS JOIN deliveries AS d ON d.webhook_id = ours.id AND d.event_seq = ?5
         LEFT JOIN events AS e ON e.seq = d.event_seq
       ORDER BY d.webhook_id DESC LIMIT ?6`,
    )
    .bind(type, id, environment, now - DELETED_LISTED_MS, seq, limit)
    .all();
  return results.map((row) => deliveryRow.parse(row));
}
