/** Links that let a person into the console: create, list, read, revoke. The address is returned once; only a hash of its token is stored. */
import { Hono } from "hono";
import { linkTokenContext } from "../../crypto/contexts.ts";
import { sha256Hex } from "../../crypto/encoding.ts";
import { newObjectId, randomSecret } from "../../crypto/ids.ts";
import { sealText, unsealText } from "../../crypto/vault.ts";
import type { AuditRow } from "../../db/audit.ts";
import { currentOwnerKey, findOwnerKey } from "../../db/owner-keys.ts";
import {
  getPortalLink,
  insertOwnersLink,
  insertStaffLink,
  listPortalLinks,
  type OwnersLink,
  type PortalLink,
  revokePortalLink,
} from "../../db/portal-links.ts";
import { type AppContext, type AppEnv, failureResponse } from "../../http/context.ts";
import type { Failure } from "../../http/failure.ts";
import { idempotencyKey } from "../../http/idempotency-key.ts";
import { pageOf } from "../../http/page.ts";
import { err, ok, type Result } from "../../result.ts";
import { allowsInsecure } from "../../setting-parsers.ts";
import { actionRow } from "../audit-row.ts";
import { type Creatable, create, type Made } from "../creation.ts";
import { actsForEverybody, mayReach, type Owner, ownerIn, ownerOf, ownerOrAll } from "../owner.ts";
import { consoleOriginOf } from "./console-origin.ts";
import * as contract from "./portal-link-contract.ts";
import {
  LINK_LIST,
  linkProblems,
  type NewLink,
  NO_CONSOLE,
  NO_LINK,
  NOT_FOR_SESSIONS,
} from "./portal-link-contract.ts";
import { auditedLink, linkStatus, presentLink } from "./present-access.ts";

export const portalLinks = new Hono<AppEnv>()
  .post("/portal-links", contract.createPortalLink, async (c) => {
    const body = c.req.valid("json");
    const client = c.get("client");
    if (client.session !== undefined) return failureResponse(c, NOT_FOR_SESSIONS);
    const origin = consoleOriginOf(c);
    if (origin === null) return failureResponse(c, NO_CONSOLE);
    const embeddable = c.get("settings").console.frameAncestors.length > 0;
    const problems = linkProblems(body, { local: allowsInsecure(c.env), embeddable });
    if (Object.keys(problems).length > 0)
      return failureResponse(c, { kind: "invalid_fields", details: problems });
    if (body.staff) return createStaffLink(c, origin, body);
    const owned = ownerOf(client, body);
    if (!owned.ok) return failureResponse(c, owned.error);
    const owner = owned.value;
    return create(c, creatable(origin), { owner, body }, () => makeLink(c, owner, body));
  })
  .get("/portal-links", contract.listPortalLinks, async (c) => {
    const { include_ended, limit, cursor, ...named } = c.req.valid("query");
    const owned = ownerOrAll(c.get("client"), named);
    if (!owned.ok) return failureResponse(c, owned.error);
    const now = Date.now();
    const filter = { endedToo: include_ended === "true", now };
    const found = await listPortalLinks(c.env.DB, owned.value, filter, cursor ?? null, limit);
    const { rows, next_cursor } = pageOf(LINK_LIST, found, limit, (row) => [row.created_at, row.id]);
    return c.json({ portal_links: rows.map((row) => presentLink(row, now)), next_cursor });
  })
  .get("/portal-links/:portal_link_id", contract.getPortalLink, async (c) => {
    const found = await findLink(c);
    if (!found.ok) return failureResponse(c, found.error);
    return c.json({ portal_link: presentLink(found.value, Date.now()) });
  })
  .delete("/portal-links/:portal_link_id", contract.revokePortalLink, async (c) => {
    const found = await findLink(c);
    if (!found.ok) return failureResponse(c, found.error);
    const { id } = found.value;
    const now = Date.now();
    const rows = {
      auditRow: auditRowOf(c, found.value, "revoked", null, now),
      sessionsRow: auditRowOf(c, found.value, "sessions_revoked", null, now),
    };
    await revokePortalLink(c.env.DB, found.value, rows, now);
    const row = (await getPortalLink(c.env.DB, id)) ?? found.value;
    return c.json({ message: "portal_link_revoked", portal_link: presentLink(row, now) });
  });

