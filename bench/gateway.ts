/** The gateway under test, its connections made through the portal API as customers' are. */
import { createHash, randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { EMPLOYER_FEIN, type Sender } from "./requests.ts";
import { type Modules, type Runtime, root, startWorkers, type WorkerSource } from "./runtime.ts";

export const GATEWAY_CONFIG = "wrangler.toml";
export const STAND_IN_CONFIG = "dev/files-creator/wrangler.toml";
export const STAND_IN_NAME = "audit1-files-creator-standin";
export const INBOUND_PATH = "/api/v1/webhook/inbound/";

const PORTAL = { id: "bench", secret: randomBytes(16).toString("hex") };
const OWNER = { owner_type: "payroll_company", owner_id: "bench" };
const SEEDED_AT_A_TIME = 8;

export interface Gateway extends Runtime {
  /** Makes connections of one plan. */
  connections(count: number, plan: "sandbox" | "enterprise"): Promise<Sender[]>;
}

/** With `standIn`, the queue's consumer is attached and forwards to it; without, the gateway only accepts. */
export async function startGateway(name: string, modules: Modules, standIn?: Modules): Promise<Gateway> {
  const secrets = {
    VAULT_KEYS: `bench:${randomBytes(32).toString("base64")}`,
    PORTAL_CLIENTS: JSON.stringify([
      { id: PORTAL.id, secret_sha256: createHash("sha256").update(PORTAL.secret).digest("hex") },
    ]),
  };
  const workers: WorkerSource[] =
    standIn === undefined
      ? [
          {
            config: GATEWAY_CONFIG,
            bindings: { ...secrets, FILES_CREATOR_URL: "https://files-creator.invalid" },
            without: ["queueConsumers", "serviceBindings"],
            modules,
          },
        ]
      : [
          { config: GATEWAY_CONFIG, bindings: secrets, modules },
          {
            config: STAND_IN_CONFIG,
            bindings: { PORTAL_CLIENT_ID: PORTAL.id, PORTAL_CLIENT_SECRET: PORTAL.secret },
            modules: standIn,
          },
        ];
  const runtime = await startWorkers(name, workers);
  await migrate(runtime);
  await portal(runtime, "PUT", "/employers/EMP_BENCH", {
    fein: EMPLOYER_FEIN,
    name: "Bench",
    owners: [OWNER],
  });
  return { ...runtime, connections: (count, plan) => createConnections(runtime, count, plan) };
}

async function migrate({ miniflare }: Runtime): Promise<void> {
  const db = await miniflare.getD1Database("DB");
  const folder = path.join(root, "migrations");
  for (const file of readdirSync(folder)
    .filter((name) => name.endsWith(".sql"))
    .sort()) {
    const statements = readFileSync(path.join(folder, file), "utf8").split("--> statement-breakpoint");
    await db.batch(statements.map((statement) => db.prepare(statement)));
  }
}

async function createConnections(runtime: Runtime, count: number, plan: string): Promise<Sender[]> {
  const made: Sender[] = [];
  const create = async () => {
    const body = { ...OWNER, plan, environment: "production" };
    const { connection, secret } = (await portal(runtime, "POST", "/connections", body)) as {
      connection: { id: string };
      secret: string;
    };
    made.push({ id: connection.id, secret });
  };
  while (made.length < count) {
    await Promise.all(Array.from({ length: Math.min(SEEDED_AT_A_TIME, count - made.length) }, create));
  }
  return made;
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
