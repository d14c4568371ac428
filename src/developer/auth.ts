/** Bearer keys: checked on D1's primary for every read, and counted by the key's own gate. */
import { createMiddleware } from "hono/factory";
import { environmentOf } from "../crypto/api-token.ts";
import { sha256Hex } from "../crypto/encoding.ts";
import { findApiKey } from "../db/api-keys.ts";
import { DEFAULT_RETENTION_YEARS } from "../db/gates.ts";
import { snapshotOf } from "../gate/announce.ts";
import { gateName } from "../gate/file-id.ts";
import { type AppEnv, failureResponse, note, rateHeaders } from "../http/context.ts";
import type { Failure } from "../http/failure.ts";

export const developerAuth = createMiddleware<AppEnv>(async (c, next) => {
  const header = c.req.header("Authorization");
  if (!header) return failureResponse(c, unauthenticated("Missing Authorization header"));
  const [, token] = /^Bearer +(\S+)$/i.exec(header) ?? [];
  const environment = token === undefined ? null : environmentOf(token);
  if (token === undefined || environment === null) {
    return failureResponse(
      c,
      unauthenticated("Invalid API key format. Expected audit1_test_sk_* or audit1_live_sk_*"),
    );
  }
  const apiKey = await findApiKey(c.env.DB, await sha256Hex(token));
  if (apiKey === null || apiKey.environment !== environment)
    return failureResponse(c, unauthenticated("API key not found"));
  if (!apiKey.is_active) return failureResponse(c, unauthenticated("API key inactive"));
  c.set("apiKey", apiKey);
  note(c, { api_key_id: apiKey.id });
  return next();
});

/** Limits reads by the key's plan, apart from its submissions. After {@link developerAuth}. */
export const readLimit = createMiddleware<AppEnv>(async (c, next) => {
  const apiKey = c.get("apiKey");
  const snapshot = snapshotOf("key", { ...apiKey, retention_years: DEFAULT_RETENTION_YEARS });
  const charged = await c.env.CONNECTION_GATE.getByName(gateName(snapshot.gate)).read(snapshot);
  if (charged.outcome === "stale") return failureResponse(c, unauthenticated("API key inactive"));
  const { rate } = charged;
  if (!rate.allowed) return failureResponse(c, { kind: "rate_limited", rate, now: Date.now() }, rate);
  await next();
  for (const [name, value] of Object.entries(rateHeaders(rate))) c.header(name, value);
  return undefined;
});

function unauthenticated(message: string): Failure {
  return { kind: "unauthenticated", message };
}
