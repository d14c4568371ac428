/**
 * Telling a gate of a change to its row. A portal change is answered only after its gate knows the new version; where that
 * fails half-way, the minute cron finds the row by `gate_version <> version` and tells it then.
 */
import { type GateRow, markPropagated } from "../db/gates.ts";
import type { Bindings } from "../env.ts";
import { type GateKind, gateName } from "../model.ts";
import type { Snapshot } from "./protocol.ts";

export function snapshotOf(kind: GateKind, row: GateRow): Snapshot {
  return {
    gate: { kind, id: row.id },
    version: row.version,
    plan: row.plan,
    environment: row.environment,
    retentionYears: row.retention_years,
    wrappedKey: row.data_key,
  };
}

/** Tells a gate its row. Rejects when the gate cannot be told; repeating is safe. */
export async function propagate(snapshot: Snapshot, env: Bindings): Promise<void> {
  await env.CONNECTION_GATE.getByName(gateName(snapshot.gate)).refresh(snapshot);
  await markPropagated(env.DB, snapshot.gate, snapshot.version);
}
