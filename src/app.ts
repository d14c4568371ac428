/** The HTTP surface: what every request gets (id, settings, log line, error form), and the routers. */
import { Hono } from "hono";
import { createMiddleware } from "hono/factory";
import type { RouterRoute } from "hono/types";
import type { Bindings } from "./bindings.ts";
import { boundedForRequests } from "./bounded.ts";
import { consolePages } from "./console/console-routes.ts";
import { RingKeyMissing } from "./crypto/vault.ts";
import { isOutage } from "./deadline.ts";
import { readBearer } from "./developer/bearer.ts";
import { developerEvents } from "./developer/developer-event-routes.ts";
import { files } from "./developer/developer-file-routes.ts";
import { reports } from "./developer/report-routes.ts";
import { ConfigurationError, readSettings } from "./env.ts";
import { newTrace } from "./evidence/request-trace.ts";
import { type AppContext, type AppEnv, failureResponse } from "./http/context.ts";
import { nearestPath, objectBelow } from "./http/near-path.ts";
import {
  callerRequestId,
  isKeyIntake,
  mintRequestId,
  requestAddress,
  requestIdHeaders,
} from "./http/request-id.ts";
import { transportOf } from "./http/transport.ts";
import { inbound } from "./inbound/inbound-routes.ts";
import { isIntake, leaveEvidence } from "./inbound/leave-evidence.ts";
import { logError, loggable, logLine, stackOf } from "./log.ts";
import { alerts } from "./portal/alerts/alert-routes.ts";
import { apiKeys } from "./portal/api-keys/api-key-routes.ts";
import { auditTrail } from "./portal/audit-routes.ts";
import { behindPortalAuth } from "./portal/client-auth.ts";
import { connections } from "./portal/connections/connection-routes.ts";
import { employers } from "./portal/employers/employer-routes.ts";
import { eventLists } from "./portal/events/event-list-routes.ts";
import { events } from "./portal/events/event-routes.ts";
import { eventTypes } from "./portal/events/event-type-routes.ts";
import { fileLists } from "./portal/files/file-list-routes.ts";
import { stuckFiles } from "./portal/files/stuck-file-routes.ts";
import { health } from "./portal/health-routes.ts";
import { bulkReplays } from "./portal/jobs/bulk-replay-routes.ts";
import { jobs } from "./portal/jobs/job-routes.ts";
import { lookup } from "./portal/lookup/lookup-routes.ts";
import { metrics } from "./portal/metrics/metric-routes.ts";
import { ownerData } from "./portal/owner-data-routes.ts";
import { portalFiles } from "./portal/portal-file-routes.ts";
import { requests } from "./portal/requests/request-routes.ts";
import { vault } from "./portal/rewrap-routes.ts";
import { portalLinks } from "./portal/sessions/portal-link-routes.ts";
import { sessions } from "./portal/sessions/session-routes.ts";
import { deliveryLists } from "./portal/webhooks/delivery-list-routes.ts";
import { deliveries } from "./portal/webhooks/delivery-routes.ts";
import { failingWebhooks } from "./portal/webhooks/failing-webhook-routes.ts";
import { replays } from "./portal/webhooks/replay-routes.ts";
import { webhooks } from "./portal/webhooks/webhook-routes.ts";
import { raiseRingKeyMissing } from "./raised-conditions.ts";
import { reference } from "./reference/reference-routes.ts";
import { allowsInsecure } from "./setting-parsers.ts";

const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"];

const portal = behindPortalAuth([
  alerts,
  connections,
  apiKeys,
  employers,
  events,
  eventLists,
  eventTypes,
  portalFiles,
  stuckFiles,
  fileLists,
  auditTrail,
  vault,
  webhooks,
  failingWebhooks,
  deliveries,
  replays,
  deliveryLists,
  ownerData,
  requests,
  lookup,
  metrics,
  jobs,
  bulkReplays,
  portalLinks,
  sessions,
]);

const INTAKE_PATHS = ["/api/v1/webhook/", "/api/v1/payroll/", "/api/v1/employees/"];

/**
 * The intakes for reports have a router of their own, which matches them in one expression. The paths of the other routes overlap
 * (`/deliveries/retry` and `/deliveries/{delivery_id}/retry`), so they are matched step by step, in some microseconds. An intake
 * whose path is spelled differently is matched among the others.
 */
export function respond(
  request: Request,
  env: Bindings,
  ctx: ExecutionContext,
): Response | Promise<Response> {
  const path = request.url.indexOf("/", "https://".length);
  const isIntake = INTAKE_PATHS.some((intake) => request.url.startsWith(intake, path));
  return (isIntake ? intakes : app).fetch(request, boundedForRequests(env), ctx);
}

