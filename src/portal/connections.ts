/** Inbound connections: create, read, activate and deactivate, rotate the secret. Secrets are answered once, when they are made. */
import { Hono } from "hono";
import * as z from "zod";
import { newObjectId, randomToken } from "../crypto/ids.ts";
import { createDataKey, type KeyRing, sealText, unwrapDataKey } from "../crypto/vault.ts";
import { isGranted } from "../db/employers.ts";
import { DEFAULT_RETENTION_YEARS } from "../db/gates.ts";
import {
  type ConnectionChange,
  changeConnection,
  getConnection,
  insertConnection,
  type ManagedConnection,
} from "../db/managed-connections.ts";
import { ENVIRONMENTS, PLANS, type StoredSecret } from "../db/schema.ts";
import { announce, snapshotOf } from "../gate/announce.ts";
import { dataKeyContext, secretContext } from "../gate/contexts.ts";
import type { GateAddress } from "../gate/file-id.ts";
import { type AppContext, type AppEnv, failureResponse } from "../http/context.ts";
import type { Failure } from "../http/failure.ts";
import { setETag } from "../http/precondition.ts";
import { parseJsonBody } from "../http/validation.ts";
import { answerChange, changeManaged, createdRow, findManaged, type ManagedKind } from "./change.ts";
import { choiceOfPlan, type Owner, ownerFields, ownerOf } from "./owner.ts";

/** The old secret goes on working for this long after a rotation, unless told otherwise. */
const DEFAULT_OVERLAP_S = 86_400;
const LONGEST_OVERLAP_S = 7 * 86_400;
/** Every secret in force is tried on every signature. */
const MAX_SECRETS = 10;

const newConnection = z.strictObject({
  ...ownerFields,
  type: z
    .string()
    .regex(/^[a-z][a-z0-9_]{0,31}$/, "Must be a word such as webhook")
    .default("webhook"),
  plan: z.enum(PLANS).optional(),
  environment: z.enum(ENVIRONMENTS).default("sandbox"),
  employer_id: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,64}$/, "Must be 1 to 64 characters of A-Za-z0-9_-")
    .nullish(),
  default_wait_seconds: z.int().min(0).max(30).default(0),
  same_body: z.enum(["accept", "deduplicate"]).default("accept"),
  retention_years: z.int().min(1).max(10).default(DEFAULT_RETENTION_YEARS),
  description: z.string().max(500).nullish(),
});
const connectionPatch = z.strictObject({ status: z.enum(["active", "inactive"]) });
const rotation = z.strictObject({
  overlap_seconds: z.int().min(0).max(LONGEST_OVERLAP_S).default(DEFAULT_OVERLAP_S),
});

const TOO_MANY_SECRETS: Failure = {
  kind: "portal",
  status: 409,
  error: "too_many_secrets",
  message: `At most ${MAX_SECRETS} secrets can be in force. Wait for one to end, or rotate with overlap_seconds 0.`,
};

/** The gate refuses whoever knows an older version, so that a change is in force once the gate knows it. */
const CONNECTION: ManagedKind<ManagedConnection, ConnectionChange> = {
  kind: "connection",
  find: (db, id) => getConnection(db, id.toLowerCase()),
  write: changeConnection,
  announce: (row, env) => announce(snapshotOf("connection", row), env),
  audited: ({ type, status, plan, environment, employer_id, default_wait_seconds, same_body, ...row }) => ({
    type,
    status,
    plan,
    environment,
    employer_id,
    default_wait_seconds,
    same_body,
    retention_years: row.retention_years,
    description: row.description,
    secrets: row.secrets.map(({ id, expires_at }) => ({ id, expires_at })),
    deleted_at: row.deleted_at,
    erase_at: row.erase_at,
  }),
};

