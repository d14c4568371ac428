/**
 * Bearer authentication of reads: the key is checked on D1's primary for every request, and its own gate counts it. The
 * lookup of a key that this isolate has not seen is charged to the caller's address.
 */
import { createMiddleware } from "hono/factory";
import { setBounded } from "../bounded-map.ts";
import { type ApiKey, findApiKey } from "../db/api-keys.ts";
import { DEFAULT_RETENTION_YEARS } from "../db/gates.ts";
import { snapshotOf } from "../gate/propagate.ts";
import { clientAddress } from "../http/client-address.ts";
import { type AppContext, type AppEnv, addLogFields, failureResponse, rateHeaders } from "../http/context.ts";
import type { Failure } from "../http/failure.ts";
import { abuseLimiter, type LookupAccount } from "../inbound/abuse-limiter.ts";
import { SenderLookup } from "../inbound/sender-lookup.ts";
import { gateName } from "../model.ts";
import { raiseRingKeyMissing } from "../raised-conditions.ts";
import type { Result } from "../result.ts";
import { KEY_NOT_FOUND, readBearer, refusalForKey } from "./bearer.ts";
import { keySenders } from "./key-sender.ts";
import { recordUse } from "./last-use.ts";

const MAX_READERS = 10_000;
/** Hashes of tokens that read here before. Each read still asks the primary about the key. */
const readers = new Map<string, true>();

export const developerAuth = createMiddleware<AppEnv>(async (c, next) => {
  const { headers } = c.req.raw;
  const bearer = await readBearer(headers);
  if (!bearer.ok) return failureResponse(c, bearer.error);
  const { tokenSha256 } = bearer.value;
  const address = clientAddress(headers);
  const heldBack = abuseLimiter.heldBack(address, tokenSha256, Date.now());
  if (heldBack !== null) return failureResponse(c, heldBack);
  const account = abuseLimiter.account(address, tokenSha256);
  const found = await findKey(c, tokenSha256, account);
  if (!found.ok) return failureResponse(c, found.error);
  const apiKey = found.value;
  const refusal =
    apiKey === null
      ? KEY_NOT_FOUND
      : refusalForKey({ environment: apiKey.environment, isActive: apiKey.is_active }, bearer.value);
  if (apiKey === null || refusal !== null) {
    readers.delete(tokenSha256);
    account.chargeRefusal();
    c.executionCtx.waitUntil(abuseLimiter.count(address, tokenSha256, c.env.REFUSALS));
    return failureResponse(c, refusal ?? KEY_NOT_FOUND);
  }
  setBounded(readers, tokenSha256, true, MAX_READERS);
  c.set("apiKey", apiKey);
  addLogFields(c, { api_key_id: apiKey.id });
  const recording = recordUse(c.env.DB, { id: apiKey.id, lastUsedAt: apiKey.last_used_at }, Date.now());
  if (recording !== null) c.executionCtx.waitUntil(recording);
  return next();
});

function findKey(
  c: AppContext,
  tokenSha256: string,
  account: LookupAccount,
): Promise<Result<ApiKey | null, Failure>> {
  const reading = {
    db: c.env.DB,
    keyRing: c.get("settings").keyRing,
    missesRingKey: (ringKey: string) => c.executionCtx.waitUntil(raiseRingKeyMissing(c.env, ringKey)),
  };
  const lookup = new SenderLookup(keySenders, tokenSha256, reading, account);
  return lookup.readByName(readers.has(tokenSha256), () => findApiKey(c.env.DB, tokenSha256));
}

/** Limits reads by the key's plan, separately from its reports. Use after {@link developerAuth}. */
export const readLimit = createMiddleware<AppEnv>(async (c, next) => {
  const apiKey = c.get("apiKey");
  const snapshot = snapshotOf("key", { ...apiKey, retention_years: DEFAULT_RETENTION_YEARS });
  const charged = await c.env.CONNECTION_GATE.getByName(gateName(snapshot.gate)).read(snapshot);
  if (charged.outcome === "stale") {
    // The key was deactivated or its data key rewrapped since it was read. The next request reads the new row.
    return failureResponse(c, { kind: "api_key_changed_meanwhile" });
  }
  const { rate } = charged;
  if (!rate.allowed) return failureResponse(c, { kind: "rate_limited", rate, now: Date.now() }, rate);
  await next();
  for (const [name, value] of Object.entries(rateHeaders(rate))) c.header(name, value);
  return undefined;
});
