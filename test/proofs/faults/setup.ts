/** Sets up a run: secrets, an employer, connections, webhooks. */
import { createHash } from "node:crypto";
import type { Chance } from "./chance.ts";
import { ENDPOINTS, type Endpoint, HEARD, UNHEARD } from "./endpoints.ts";
import type { GatewayProcess } from "./gateway-process.ts";
import type { Receivers } from "./receivers.ts";
import { type Connection, EMPLOYER } from "./reports.ts";

const PORTAL = { id: "portal", secret: "faults-portal-secret" };
export const PORTAL_HEADERS = { "x-client-id": PORTAL.id, "x-client-secret": PORTAL.secret };
/** In the gateway's time. Short, so that files are archived during the run. */
const ARCHIVE_AFTER_S = 20;

/** The secrets and variables of this run. */
export function bindings(chance: Chance): Record<string, string> {
  const key = Buffer.from(Array.from({ length: 32 }, () => Math.floor(chance.between(0, 256))));
  const hash = createHash("sha256").update(PORTAL.secret).digest("hex");
  return {
    VAULT_KEYS: `faults:${key.toString("base64")}`,
    PORTAL_CLIENTS: JSON.stringify([{ id: PORTAL.id, secret_sha256: hash }]),
    ARCHIVE_AFTER_SECONDS: String(ARCHIVE_AFTER_S),
    // Deliberately incomplete and unusable: the run has no sign-in, and nothing else may depend on it.
    ACCESS_TEAM: "faults",
  };
}

/**
 * One connection over its rate limit, one that deduplicates by body, one bound to its employer, and ordinary ones. The owner of
 * two of them has webhooks. With more, file events would outnumber all others.
 */
export async function setUp(gateway: GatewayProcess, count: number): Promise<Connection[]> {
  const { id, fein } = EMPLOYER;
  await portal(gateway, "PUT", `employers/${id}`, { fein, name: "Faults Inc.", owners: [UNHEARD, HEARD] });
  const connections: Connection[] = [];
  for (let i = 0; i < count; i++) {
    const plan = i === 0 ? "sandbox" : i % 2 === 0 ? "enterprise" : "production";
    const deduplicates = i === 1;
    const bound = i === 2;
    const owner = i === 3 || i === 4 ? HEARD : UNHEARD;
    const made = await portal<{ connection: { id: string }; secret: string }>(
      gateway,
      "POST",
      "connections",
      {
        ...owner,
        plan,
        same_body: deduplicates ? "deduplicate" : "accept",
        environment: plan === "sandbox" ? "sandbox" : "production",
        ...(bound && { employer_id: id }),
      },
    );
    connections.push({ id: made.connection.id, owner, secret: made.secret, plan, deduplicates, bound });
  }
  gateway.gates = connections.map((connection) => `connection:${connection.id}`);
  return connections;
}

/** An owner without any data. */
const STRANGER = "somebody-else";

/** Creates one webhook per endpoint. A request that names another owner must not change it. */
export async function setUpWebhooks(gateway: GatewayProcess, receivers: Receivers): Promise<Endpoint[]> {
  const endpoints: Endpoint[] = [];
  for (const plan of ENDPOINTS) {
    const { name, owner, character: _, ...settings } = plan;
    const made = await portal<{ webhook: { _id: string }; secret: string }>(gateway, "POST", "webhooks", {
      ...owner,
      ...settings,
      url: receivers.urlOf(name),
    });
    const endpoint = { ...plan, webhookId: made.webhook._id, secret: made.secret };
    receivers.add(endpoint);
    endpoints.push(endpoint);
  }
  for (const [index, { webhookId }] of endpoints.entries())
    await intrude(gateway, webhookId, index % 2 === 0);
  return endpoints;
}

/** Whether it changed is checked at the end, by the requests that the webhook received. */
async function intrude(gateway: GatewayProcess, webhookId: string, deletes: boolean): Promise<void> {
  const url = `${gateway.url}/api/v1/webhooks/${webhookId}`;
  const headers = { ...PORTAL_HEADERS, "content-type": "application/json" };
  const response = deletes
    ? await fetch(`${url}?owner_id=${STRANGER}`, { method: "DELETE", headers })
    : await fetch(url, {
        method: "PUT",
        headers,
        body: JSON.stringify({ owner_id: STRANGER, status: "disabled" }),
      });
  await response.body?.cancel();
}

async function portal<T>(gateway: GatewayProcess, method: string, path: string, body: unknown): Promise<T> {
  const response = await fetch(`${gateway.url}/api/v1/${path}`, {
    method,
    headers: { ...PORTAL_HEADERS, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const answer = await response.text();
  if (!response.ok) throw new Error(`${method} ${path} responded ${response.status}: ${answer}`);
  return JSON.parse(answer) as T;
}
