/** `GET /audit`: who changed what, newest first. A client that is bound to an owner sees what concerns its owner. */
import { Hono } from "hono";
import * as z from "zod";
import { type AuditRow, listAudit } from "../db/audit.ts";
import { SUBJECT_KINDS, type SubjectKind } from "../db/schema.ts";
import { type AppEnv, type Client, failureResponse } from "../http/context.ts";
import { pageFields, pageOf } from "../http/page.ts";
import { timeParameter } from "../http/time-parameter.ts";
import { parseQuery } from "../http/validation.ts";
import { API_KEY_PREFIX } from "../model.ts";
import { actsForEverybody, ownerFields, ownerOf } from "./owner.ts";

const LIST = "audit";

const SUBJECT = new RegExp(`^(${SUBJECT_KINDS.join("|")}):([A-Za-z0-9_.:-]{1,128})$`);

/** Subjects are told by their bare ids. Paths and people write them either way. */
const ID_PREFIXES: Partial<Record<SubjectKind, string>> = { webhook: "wh_", api_key: API_KEY_PREFIX };

export const auditQuery = z.strictObject({
  ...ownerFields,
  subject: z
    .string()
    .regex(SUBJECT, `Must be one of ${SUBJECT_KINDS.join(", ")}, a colon, and an id`)
    .optional(),
  action: z
    .string()
    .regex(/^[a-z_]{1,32}\.[a-z_]{1,32}$/, "Must be an action such as connection.updated")
    .optional(),
  since: timeParameter.optional(),
  ...pageFields(LIST, z.string()),
});

export const auditTrail = new Hono<AppEnv>().get("/audit", async (c) => {
  const query = parseQuery(c, auditQuery);
  if ("failure" in query) return failureResponse(c, query.failure);
  const { owner_type, owner_id, subject, action, since, limit, cursor } = query.value;
  const client = c.get("client");
  const owned = actsForEverybody(client) ? { owner: null } : ownerOf(client, { owner_type, owner_id });
  if ("failure" in owned) return failureResponse(c, owned.failure);
  const filter = {
    owner: owned.owner,
    subject: subjectOf(subject),
    action: action ?? null,
    since: since === undefined ? null : Math.max(0, Date.parse(since)),
  };
  const found = await listAudit(c.env.DB, filter, cursor ?? null, limit);
  const { rows, next_cursor } = pageOf(LIST, found, limit, ({ id }) => id);
  return c.json({ audit: rows.map((row) => present(row, client)), next_cursor });
});

function subjectOf(text: string | undefined) {
  const [, named, id] = SUBJECT.exec(text ?? "") ?? [];
  const kind = SUBJECT_KINDS.find((each) => each === named);
  if (kind === undefined || id === undefined) return null;
  const prefix = ID_PREFIXES[kind];
  return { kind, id: prefix !== undefined && id.startsWith(prefix) ? id.slice(prefix.length) : id };
}

function present(row: AuditRow, client: Client) {
  const { id, at, action, subject_kind, subject_id, owner_type, owner_id, request_id, before, after } = row;
  return {
    id,
    at: new Date(at).toISOString(),
    // An owner's client learns that Audit1 did it, not the address of who did.
    actor: client.owner === undefined ? row.actor : row.actor.replace(/^access:.*$/s, "access"),
    action,
    subject: { kind: subject_kind, id: subject_id },
    owner_type,
    owner_id,
    request_id,
    before,
    after,
  };
}
