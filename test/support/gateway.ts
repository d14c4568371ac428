/** Calls the gateway as its users do: signed requests, portal calls and bearer reads, all through the Worker's fetch handler. */
import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import type { Bindings } from "../../src/bindings.ts";
import { bounded } from "../../src/bounded.ts";
import { toHex, utf8 } from "../../src/crypto/encoding.ts";
import { BACKGROUND_LIMITS } from "../../src/deadline.ts";
import worker from "../../src/index.ts";

export const bindings = env as unknown as Bindings;
export const BASE = "https://webhooks.audit1.com";

export interface Json {
  // biome-ignore lint/suspicious/noExplicitAny: tests read responses field by field
  [field: string]: any;
}

export interface Answer {
  status: number;
  headers: Headers;
  json: Json;
}

/** Deadlines that even a busy machine meets. Tests in which a binding hangs set their own. */
const PATIENT_LIMITS = { ...BACKGROUND_LIMITS, d1Ms: 20_000, objectMs: 20_000 };

/** Sends one request through the Worker, and waits for its `waitUntil` work. `using` replaces the bindings. */
export async function send(
  path: string,
  init: RequestInit = {},
  using: Bindings = bindings,
): Promise<Answer> {
  const ctx = createExecutionContext();
  const response = await worker.fetch(
    new Request(`${BASE}${path}`, init) as Parameters<typeof worker.fetch>[0],
    bounded(using, PATIENT_LIMITS),
    ctx,
  );
  const text = await response.text();
  await waitOnExecutionContext(ctx);
  return { status: response.status, headers: response.headers, json: text === "" ? {} : JSON.parse(text) };
}

