/** People in the console: links for them, sessions made of the links, and requests that the Worker makes for a session. */
import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import type { Client } from "../../src/http/context.ts";
import { asClient } from "../../src/http/in-process.ts";
import worker from "../../src/index.ts";
import { clientOfSession, redeemLink, type Started } from "../../src/portal/sessions/signed-in.ts";
import { type Answer, BASE, bindings, type Json, portal } from "./gateway.ts";

export const ACME = { owner_type: "payroll_company", owner_id: "acme" } as const;

/** A link for a person of the owner "acme". */
export async function createLink(fields: Json = {}): Promise<{ id: string; token: string }> {
  const answer = await portal("POST", "/portal-links", { ...ACME, ...fields });
  if (answer.status !== 201) throw new Error(`link: ${answer.status} ${JSON.stringify(answer.json)}`);
  return { id: answer.json.portal_link.id, token: tokenIn(answer) };
}

export function tokenIn({ json }: Pick<Answer, "json">): string {
  return new URL(json.url).hash.slice(1);
}

/** A session made of a new link. */
export async function signIn(fields: Json = {}): Promise<Started> {
  return redeemed((await createLink(fields)).token);
}

export async function redeemed(token: string, now = Date.now()): Promise<Started> {
  const result = await redeemLink(bindings, token, now, "req_test");
  if (!result.ok) throw new Error(`the link is ${result.error}`);
  return result.value;
}

/** A request of the Worker's own for a client, as the console makes it. */
export function sendAs(client: Client, method: string, path: string, body?: unknown): Promise<Answer> {
  const request = new Request(`${BASE}${path}`, {
    method,
    ...(body !== undefined && {
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    }),
  });
  return sendRequest(asClient(request, client));
}

/** Sends exactly this request object through the Worker. */
export async function sendRequest(request: Request): Promise<Answer> {
  const ctx = createExecutionContext();
  const response = await worker.fetch(request as Parameters<typeof worker.fetch>[0], bindings, ctx);
  const text = await response.text();
  await waitOnExecutionContext(ctx);
  return { status: response.status, headers: response.headers, json: text === "" ? {} : JSON.parse(text) };
}

/** As {@link sendAs}, for the client of a session, below `/api/v1`. */
export function asSession(
  { session }: Started,
  method: string,
  path: string,
  body?: unknown,
): Promise<Answer> {
  return sendAs(clientOfSession(session), method, `/api/v1${path}`, body);
}
