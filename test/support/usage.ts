/** Stores counts as gates, deliveries and events do, has the cron compute the rest, and reads them. */
import * as z from "zod";
import { jsonColumn } from "../../src/db/json-column.ts";
import type { UsagePeriod } from "../../src/db/schema.ts";
import { ENVIRONMENTS, type GateAddress } from "../../src/model.ts";
import type { Counts } from "../../src/usage/counts.ts";
import { hourOf } from "../../src/usage/periods.ts";
import { COMPUTED_AFTER_MS, rollUp } from "../../src/usage/roll-up.ts";
import { ADD_COUNTS, markChanged, storeGateHours } from "../../src/usage/usage-store.ts";
import { bindings } from "./gateway.ts";

const { DB } = bindings;
let version = 1;

export async function deleteUsage(): Promise<void> {
  const tables = ["usage", "usage_changes", "employer_months"];
  await DB.batch(tables.map((table) => DB.prepare(`DELETE FROM ${table}`)));
}

/** Hands the hour of a gate over, as its alarm does. */
export async function countGate(gate: GateAddress, at: number, counts: Counts, now = at): Promise<void> {
  await DB.batch([
    storeGateHours(DB, gate, [{ at, version: version++, counts }], now),
    markChanged(DB, [at], now),
  ]);
}

/** Adds counts to the hour of `now`, as a batch of attempts does. */
export async function countWebhook({ id }: { id: string }, now: number, counts: Counts): Promise<void> {
  await DB.batch([
    DB.prepare(
      `INSERT INTO usage (scope, period, at, environment, owner, counts, version, updated_at)
       SELECT 'webhook:' || id, 'hour', ?2, environment, owner_type || ':' || owner_id, ?3, 1, ?4
       FROM webhooks WHERE id = ?1 ${ADD_COUNTS}`,
    ).bind(id, hourOf(now), JSON.stringify(counts), now),
    markChanged(DB, [hourOf(now)], now),
  ]);
}

/** Computes days, owners and everything from all hours that have changed. */
export async function computeUsage(now: number): Promise<void> {
  const left = () => DB.prepare("SELECT count(*) AS n FROM usage_changes").first<number>("n");
  while ((await left()) !== 0) await rollUp(DB, now + COMPUTED_AFTER_MS);
}

const usageRows = z.array(
  z.object({
    at: z.number(),
    environment: z.enum([...ENVIRONMENTS, ""]),
    owner: z.string().nullable(),
    counts: jsonColumn(z.record(z.string(), z.number())),
  }),
);

/** The rows of one scope, from `from` up to but not including `to`, oldest first. */
export async function usageOf(
  scope: string,
  period: UsagePeriod,
  { from = 0, to = Number.MAX_SAFE_INTEGER } = {},
): Promise<z.infer<typeof usageRows>> {
  const { results } = await DB.prepare(
    `SELECT at, environment, owner, counts FROM usage
     WHERE scope = ?1 AND period = ?2 AND at >= ?3 AND at < ?4 ORDER BY at, environment`,
  )
    .bind(scope, period, from, to)
    .all();
  return usageRows.parse(results);
}
