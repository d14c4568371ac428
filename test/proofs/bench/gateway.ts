/** The gateway under test. Connections, keys and webhooks are created through the portal API, as in production. */
import { createHash, randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { EMPLOYER_FEIN, EMPLOYER_ID, type Sender } from "./requests.ts";
import { type Modules, type Runtime, root, startWorkers, type WorkerSource } from "./runtime.ts";

export const GATEWAY_CONFIG = "wrangler.toml";
export const GATEWAY_NAME = "audit1-webhook-gateway";
export const STAND_IN_CONFIG = "dev/files-creator/wrangler.toml";
export const WAKE_UPS_CONFIG = "test/proofs/bench/wake-ups/wrangler.toml";
export const WAKE_UPS_NAME = "wake-ups";
export const INBOUND_PATH = "/api/v1/webhook/inbound/";
export const PAYROLL_PATH = "/api/v1/payroll/reports";
export const EMPLOYEES_PATH = "/api/v1/employees/sync";

export const PORTAL = { id: "bench", secret: randomBytes(16).toString("hex") };
const OWNER = { owner_type: "payroll_company", owner_id: "bench" };
const SEEDED_AT_A_TIME = 8;

export interface Gateway extends Runtime {
  /** Creates connections of one plan. */
  connections(count: number, plan: "sandbox" | "enterprise"): Promise<Sender[]>;
  /** Creates API keys of the largest plan. Their secrets are the bearer tokens. */
  keys(count: number): Promise<Sender[]>;
  /** Rejects unless the status is 2xx. */
  portal(method: string, route: string, body: unknown): Promise<unknown>;
}

export interface Beside {
  /** The files-creator. Without one, no queue consumer is attached, and the gateway only accepts. */
  standIn?: Modules;
  /** The loopback port of a files-creator in another process. */
  filesCreatorAt?: number;
  /** A Worker that counts wake-ups in place of the deliveries consumer. */
  wakeUps?: Modules;
  /** The gateway's port, when it must be known before the start. */
  port?: number;
  /** The checkout that the modules were bundled from. */
  checkout?: string;
}

/** The files-creator of local development, which sends its reports to the gateway. */
export function standInSource(modules: Modules): WorkerSource {
  const bindings = { PORTAL_CLIENT_ID: PORTAL.id, PORTAL_CLIENT_SECRET: PORTAL.secret };
  return { config: STAND_IN_CONFIG, bindings, modules };
}

/** `inspected` opens the runtime's debugger. */
export async function startGateway(
  name: string,
  modules: Modules,
  { standIn, filesCreatorAt, wakeUps, port = 0, checkout = root }: Beside = {},
  { inspected = false } = {},
): Promise<Gateway> {
  const secrets = {
    VAULT_KEYS: `bench:${randomBytes(32).toString("base64")}`,
    PORTAL_CLIENTS: JSON.stringify([
      { id: PORTAL.id, secret_sha256: createHash("sha256").update(PORTAL.secret).digest("hex") },
    ]),
  };
  const config = path.join(checkout, GATEWAY_CONFIG);
  const gateway: WorkerSource = { config, bindings: secrets, modules, port };
  const workers = [gateway];
  if (filesCreatorAt !== undefined) gateway.elsewhere = { FILES_CREATOR: filesCreatorAt };
  else if (standIn !== undefined) workers.push(standInSource(standIn));
  else {
    gateway.bindings = { ...secrets, FILES_CREATOR_URL: "https://files-creator.invalid" };
    gateway.without = ["queueConsumers", "serviceBindings"];
  }
  if (wakeUps !== undefined) workers.push({ config: WAKE_UPS_CONFIG, modules: wakeUps });
  const runtime = await startWorkers(name, workers, { inspected });
  await migrate(runtime, path.join(checkout, "migrations"));
  await portal(runtime, "PUT", `/employers/${EMPLOYER_ID}`, {
    fein: EMPLOYER_FEIN,
    name: "Bench",
    owners: [OWNER],
  });
  return {
    ...runtime,
    connections: (count, plan) => made(count, () => createConnection(runtime, plan)),
    keys: (count) => made(count, () => createKey(runtime)),
    portal: (method, route, body) => portal(runtime, method, route, body),
  };
}

async function migrate({ miniflare }: Runtime, folder: string): Promise<void> {
  const db = await miniflare.getD1Database("DB");
  for (const file of readdirSync(folder)
    .filter((name) => name.endsWith(".sql"))
    .sort()) {
    const statements = readFileSync(path.join(folder, file), "utf8").split("--> statement-breakpoint");
    await db.batch(statements.map((statement) => db.prepare(statement)));
  }
}

/** Creates `count` of them, a few at a time. */
export async function made<T>(count: number, create: (index: number) => Promise<T>): Promise<T[]> {
  const all: T[] = [];
  while (all.length < count) {
    const next = Math.min(SEEDED_AT_A_TIME, count - all.length);
    all.push(...(await Promise.all(Array.from({ length: next }, (_, i) => create(all.length + i)))));
  }
  return all;
}

async function createConnection(runtime: Runtime, plan: string): Promise<Sender> {
  const body = { ...OWNER, plan, environment: "production" };
  const { connection, secret } = (await portal(runtime, "POST", "/connections", body)) as {
    connection: { id: string };
    secret: string;
  };
  return { id: connection.id, secret };
}

async function createKey(runtime: Runtime): Promise<Sender> {
  const body = { ...OWNER, plan: "enterprise", environment: "production" };
  const { apiKey, secret } = (await portal(runtime, "POST", "/api-keys", body)) as {
    apiKey: { id: string };
    secret: string;
  };
  return { id: apiKey.id, secret };
}

async function portal(runtime: Runtime, method: string, route: string, body: unknown): Promise<unknown> {
  const response = await fetch(`http://127.0.0.1:${runtime.port}/api/v1${route}`, {
    method,
    headers: {
      "Content-Type": "application/json",
      "X-Client-ID": PORTAL.id,
      "X-Client-Secret": PORTAL.secret,
    },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${method} ${route}: ${response.status} ${await response.text()}`);
  return response.json();
}
