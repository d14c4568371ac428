/**
 * Bearer keys: checked on D1's primary for every read, and counted by the key's own gate. A key that this isolate has not
 * seen is looked up on the account of the address that it came from.
 */
import { createMiddleware } from "hono/factory";
import { type ApiKey, findApiKey } from "../db/api-keys.ts";
import { DEFAULT_RETENTION_YEARS } from "../db/gates.ts";
import { snapshotOf } from "../gate/propagate.ts";
import { clientAddress } from "../http/client-address.ts";
import { type AppContext, type AppEnv, failureResponse, note, rateHeaders } from "../http/context.ts";
import type { Failure } from "../http/failure.ts";
import { abuseLimiter, type LookUps } from "../inbound/abuse-limiter.ts";
import { keep } from "../inbound/bounded-map.ts";
import { gateName } from "../model.ts";
import { bearerOf, KEY_NOT_FOUND, whyRefused } from "./bearer.ts";
import { keyDirectory } from "./key-sender.ts";
import { noteUse } from "./last-use.ts";

const MAX_READERS = 10_000;
/** Keys that read here before, by the hash of their token. What they may is asked of the primary each time. */
const readers = new Map<string, true>();

export const developerAuth = createMiddleware<AppEnv>(async (c, next) => {
  const { headers } = c.req.raw;
  const bearer = await bearerOf(headers);
  if ("failure" in bearer) return failureResponse(c, bearer.failure);
  const { tokenSha256 } = bearer;
  const address = clientAddress(headers);
  const heldBack = abuseLimiter.heldBack(address, tokenSha256, Date.now());
  if (heldBack !== null) return failureResponse(c, heldBack);
  const lookUps = abuseLimiter.lookUps(address, tokenSha256);
  const looked = await lookUp(c, tokenSha256, lookUps);
  if ("failure" in looked) return failureResponse(c, looked.failure);
  const apiKey = looked.found;
  const refused = whyRefused(apiKey && { ...apiKey, isActive: apiKey.is_active }, bearer);
  if (apiKey === null || refused !== null) {
    readers.delete(tokenSha256);
    lookUps.refused();
    c.executionCtx.waitUntil(abuseLimiter.count(address, tokenSha256, c.env.REFUSALS));
    return failureResponse(c, refused ?? KEY_NOT_FOUND);
  }
  keep(readers, tokenSha256, true, MAX_READERS);
  c.set("apiKey", apiKey);
  note(c, { api_key_id: apiKey.id });
  const noting = noteUse(c.env.DB, { id: apiKey.id, lastUsedAt: apiKey.last_used_at }, Date.now());
  if (noting !== null) c.executionCtx.waitUntil(noting);
  return next();
});

async function lookUp(
  c: AppContext,
  tokenSha256: string,
  lookUps: LookUps,
): Promise<{ found: ApiKey | null } | { failure: Failure }> {
  const since = keyDirectory.moment();
  const read = async () => {
    if (keyDirectory.isMissing(tokenSha256, since)) return null;
    const began = keyDirectory.moment();
    const now = Date.now();
    const apiKey = await lookUps.read(() => findApiKey(c.env.DB, tokenSha256));
    if (apiKey === null) keyDirectory.addMissing(tokenSha256, began, now);
    return apiKey;
  };
  const known = readers.has(tokenSha256) || keyDirectory.knows(tokenSha256);
  return known ? { found: await read() } : lookUps.inTurn(read);
}

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
