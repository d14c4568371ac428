/** The HTTP surface: what every request gets (id, settings, log line, error form), and the routers. */
import { DrizzleQueryError } from "drizzle-orm";
import { Hono } from "hono";
import { files } from "./developer/files.ts";
import { type Bindings, ConfigurationError, readSettings } from "./env.ts";
import { type AppEnv, failureResponse } from "./http/context.ts";
import { requestIdHeaders, requestIdOf } from "./http/request-id.ts";
import { inbound } from "./inbound/route.ts";
import { logError, logLine } from "./log.ts";
import { apiKeys } from "./portal/api-keys.ts";
import { auditTrail } from "./portal/audit.ts";
import { behindPortalAuth } from "./portal/auth.ts";
import { connections } from "./portal/connections.ts";
import { employers } from "./portal/employers.ts";
import { events } from "./portal/events.ts";
import { portalFiles } from "./portal/files.ts";
import { vault } from "./portal/vault.ts";

const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"];

const portal = behindPortalAuth([connections, apiKeys, employers, events, portalFiles, auditTrail, vault]);

/** A slash at the end of a path makes no difference. */
export const app = new Hono<AppEnv>({ strict: false });

app.use(async (c, next) => {
  const startedAt = Date.now();
  const requestId = requestIdOf(c.req.raw.headers);
  c.set("requestId", requestId);
  c.set("log", {});
  const settings = settingsOrNull(c.env);
  if (settings === null) {
    c.res = failureResponse(c, {
      kind: "unavailable",
      retryAfterSeconds: 60,
      reason: "The service is not configured.",
    });
  } else {
    c.set("settings", settings);
    await next();
  }
  for (const [name, value] of Object.entries(requestIdHeaders(requestId))) c.res.headers.set(name, value);
  const { log } = c.var;
  logLine("request", {
    request_id: requestId,
    method: c.req.method,
    route: c.req.routePath,
    status: c.res.status,
    ms: Date.now() - startedAt,
    outcome: "ok",
    ...log,
  });
});

app.route("/api/v1", inbound);
app.route("/api/v1", files);
app.route("/api/v1", portal);
app.get("/health", (c) => c.json({ status: "ok" }));

app.notFound((c) => {
  const allow = METHODS.filter((method) => handles(method, c.req.path.replace(/(?<=.)\/$/, "")));
  return failureResponse(
    c,
    allow.length === 0 ? { kind: "not_found" } : { kind: "method_not_allowed", allow },
  );
});

app.onError((thrown, c) => {
  const error = loggable(thrown);
  const requestId = c.get("requestId");
  if (isOutage(error)) {
    logError("a binding gave no answer", { request_id: requestId, route: c.req.routePath }, error);
    return failureResponse(c, {
      kind: "unavailable",
      retryAfterSeconds: 5,
      reason: "A part of the service gave no answer.",
    });
  }
  logError(
    "unexpected error",
    { request_id: requestId, route: c.req.routePath, stack: error.stack?.slice(0, 2_000) },
    error,
  );
  return failureResponse(c, { kind: "internal" });
});

/** The query builder's error repeats every parameter of the query: only what the database said may be logged. */
function loggable(error: Error): Error {
  return error instanceof DrizzleQueryError ? (error.cause ?? new Error("a query failed")) : error;
}

/** Whether the error came from a binding rather than from a mistake of ours: D1's and the objects' own marks. */
function isOutage(error: Error & { remote?: boolean; retryable?: boolean; overloaded?: boolean }): boolean {
  return (
    error.message.startsWith("D1_") ||
    error.remote === true ||
    error.retryable === true ||
    error.overloaded === true
  );
}

/** Whether some route, middleware aside, takes `method` at `path`. */
function handles(method: string, path: string): boolean {
  const [matches] = app.router.match(method, path);
  return matches.some(([[, route]]) => route.method === method);
}

/** A gateway that cannot seal or recognise its clients must not serve at all. */
function settingsOrNull(env: Bindings) {
  try {
    return readSettings(env);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    logError("the gateway is not configured and refuses to serve", {}, error);
    return null;
  }
}
