/**
 * Publishes the gateway's own file events: from the gate's outbox to the deliveries of each subscriber. An event's id and
 * content follow from the file alone, so an event that is published again counts as a repeat.
 */

import type { Bindings } from "../bindings.ts";
import type { OwnerAddress } from "../db/owner-keys.ts";
import type { Settings } from "../env.ts";
import { parseFileId } from "../gate/file-id.ts";
import type { OwedEvent, OwedEventReason } from "../gate/protocol.ts";
import { logError } from "../log.ts";
import { type Endpoint, tryWakeEndpoints } from "../messages.ts";
import { type Environment, type GateAddress, gateName } from "../model.ts";
import { GATEWAY_SOURCE } from "./event-types.ts";
import { fanOut, type NewEvent } from "./fan-out.ts";
import { fileEventId } from "./file-event-id.ts";
import { type FileSubscribers, findSubscribersOfFiles } from "./subscribers.ts";

/** Events left after this are left to the gates' alarms: a call that hangs must not hold up the consumer. */
const PUBLISH_BUDGET_MS = 30_000;

const ERRORS: Record<OwedEventReason, { code: string; message: string }> = {
  refused: { code: "FILE_REFUSED", message: "The report was received but could not be made into a file." },
  gave_up: {
    code: "FILE_NOT_PROCESSED",
    message: "The report was received but could not be processed in time.",
  },
};

/**
 * Returns whether every event was published. Never rejects: an event that could not be published stays in its gate's outbox,
 * and the gate's alarm publishes it later.
 */
export async function publishFileEvents(
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
    const subscribersOf = await findSubscribersOfFiles(env.DB, files);
    const endpoints: Endpoint[] = [];
    let all = true;
    const until = Date.now() + PUBLISH_BUDGET_MS;
    for (const [fileId, ofFile] of Map.groupBy(owed, (each) => each.fileId)) {
      if (Date.now() > until) {
        all = false;
        break;
      }
      const gate = parseFileId(fileId)?.gate;
      const employerId = ofFile[0]?.facts.employerId ?? "";
      const subscribers = gate && subscribersOf({ gate, employerId });
      if (gate === undefined || subscribers === undefined) continue;
      all =
        (await publishEventsOf({ gate, fileId, owed: ofFile, subscribers }, endpoints, env, settings)) && all;
    }
    await tryWakeEndpoints(env, endpoints);
    return all;
  } catch (error) {
    logError("failed to publish file events", { events: owed.length }, error);
    return false;
  }
}

/** Publishes one file's events in their order to all its subscribers, and adds the endpoints to wake. False if something failed. */
async function publishEventsOf(
  {
    gate,
    fileId,
    owed,
    subscribers,
  }: { gate: GateAddress; fileId: string; owed: readonly OwedEvent[]; subscribers: FileSubscribers },
  endpoints: Endpoint[],
  env: Bindings,
  settings: Settings,
): Promise<boolean> {
  let stored = false;
  try {
    for (const each of owed) {
      for (const owner of subscribers.owners) {
        const event = eventOf(each, owner, subscribers.environment);
        const fannedOut = await fanOut(env.DB, settings.keyRing, event, Date.now());
        if ("endpoints" in fannedOut) endpoints.push(...fannedOut.endpoints);
      }
    }
    stored = true;
    const published = owed.map(({ type, generation }) => ({ type, generation }));
    await env.CONNECTION_GATE.getByName(gateName(gate)).markPublished(fileId, published);
  } catch (error) {
    logError("failed to publish a file's events", { file_id: fileId, stored }, error);
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
    id: fileEventId(type, fileId, generation),
    type,
    // A file counts as uploaded when its report was received, not when it was handed over.
    createdAt: reason === null ? facts.receivedAt : at,
    source: GATEWAY_SOURCE,
    data: JSON.stringify(data),
  };
}
