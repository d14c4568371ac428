/** `GET /audit` lists changes and their authors, newest first. A client that is bound to an owner sees only its owner's. */
import { Hono } from "hono";
import * as z from "zod";
import { once, page } from "../contract/answer.ts";
import { EXAMPLE, like } from "../contract/examples.ts";
import { moment } from "../contract/fields.ts";
import { type AuditRow, listAudit } from "../db/audit.ts";
import { SUBJECT_KINDS, type SubjectKind } from "../db/schema.ts";
import { type AppEnv, type Client, failureResponse } from "../http/context.ts";
import { iso } from "../http/iso.ts";
import { pageFields, pageOf } from "../http/page.ts";
import { timeParameter } from "../http/time-parameter.ts";
import { API_KEY_PREFIX, OWNER_TYPES } from "../model.ts";
import { shownActor } from "./audit-presenter.ts";
import { ownerFields, ownerOrAll } from "./owner.ts";
import { portalContracts } from "./portal-contract.ts";

const LIST = "audit";

const SUBJECT = new RegExp(`^(${SUBJECT_KINDS.join("|")}):([A-Za-z0-9_.:-]{1,128})$`);

/** Audit rows store bare ids. Requests may use ids with or without a prefix. */
const ID_PREFIXES: Partial<Record<SubjectKind, string>> = { webhook: "wh_", api_key: API_KEY_PREFIX };

const auditQuery = z.strictObject({
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

const changedFields = () => z.record(z.string(), z.unknown()).nullable();

const auditEntry = once(() =>
  z
    .strictObject({
      id: like(z.string(), "aud_01KMTQ3A40ZX8Q1V6N5T"),
      at: moment(EXAMPLE.later),
      actor: like(
        z.string(),
        "client:portal",
        "`client:…` of a portal client, `access:…` of a person of Audit1, `person:…` of an owner's person in the console (`link:…` if the portal link names nobody), `system:…` of the gateway itself.",
      ),
      action: like(z.string(), "connection.updated"),
      subject: like(z.strictObject({ kind: z.enum(SUBJECT_KINDS), id: z.string() }), {
        kind: "connection",
        id: EXAMPLE.connectionId,
      }),
      owner_type: like(z.enum(OWNER_TYPES).nullable(), EXAMPLE.owner.owner_type),
      owner_id: like(z.string().nullable(), EXAMPLE.owner.owner_id),
      request_id: like(
        z.string().nullable(),
        EXAMPLE.portalRequestId,
        "The id of the request that made the change. Null if the gateway made it itself.",
      ),
      before: like(
        changedFields(),
        { status: "active" },
        "The changed fields, before the change. Never a secret.",
      ),
      after: like(
        changedFields(),
        {
          status: "inactive",
        },
        "The same fields, after the change.",
      ),
    })
    .meta({ id: "AuditEntry" }),
);
export type ShownAuditEntry = z.infer<ReturnType<typeof auditEntry>>;

const listEntries = portalContracts("Operations")({ query: auditQuery }, () => ({
  id: "listAudit",
  summary: "List the audit trail",
  description:
    "Lists all changes and their authors, newest first, for the last seven years. Without an owner, a client that is bound to none sees everything; a bound client sees its owner's changes.",
  answers: { 200: page("A page of changes.", "audit", auditEntry()) },
}));

export const auditTrail = new Hono<AppEnv>().get("/audit", listEntries, async (c) => {
  const { owner_type, owner_id, subject, action, since, limit, cursor } = c.req.valid("query");
  const client = c.get("client");
  const owned = ownerOrAll(client, { owner_type, owner_id });
  if (!owned.ok) return failureResponse(c, owned.error);
  const filter = {
    owner: owned.value,
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

function present(row: AuditRow, client: Client): ShownAuditEntry {
  const { id, at, action, subject_kind, subject_id, owner_type, owner_id, request_id, before, after } = row;
  return {
    id,
    at: iso(at),
    actor: shownActor(row, client),
    action,
    subject: { kind: subject_kind, id: subject_id },
    owner_type,
    owner_id,
    request_id: request_id === "" ? null : request_id,
    before,
    after,
  };
}
