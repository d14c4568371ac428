/** Bearer keys of the developer API: create, list, read, change, deactivate. A key is returned once and stored as a hash. */
import { Hono } from "hono";
import { dataKeyContext, keyTokenContext } from "../../crypto/contexts.ts";
import { sha256Hex } from "../../crypto/encoding.ts";
import { newObjectId, randomToken } from "../../crypto/ids.ts";
import { createDataKey, type DataKey, sealText, unsealText, unwrapDataKey } from "../../crypto/vault.ts";
import { type ApiKey, getApiKey, insertApiKey, listApiKeys } from "../../db/api-keys.ts";
import { type AppContext, type AppEnv, failureResponse } from "../../http/context.ts";
import type { Failure } from "../../http/failure.ts";
import { iso } from "../../http/iso.ts";
import { pageOf } from "../../http/page.ts";
import { setETag } from "../../http/precondition.ts";
import { ERASE_AFTER_MS } from "../../maintenance/erasure.ts";
import { TOKEN_PREFIXES, TOKEN_RANDOM_CHARS } from "../../model.ts";
import { err, ok, type Result } from "../../result.ts";
import { answerManaged, changeManaged, findManaged } from "../change.ts";
import { type Creatable, create, insertsUnconditionally, type Made } from "../creation.ts";
import { choiceOfPlan, type Owner, ownerOf } from "../owner.ts";
import * as contract from "./api-key-contract.ts";
import { API_KEY_LIST, ENVIRONMENT_REQUIRED, ERASED, type NewKey } from "./api-key-contract.ts";
import { API_KEY, presentApiKey } from "./api-key-presenter.ts";

/** Characters of the token that lists show after the prefix. */
const SHOWN_CHARS = 4;

export const apiKeys = new Hono<AppEnv>()
  .post("/api-keys", contract.createApiKey, async (c) => {
    const body = c.req.valid("json");
    const owned = ownerOf(c.get("client"), body);
    if (!owned.ok) return failureResponse(c, owned.error);
    const owner = owned.value;
    return create(c, CREATABLE, { owner, body }, () => makeKey(c, owner, body));
  })
  .get("/api-keys", contract.listApiKeys, async (c) => {
    const { owner_type, owner_id, include_inactive, limit, cursor } = c.req.valid("query");
    const owned = ownerOf(c.get("client"), { owner_type, owner_id });
    if (!owned.ok) return failureResponse(c, owned.error);
    const owner = { owner_type: owned.value.type, owner_id: owned.value.id };
    const filter = { inactiveToo: include_inactive === "true" };
    const found = await listApiKeys(c.env.DB, owner, filter, cursor ?? null, limit);
    const { rows, next_cursor } = pageOf(API_KEY_LIST, found, limit, (row) => [row.created_at, row.id]);
    return c.json({ apiKeys: rows.map(presentApiKey), next_cursor });
  })
  .get("/api-keys/:api_key_id", contract.getApiKey, async (c) => {
    return answerManaged(c, await findManaged(c, API_KEY), (row) => shown(c, row));
  })
  .patch("/api-keys/:api_key_id", contract.changeApiKey, async (c) => {
    const body = c.req.valid("json");
    const refused = choiceOfPlan(c.get("client"), body.plan);
    if (refused !== null) return failureResponse(c, refused);
    const changed = await changeManaged(c, API_KEY, "updated", (row) =>
      body.is_active === true && row.erase_at !== null ? err(ERASED) : ok(body),
    );
    return answerManaged(c, changed, (row) => shown(c, row));
  })
  .delete("/api-keys/:api_key_id", contract.deactivateApiKey, async (c) => {
    const { erase } = c.req.valid("query");
    const changed = await changeManaged(c, API_KEY, "deactivated", (row, now) =>
      ok({
        is_active: false,
        ...(erase === "true" && { erase_at: row.erase_at ?? now + ERASE_AFTER_MS }),
        // An erasure cannot be undone.
        ...(erase === "false" && row.data_key !== "" && { erase_at: null }),
      }),
    );
    return answerManaged(c, changed, ({ erase_at }) =>
      c.json({
        message: "api_key_deleted",
        ...((erase !== undefined || erase_at !== null) && { erase_at: iso(erase_at) }),
      }),
    );
  });

const CREATABLE: Creatable<ApiKey> = {
  managed: API_KEY,
  find: (c, id) => getApiKey(c.env.DB, id),
  dataKey: async (c, row) => (row.data_key === "" ? null : keyOf(c, row)),
  secretOf: async (_c, row, token, dataKey) =>
    token === null || !row.is_active || row.last_used_at !== null
      ? null
      : unsealText(dataKey, token, keyTokenContext(row.id)),
  present: (c, row, secret) => {
    setETag(c, row.version, row.last_used_at);
    return c.json({ apiKey: presentApiKey(row), ...secret }, 201);
  },
};

async function makeKey(
  c: AppContext,
  owner: Owner,
  { environment, plan }: NewKey,
): Promise<Result<Made<ApiKey>, Failure>> {
  const refused = choiceOfPlan(c.get("client"), plan);
  if (refused !== null) return err(refused);
  if (environment === undefined) return err(ENVIRONMENT_REQUIRED);
  const now = Date.now();
  const id = newObjectId();
  const secret = `${TOKEN_PREFIXES[environment]}${randomToken(TOKEN_RANDOM_CHARS)}`;
  const wrapped = await createDataKey(c.get("settings").keyRing, dataKeyContext({ kind: "key", id }));
  const dataKey = await keyOf(c, { id, data_key: wrapped });
  const row: ApiKey = {
    id,
    token_sha256: await sha256Hex(secret),
    prefix: secret.slice(0, TOKEN_PREFIXES[environment].length + SHOWN_CHARS),
    owner_type: owner.type,
    owner_id: owner.id,
    environment,
    plan: plan ?? environment,
    is_active: true,
    last_used_at: null,
    data_key: wrapped,
    version: now,
    gate_version: now,
    created_at: now,
    updated_at: now,
    erase_at: null,
  };
  const sealedToken = await sealText(dataKey, secret, keyTokenContext(id));
  const insert: Made<ApiKey>["insert"] = (auditRow, creation) =>
    insertApiKey(c.env.DB, row, auditRow, creation);
  return ok({ row, secret, dataKey, sealedToken, insert, findRefusal: insertsUnconditionally });
}

function keyOf(c: AppContext, { id, data_key }: Pick<ApiKey, "id" | "data_key">): Promise<DataKey> {
  return unwrapDataKey(c.get("settings").keyRing, data_key, dataKeyContext({ kind: "key", id }));
}

function shown(c: AppContext, row: ApiKey): Response {
  setETag(c, row.version, row.last_used_at);
  return c.json({ apiKey: presentApiKey(row) });
}
