/**
 * The life of a session: started by a link or by a person whom Access let in, found by the token in its cookie, ended by its person.
 * Tokens are stored as hashes.
 */
import type { Bindings } from "../../bindings.ts";
import { sha256Hex } from "../../crypto/encoding.ts";
import { newObjectId, randomSecret } from "../../crypto/ids.ts";
import { type AuditRow, newAuditRow } from "../../db/audit.ts";
import { findPortalLink, type PortalLink, redeemPortalLink } from "../../db/portal-links.ts";
import {
  findLiveSession,
  insertSession,
  OWNERS_SESSION_MS,
  revokeSession,
  type Session,
  STAFF_SESSION_MS,
} from "../../db/sessions.ts";
import type { Client } from "../../http/context.ts";
import { err, ok, type Result } from "../../result.ts";
import { ownerIn } from "../owner.ts";
import { auditedSession, linkStatus } from "./present-access.ts";

/** The name of the person whom a link for staff lets in, on a gateway for local development. */
const DEVELOPER = "developer";
const TOKEN = /^[A-Za-z0-9_-]{43}$/;

export interface Started {
  /** For the cookie. */
  token: string;
  session: Session;
}

/** Why a link makes no session. */
export type LinkProblem = "unknown" | "used" | "expired" | "revoked";

/** Trades a link's token for a session. `requestId` is that of the request which does so. */
export async function redeemLink(
  env: Bindings,
  token: string,
  now: number,
  requestId: string,
): Promise<Result<Started & { next: string }, LinkProblem>> {
  const find = async () => (TOKEN.test(token) ? findPortalLink(env.DB, await sha256Hex(token)) : null);
  const link = await find();
  const problem = problemOf(link, now);
  if (link === null || problem !== null) return err(problem ?? "unknown");
  const started = await newSession({
    kind: link.owner_type === null ? "staff" : "owner",
    owner_type: link.owner_type,
    owner_id: link.owner_id,
    capability: link.capability,
    person: link.owner_type === null ? DEVELOPER : link.person,
    link_id: link.id,
    embedded: link.embedded,
    created_at: now,
    expires_at: now + (link.owner_type === null ? STAFF_SESSION_MS : OWNERS_SESSION_MS),
  });
  const auditRow = startedRow(started.session, requestId);
  if (await redeemPortalLink(env.DB, link, started.session, auditRow))
    return ok({ ...started, next: link.next });
  // Another request has used or revoked it since.
  return err(problemOf(await find(), now) ?? "used");
}

function problemOf(link: PortalLink | null, now: number): LinkProblem | null {
  if (link === null) return "unknown";
  const status = linkStatus(link, now);
  return status === "open" ? null : status;
}

/** A session of a person whose Access token was verified. It ends with the token, and after an hour at the latest. */
export async function startStaffSession(
  env: Bindings,
  { name, expiresAt }: { name: string; expiresAt: number },
  now: number,
  requestId: string,
): Promise<Started> {
  const started = await newSession({
    kind: "staff",
    owner_type: null,
    owner_id: null,
    capability: "manage",
    person: name,
    link_id: null,
    embedded: false,
    created_at: now,
    expires_at: Math.min(expiresAt, now + STAFF_SESSION_MS),
  });
  await insertSession(env.DB, started.session, startedRow(started.session, requestId));
  return started;
}

/** The session whose cookie holds this token. Null if there is none in force. */
export async function sessionOf(env: Bindings, token: string, now: number): Promise<Session | null> {
  return TOKEN.test(token) ? findLiveSession(env.DB, await sha256Hex(token), now) : null;
}

/** Ends the session at its person's request. */
export async function endSession(
  env: Bindings,
  session: Session,
  now: number,
  requestId: string,
): Promise<void> {
  const by = { actor: clientOfSession(session).actor, requestId };
  await revokeSession(env.DB, session.id, sessionRow(session, "ended", by, now), now);
}

/** The client as which the requests of a session are made. */
export function clientOfSession(session: Session): Client {
  const owner = ownerIn(session);
  const { id, person, link_id, capability } = session;
  if (owner === null) return { actor: `access:${person ?? DEVELOPER}`, capability, session: id };
  const actor = person === null ? `link:${link_id}` : `person:${person}`;
  return { actor, owner, capability, session: id };
}

export function sessionRow(
  session: Session,
  what: "started" | "revoked" | "ended",
  by: { actor: string; requestId: string },
  now: number,
): AuditRow {
  return newAuditRow({
    at: now,
    ...by,
    kind: "session",
    what,
    subjectId: session.id,
    owner: ownerIn(session),
    before: null,
    after: what === "started" ? auditedSession(session) : null,
  });
}

function startedRow(session: Session, requestId: string): AuditRow {
  const by = { actor: clientOfSession(session).actor, requestId };
  return sessionRow(session, "started", by, session.created_at);
}

async function newSession(fields: Omit<Session, "id" | "token_sha256" | "revoked_at">): Promise<Started> {
  const token = randomSecret();
  const id = `ses_${newObjectId()}`;
  return { token, session: { ...fields, id, token_sha256: await sha256Hex(token), revoked_at: null } };
}
