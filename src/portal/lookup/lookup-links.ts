/** Addresses of related objects: where the portal API shows each of them. */
import { API_KEY_PREFIX, type Environment, type GateAddress } from "../../model.ts";
import type { Owner } from "../owner.ts";
import type { LookupKind } from "./lookup-contract.ts";

const API = "/api/v1";
const PATHS: Record<LookupKind, string> = {
  request: "lookup",
  file: "lookup",
  event: "lookup",
  delivery: "deliveries",
  connection: "connections",
  webhook: "webhooks",
  api_key: "api-keys",
  employer: "employers",
};

/** `id` as responses show it, with its prefix. */
export function link<Kind extends LookupKind>(kind: Kind, id: string) {
  return { kind, id, href: `${API}/${PATHS[kind]}/${id}` };
}

/** An event's id is unique within its owner and environment only. */
export function eventLink({ id, environment }: { id: string; environment: Environment }, owner: Owner) {
  const query = new URLSearchParams({ owner_type: owner.type, owner_id: owner.id, environment });
  return { kind: "event" as const, id, href: `${API}/${PATHS.event}/${id}?${query}` };
}

export function webhookLink(id: string) {
  return link("webhook", `wh_${id}`);
}

export function keyLink(id: string) {
  return link("api_key", `${API_KEY_PREFIX}${id}`);
}

/** For an object that is deleted, or may be: the look-up shows it all the same. */
export function byLookup<Kind extends LookupKind>(kind: Kind, id: string) {
  return { kind, id, href: `${API}/lookup/${id}` };
}

export function connectionLink(id: string, isDeleted: boolean) {
  return isDeleted ? byLookup("connection", id) : link("connection", id);
}

/** The connection or the API key that a gate belongs to. */
export function senderLink({ kind, id }: GateAddress, isDeleted: boolean) {
  return kind === "key" ? keyLink(id) : connectionLink(id, isDeleted);
}
