/** How the portal shows links and sessions, and what the audit trail records of them. Neither ever shows a token. Pure. */
import type { PortalLink } from "../../db/portal-links.ts";
import type { AuditedFields } from "../../db/schema.ts";
import type { Session } from "../../db/sessions.ts";
import { iso } from "../../http/iso.ts";
import type { ShownLink } from "./portal-link-contract.ts";
import type { ShownSession } from "./session-contract.ts";

export function linkStatus(
  { used_at, reusable, expires_at, revoked_at }: PortalLink,
  now: number,
): ShownLink["status"] {
  if (revoked_at !== null) return "revoked";
  if (used_at !== null && !reusable) return "used";
  return expires_at <= now ? "expired" : "open";
}

export function presentLink(row: PortalLink, now: number): ShownLink {
  return {
    id: row.id,
    owner_type: row.owner_type,
    owner_id: row.owner_id,
    capabilities: row.capability,
    person: row.person,
    next: row.next,
    embed: row.embedded,
    reusable: row.reusable,
    status: linkStatus(row, now),
    created_at: iso(row.created_at),
    expires_at: iso(row.expires_at),
    used_at: iso(row.used_at),
    revoked_at: iso(row.revoked_at),
  };
}

export function auditedLink({
  capability,
  person,
  next,
  embedded,
  reusable,
  expires_at,
}: PortalLink): AuditedFields {
  return { capabilities: capability, person, next, embed: embedded, reusable, expires_at };
}

export function presentSession(row: Session, now: number): ShownSession {
  const ended = row.revoked_at !== null ? "revoked" : row.expires_at <= now ? "expired" : null;
  return {
    id: row.id,
    kind: row.kind,
    owner_type: row.owner_type,
    owner_id: row.owner_id,
    capabilities: row.capability,
    person: row.person,
    portal_link_id: row.link_id,
    embed: row.embedded,
    status: ended ?? "active",
    created_at: iso(row.created_at),
    expires_at: iso(row.expires_at),
    revoked_at: iso(row.revoked_at),
  };
}

export function auditedSession({
  kind,
  capability,
  person,
  link_id,
  embedded,
  expires_at,
}: Session): AuditedFields {
  return { kind, capabilities: capability, person, portal_link_id: link_id, embed: embedded, expires_at };
}
