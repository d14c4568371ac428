/** Inbound connections: create, read, activate and deactivate, rotate the secret. Secrets are answered once, when they are made. */
import { Hono } from "hono";
import * as z from "zod";
import { newObjectId, randomToken } from "../crypto/ids.ts";
import { createDataKey, type KeyRing, sealText, unwrapDataKey } from "../crypto/vault.ts";
import { isGranted } from "../db/employers.ts";
import { DEFAULT_RETENTION_YEARS, nextVersion } from "../db/gates.ts";
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
import { parseJsonBody } from "../http/validation.ts";
import { logError } from "../log.ts";
import { choiceOfPlan, mayActFor, type Owner, ownerFields, ownerOf } from "./owner.ts";

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

const NOT_FOUND: Failure = {
  kind: "portal",
  status: 404,
  error: "connection_not_found",
  message: "No such connection.",
};

const TOO_MANY_SECRETS: Failure = {
  kind: "portal",
  status: 409,
  error: "too_many_secrets",
  message: `At most ${MAX_SECRETS} secrets can be in force. Wait for one to end, or rotate with overlap_seconds 0.`,
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
    };
    await insertConnection(c.env.DB, row);
    return c.json({ success: true, connection: present(c, row), secret }, 201);
  })
  .get("/connections/:id", async (c) => {
    const row = await find(c);
    return row === null ? failureResponse(c, NOT_FOUND) : c.json({ connection: present(c, row) });
  })
  .patch("/connections/:id", async (c) => {
    const body = await parseJsonBody(c, connectionPatch);
    if ("failure" in body) return failureResponse(c, body.failure);
    return change(c, (row) => Promise.resolve(row.status === body.value.status ? {} : body.value));
  })
  .post("/connections/:id/rotate-secret", async (c) => {
    const body = await parseJsonBody(c, rotation);
    if ("failure" in body) return failureResponse(c, body.failure);
    let secret = "";
    return change(
      c,
      async (row) => {
        const now = Date.now();
        const kept = overlapping(row.secrets, now, body.value.overlap_seconds * 1_000);
        if (kept.length >= MAX_SECRETS) return TOO_MANY_SECRETS;
        const made = await newSecret(c.get("settings").keyRing, row.id, row.data_key, now);
        secret = made.secret;
        return { secrets: [made.stored, ...kept] };
      },
      () => ({ secret }),
    );
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

/** Reads, changes and tells the gate, in that order; answers only when the gate knows. Every failure is safe to repeat. */
async function change(
  c: AppContext,
  decide: (row: ManagedConnection) => Promise<ConnectionChange | Failure>,
  extra: () => object = () => ({}),
): Promise<Response> {
  const row = await find(c);
  if (row === null) return failureResponse(c, NOT_FOUND);
  const now = Date.now();
  const decided = await decide(row);
  if ("kind" in decided) return failureResponse(c, decided);
  const changed = await changeConnection(c.env.DB, row, decided, nextVersion(row.version, now), now);
  if (changed === null) {
    const message = "The connection was changed by somebody else at the same time. Read it again.";
    return failureResponse(c, { kind: "portal", status: 409, error: "connection_changed", message });
  }
  try {
    await announce(snapshotOf("connection", changed), c.env);
  } catch (error) {
    logError("a gate was not told of a change", { connection_id: row.id }, error);
    const reason = "The change is stored but not yet in force everywhere; it will be within a minute.";
    return failureResponse(c, { kind: "unavailable", retryAfterSeconds: 5, reason });
  }
  return c.json({ success: true, connection: present(c, changed), ...extra() });
}

async function find(c: AppContext): Promise<ManagedConnection | null> {
  const row = await getConnection(c.env.DB, (c.req.param("id") ?? "").toLowerCase());
  return row !== null && mayActFor(c.get("client"), { type: row.owner_type, id: row.owner_id }) ? row : null;
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

/** What is shown of a connection: no secret, no key. */
function present(c: AppContext, row: ManagedConnection) {
  const { data_key: _key, gate_version: _gate, deleted_at: _deleted, secrets, ...shown } = row;
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
