/** Bearer keys: checked on D1's primary for every read, and counted by the key's own gate. */
import { createMiddleware } from "hono/factory";
import { findApiKey } from "../db/api-keys.ts";
import { DEFAULT_RETENTION_YEARS } from "../db/gates.ts";
import { snapshotOf } from "../gate/announce.ts";
import { gateName } from "../gate/file-id.ts";
import { type AppEnv, failureResponse, note, rateHeaders } from "../http/context.ts";
import { bearerOf, KEY_NOT_FOUND, whyRefused } from "./bearer.ts";
import { noteUse } from "./last-use.ts";

export const developerAuth = createMiddleware<AppEnv>(async (c, next) => {
  const bearer = await bearerOf(c.req.raw.headers);
  if ("failure" in bearer) return failureResponse(c, bearer.failure);
  const apiKey = await findApiKey(c.env.DB, bearer.tokenSha256);
  const refused = whyRefused(apiKey && { ...apiKey, isActive: apiKey.is_active }, bearer);
  if (apiKey === null || refused !== null) return failureResponse(c, refused ?? KEY_NOT_FOUND);
  c.set("apiKey", apiKey);
  note(c, { api_key_id: apiKey.id });
  const noting = noteUse(c.env.DB, { id: apiKey.id, lastUsedAt: apiKey.last_used_at }, Date.now());
  if (noting !== null) c.executionCtx.waitUntil(noting);
  return next();
});

/** Limits reads by the key's plan, apart from its submissions. After {@link developerAuth}. */
export const readLimit = createMiddleware<AppEnv>(async (c, next) => {
  const apiKey = c.get("apiKey");
  const snapshot = snapshotOf("key", { ...apiKey, retention_years: DEFAULT_RETENTION_YEARS });
  const charged = await c.env.CONNECTION_GATE.getByName(gateName(snapshot.gate)).read(snapshot);
  if (charged.outcome === "stale") {
    // Deactivated, or its data key wrapped anew: the next request reads which.
    const reason = "The key was changed at the same time.";
    return failureResponse(c, { kind: "unavailable", retryAfterSeconds: 1, reason });
  }
  const { rate } = charged;
  if (!rate.allowed) return failureResponse(c, { kind: "rate_limited", rate, now: Date.now() }, rate);
  await next();
  for (const [name, value] of Object.entries(rateHeaders(rate))) c.header(name, value);
  return undefined;
});
