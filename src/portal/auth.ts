/** Who may manage: client pairs of the portal and of Audit1's own services. Developer keys get 403, nothing gets 401. */
import { createMiddleware } from "hono/factory";
import { matchesSha256 } from "../crypto/credentials.ts";
import type { PortalClient } from "../env.ts";
import { type AppEnv, failureResponse, note } from "../http/context.ts";

export const portalAuth = createMiddleware<AppEnv>(async (c, next) => {
  const id = c.req.header("X-Client-ID");
  const secret = c.req.header("X-Client-Secret");
  if (!id || !secret) {
    const bearer = c.req.header("Authorization") !== undefined;
    return failureResponse(c, bearer ? { kind: "portal_only" } : { kind: "portal_unauthenticated" });
  }
  const client = await findClient(c.get("settings").portalClients, id, secret);
  if (client === null) return failureResponse(c, { kind: "portal_unauthenticated" });
  c.set("client", { actor: `client:${client.id}`, owner: client.owner });
  note(c, { client_id: client.id });
  return next();
});

/** While a pair is being rotated, an id stands in the list with both secrets. */
async function findClient(
  clients: readonly PortalClient[],
  id: string,
  secret: string,
): Promise<PortalClient | null> {
  for (const client of clients) {
    if (client.id === id && (await matchesSha256(secret, client.secret_sha256))) return client;
  }
  return null;
}
