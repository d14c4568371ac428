/** The contract of portal links, which let a person into the console. */
import * as z from "zod";
import { answer, once, page } from "../../contract/answer.ts";
import { EXAMPLE, like } from "../../contract/examples.ts";
import { moment } from "../../contract/fields.ts";
import { LONGEST_LINK_MS, LONGEST_REUSABLE_MS } from "../../db/portal-links.ts";
import type { Failure } from "../../http/failure.ts";
import { pageFields } from "../../http/page.ts";
import { CAPABILITIES, OWNER_TYPES } from "../../model.ts";
import { ownerFields } from "../owner.ts";
import { created, portalContracts } from "../portal-contract.ts";
import { CONSOLE_ROOT, consolePathProblem } from "./console-path.ts";

const SHORTEST_S = 30;
const LONGEST_S = LONGEST_LINK_MS / 1_000;
const DEFAULT_S = 300;
const LONGEST_PERSON_CHARS = 320;

const consolePath = z.string().superRefine((text, context) => {
  const problem = consolePathProblem(text);
  if (problem !== null) context.addIssue({ code: "custom", message: problem });
});

const person = z
  .string()
  .trim()
  .min(1)
  .max(LONGEST_PERSON_CHARS)
  .regex(/^[^\p{Cc}\p{Zl}\p{Zp}]*$/u, "Must be one line, without control characters");

const linkFields = {
  ...ownerFields,
  capabilities: z.enum(CAPABILITIES).default("view").meta({
    description: "`view`: the session may only read. `manage`: it may do what a client of the owner may.",
  }),
  person: person.optional().meta({
    description:
      "Whom the link is for: a name or an e-mail address, which the audit trail and the list of sessions show.",
    examples: [EXAMPLE.person],
  }),
  next: consolePath
    .default(CONSOLE_ROOT)
    .meta({ description: "The console's page that the link leads to: `/console` or below." }),
  embed: z.boolean().default(false).meta({
    description:
      "For a console inside a page of another site, which the gateway's settings must allow: the session's cookie is sent there too.",
  }),
};

/** `expires_in` as a deployed gateway takes it. */
const expiresIn = (longestSeconds: number) => z.int().min(SHORTEST_S).max(longestSeconds);

/** As described in the document. */
const newLink = z.strictObject({
  ...linkFields,
  expires_in: expiresIn(LONGEST_S).default(DEFAULT_S).meta({
    description: "Until when the link can be opened, in seconds. The session lasts 8 hours after that.",
  }),
});

/** With the fields that only a gateway for local development takes; any other rejects them by {@link localOnly}. */
const anyNewLink = z.strictObject({
  ...linkFields,
  expires_in: expiresIn(LONGEST_REUSABLE_MS / 1_000).default(DEFAULT_S),
  reusable: z.boolean().default(false),
  staff: z.boolean().default(false),
});
export type NewLink = z.infer<typeof anyNewLink>;

/** The problems of a link that this gateway does not make, by field. Pure. */
export function linkProblems(
  link: NewLink,
  { local, embeddable }: { local: boolean; embeddable: boolean },
): Record<string, string> {
  const problems: Record<string, string> = {};
  const most = link.reusable || link.staff ? LONGEST_REUSABLE_MS / 1_000 : LONGEST_S;
  if (!local && link.reusable) problems.reusable = LOCAL_ONLY;
  if (!local && link.staff) problems.staff = LOCAL_ONLY;
  if (link.expires_in > most) problems.expires_in = `Must be at most ${most}`;
  if (link.embed && !embeddable) problems.embed = "No page may embed the console of this gateway";
  return problems;
}

const LOCAL_ONLY = "Only on a gateway for local development";

/** The names of the lists in their cursors. */
export const LINK_LIST = "portal_links";
const linkQuery = z.strictObject({
  ...ownerFields,
  include_ended: z.enum(["true", "false"]).default("false"),
  ...pageFields(LINK_LIST, z.tuple([z.int(), z.string()])),
});

