/** Stores counts as gates, deliveries and events do, and has the cron compute the rest. */
import type { Counts } from "../../src/usage/counts.ts";
import { COMPUTED_AFTER_MS, rollUp } from "../../src/usage/roll-up.ts";
import {
  addWebhookCounts,
  type GateScope,
  markChanged,
  storeGateHours,
} from "../../src/usage/usage-store.ts";
import { bindings } from "./gateway.ts";

const { DB } = bindings;
let version = 1;

export async function deleteUsage(): Promise<void> {
  const tables = ["usage", "usage_changes", "employer_months"];
  await DB.batch(tables.map((table) => DB.prepare(`DELETE FROM ${table}`)));
}

/** Hands the hour of a gate over. */
export async function countGate(gate: GateScope, at: number, counts: Counts): Promise<void> {
  await DB.batch([
    storeGateHours(DB, gate, [{ at, version: version++, counts }], at),
    markChanged(DB, [at], at),
  ]);
}

export async function countWebhook({ id }: { id: string }, at: number, counts: Counts): Promise<void> {
  await DB.batch(addWebhookCounts(DB, id, counts, at));
}

/** Computes days, owners and everything from all hours that have changed. */
export async function computeUsage(now: number): Promise<void> {
  const left = () => DB.prepare("SELECT count(*) AS n FROM usage_changes").first<number>("n");
  while ((await left()) !== 0) await rollUp(DB, now + COMPUTED_AFTER_MS);
}