/** Calls the portal API. `client` is a client id of the tests' configuration; its secret is named after it. */
export function portal(
  method: string,
  path: string,
  body?: unknown,
  client = "portal",
  using?: Bindings,
): Promise<Answer> {
  const init: RequestInit = {
    method,
    headers: {
      "X-Client-ID": client,
      "X-Client-Secret": `${client}-secret`,
      "Content-Type": "application/json",
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  };
  return send(`/api/v1${path}`, init, using);
}

export interface Connection {
  id: string;
  secret: string;
}

let employers = 0;

/** Creates an employer with a unique FEIN that the owner "acme" may report for. */
export async function createEmployer(
  owners = [{ owner_type: "payroll_company", owner_id: "acme" }],
): Promise<{ id: string; fein: string }> {
  const id = `EMP_${++employers}_${Date.now()}`;
  const fein = `${10 + (employers % 90)}-${String(Math.floor(Math.random() * 1e7)).padStart(7, "0")}`;
  const answer = await portal("PUT", `/employers/${id}`, { fein, name: "Test Employer", owners });
  if (answer.status !== 201) throw new Error(`employer: ${answer.status} ${JSON.stringify(answer.json)}`);
  return { id, fein };
}

/** Creates a webhook connection of the owner "acme" on the production plan. */
export async function createConnection(fields: Json = {}): Promise<Connection> {
  const { employer_id, owner_type = "payroll_company", owner_id = "acme" } = fields;
  if (employer_id !== undefined) await grant(employer_id, owner_type, owner_id);
  const answer = await portal("POST", "/connections", {
    owner_type: "payroll_company",
    owner_id: "acme",
    plan: "production",
    environment: "production",
    ...fields,
  });
  if (answer.status !== 201) throw new Error(`connection: ${answer.status} ${JSON.stringify(answer.json)}`);
  return { id: answer.json.connection.id, secret: answer.json.secret };
}

/** Allows the owner to report for the employer, in addition to the owners that already may. */
async function grant(employerId: string, ownerType: string, ownerId: string): Promise<void> {
  const { DB } = bindings;
  await DB.batch([
    DB.prepare("INSERT OR IGNORE INTO employers (id, name, created_at, updated_at) VALUES (?, ?, 0, 0)").bind(
      employerId,
      employerId,
    ),
    DB.prepare("INSERT OR IGNORE INTO employer_grants VALUES (?, ?, ?)").bind(employerId, ownerType, ownerId),
  ]);
}

/** Creates a connection bound to a new employer. Most tests need this. */
export async function createBoundConnection(
  fields: Json = {},
): Promise<Connection & { employerId: string; fein: string }> {
  const employer = await createEmployer();
  const connection = await createConnection({ employer_id: employer.id, ...fields });
  return { ...connection, employerId: employer.id, fein: employer.fein };
}

export async function createApiKey(fields: Json = {}): Promise<{ id: string; token: string }> {
  const answer = await portal("POST", "/api-keys", {
    owner_type: "payroll_company",
    owner_id: "acme",
    environment: "production",
    ...fields,
  });
  if (answer.status !== 201) throw new Error(`api key: ${answer.status}`);
  return { id: answer.json.apiKey._id, token: answer.json.secret };
}

let reports = 0;

/** A report in the webhook dialect. Each is different. */
export function report(fields: Json = {}): string {
  return JSON.stringify({
    policy_number: `WC${++reports}`,
    employees: [
      {
        first_name: "John",
        last_name: "Doe",
        class_code: "8810",
        state: "CA",
        gross_wages: 5000,
        hours_worked: 80,
      },
    ],
    pay_period: { start_date: "2026-03-01", end_date: "2026-03-15" },
    ...fields,
  });
}

export async function sign(secret: string, timestamp: string, body: string | Uint8Array): Promise<string> {
  const key = await crypto.subtle.importKey("raw", utf8(secret), { name: "HMAC", hash: "SHA-256" }, false, [
    "sign",
  ]);
  const prefix = utf8(`${timestamp}.`);
  const bytes = typeof body === "string" ? utf8(body) : body;
  const signed = new Uint8Array(prefix.byteLength + bytes.byteLength);
  signed.set(prefix);
  signed.set(bytes, prefix.byteLength);
  return toHex(new Uint8Array(await crypto.subtle.sign("HMAC", key, signed)));
}

/** A signed request that can be sent once or many times. */
export async function signedRequest(
  { secret }: { secret: string },
  body: string | Uint8Array<ArrayBuffer> = report(),
  {
    timestamp = String(Date.now()),
    headers = {},
  }: { timestamp?: string; headers?: Record<string, string> } = {},
): Promise<RequestInit> {
  const signature = await sign(secret, timestamp, body);
  return {
    method: "POST",
    headers: {
      "Content-Type": "application/json",
      "X-Webhook-Signature": signature,
      "X-Webhook-Timestamp": timestamp,
      ...headers,
    },
    body,
  };
}

/** Signs a report and sends it to the connection. */
export async function post(
  connection: Connection,
  body?: string | Uint8Array<ArrayBuffer>,
  options?: Parameters<typeof signedRequest>[2],
  using?: Bindings,
): Promise<Answer> {
  return send(inboundPath(connection), await signedRequest(connection, body, options), using);
}

export function inboundPath({ id }: { id: string }): string {
  return `/api/v1/webhook/inbound/${id}`;
}

export function fileStatus(token: string, fileId: string): Promise<Answer> {
  return send(`/api/v1/files/status/${fileId}`, { headers: { Authorization: `Bearer ${token}` } });
}

/** The files-creator that the tests bind: the requests it received, and how it responds next. */
export const filesCreator = {
  async received(): Promise<Json[]> {
    return (await creator("/received")).json();
  },
  async receivedFile(fileId: string): Promise<Json[]> {
    return (await filesCreator.received()).filter((file) => file.headers["x-audit1-file-id"] === fileId);
  },
  async script(...steps: Json[]): Promise<void> {
    await creator("/script", { method: "PUT", body: JSON.stringify(steps) });
  },
  async reset(): Promise<void> {
    await creator("/reset");
  },
};

function creator(path: string, init?: RequestInit): Promise<Response> {
  if (bindings.FILES_CREATOR === undefined) throw new Error("no files-creator is bound");
  return bindings.FILES_CREATOR.fetch(
    `https://files-creator${path}`,
    init as RequestInit<RequestInitCfProperties>,
  ) as unknown as Promise<Response>;
}

export function gateOf(connection: { id: string }, kind: "connection" | "key" = "connection") {
  return bindings.CONNECTION_GATE.getByName(`${kind}:${connection.id}`);
}