/** The link that the path names, within the client's scope. */
async function findLink(c: AppContext): Promise<Result<PortalLink, Failure>> {
  const row = await getPortalLink(c.env.DB, (c.req.param("portal_link_id") ?? "").toLowerCase());
  return row !== null && mayReach(c.get("client"), ownerIn(row)) ? ok(row) : err(NO_LINK);
}

const AUDITED = { kind: "portal_link" as const, audited: auditedLink };

function creatable(origin: string): Creatable<OwnersLink> {
  return {
    managed: AUDITED,
    find: async (c, id) => (await getPortalLink(c.env.DB, id)) as OwnersLink | null,
    dataKey: async (c, { owner_type: type, owner_id: id }) =>
      (await findOwnerKey(c.env.DB, c.get("settings").keyRing, { type, id }))?.key ?? null,
    secretOf: async (_c, row, token, dataKey) =>
      token === null || linkStatus(row, Date.now()) !== "open"
        ? null
        : unsealText(dataKey, token, linkTokenContext(row.id)),
    present: (c, row, secret) => {
      const url = "secret" in secret ? { url: addressOf(origin, secret.secret) } : secret;
      return c.json({ portal_link: presentLink(row, Date.now()), ...url }, 201);
    },
  };
}

async function makeLink(
  c: AppContext,
  owner: Owner,
  given: NewLink,
): Promise<Result<Made<OwnersLink>, Failure>> {
  const { db, ring } = { db: c.env.DB, ring: c.get("settings").keyRing };
  const { key, createdAt } = await currentOwnerKey(db, ring, owner);
  const { token, row: made } = await newLink(given);
  const row: OwnersLink = { ...made, owner_type: owner.type, owner_id: owner.id };
  const sealedToken = await sealText(key, token, linkTokenContext(row.id));
  const insert: Made<OwnersLink>["insert"] = (auditRow, creation) =>
    insertOwnersLink(db, row, auditRow, { creation, keyCreatedAt: createdAt });
  // The owner's key was replaced meanwhile: the next attempt uses the new one.
  const findRefusal = async () => null;
  return ok({ row, secret: token, dataKey: key, sealedToken, insert, findRefusal });
}

/** A link for staff has no owner, under whom an `Idempotency-Key` would be remembered. */
async function createStaffLink(c: AppContext, origin: string, given: NewLink): Promise<Response> {
  const key = idempotencyKey(c.req.raw.headers);
  if (!key.ok) return failureResponse(c, key.error);
  const named = given.owner_type ?? given.owner_id;
  if (!actsForEverybody(c.get("client")) || named !== undefined || key.value !== null) {
    const details = { staff: "A link for staff has no owner and no Idempotency-Key" };
    return failureResponse(c, { kind: "invalid_fields", details });
  }
  const { token, row } = await newLink({ ...given, capabilities: "manage" });
  const auditRow = auditRowOf(c, row, "created", auditedLink(row), row.created_at);
  await insertStaffLink(c.env.DB, row, auditRow);
  return c.json({ portal_link: presentLink(row, row.created_at), url: addressOf(origin, token) }, 201);
}

/** A link without an owner, and the token of which it has the hash. */
async function newLink(given: NewLink): Promise<{ token: string; row: PortalLink }> {
  const now = Date.now();
  const token = randomSecret();
  const row: PortalLink = {
    id: `plk_${newObjectId()}`,
    token_sha256: await sha256Hex(token),
    owner_type: null,
    owner_id: null,
    capability: given.capabilities,
    person: given.person ?? null,
    next: given.next,
    embedded: given.embed,
    reusable: given.reusable,
    created_at: now,
    expires_at: now + given.expires_in * 1_000,
    used_at: null,
    revoked_at: null,
  };
  return { token, row };
}

function addressOf(origin: string, token: string): string {
  return `${origin}/console/sign-in#${token}`;
}

function auditRowOf(
  c: AppContext,
  row: PortalLink,
  what: string,
  after: AuditRow["after"],
  now: number,
): AuditRow {
  return actionRow(c, {
    at: now,
    kind: "portal_link",
    what,
    subjectId: row.id,
    owner: ownerIn(row),
    after,
  });
}
