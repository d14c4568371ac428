/**
 * The gateway in its own runtime: bundled as for a deployment, bound as in wrangler.toml, listening on loopback without a proxy
 * in front. Its files-creator is a function in this process, so that only the gateway runs in the runtime.
 */
import { type ChildProcess, execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { subscribe } from "node:diagnostics_channel";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { convertV4MiniflareOptions, Miniflare, NoOpLog } from "miniflare";
import { unstable_getMiniflareWorkerOptions as workerOptionsOf } from "wrangler";

const root = path.resolve(import.meta.dirname, "../../..");
const OWNER = { owner_type: "payroll_company", owner_id: "fuzz" };
const CREATED_AT_A_TIME = 8;
/** The name of the gateway's isolate in the runtime's debugger. */
const INSPECTED = "/core:user:audit1-webhook-gateway";

export interface Sender {
  id: string;
  secret: string;
}

export interface ReceivedFile {
  fileId: string;
  sha256: string;
}

export interface Gateway {
  port: number;
  /** Through the runtime's proxy. */
  origin: string;
  /** The runtime's process. */
  pid: number;
  /** The debugger's URL for the gateway's isolate; null when it was not opened. */
  inspector: string | null;
  /** Credentials of the portal, and of the owner of the connections. */
  client: { id: string; secret: string };
  apiKey: string;
  /** Every POST that the files-creator accepted. */
  received: ReceivedFile[];
  /** The first error lines of the Worker's log. */
  errors: string[];
  alive(): boolean;
  /** Connections of the largest plan, each bound to the same employer. */
  connections(count: number): Promise<Sender[]>;
  /** File ids and states of a connection, as its owner lists them. */
  list(connectionId: string): Promise<{ file_id: string; status: string; size: number }[]>;
  /** The number of gates on disk. */
  gates(): number;
  portal(method: string, path: string, body?: unknown): Promise<unknown>;
  stop(): Promise<void>;
}

const children: ChildProcess[] = [];
subscribe("child_process", (message) => {
  children.push((message as { process: ChildProcess }).process);
});

/**
 * With `https`, `origin` is an https one with a certificate that nobody signed. `settings` replace variables of wrangler.toml.
 * `inspected` opens the runtime's debugger on a free port. With `filesCreatorPort`, reports go over HTTP to the files-creator that
 * listens there on loopback, and `received` stays empty.
 */
export async function startGateway({
  inspected = false,
  filesCreatorPort,
  https = false,
  settings = {},
}: {
  inspected?: boolean;
  filesCreatorPort?: number;
  https?: boolean;
  settings?: Record<string, string>;
} = {}): Promise<Gateway> {
  const scratch = mkdtempSync(path.join(tmpdir(), "gateway-"));
  const module = await bundle(path.join(scratch, "bundle"));
  const client = { id: "fuzz", secret: randomBytes(16).toString("hex") };
  const received: ReceivedFile[] = [];
  const errors: string[] = [];
  process.env.WRANGLER_LOG ??= "error";
  const { workerOptions } = workerOptionsOf(path.join(root, "wrangler.toml"));
  const { modulesRules: _, bindings, ...options } = workerOptions;
  const before = children.length;
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      host: "127.0.0.1",
      port: 0,
      https,
      cf: false,
      log: new NoOpLog(),
      handleStructuredLogs: ({ level, message }) => {
        if (level === "error" && errors.length < 100) errors.push(message);
      },
      resourcePersistencePath: path.join(scratch, "state"),
      telemetry: { enabled: false },
      ...(inspected && { inspectorPort: 0 }),
      workers: [
        {
          ...options,
          name: "audit1-webhook-gateway",
          bindings: {
            ...(bindings as object),
            ...settings,
            VAULT_KEYS: `fuzz:${randomBytes(32).toString("base64")}`,
            PORTAL_CLIENTS: JSON.stringify([{ id: client.id, secret_sha256: sha256(client.secret) }]),
          },
          serviceBindings: {
            FILES_CREATOR:
              filesCreatorPort === undefined
                ? async (request: Request) => {
                    const bytes = Buffer.from(await request.arrayBuffer());
                    received.push({
                      fileId: request.headers.get("X-Audit1-File-Id") ?? "",
                      sha256: sha256(bytes),
                    });
                    return Response.json({ records_total: 1 }, { status: 202 });
                  }
                : { external: { address: `127.0.0.1:${filesCreatorPort}`, http: {} } },
          },
          // Webhook receivers are blocked, so that no request of a run leaves the machine.
          outboundService: () => new Response(null, { status: 503 }),
          modulesRoot: path.dirname(module),
          modules: [{ type: "ESModule", path: module }],
          unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
        },
      ],
    } as Parameters<typeof convertV4MiniflareOptions>[0]),
  );
  const { origin } = await miniflare.ready;
  const runtime = children.slice(before).find(({ spawnfile }) => spawnfile.includes("workerd"));
  if (runtime?.pid === undefined) throw new Error("the runtime's process was not seen");
  const port = Number((await miniflare.unsafeGetDirectURL()).port);
  await migrate(miniflare);

  const call = async (method: string, route: string, headers: Record<string, string>, body?: unknown) => {
    const response = await fetch(`http://127.0.0.1:${port}/api/v1${route}`, {
      method,
      headers: { "content-type": "application/json", ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${route}: ${response.status} ${text}`);
    return JSON.parse(text);
  };
  const portal = (method: string, route: string, body?: unknown) =>
    call(method, route, { "x-client-id": client.id, "x-client-secret": client.secret }, body);
  await portal("PUT", "/employers/EMP_FUZZ", { fein: "10-0000001", name: "Fuzz", owners: [OWNER] });
  await portal("PUT", "/employers/EMP_OTHER", { fein: "10-0000002", name: "Other", owners: [] });
  const key = await portal("POST", "/api-keys", { ...OWNER, environment: "production", plan: "enterprise" });

  return {
    port,
    origin,
    pid: runtime.pid,
    inspector: inspected ? new URL(INSPECTED, await miniflare.getInspectorURL()).href : null,
    client,
    apiKey: key.secret,
    received,
    errors,
    portal,
    alive: () => runtime.exitCode === null && runtime.signalCode === null,
    async connections(count) {
      const made: Sender[] = [];
      const fields = { ...OWNER, plan: "enterprise", environment: "production", employer_id: "EMP_FUZZ" };
      const make = async () => {
        const { connection, secret } = await portal("POST", "/connections", fields);
        made.push({ id: connection.id, secret });
      };
      while (made.length < count)
        await Promise.all(Array.from({ length: Math.min(CREATED_AT_A_TIME, count - made.length) }, make));
      return made;
    },
    async list(connectionId) {
      const files = [];
      let cursor: string | null = null;
      do {
        const query = new URLSearchParams({
          connection_id: connectionId,
          limit: "100",
          ...(cursor && { cursor }),
        });
        const page = await call("GET", `/files?${query}`, { authorization: `Bearer ${key.secret}` });
        files.push(...page.files);
        cursor = page.next_cursor;
      } while (cursor !== null);
      return files;
    },
    gates: () =>
      readdirSync(path.join(scratch, "state"), { recursive: true, encoding: "utf8" }).filter((file) =>
        /ConnectionGate.*[0-9a-f]{64}\.sqlite$/.test(file),
      ).length,
    async stop() {
      await miniflare.dispose();
      rmSync(scratch, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
    },
  };
}

async function bundle(out: string): Promise<string> {
  const wrangler = path.join(root, "node_modules/wrangler/bin/wrangler.js");
  await promisify(execFile)(process.execPath, [wrangler, "deploy", "--dry-run", "--outdir", out], {
    cwd: root,
    env: { ...process.env, WRANGLER_SEND_METRICS: "false", CLOUDFLARE_CF_FETCH_ENABLED: "false" },
  });
  return path.join(out, "index.js");
}

async function migrate(miniflare: Miniflare): Promise<void> {
  const db = await miniflare.getD1Database("DB");
  const folder = path.join(root, "migrations");
  for (const file of readdirSync(folder)
    .filter((name) => name.endsWith(".sql"))
    .sort()) {
    const statements = readFileSync(path.join(folder, file), "utf8").split("--> statement-breakpoint");
    await db.batch(statements.map((statement) => db.prepare(statement)));
  }
}

function sha256(data: string | Buffer): string {
  return createHash("sha256").update(data).digest("hex");
}
