/** The calls of the portal and developer APIs that the demonstration needs. An unexpected answer is a problem. */

import * as z from "zod";
import { DEMO_EMPLOYER, DEMO_OWNER } from "./demo.ts";
import { Problem } from "./problem.ts";
import type { PortalClient } from "./secrets.ts";
import { shown, workspace } from "./workspace.ts";

const connection = z.object({
  connection: z.object({ id: z.string().regex(/^[0-9a-f]{24}$/), url: z.string() }),
  secret: z.string().min(1),
});
const apiKey = z.object({ secret: z.string().min(1) });
const portalLink = z.object({ url: z.url() });
const fileStatus = z.object({
  status: z.enum(["queued", "processing", "completed", "failed"]),
  records_total: z.number().nullish(),
  records_processed: z.number().nullish(),
  records_failed: z.number().nullish(),
});

export type FileStatus = z.infer<typeof fileStatus>;

const REQUEST_LIMIT_MS = 30_000;
/** The longest time for which a link of a local gateway may be valid. */
const CONSOLE_LINK_S = 30 * 86_400;

export class GatewayClient {
  readonly #baseUrl: string;
  readonly #portalHeaders: Record<string, string>;

  constructor(baseUrl: string, portal: PortalClient) {
    this.#baseUrl = baseUrl;
    this.#portalHeaders = { "x-client-id": portal.id, "x-client-secret": portal.secret };
  }

  /** Creates or replaces the demo employer, granted to the demo's owner. Returns the HTTP status: 200 or 201. */
  async putEmployer(): Promise<number> {
    const { id, fein, name } = DEMO_EMPLOYER;
    const response = await this.#portal("PUT", `employers/${id}`, { fein, name, owners: [DEMO_OWNER] });
    await body(response, z.unknown(), "PUT /employers", [200, 201]);
    return response.status;
  }

  async createConnection(): Promise<z.infer<typeof connection>> {
    const response = await this.#portal("POST", "connections", {
      ...DEMO_OWNER,
      type: "webhook",
      plan: "production",
      environment: "production",
      description: "Demo connection",
    });
    return body(response, connection, "POST /connections", [201]);
  }

  async createApiKey(): Promise<string> {
    const response = await this.#portal("POST", "api-keys", { ...DEMO_OWNER, environment: "production" });
    return (await body(response, apiKey, "POST /api-keys", [201])).secret;
  }

  /** The address of a link that signs in to the console any number of times: as staff, or for the demo's owner. */
  async createConsoleLink(who: "staff" | "owner"): Promise<string> {
    const response = await this.#portal("POST", "portal-links", {
      ...(who === "staff"
        ? { staff: true }
        : { ...DEMO_OWNER, capabilities: "manage", person: "demo owner" }),
      reusable: true,
      expires_in: CONSOLE_LINK_S,
    });
    return (await body(response, portalLink, "POST /portal-links", [201])).url;
  }

  /** Whether the gateway still knows the connection. */
  async hasConnection(id: string): Promise<boolean> {
    const response = await this.#portal("GET", `connections/${id}?${new URLSearchParams(DEMO_OWNER)}`);
    if (response.status === 404) return false;
    await body(response, z.unknown(), "GET /connections", [200]);
    return true;
  }

  async acceptsKey(key: string): Promise<boolean> {
    const response = await this.#send("GET", "files?limit=1", { authorization: `Bearer ${key}` });
    await response.body?.cancel();
    return response.status !== 401;
  }

  async fileStatus(fileId: string, key: string): Promise<FileStatus> {
    const response = await this.#send("GET", `files/status/${fileId}`, { authorization: `Bearer ${key}` });
    return body(response, fileStatus, "GET /files/status", [200]);
  }

  #portal(method: string, path: string, json?: unknown): Promise<Response> {
    const headers = { ...this.#portalHeaders, "content-type": "application/json" };
    return this.#send(method, path, headers, json === undefined ? undefined : JSON.stringify(json));
  }

  async #send(
    method: string,
    path: string,
    headers: Record<string, string>,
    content?: string,
  ): Promise<Response> {
    const url = `${this.#baseUrl}/api/v1/${path}`;
    const signal = AbortSignal.timeout(REQUEST_LIMIT_MS);
    try {
      return await fetch(url, { method, headers, signal, ...(content !== undefined && { body: content }) });
    } catch (error) {
      const logs = `${shown(workspace.gatewayLog)} and ${shown(workspace.runnerLog)}`;
      throw new Problem(`The gateway did not answer ${method} ${url}: ${String(error)}\nMore in ${logs}.`);
    }
  }
}

async function body<T>(
  response: Response,
  shape: z.ZodType<T>,
  what: string,
  expected: number[],
): Promise<T> {
  const text = await response.text();
  if (!expected.includes(response.status)) {
    const hint =
      response.status === 401
        ? "\nIf the gateway does not know these credentials, `npm run reset` starts over."
        : "";
    throw new Problem(
      `${what} was answered ${response.status}, not ${expected.join(" or ")}:\n${text}${hint}`,
    );
  }
  const parsed = shape.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  throw new Problem(`${what} was answered in an unexpected form:\n${text}`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
