/** Looks up objects, each in the one place that has it, and what is related to them. */
import { getApiKey } from "../../db/api-keys.ts";
import { deliveriesOfEvents, type EventDelivery, getDelivery } from "../../db/deliveries.ts";
import { getEmployer } from "../../db/employers.ts";
import { type EventFacts, findEvents, storedAt } from "../../db/events.ts";
import { findGateOwner } from "../../db/gates.ts";
import { getAnyConnection } from "../../db/managed-connections.ts";
import { getAnyWebhook } from "../../db/webhooks.ts";
import { parseFileId } from "../../gate/file-id.ts";
import type { FileRecord } from "../../gate/protocol.ts";
import type { AppContext } from "../../http/context.ts";
import { iso } from "../../http/iso.ts";
import { parseRequestId } from "../../http/request-id.ts";
import { presentFileDetails } from "../../inbound/file-presenter.ts";
import { ENVIRONMENTS, type Environment, type GateAddress, gateName } from "../../model.ts";
import { type DeliveryKey, deliveryId } from "../../outbound/delivery-id.ts";
import { fileOfEvent, ownEventIds } from "../../outbound/file-event-id.ts";
import { actsForEverybody, type Owner, ownerIn, withinScope } from "../owner.ts";
import type { FoundObject, Link } from "./lookup-contract.ts";
import {
  byLookup,
  connectionLink,
  eventLink,
  keyLink,
  link,
  senderLink,
  webhookLink,
} from "./lookup-links.ts";

const MAX_DELIVERIES = 50;

export async function findFile(
  c: AppContext,
  { fileId, gate }: { fileId: string; gate: GateAddress },
): Promise<FoundObject | null> {
  const row = await findGateOwner(c.env.DB, gate);
  if (row === null || !withinScope(c.get("client"), row)) return null;
  const record = await c.env.CONNECTION_GATE.getByName(gateName(gate)).status(fileId);
  if (record === null) return null;
  const { facts } = record;
  const {
    file_id: _id,
    connection_id: _connection,
    api_key_id: _key,
    ...summary
  } = presentFileDetails(record);
  return {
    ...link("file", fileId),
    summary: { owner_type: row.owner_type, owner_id: row.owner_id, ...summary },
    related: [
      // Reports from before request ids led anywhere have ids of another form.
      ...(parseRequestId(facts.requestId) === null ? [] : [link("request", facts.requestId)]),
      senderLink(gate, row.is_deleted === 1),
      link("employer", facts.employerId),
      ...(facts.sameBodyAs === undefined ? [] : [link("file", facts.sameBodyAs)]),
      ...(await eventsOf(c, record, ownerIn(row))),
    ],
  };
}

/** The events of a file that its owner received, and their deliveries. */
async function eventsOf(c: AppContext, record: FileRecord, owner: Owner): Promise<Link[]> {
  const ids = [...ownEventIds(record.fileId, record.generation), ...record.reportIds];
  const events = await findEvents(c.env.DB, owner, ENVIRONMENTS, ids);
  const deliveries = await deliveriesOfEvents(c.env.DB, owner, seqsOf(events), MAX_DELIVERIES);
  const idsBySeq = new Map(events.map(({ seq, id }) => [seq, id]));
  return [
    ...events.map((event) => ({ ...eventLink(event, owner), ...aboutEvent(event) })),
    ...deliveries.map((each) => deliveryLink(each, idsBySeq.get(each.event_seq))),
  ];
}

function aboutEvent({ type, created_at }: EventFacts) {
  return { type, at: iso(created_at) };
}

const seqsOf = (events: readonly EventFacts[]) => events.map(({ seq }) => seq);

function deliveryLink(delivery: EventDelivery, eventId: string | undefined): Link {
  const { webhook_id: webhookId, event_seq: eventSeq, status } = delivery;
  return {
    ...link("delivery", deliveryId({ webhookId, eventSeq })),
    status,
    webhook_id: `wh_${webhookId}`,
    ...(eventId !== undefined && { event_id: eventId }),
  };
}

