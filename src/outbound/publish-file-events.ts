/**
 * The gateway's own events of files, taken from their gate to where deliveries begin. An event's id and content follow from
 * the file alone: told again, it is a repeat.
 */
import type { OwnerAddress } from "../db/owner-keys.ts";
import type { Bindings, Settings } from "../env.ts";
import { parseFileId } from "../gate/file-id.ts";
import type { OwedEvent, OwedEventReason } from "../gate/protocol.ts";
import { logError } from "../log.ts";
import { type Endpoint, tryWakeEndpoints } from "../messages.ts";
import { type Environment, type GateAddress, gateName } from "../model.ts";
import { fanOut, type NewEvent } from "./fan-out.ts";
import { type Audience, findAudiences } from "./subscribers.ts";

const SOURCE = "audit1-gateway";
/** What is owed when this has passed is left to the gates' reminders: parts that hang must not hold up a consumer. */
const TELLING_BUDGET_MS = 30_000;

const ERRORS: Record<OwedEventReason, { code: string; message: string }> = {
  refused: { code: "FILE_REFUSED", message: "The report was received but could not be made into a file." },
  gave_up: {
    code: "FILE_NOT_PROCESSED",
    message: "The report was received but could not be processed in time.",
  },
};

/**
 * Answers whether all of it was told. Never rejects: what could not be told is owed still, and the gates' alarms come back to
 * it.
 */
export async function tellOwed(
  owed: readonly OwedEvent[],
  env: Bindings,
  settings: Settings,
): Promise<boolean> {
  if (owed.length === 0) return true;
  try {
    const files = owed.flatMap(({ fileId, facts: { employerId } }) => {
      const gate = parseFileId(fileId)?.gate;
      return gate === undefined ? [] : [{ gate, employerId }];
    });
    const audienceOf = await findAudiences(env.DB, files);
    const endpoints: Endpoint[] = [];
    let all = true;
    const until = Date.now() + TELLING_BUDGET_MS;
    for (const [fileId, ofFile] of Map.groupBy(owed, (each) => each.fileId)) {
      if (Date.now() > until) {
        all = false;
        break;
      }
      const gate = parseFileId(fileId)?.gate;
      const employerId = ofFile[0]?.facts.employerId ?? "";
      const audience = gate && audienceOf({ gate, employerId });
      if (gate === undefined || audience === undefined) continue;
      all = (await tellOne({ gate, fileId, owed: ofFile, audience }, endpoints, env, settings)) && all;
    }
    await tryWakeEndpoints(env, endpoints);
    return all;
  } catch (error) {
    logError("events of files were not told", { events: owed.length }, error);
    return false;
  }
}

/** Tells what one file owes, in its order, to all who hear of it, and adds the endpoints to wake. False where something failed. */
async function tellOne(
  {
    gate,
    fileId,
    owed,
    audience,
  }: { gate: GateAddress; fileId: string; owed: readonly OwedEvent[]; audience: Audience },
  endpoints: Endpoint[],
  env: Bindings,
  settings: Settings,
): Promise<boolean> {
  let stored = false;
  try {
    for (const each of owed) {
      for (const owner of audience.owners) {
        const event = eventOf(each, owner, audience.environment);
        const fannedOut = await fanOut(env.DB, settings.keyRing, event, Date.now());
        if ("endpoints" in fannedOut) endpoints.push(...fannedOut.endpoints);
      }
    }
    stored = true;
    const published = owed.map(({ type, generation }) => ({ type, generation }));
    await env.CONNECTION_GATE.getByName(gateName(gate)).markPublished(fileId, published);
  } catch (error) {
    logError("an event of a file was not told", { file_id: fileId, stored }, error);
  }
  return stored;
}

function eventOf(owed: OwedEvent, owner: OwnerAddress, environment: Environment): NewEvent {
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