const eachRequest = createMiddleware<AppEnv>(async (c, next) => {
  const startedAt = Date.now();
  const { headers } = c.req.raw;
  const { path } = c.req;
  const bearer = isKeyIntake(path) ? await readBearer(headers) : null;
  const tokenSha256 = bearer?.ok ? bearer.value.tokenSha256 : null;
  c.set("tokenSha256", tokenSha256);
  const requestId = mintRequestId(requestAddress(path, headers, tokenSha256), startedAt);
  const callersId = callerRequestId(headers);
  c.set("requestId", requestId);
  c.set("startedAt", startedAt);
  const trace = isIntake(c) ? newTrace() : undefined;
  c.set("trace", trace);
  c.set("log", {});
  c.set("settings", readSettings(c.env));
  const transport = transportOf(c.req.raw, allowsInsecure(c.env));
  if (transport.outcome === "secure") await next();
  else if (transport.outcome === "redirect") c.res = c.redirect(transport.location, 308);
  else c.res = failureResponse(c, transport.failure);
  c.get("releaseBody")?.();
  if (!c.res.headers.has("X-Request-Id")) {
    for (const [name, value] of Object.entries(requestIdHeaders(requestId, callersId)))
      c.res.headers.set(name, value);
  }
  // Responses hold secrets and values that change by the second; only the documentation sets its own header.
  if (!c.res.headers.has("Cache-Control")) c.res.headers.set("Cache-Control", "no-store");
  if (trace !== undefined && !trace.isAccepted) c.executionCtx.waitUntil(leaveEvidence(c, trace, startedAt));
  const { log } = c.var;
  logLine("request", {
    request_id: requestId,
    ...(callersId !== null && { caller_request_id: callersId }),
    method: c.req.method,
    route: c.req.routePath,
    status: c.res.status,
    ms: Date.now() - startedAt,
    outcome: "ok",
    ...log,
  });
});

export const intakes = withEveryAnswer(new Hono<AppEnv>({ strict: false }))
  .route("/api/v1", inbound)
  .route("/api/v1", reports);

export const app: Hono<AppEnv> = withEveryAnswer(new Hono<AppEnv>({ strict: false }))
  .route("/api/v1", inbound)
  .route("/api/v1", reports)
  .route("/api/v1", files)
  .route("/api/v1", developerEvents)
  .route("/api/v1", portal)
  .route("/", reference(routes))
  .route(
    "/",
    consolePages((request, c) => app.fetch(request, c.env, c.executionCtx)),
  )
  .route("/", health);

function routes(): readonly RouterRoute[] {
  return app.routes;
}

/** Adds what every request needs, and the responses to unrouted requests and unexpected errors. */
function withEveryAnswer(hono: Hono<AppEnv>): Hono<AppEnv> {
  return hono
    .use(eachRequest)
    .notFound((c) => unrouted(hono, c))
    .onError(unexpected);
}

function unrouted(hono: Hono<AppEnv>, c: AppContext): Response {
  const { method, path } = c.req;
  const allow = METHODS.filter((each) => handles(hono, each, path));
  if (allow.length === 0) return failureResponse(c, { kind: "endpoint_not_found", ...nearTo(path) });
  const near = objectBelow(app.routes, method, path);
  return failureResponse(c, { kind: "method_not_allowed", method, allow, ...(near !== null && { near }) });
}

function nearTo(path: string): { near?: string } {
  const near = nearestPath(app.routes, path);
  return near === null ? {} : { near };
}

function unexpected(thrown: Error, c: AppContext): Response {
  const error = loggable(thrown);
  const requestId = c.get("requestId");
  // The problem with the setting is already in the log.
  if (error instanceof ConfigurationError)
    return failureResponse(c, { kind: "not_configured", part: error.part });
  if (error instanceof RingKeyMissing) {
    const fields = { request_id: requestId, route: c.req.routePath, ring_key: error.ringKey };
    logError("failed to unseal: a key is missing in the key ring", fields, error);
    c.executionCtx.waitUntil(raiseRingKeyMissing(c.env, error.ringKey));
    return failureResponse(c, { kind: "ring_key_missing" });
  }
  if (isOutage(error)) {
    logError("failed to reach a binding", { request_id: requestId, route: c.req.routePath }, error);
    return failureResponse(c, { kind: "binding_unanswered" });
  }
  logError(
    "failed with an unexpected error",
    { request_id: requestId, route: c.req.routePath, stack: stackOf(error) },
    error,
  );
  return failureResponse(c, { kind: "internal" });
}

/** Whether a route other than a middleware handles `method` at `path`. */
function handles(hono: Hono<AppEnv>, method: string, path: string): boolean {
  const [matches] = hono.router.match(method, path);
  return matches.some(([[, route]]) => route.method === method);
}
