/**
 * Propagating a row's change to its gate. The portal responds to a change only after the gate has the new version. If that fails
 * half-way, the minute cron finds the row by `gate_version <> version` and propagates it.
 */

import type { Bindings } from "../bindings.ts";
import { type GateRow, markPropagated } from "../db/gates.ts";
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

/** Sends the snapshot to its gate and records that in D1. Rejects if either fails; safe to repeat. */
export async function propagate(snapshot: Snapshot, env: Bindings): Promise<void> {
  await env.CONNECTION_GATE.getByName(gateName(snapshot.gate)).refresh(snapshot);
  await markPropagated(env.DB, snapshot.gate, snapshot.version);
}
