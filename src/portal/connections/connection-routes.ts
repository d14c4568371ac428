/** Inbound connections: create, list, read, change, delete and erase, rotate the secret. A secret is returned only when it is created. */
import { Hono } from "hono";
import { dataKeyContext, secretContext } from "../../crypto/contexts.ts";
import { newObjectId, randomToken } from "../../crypto/ids.ts";
import { createDataKey, type DataKey, sealText, unsealText, unwrapDataKey } from "../../crypto/vault.ts";
import { ending } from "../../db/connection-secrets.ts";
import { isGranted } from "../../db/employers.ts";
import {
  countConnections,
  getAnyConnection,
  insertConnection,
  listConnections,
  type ManagedConnection,
  positionOf,
} from "../../db/managed-connections.ts";
import type { StoredSecret } from "../../db/schema.ts";
import { type AppContext, type AppEnv, failureResponse } from "../../http/context.ts";
import type { Failure } from "../../http/failure.ts";
import { iso } from "../../http/iso.ts";
import { encodeCursor, pageOf } from "../../http/page.ts";
import { setETag } from "../../http/precondition.ts";
import { ERASE_AFTER_MS } from "../../maintenance/erasure.ts";
import { type GateAddress, gateName } from "../../model.ts";
import { err, ok, type Result } from "../../result.ts";
import { answerManaged, changeManaged, findManaged } from "../change.ts";
import { type Creatable, create, insertsUnconditionally, type Made } from "../creation.ts";
import { choiceOfPlan, type Owner, ownerOf } from "../owner.ts";
import { activitiesOf } from "./connection-activity.ts";
import * as contract from "./connection-contract.ts";
import {
  CONNECTION_LIST,
  MAX_SECRETS,
  type NewConnection,
  NO_EMPLOYER,
  TOO_MANY_SECRETS,
} from "./connection-contract.ts";
import { CONNECTION, DELETABLE_CONNECTION, presentConnection } from "./connection-presenter.ts";

export const connections = new Hono<AppEnv>()
  .post("/connections", contract.createConnection, async (c) => {
    const body = c.req.valid("json");
    const owned = ownerOf(c.get("client"), body);
    if (!owned.ok) return failureResponse(c, owned.error);
    const owner = owned.value;
    return create(c, CREATABLE, { owner, body }, () => makeConnection(c, owner, body));
  })
  .get("/connections", contract.listConnections, async (c) => {
    const { owner_type, owner_id, limit, cursor, include, ...filter } = c.req.valid("query");
    const owned = ownerOf(c.get("client"), { owner_type, owner_id });
    if (!owned.ok) return failureResponse(c, owned.error);
    const owner = { owner_type: owned.value.type, owner_id: owned.value.id };
    const [{ rows, scannedTo }, count] = await Promise.all([
      listConnections(c.env.DB, owner, filter, cursor ?? null, limit),
      cursor === undefined ? countConnections(c.env.DB, owner, filter) : null,
    ]);
    const page = pageOf(CONNECTION_LIST, rows, limit, positionOf);
    const activities = include === undefined ? [] : await activitiesOf(c.env, page.rows);
    return c.json({
      connections: page.rows.map((row, i) => presentConnection(c, row, activities[i])),
      next_cursor: page.next_cursor ?? (scannedTo && encodeCursor(CONNECTION_LIST, scannedTo)),
      count,
    });
  })
  .get("/connections/:connection_id", contract.getConnection, async (c) => {
    const { include } = c.req.valid("query");
    return answerManaged(c, await findManaged(c, CONNECTION), async (row) => {
      if (include === undefined) return shown(c, row);
      const [activity = null] = await activitiesOf(c.env, [row]);
      setETag(c, row.version, activity);
      return c.json({ connection: presentConnection(c, row, activity) });
    });
  })
  .patch("/connections/:connection_id", contract.changeConnection, async (c) => {
    const body = c.req.valid("json");
    const refused = choiceOfPlan(c.get("client"), body.plan);
    if (refused !== null) return failureResponse(c, refused);
    const changed = await changeManaged(c, CONNECTION, "updated", async (row) => {
      const owner = { type: row.owner_type, id: row.owner_id };
      const unusable = await unusableEmployer(c, owner, body.employer_id);
      return unusable === null ? ok(body) : err(unusable);
    });
    return answerManaged(c, changed, (row) => shown(c, row, { success: true }));
  })
  .delete("/connections/:connection_id", contract.deleteConnection, async (c) => {
    const { erase } = c.req.valid("query");
    const changed = await changeManaged(c, DELETABLE_CONNECTION, "deleted", (row, now) =>
      ok({
        deleted_at: row.deleted_at ?? now,
        ...(erase === "true" && { erase_at: row.erase_at ?? now + ERASE_AFTER_MS }),
        // An erasure cannot be undone.
        ...(erase === "false" && row.data_key !== "" && { erase_at: null }),
      }),
    );
    return answerManaged(c, changed, ({ erase_at }) =>
      c.json({ message: "connection_deleted", erase_at: iso(erase_at) }),
    );
  })
  .post("/connections/:connection_id/rotate-secret", contract.rotateSecret, async (c) => {
    const { overlap_seconds } = c.req.valid("json");
    let secret = "";
    const changed = await changeManaged(c, CONNECTION, "secret_rotated", async (row, now) => {
      const { secrets, ended_secrets } = ending(row, overlap_seconds * 1_000, now);
      if (secrets.length >= MAX_SECRETS) return err(TOO_MANY_SECRETS);
      const made = await newSecret(await keyOf(c, row), row.id, now);
      secret = made.secret;
      return ok({ secrets: [made.stored, ...secrets], ended_secrets });
    });
    return answerManaged(c, changed, (row) => shown(c, row, { success: true }, { secret }));
  });

