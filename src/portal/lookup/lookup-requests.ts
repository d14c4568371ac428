/** Looks up requests. The id's kind and address decide where the record is; D1 confirms its owner before a gate is asked. */
import { findKeyByHashStart } from "../../db/api-keys.ts";
import { type AuditRow, auditOfRequest } from "../../db/audit.ts";
import { findGateOwner } from "../../db/gates.ts";
import { logName, logShardOf, NOBODYS_SHARD } from "../../evidence/request-log-name.ts";
import type { FoundRequest } from "../../gate/find-request.ts";
import type { AppContext, Client } from "../../http/context.ts";
import { iso } from "../../http/iso.ts";
import type { RequestId } from "../../http/request-id.ts";
import { type GateAddress, gateName } from "../../model.ts";
import { shownActor } from "../audit-presenter.ts";
import { actsForEverybody, type OwnedRow, withinScope } from "../owner.ts";
import { presentRequest } from "../requests/request-presenter.ts";
import type { FoundObject, Link, ShownChange } from "./lookup-contract.ts";
import { byLookup, keyLink, link, senderLink } from "./lookup-links.ts";

/** An import of employers makes thousands of changes. */
const SHOWN_CHANGES = 20;

/** Null if there is no record of the request within the client's scope. */
export function findRequest(c: AppContext, request: RequestId): Promise<FoundObject | null> {
  switch (request.kind) {
    case "connection":
    case "key":
      return findReport(c, request);
    case "portal":
      return findChanges(c, request);
    case "other":
      return actsForEverybody(c.get("client")) ? findInLog(c, request, NOBODYS_SHARD) : Promise.resolve(null);
  }
}

async function findReport(c: AppContext, request: RequestId): Promise<FoundObject | null> {
  const client = c.get("client");
  const sender = await findSender(c.env.DB, request);
  if (sender === null)
    return actsForEverybody(client) ? findInLog(c, request, logShardOf(request.address)) : null;
  if (!withinScope(client, sender.owner)) return null;
  const { gate, isDeleted } = sender;
  const found = await c.env.CONNECTION_GATE.getByName(gateName(gate)).findRequest(request.id, request.at);
  return found === null ? null : presentReport(found, [senderLink(gate, isDeleted)]);
}

interface KnownSender {
  gate: GateAddress;
  owner: OwnedRow;
  isDeleted: boolean;
}

/** The connection or the key that the id names. Null if there is none: its gate must not be created. */
async function findSender(db: D1Database, { kind, address }: RequestId): Promise<KnownSender | null> {
  if (kind === "key") {
    const key = await findKeyByHashStart(db, address);
    return key && { gate: { kind: "key", id: key.id }, owner: key, isDeleted: false };
  }
  const gate: GateAddress = { kind: "connection", id: address };
  const owner = await findGateOwner(db, gate);
  return owner && { gate, owner, isDeleted: owner.is_deleted === 1 };
}

/** A request that names no connection or key, or one that does not exist. It belongs to no owner, so only operators see it. */
async function findInLog(c: AppContext, { id, at }: RequestId, shard: number): Promise<FoundObject | null> {
  const entry = await c.env.REQUEST_LOG.getByName(logName(shard)).findRequest(id, at);
  return entry && presentReport({ entry, file: null }, []);
}

function presentReport({ entry, file }: FoundRequest, senders: readonly Link[]): FoundObject {
  const related = [...senders];
  if (entry.fileId !== null) related.push(link("file", entry.fileId));
  if (file !== null) related.push(link("employer", file.facts.employerId));
  const summary = { ...presentRequest(entry), file_status: file?.status ?? null };
  return { ...link("request", entry.requestId), summary, related };
}

async function findChanges(c: AppContext, request: RequestId): Promise<FoundObject | null> {
  const client = c.get("client");
  const limits = [client.owner, client.named].filter((limit) => limit !== undefined);
  const rows = await auditOfRequest(c.env.DB, request.id, limits, SHOWN_CHANGES);
  if (rows.length === 0) return null;
  const links = rows.flatMap(linkOf);
  return {
    ...link("request", request.id),
    summary: {
      request_id: request.id,
      at: iso(request.at),
      changes: rows.map((row) => presentChange(row, client)),
    },
    related: [...new Map(links.map((each) => [each.href, each])).values()],
  };
}

function presentChange(row: AuditRow, client: Client): ShownChange {
  return {
    id: row.id,
    at: iso(row.at),
    actor: shownActor(row, client),
    action: row.action,
    subject: { kind: row.subject_kind, id: row.subject_id },
  };
}

/** The object that was changed, and may have been deleted. */
function linkOf({ subject_kind: kind, subject_id: id }: AuditRow): Link[] {
  switch (kind) {
    case "api_key":
      return [keyLink(id)];
    case "webhook":
      return [byLookup("webhook", `wh_${id}`)];
    case "connection":
      return [byLookup(kind, id)];
    case "file":
    case "employer":
      return [link(kind, id)];
    default:
      return [];
  }
}