export async function findDelivery(c: AppContext, key: DeliveryKey): Promise<FoundObject | null> {
  const webhook = await getAnyWebhook(c.env.DB, key.webhookId);
  if (webhook === null || !withinScope(c.get("client"), webhook)) return null;
  const delivery = await getDelivery(c.env.DB, key);
  if (delivery === null) return null;
  const { event_id: id } = delivery;
  return {
    ...link("delivery", deliveryId(key)),
    summary: {
      status: delivery.status,
      event_type: delivery.event_type,
      attempts: delivery.attempts,
      response_code: delivery.response_code,
      last_error: delivery.last_error,
      next_attempt_at: iso(delivery.next_attempt_at),
      created_at: iso(delivery.created_at),
      updated_at: iso(delivery.updated_at),
    },
    related: [
      webhook.deleted_at === null ? webhookLink(webhook.id) : byLookup("webhook", `wh_${webhook.id}`),
      ...(id === null ? [] : [eventLink({ id, environment: webhook.environment }, ownerIn(webhook))]),
      ...fileLinks(id),
    ],
  };
}

/** An event of `owner`: without an environment, the one in production if both have one. */
export async function findEvent(
  c: AppContext,
  id: string,
  owner: Owner,
  environment: Environment | undefined,
): Promise<FoundObject | null> {
  const within = environment === undefined ? ENVIRONMENTS : [environment];
  const events = await findEvents(c.env.DB, owner, within, [id]);
  const event = events.find((each) => each.environment === "production") ?? events[0];
  if (event === undefined) return null;
  const deliveries = await deliveriesOfEvents(c.env.DB, owner, [event.seq], MAX_DELIVERIES);
  return {
    ...eventLink(event, owner),
    summary: {
      type: event.type,
      owner_type: owner.type,
      owner_id: owner.id,
      environment: event.environment,
      source: event.source,
      sequence: event.seq,
      created_at: iso(event.created_at),
      received_at: iso(storedAt(event.seq)),
    },
    related: [
      ...fileLinks(id),
      ...deliveries.flatMap((each) => [deliveryLink(each, id), webhookLink(each.webhook_id)]),
    ],
  };
}

/** Of the gateway's own events, which name their file. Its connection may have been deleted. */
function fileLinks(eventId: string | null): Link[] {
  const fileId = eventId === null ? null : fileOfEvent(eventId);
  const gate = fileId === null ? undefined : parseFileId(fileId)?.gate;
  return fileId === null || gate === undefined ? [] : [link("file", fileId), senderLink(gate, true)];
}

export async function findConnection(c: AppContext, id: string): Promise<FoundObject | null> {
  const row = await getAnyConnection(c.env.DB, id);
  if (row === null || !withinScope(c.get("client"), row)) return null;
  const { type, owner_type, owner_id, status, plan, environment, employer_id } = row;
  return {
    ...connectionLink(row.id, row.deleted_at !== null),
    summary: {
      ...{ type, owner_type, owner_id, status, plan, environment, employer_id },
      created_at: iso(row.created_at),
      updated_at: iso(row.updated_at),
      deleted_at: iso(row.deleted_at),
      erase_at: iso(row.erase_at),
    },
    related: employer_id === null ? [] : [link("employer", employer_id)],
  };
}

export async function findWebhook(c: AppContext, id: string): Promise<FoundObject | null> {
  const row = await getAnyWebhook(c.env.DB, id);
  if (row === null || !withinScope(c.get("client"), row)) return null;
  const { owner_type, owner_id, status, environment, events } = row;
  return {
    ...(row.deleted_at === null ? webhookLink(row.id) : byLookup("webhook", `wh_${row.id}`)),
    summary: {
      ...{ owner_type, owner_id, status, environment, events },
      created_at: iso(row.created_at),
      updated_at: iso(row.updated_at),
      deleted_at: iso(row.deleted_at),
    },
    related: [],
  };
}

export async function findApiKey(c: AppContext, id: string): Promise<FoundObject | null> {
  const row = await getApiKey(c.env.DB, id);
  if (row === null || !withinScope(c.get("client"), row)) return null;
  const { owner_type, owner_id, is_active, plan, environment } = row;
  return {
    ...keyLink(row.id),
    summary: {
      ...{ owner_type, owner_id, is_active, plan, environment },
      last_used_at: iso(row.last_used_at),
      created_at: iso(row.created_at),
      updated_at: iso(row.updated_at),
    },
    related: [],
  };
}

/** For employers, owner means granted. */
export async function findEmployer(c: AppContext, id: string): Promise<FoundObject | null> {
  const client = c.get("client");
  const employer = await getEmployer(c.env.DB, id);
  const owners = employer?.owners.filter((owner) => withinScope(client, owner)) ?? [];
  if (employer === null || (owners.length === 0 && !actsForEverybody(client))) return null;
  return { ...link("employer", employer.id), summary: { owners }, related: [] };
}
