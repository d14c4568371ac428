/** Workers in their own runtime: bundled as for a deployment, bound as in their wrangler.toml, without a proxy. */
import { type ChildProcess, execFile } from "node:child_process";
import { subscribe } from "node:diagnostics_channel";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { convertV4MiniflareOptions, Miniflare, NoOpLog } from "miniflare";

// Set before wrangler is loaded, which would warn about secrets that are provided here in another way.
process.env.WRANGLER_LOG = "none";
const { unstable_getMiniflareWorkerOptions: workerOptionsOf } = await import("wrangler");

export const root = path.resolve(import.meta.dirname, "../../..");
const scratch = path.join(root, ".dev/bench");

/** Files of a bundled Worker, the main module first. */
export type Modules = [main: string, ...others: string[]];

export interface WorkerSource {
  /** Its wrangler.toml, from the project's root. */
  config: string;
  /** Variables and secrets beside those of its wrangler.toml. */
  bindings?: Record<string, string>;
  /** Parts of its wrangler.toml that are left out. */
  without?: ("queueConsumers" | "serviceBindings")[];
  /** Service bindings that lead to another process: the port there, on loopback. */
  elsewhere?: Record<string, number>;
  /** The port to serve on; a free one by default. */
  port?: number;
  modules: Modules;
}

export interface Server {
  port: number;
  /** User and system seconds of the serving process so far; null when the system does not provide them. */
  cpuSeconds(): number | null;
  stop(): Promise<void>;
}

export interface Runtime extends Server {
  miniflare: Miniflare;
}

const children: ChildProcess[] = [];
subscribe("child_process", (message) => {
  children.push((message as { process: ChildProcess }).process);
});

/** An empty folder for a server's state. */
export function freshState(name: string): string {
  const folder = path.join(scratch, "state", name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** Bundles with `wrangler deploy --dry-run`, as the checkout that holds the Worker does. */
export async function bundle(config: string, checkout = root): Promise<Modules> {
  const file = path.resolve(checkout, config);
  const name = `${checkout === root ? "" : "against-"}${path.basename(path.dirname(file))}`;
  const out = path.join(scratch, "bundles", name);
  const wrangler = path.join(checkout, "node_modules/wrangler/bin/wrangler.js");
  await promisify(execFile)(
    process.execPath,
    [wrangler, "deploy", "--dry-run", "-c", config, "--outdir", out],
    {
      cwd: checkout,
      env: { ...process.env, WRANGLER_SEND_METRICS: "false", CLOUDFLARE_CF_FETCH_ENABLED: "false" },
    },
  );
  return [path.join(out, `${path.basename(fieldOf(file, "main"), ".ts")}.js`)];
}

/**
 * The same Worker with a console that drops its log lines, because printing them in the local runtime costs time. Errors are
 * printed.
 */
export function withoutPrinting([main, ...others]: Modules): Modules {
  const quiet = path.join(path.dirname(main), "without-printing.js");
  const original = JSON.stringify(`./${path.basename(main)}`);
  writeFileSync(
    quiet,
    `console.log = () => undefined;\nexport * from ${original};\nexport { default } from ${original};\n`,
  );
  return [quiet, main, ...others];
}

/** Serves each Worker on its own port, without a proxy in front and without state from an earlier start. */
export async function startWorkers(
  name: string,
  workers: WorkerSource[],
  { inspected = false } = {},
): Promise<Runtime> {
  const before = children.length;
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      host: "127.0.0.1",
      port: 0,
      cf: false,
      log: new NoOpLog(),
      handleStructuredLogs: ({ level, message }) => {
        if (level === "error") console.error(`${name}: ${message}`);
      },
      resourcePersistencePath: freshState(name),
      telemetry: { enabled: false },
      ...(inspected && { inspectorPort: 0 }),
      workers: workers.map(({ config, bindings, without = [], elsewhere = {}, port = 0, modules }) => {
        const { workerOptions } = workerOptionsOf(path.resolve(root, config));
        const { modulesRules, ...options } = workerOptions;
        for (const part of without) delete options[part];
        for (const [binding, at] of Object.entries(elsewhere))
          options.serviceBindings = {
            ...(options.serviceBindings as Record<string, unknown> | undefined),
            [binding]: { external: { address: `127.0.0.1:${at}`, http: {} } },
          };
        return {
          ...options,
          name: fieldOf(config, "name"),
          bindings: { ...(options.bindings as Record<string, string> | undefined), ...bindings },
          modulesRoot: path.dirname(modules[0]),
          modules: [
            ...modules.map((file) => ({ type: "ESModule" as const, path: file })),
            ...dataModules(path.dirname(modules[0])),
          ],
          unsafeDirectSockets: [{ host: "127.0.0.1", port }],
        };
      }),
    }),
  );
  await miniflare.ready;
  const child = children.slice(before).find(({ spawnfile }) => spawnfile.includes("workerd"));
  return {
    miniflare,
    port: await portOf(miniflare),
    cpuSeconds: () => cpuSecondsOf(child?.pid),
    stop: () => miniflare.dispose(),
  };
}

/** Data modules that wrangler puts beside the main module, under hashed names: a checkout compared against may have them. */
function dataModules(folder: string): { type: "Data"; path: string }[] {
  return readdirSync(folder)
    .filter((name) => /^[0-9a-f]{40}-/.test(name))
    .map((name) => ({ type: "Data", path: path.join(folder, name) }));
}

/** The port of a Worker; of the first without a name. */
export async function portOf(miniflare: Miniflare, worker?: string): Promise<number> {
  return Number((await miniflare.unsafeGetDirectURL(worker)).port);
}

/** A text at the top level of a wrangler.toml. */
function fieldOf(config: string, field: "name" | "main"): string {
  const text = readFileSync(path.resolve(root, config), "utf8");
  const value = new RegExp(`^${field} = "(.+)"$`, "m").exec(text)?.[1];
  if (value === undefined) throw new Error(`${config} has no ${field}`);
  return value;
}

/** `proc(5)`: utime and stime are the 14th and 15th field, in ticks of which Linux counts a hundred a second. */
export function cpuSecondsOf(pid: number | undefined): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return null;
  }
}
