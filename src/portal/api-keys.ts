/** `POST /api-keys`: a bearer key of the developer API. It is answered once and stored as a hash. */
import { Hono } from "hono";
import * as z from "zod";
import { TOKEN_PREFIXES, TOKEN_RANDOM_CHARS } from "../crypto/api-token.ts";
import { sha256Hex } from "../crypto/encoding.ts";
import { newObjectId, randomToken } from "../crypto/ids.ts";
import { createDataKey } from "../crypto/vault.ts";
import { type ApiKey, insertApiKey } from "../db/api-keys.ts";
import { ENVIRONMENTS, PLANS } from "../db/schema.ts";
import { dataKeyContext } from "../gate/contexts.ts";
import { type AppEnv, failureResponse } from "../http/context.ts";
import { parseJsonBody } from "../http/validation.ts";
import { createdRow } from "./change.ts";
import { choiceOfPlan, ownerFields, ownerOf } from "./owner.ts";

/** Characters of the token that lists show after the prefix. */
const SHOWN_CHARS = 4;

const newKey = z.strictObject({
  ...ownerFields,
  environment: z.enum(ENVIRONMENTS, { error: `Must be one of ${ENVIRONMENTS.join(", ")}` }).optional(),
  plan: z.enum(PLANS).optional(),
});

/** What the audit trail tells of a key. */
const API_KEY = {
  kind: "api_key",
  audited: ({ prefix, environment, plan, is_active }: ApiKey) => ({ prefix, environment, plan, is_active }),
} as const;

export const apiKeys = new Hono<AppEnv>().post("/api-keys", async (c) => {
  const body = await parseJsonBody(c, newKey);
  if ("failure" in body) return failureResponse(c, body.failure);
  const owned = ownerOf(c.get("client"), body.value);
  if ("failure" in owned) return failureResponse(c, owned.failure);
  const { environment, plan } = body.value;
  const refused = choiceOfPlan(c.get("client"), plan);
  if (refused !== null) return failureResponse(c, refused);
  if (environment === undefined) {
    const message = "The environment field is required";
    return failureResponse(c, { kind: "portal", status: 400, error: "environment_required", message });
  }
  const now = Date.now();
  const id = newObjectId();
  const secret = `${TOKEN_PREFIXES[environment]}${randomToken(TOKEN_RANDOM_CHARS)}`;
  const row: ApiKey = {
    id,
    token_sha256: await sha256Hex(secret),
    prefix: secret.slice(0, TOKEN_PREFIXES[environment].length + SHOWN_CHARS),
    owner_type: owned.owner.type,
    owner_id: owned.owner.id,
    environment,
    plan: plan ?? environment,
    is_active: true,
    last_used_at: null,
    data_key: await createDataKey(c.get("settings").keyRing, dataKeyContext({ kind: "key", id })),
    version: now,
    gate_version: now,
    created_at: now,
    updated_at: now,
  };
  await insertApiKey(c.env.DB, row, createdRow(c, API_KEY, row));
  return c.json({ apiKey: present(row), secret }, 201);
});

function present(row: ApiKey) {
  return {
    _id: row.id,
    id: `ak_${row.id}`,
    key: `${row.prefix}…`,
    environment: row.environment,
    plan: row.plan,
    owner_id: row.owner_id,
    owner_type: row.owner_type,
    is_active: row.is_active,
    created_at: new Date(row.created_at).toISOString(),
    updated_at: new Date(row.updated_at).toISOString(),
  };
}