export const connections = new Hono<AppEnv>()
  .post("/connections", async (c) => {
    const body = await parseJsonBody(c, newConnection);
    if ("failure" in body) return failureResponse(c, body.failure);
    const owned = ownerOf(c.get("client"), body.value);
    if ("failure" in owned) return failureResponse(c, owned.failure);
    const refused =
      choiceOfPlan(c.get("client"), body.value.plan) ??
      (await unusableEmployer(c, owned.owner, body.value.employer_id));
    if (refused !== null) return failureResponse(c, refused);
    const now = Date.now();
    const id = newObjectId();
    const { keyRing } = c.get("settings");
    const dataKey = await createDataKey(keyRing, dataKeyContext(gateOf(id)));
    const { secret, stored } = await newSecret(keyRing, id, dataKey, now);
    const { owner_type: _type, owner_id: _id, employer_id, description, plan, ...settings } = body.value;
    const row: ManagedConnection = {
      ...settings,
      id,
      plan: plan ?? settings.environment,
      owner_type: owned.owner.type,
      owner_id: owned.owner.id,
      status: "active",
      employer_id: employer_id ?? null,
      description: description ?? null,
      secrets: [stored],
      data_key: dataKey,
      version: now,
      gate_version: now,
      created_at: now,
      updated_at: now,
      deleted_at: null,
      erase_at: null,
    };
    await insertConnection(c.env.DB, row, createdRow(c, CONNECTION, row));
    setETag(c, row.version);
    return c.json({ success: true, connection: present(c, row), secret }, 201);
  })
  .get("/connections/:id", async (c) => {
    return answerChange(c, await findManaged(c, CONNECTION), (row) => shown(c, row));
  })
  .patch("/connections/:id", async (c) => {
    const body = await parseJsonBody(c, connectionPatch);
    if ("failure" in body) return failureResponse(c, body.failure);
    const changed = await changeManaged(c, CONNECTION, "updated", () => body.value);
    return answerChange(c, changed, (row) => shown(c, row, { success: true }));
  })
  .post("/connections/:id/rotate-secret", async (c) => {
    const body = await parseJsonBody(c, rotation);
    if ("failure" in body) return failureResponse(c, body.failure);
    let secret = "";
    const changed = await changeManaged(c, CONNECTION, "secret_rotated", async (row, now) => {
      const kept = overlapping(row.secrets, now, body.value.overlap_seconds * 1_000);
      if (kept.length >= MAX_SECRETS) return TOO_MANY_SECRETS;
      const made = await newSecret(c.get("settings").keyRing, row.id, row.data_key, now);
      secret = made.secret;
      return { secrets: [made.stored, ...kept] };
    });
    return answerChange(c, changed, (row) => shown(c, row, { success: true }, { secret }));
  });

/** A connection may only be bound to an employer that is granted to its owner. */
async function unusableEmployer(
  c: AppContext,
  owner: Owner,
  employerId: string | null | undefined,
): Promise<Failure | null> {
  if (!employerId || (await isGranted(c.env.DB, employerId, owner.type, owner.id))) return null;
  const message = "No such employer is granted to this owner.";
  return {
    kind: "portal",
    status: 404,
    error: "employer_not_found",
    message,
    details: { employer_id: message },
  };
}

/** Secrets that still verify for a while: none that was already ending ends later than it was told. */
function overlapping(secrets: readonly StoredSecret[], now: number, overlapMs: number): StoredSecret[] {
  return secrets
    .map((secret) => ({
      ...secret,
      expires_at: Math.min(secret.expires_at ?? Number.POSITIVE_INFINITY, now + overlapMs),
    }))
    .filter((secret) => secret.expires_at > now);
}

async function newSecret(
  keyRing: KeyRing,
  connectionId: string,
  wrappedKey: string,
  now: number,
): Promise<{ secret: string; stored: StoredSecret }> {
  const dataKey = await unwrapDataKey(keyRing, wrappedKey, dataKeyContext(gateOf(connectionId)));
  const id = newObjectId();
  const secret = `whsec_${randomToken(43)}`;
  const sealed = await sealText(dataKey, secret, secretContext(connectionId, id));
  return { secret, stored: { id, sealed, created_at: now, expires_at: null } };
}

function gateOf(id: string): GateAddress {
  return { kind: "connection", id };
}

function shown(c: AppContext, row: ManagedConnection, before: object = {}, after: object = {}): Response {
  setETag(c, row.version);
  return c.json({ ...before, connection: present(c, row), ...after });
}

/** What is shown of a connection: no secret, no key. */
function present(c: AppContext, row: ManagedConnection) {
  const {
    data_key: _key,
    gate_version: _gate,
    deleted_at: _deleted,
    erase_at: _erase,
    secrets,
    ...shown
  } = row;
  return {
    ...shown,
    url: new URL(`/api/v1/webhook/inbound/${row.id}`, c.req.url).href,
    secrets: secrets.map(({ id, created_at, expires_at }) => ({
      id,
      created_at: iso(created_at),
      expires_at: expires_at && iso(expires_at),
    })),
    created_at: iso(row.created_at),
    updated_at: iso(row.updated_at),
  };
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
