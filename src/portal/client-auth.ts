/**
 * Authentication of the management endpoints: client pairs of the portal and of Audit1's own services, and, where it is set
 * up, people who sign in through Cloudflare Access. A developer key gets 403, a request without credentials 401.
 *
 * The Worker's own requests for a person's session have their client beside them (`http/in-process.ts`). It is asked for first, and
 * no credential of such a request counts. Cookies never count.
 */
import { Hono } from "hono";
import { createMiddleware } from "hono/factory";
import { matchesSha256 } from "../crypto/credentials.ts";
import { type AppContext, type AppEnv, addLogFields, type Client, failureResponse } from "../http/context.ts";
import type { Failure } from "../http/failure.ts";
import { clientOf } from "../http/in-process.ts";
import { conditionalRead } from "../http/precondition.ts";
import { onlyValue } from "../http/repeated-header.ts";
import { err, ok, type Result } from "../result.ts";
import type { PortalClient } from "../setting-parsers.ts";
import { verifyAccessToken } from "./access.ts";
import { clientLimits } from "./client-limits.ts";
import { ownerScope } from "./scope.ts";

const UNUSABLE_CLIENT: Failure = { kind: "not_configured", part: "portal_clients" };

interface Authenticated {
  client: Client;
  logId: string;
  role?: PortalClient["role"] | undefined;
}

const READS = new Set(["GET", "HEAD"]);

/** The path where the files-creator reports. Its reports are not rate-limited. */
const REPORTS = /^\/api\/v1\/events\/?$/;

/** Puts every route of the routers behind the portal's authentication and the owner scope that the request names. */
export function behindPortalAuth(routers: readonly Hono<AppEnv>[]): Hono<AppEnv> {
  const guarded = new Hono<AppEnv>();
  const routes = routers.flatMap((router) => router.routes.map(({ method, path }) => `${method} ${path}`));
  for (const route of new Set(routes)) {
    const [method = "", path = ""] = route.split(" ");
    guarded.on(method, path, portalAuth, ownerScope(path.includes("/:")), conditionalRead);
  }
  for (const router of routers) guarded.route("/", router);
  return guarded;
}

export const portalAuth = createMiddleware<AppEnv>(async (c, next) => {
  const authenticated = await authenticate(c);
  if (!authenticated.ok) return failureResponse(c, authenticated.error);
  const { client, logId, role } = authenticated.value;
  c.set("client", client);
  addLogFields(c, { client_id: logId });
  if (client.capability === "view" && !READS.has(c.req.method))
    return failureResponse(c, { kind: "view_only" });
  const reports = role === "files_creator" && c.req.method === "POST" && REPORTS.test(c.req.path);
  const now = Date.now();
  const rate = reports ? null : clientLimits.exceeded(client, now);
  if (rate !== null) return failureResponse(c, { kind: "rate_limited", rate, now });
  return next();
});

/** Whether the request has credentials that {@link portalAuth} would check. */
export function hasPortalCredentials(c: AppContext): boolean {
  if (clientOf(c.req.raw) !== undefined) return true;
  return ["X-Client-ID", "X-Client-Secret", "Cf-Access-Jwt-Assertion"].some(
    (name) => c.req.header(name) !== undefined,
  );
}

async function authenticate(c: AppContext): Promise<Result<Authenticated, Failure>> {
  const inside = clientOf(c.req.raw);
  if (inside !== undefined) return ok({ client: inside, logId: inside.session ?? "in_process" });
  const id = credential(c, "X-Client-ID");
  const secret = credential(c, "X-Client-Secret");
  if (id && secret) {
    const { portalClients, unusableClients } = c.get("settings");
    const client = await findClient(portalClients, id, secret);
    if (client === null && unusableClients.has(id)) return err(UNUSABLE_CLIENT);
    if (client === null) return err(mismatch(id, secret));
    return ok({
      client: { actor: `client:${client.id}`, owner: client.owner },
      logId: client.id,
      role: client.role,
    });
  }
  const token = c.req.header("Cf-Access-Jwt-Assertion");
  const access = token ? c.get("settings").access : null;
  if (token && access !== null && !isForeignWrite(c)) {
    const person = await verifyAccessToken(token, access);
    if (!person.ok) return person;
    const { name, logId } = person.value;
    return ok({ client: { actor: `access:${name}` }, logId: `access:${logId}` });
  }
  if (c.req.header("Authorization") !== undefined) return err({ kind: "portal_only" });
  if (id) return err(incomplete("X-Client-Secret", "X-Client-ID"));
  if (secret) return err(incomplete("X-Client-ID", "X-Client-Secret"));
  const foreign = token && isForeignWrite(c);
  return err({ kind: foreign ? "cross_site_request" : "portal_credentials_missing" });
}

function incomplete(missing: string, given: string): Failure {
  return { kind: "portal_credentials_incomplete", missing, given };
}

/** Depends only on the request, so it does not reveal whether the id is known. */
function mismatch(id: string, secret: string): Failure {
  for (const [name, value] of [
    ["X-Client-ID", id],
    ["X-Client-Secret", secret],
  ] as const) {
    if (onlyValue(value) === null) return { kind: "portal_credential_repeated", name };
    if (/^["'].*["']$/.test(value)) return { kind: "portal_credential_quoted", name };
  }
  const isHash = /^[0-9a-f]{64}$/i.test(secret);
  return { kind: isHash ? "portal_secret_hashed" : "portal_credentials_unknown" };
}

/** A header that was sent twice with the same value counts once; one with different values is used as it is. */
function credential(c: AppContext, name: string): string | undefined {
  const value = c.req.header(name);
  return value && (onlyValue(value) ?? value);
}

/**
 * While a pair is being rotated, the list has its id with both secrets. Every pair is compared, so the time that this takes
 * does not reveal whether the id or the secret is known.
 */
async function findClient(
  clients: readonly PortalClient[],
  id: string,
  secret: string,
): Promise<PortalClient | null> {
  let found: PortalClient | null = null;
  for (const client of clients) {
    const matches = await matchesSha256(secret, client.secret_sha256);
    if (matches && client.id === id) found = client;
  }
  return found;
}

/**
 * Whether a page of another site or of a sibling domain made the browser send this write. Access accepts the browser's
 * cookie on such a request too. Browsers send `Sec-Fetch-Site` with every request; a caller that sends none is not a browser.
 */
function isForeignWrite(c: AppContext): boolean {
  const from = c.req.header("Sec-Fetch-Site") ?? "none";
  return c.req.method !== "GET" && from !== "same-origin" && from !== "none";
}