export const NO_CONSOLE: Failure = { kind: "not_configured", part: "console" };
export const NOT_FOR_SESSIONS: Failure = { kind: "session_makes_no_access" };
export const NO_LINK: Failure = { kind: "portal_link_not_found" };

const portalLink = once(() =>
  z
    .strictObject({
      id: like(z.string().regex(/^plk_[0-9a-f]{24}$/), EXAMPLE.portalLinkId),
      owner_type: like(z.enum(OWNER_TYPES).nullable(), EXAMPLE.owner.owner_type),
      owner_id: like(
        z.string().nullable(),
        EXAMPLE.owner.owner_id,
        "Null for a link for staff, which only a gateway for local development has.",
      ),
      capabilities: like(z.enum(CAPABILITIES), "manage"),
      person: like(z.string().nullable(), EXAMPLE.person),
      next: like(z.string(), "/console/connections"),
      embed: like(z.boolean(), false),
      reusable: like(z.boolean(), false, "Only on a gateway for local development."),
      status: like(
        z.enum(["open", "used", "expired", "revoked"]),
        "open",
        "Only an open link makes a session.",
      ),
      created_at: moment(),
      expires_at: moment("2026-03-16T10:35:00.000Z"),
      used_at: moment().nullable(),
      revoked_at: moment().nullable(),
    })
    .meta({ id: "PortalLink" }),
);
export type ShownLink = z.infer<ReturnType<typeof portalLink>>;

const contract = portalContracts("Sessions");

export const createPortalLink = contract({ body: anyNewLink, creates: true }, () => ({
  id: "createPortalLink",
  summary: "Create a link to the console",
  description:
    "Returns an address that lets one person into the console once, only now and to repeats with the same `Idempotency-Key` until it is used. Send the person there, in a browser, and to nobody else: whoever opens it first is signed in. The token is in the fragment, so it reaches no server's log, and is stored as a hash.",
  body: {
    schema: newLink,
    examples: {
      view: { summary: "To look around", value: EXAMPLE.owner },
      manage: {
        summary: "To set up a connection",
        value: {
          ...EXAMPLE.owner,
          capabilities: "manage",
          person: EXAMPLE.person,
          next: "/console/connections/new",
        },
      },
    },
  },
  answers: {
    201: created(
      "The link. `url` is the address.",
      { portal_link: portalLink() },
      like(
        z.string().regex(/^https?:\/\/[^/]+\/console\/sign-in#[A-Za-z0-9_-]{43}$/),
        "https://console.audit1.com/console/sign-in#kUuVbWmQ7ZfP2xT0aXc9sRj4dYhE1nLo6iGt3vBq8wA",
      ),
      { name: "url", versioned: false },
    ),
  },
  failures: [NO_CONSOLE],
}));

export const listPortalLinks = contract({ query: linkQuery }, () => ({
  id: "listPortalLinks",
  summary: "List portal links",
  description:
    "Newest first; only links that are still open, unless `include_ended` is set. A list never shows an address. Links are kept for 30 days after they expire. Without an owner, a client that is bound to none sees all.",
  answers: { 200: page("A page of links.", "portal_links", portalLink()) },
}));

export const getPortalLink = contract({}, () => ({
  id: "getPortalLink",
  summary: "Read a portal link",
  description: "Returns whether the link was used, never its address.",
  of: "portal_link",
  answers: { 200: answer("The link.", { portal_link: portalLink() }) },
}));

export const revokePortalLink = contract({}, () => ({
  id: "revokePortalLink",
  summary: "Revoke a portal link",
  description:
    "The link makes no session from now on, and every session that it made ends at once. Safe to repeat.",
  of: "portal_link",
  answers: {
    200: answer("Revoked.", { message: z.literal("portal_link_revoked"), portal_link: portalLink() }),
  },
}));
