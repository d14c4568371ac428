/** Which deliveries of an owner a bulk retry concerns, and how many there are. */
import * as z from "zod";
import { seqAt } from "../db/events.ts";
import type { OwnerAddress } from "../db/owner-keys.ts";
import { DELIVERY_STATUSES, type DeliveryStatus } from "../db/schema.ts";
import { ENVIRONMENTS, type Environment } from "../model.ts";
import type { Count } from "./job-store.ts";

/** The filters of a job, as its row stores them and answers show them. */
export const deliveryFilters = z.object({
  webhook_id: z.string().optional(),
  environment: z.enum(ENVIRONMENTS).optional(),
  type: z.string().optional(),
  status: z.enum(DELIVERY_STATUSES).optional(),
  response_code: z.number().optional(),
  error: z.string().optional(),
  since: z.string().optional(),
  until: z.string(),
});
export type DeliveryFilters = z.infer<typeof deliveryFilters>;

export interface DeliveryFilter {
  webhookId: string | null;
  environment: Environment | null;
  statuses: DeliveryStatus[];
  type: string | null;
  responseCode: number | null;
  error: string | null;
  /** Values of `event_seq`: from `from` up to but not including `until`. */
  from: number;
  until: number;
}

/** Without a status, only what was not delivered and is no longer tried. */
export function deliveryFilterOf(filters: DeliveryFilters): DeliveryFilter {
  return {
    webhookId: filters.webhook_id ?? null,
    environment: filters.environment ?? null,
    statuses: filters.status === undefined ? ["failed", "skipped"] : [filters.status],
    type: filters.type ?? null,
    responseCode: filters.response_code ?? null,
    error: filters.error ?? null,
    from: filters.since === undefined ? 0 : seqAt(Math.max(0, Date.parse(filters.since))),
    until: seqAt(Math.max(0, Date.parse(filters.until))),
  };
}

/** The conditions on a delivery and its event `e`, for the values of {@link filterValues} as parameters from the sixth on. */
export function filtersOn(delivery: string): string {
  return `${delivery}.status IN (SELECT value FROM json_each(?6)) AND (?7 IS NULL OR e.type = ?7)
    AND (?8 IS NULL OR ${delivery}.response_code = ?8)
    AND (?9 IS NULL OR ${delivery}.last_error = ?9 OR ?9 = 'status' AND ${delivery}.last_error GLOB 'HTTP *')`;
}

export function filterValues({ statuses, type, responseCode, error }: DeliveryFilter): unknown[] {
  return [JSON.stringify(statuses), type, responseCode, error];
}

const MAX_COUNTED = 1_000;
/** Deliveries that a count reads at most. */
const MAX_READ = 100_000;

/** Exact up to a thousand, unless the owner has more deliveries than a count may read. */
export async function countDeliveries(
  db: D1Database,
  { type, id }: OwnerAddress,
  filter: DeliveryFilter,
): Promise<Count> {
  const row = await db
    .prepare(
      `WITH scanned AS (
         SELECT d.event_seq, d.status, d.response_code, d.last_error FROM webhooks w CROSS JOIN deliveries d ON d.webhook_id = w.id
         WHERE w.owner_type = ?1 AND w.owner_id = ?2 AND (?3 IS NULL OR w.id = ?3) AND (?10 IS NULL OR w.environment = ?10)
           AND d.event_seq >= ?4 AND d.event_seq < ?5 LIMIT ${MAX_READ}
       )
       SELECT count(*) AS n, (SELECT count(*) FROM scanned) AS scanned FROM (
         SELECT 1 FROM scanned LEFT JOIN events e ON e.seq = scanned.event_seq WHERE ${filtersOn("scanned")} LIMIT ${MAX_COUNTED + 1})`,
    )
    .bind(type, id, filter.webhookId, filter.from, filter.until, ...filterValues(filter), filter.environment)
    .first();
  const { n, scanned } = z.object({ n: z.number(), scanned: z.number() }).parse(row);
  return { n: Math.min(n, MAX_COUNTED), more: n > MAX_COUNTED || scanned === MAX_READ };
}
