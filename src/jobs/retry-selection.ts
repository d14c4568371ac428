/** Which deliveries of an owner a bulk retry concerns, and how many there are. The filters are those of the list. */
import * as z from "zod";
import { conditionsOf, countAmong, type DeliveryFilter, type DeliveryScope } from "../db/delivery-list.ts";
import { MAX_COUNT } from "../db/list-count.ts";
import type { DeliveryStatus } from "../db/schema.ts";
import { deliveryFilterFields } from "../outbound/delivery-filter.ts";
import type { Count } from "./job-store.ts";

/** The filters of a job, as its row stores them and answers show them. */
export const retryFilters = z.object(deliveryFilterFields);
export type RetryFilters = z.infer<typeof retryFilters>;

/** Without a status, what was not delivered and is no longer tried. */
const UNDELIVERED: readonly DeliveryStatus[] = ["failed", "skipped"];
const IS_UNDELIVERED = `d.status IN (${UNDELIVERED.map((status) => `'${status}'`).join(", ")})`;

/** As {@link conditionsOf}. */
export function retryConditionsOf(filter: DeliveryFilter, values: unknown[]): string[] {
  const conditions = conditionsOf(filter, values);
  return filter.status === undefined ? [IS_UNDELIVERED, ...conditions] : conditions;
}

/** Deliveries that a count reads at most, for each status. */
const MAX_READ = 100_000;

/** Exact up to {@link MAX_COUNT}, unless the scope has more deliveries than a count may read. */
export async function countDeliveries(
  db: D1Database,
  scope: DeliveryScope,
  filter: DeliveryFilter,
  now: number,
): Promise<Count> {
  const statuses = filter.status === undefined ? UNDELIVERED : [filter.status];
  const counts = await Promise.all(
    statuses.map((status) => countAmong(db, scope, { ...filter, status }, now, MAX_READ)),
  );
  const n = counts.reduce((sum, { found }) => sum + found, 0);
  return { n: Math.min(n, MAX_COUNT), more: n > MAX_COUNT || counts.some(({ complete }) => !complete) };
}