const CREATABLE: Creatable<ManagedConnection> = {
  managed: CONNECTION,
  find: (c, id) => getAnyConnection(c.env.DB, id),
  dataKey: async (c, row) => (row.data_key === "" ? null : keyOf(c, row)),
  async secretOf(c, row, _token, dataKey) {
    const [secret] = row.secrets;
    if (secret === undefined || row.status !== "active" || row.deleted_at !== null) return null;
    // A sender that has sent a report already has the secret.
    const reports = await c.env.CONNECTION_GATE.getByName(gateName(gateOf(row.id))).list(null, 1);
    return reports.length > 0 ? null : unsealText(dataKey, secret.sealed, secretContext(row.id, secret.id));
  },
  present: (c, row, secret) => {
    setETag(c, row.version);
    return c.json({ success: true, connection: presentConnection(c, row), ...secret }, 201);
  },
};

async function makeConnection(
  c: AppContext,
  owner: Owner,
  {
    owner_type: _type,
    owner_id: _id,
    employer_id,
    description,
    notification_email,
    plan,
    ...settings
  }: NewConnection,
): Promise<Result<Made<ManagedConnection>, Failure>> {
  const refused = choiceOfPlan(c.get("client"), plan) ?? (await unusableEmployer(c, owner, employer_id));
  if (refused !== null) return err(refused);
  const now = Date.now();
  const id = newObjectId();
  const wrapped = await createDataKey(c.get("settings").keyRing, dataKeyContext(gateOf(id)));
  const dataKey = await keyOf(c, { id, data_key: wrapped });
  const { secret, stored } = await newSecret(dataKey, id, now);
  const row: ManagedConnection = {
    ...settings,
    id,
    plan: plan ?? settings.environment,
    owner_type: owner.type,
    owner_id: owner.id,
    status: "active",
    employer_id: employer_id ?? null,
    description: description ?? null,
    notification_email: notification_email ?? null,
    secrets: [stored],
    ended_secrets: [],
    data_key: wrapped,
    version: now,
    gate_version: now,
    created_at: now,
    updated_at: now,
    deleted_at: null,
    erase_at: null,
  };
  const insert: Made<ManagedConnection>["insert"] = (auditRow, creation) =>
    insertConnection(c.env.DB, row, auditRow, creation);
  return ok({ row, secret, dataKey, sealedToken: null, insert, findRefusal: insertsUnconditionally });
}

/** A connection may be bound only to an employer that is granted to its owner. */
async function unusableEmployer(
  c: AppContext,
  owner: Owner,
  employerId: string | null | undefined,
): Promise<Failure | null> {
  if (!employerId || (await isGranted(c.env.DB, employerId, owner.type, owner.id))) return null;
  return NO_EMPLOYER;
}

function keyOf(
  c: AppContext,
  { id, data_key }: Pick<ManagedConnection, "id" | "data_key">,
): Promise<DataKey> {
  return unwrapDataKey(c.get("settings").keyRing, data_key, dataKeyContext(gateOf(id)));
}

async function newSecret(
  dataKey: DataKey,
  connectionId: string,
  now: number,
): Promise<{ secret: string; stored: StoredSecret }> {
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
  return c.json({ ...before, connection: presentConnection(c, row), ...after });
}
