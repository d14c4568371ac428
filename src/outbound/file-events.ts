/**
 * The gateway's own events of files, taken from their gate to where deliveries begin. An event's id and content follow from
 * the file alone: told again, it is a repeat.
 */
import type { Bindings, Settings } from "../env.ts";
import { type GateAddress, gateName, parseFileId } from "../gate/file-id.ts";
import type { Owed, OwedReason } from "../gate/protocol.ts";
import { logError } from "../log.ts";
import { fanOut, type NewEvent } from "./fan-out.ts";
import { findListeners, type GateListeners } from "./listeners.ts";
import { type Endpoint, tryWakeEndpoints } from "./wake-up.ts";

const SOURCE = "audit1-gateway";

const ERRORS: Record<OwedReason, { code: string; message: string }> = {
  refused: { code: "FILE_REFUSED", message: "The report was received but could not be made into a file." },
  gave_up: {
    code: "FILE_NOT_PROCESSED",
    message: "The report was received but could not be processed in time.",
  },
};

/** Never rejects: what could not be told is owed still, and the gates' alarms come back to it. */
export async function tellOwed(owed: readonly Owed[], env: Bindings, settings: Settings): Promise<void> {
  if (owed.length === 0) return;
  try {
    const gates = owed.map(({ fileId }) => parseFileId(fileId)?.gate).filter((gate) => gate !== undefined);
    const listeners = await findListeners(env.DB, gates);
    const endpoints: Endpoint[] = [];
    for (const [fileId, ofFile] of Map.groupBy(owed, (each) => each.fileId)) {
      const gate = parseFileId(fileId)?.gate;
      const heard = gate && listeners.get(gateName(gate));
      if (gate !== undefined && heard !== undefined)
        endpoints.push(...(await tellOne({ gate, fileId, owed: ofFile, heard }, env, settings)));
    }
    await tryWakeEndpoints(env, endpoints);
  } catch (error) {
    logError("events of files were not told", { events: owed.length }, error);
  }
}

async function tellOne(
  {
    gate,
    fileId,
    owed,
    heard,
  }: { gate: GateAddress; fileId: string; owed: readonly Owed[]; heard: GateListeners },
  env: Bindings,
  settings: Settings,
): Promise<Endpoint[]> {
  const endpoints: Endpoint[] = [];
  try {
    for (const each of heard.listened ? owed : []) {
      const told = await fanOut(env.DB, settings.keyRing, eventOf(each, heard), Date.now());
      if ("endpoints" in told) endpoints.push(...told.endpoints);
    }
    const paid = owed.map(({ type, generation }) => ({ type, generation }));
    await env.CONNECTION_GATE.getByName(gateName(gate)).paid(fileId, paid);
  } catch (error) {
    logError("an event of a file was not told", { file_id: fileId }, error);
  }
  return endpoints;
}

function eventOf(owed: Owed, { owner, environment }: GateListeners): NewEvent {
  const { fileId, type, generation, reason, at, facts } = owed;
  const about = { fileId, employerId: facts.employerId };
  const data =
    reason === null
      ? { ...about, receivedAt: new Date(facts.receivedAt).toISOString(), size: facts.size }
      : { ...about, status: "failed", error: { ...ERRORS[reason], details: [] } };
  return {
    owner,
    environment,
    id: `evt_${type.slice("file.".length)}_${fileId}_${generation}`,
    type,
    // A file is uploaded when its report was received, whenever it was handed over.
    createdAt: reason === null ? facts.receivedAt : at,
    source: SOURCE,
    data: JSON.stringify(data),
  };
}
