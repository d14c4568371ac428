/** The contract of sessions: who is signed in to the console. */
import * as z from "zod";
import { answer, once, page } from "../../contract/answer.ts";
import { EXAMPLE, like } from "../../contract/examples.ts";
import { moment } from "../../contract/fields.ts";
import { SESSION_KINDS } from "../../db/schema.ts";
import type { Failure } from "../../http/failure.ts";
import { pageFields } from "../../http/page.ts";
import { CAPABILITIES, OWNER_TYPES } from "../../model.ts";
import { ownerFields } from "../owner.ts";
import { portalContracts } from "../portal-contract.ts";

/** The name of the list in its cursors. */
export const SESSION_LIST = "sessions";
const sessionQuery = z.strictObject({
  ...ownerFields,
  include_ended: z.enum(["true", "false"]).default("false"),
  ...pageFields(SESSION_LIST, z.tuple([z.int(), z.string()])),
});

export const NO_SESSION: Failure = { kind: "session_not_found" };

const session = once(() =>
  z
    .strictObject({
      id: like(z.string().regex(/^ses_[0-9a-f]{24}$/), EXAMPLE.sessionId),
      kind: like(z.enum(SESSION_KINDS), "owner", "`staff` for a person of Audit1."),
      owner_type: like(z.enum(OWNER_TYPES).nullable(), EXAMPLE.owner.owner_type),
      owner_id: like(z.string().nullable(), EXAMPLE.owner.owner_id, "Null for staff."),
      capabilities: like(z.enum(CAPABILITIES), "manage"),
      person: like(
        z.string().nullable(),
        EXAMPLE.person,
        "As the link calls the person; null if it names nobody.",
      ),
      portal_link_id: like(
        z.string().nullable(),
        EXAMPLE.portalLinkId,
        "The link that made it. Null for a person who signed in through Cloudflare Access.",
      ),
      embed: like(z.boolean(), false),
      status: like(z.enum(["active", "expired", "revoked"]), "active"),
      created_at: moment(),
      expires_at: moment("2026-03-16T18:30:00.000Z"),
      revoked_at: moment().nullable(),
    })
    .meta({ id: "Session" }),
);
export type ShownSession = z.infer<ReturnType<typeof session>>;

const contract = portalContracts("Sessions");

export const listSessions = contract({ query: sessionQuery }, () => ({
  id: "listSessions",
  summary: "List sessions",
  description:
    "Who is signed in to the console, newest first; also those who were, if `include_ended` is set. Sessions are kept for 30 days after they expire. Without an owner, a client that is bound to none sees all, staff included.",
  answers: { 200: page("A page of sessions.", "sessions", session()) },
}));

export const getSession = contract({}, () => ({
  id: "getSession",
  summary: "Read a session",
  description: "Returns whose session it is, and whether it is in force.",
  of: "session",
  answers: { 200: answer("The session.", { session: session() }) },
}));

export const revokeSession = contract({}, () => ({
  id: "revokeSession",
  summary: "Revoke a session",
  description: "The person is signed out at once. Safe to repeat; a session that has expired stays expired.",
  of: "session",
  answers: {
    200: answer("Revoked.", { message: z.literal("session_revoked"), session: session() }),
  },
}));
