/** Applies the migrations, and starts and stops the process that serves the Workers. */

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, rmSync } from "node:fs";
import { createServer, isIP } from "node:net";
import path from "node:path";
import { promisify } from "node:util";
import { Problem } from "./problem.ts";
import { endGroup, forgetRun, recordRun } from "./run-record.ts";
import type { ServeMessage } from "./serve.ts";
import { shown, workspace } from "./workspace.ts";

export interface ServedWorkers {
  /** Resolves when the process ends by itself. */
  died: Promise<void>;
  stop(): Promise<void>;
}

const LOOPBACK = "127.0.0.1";
const HIGHEST_PORT = 65_534;
const START_LIMIT_MS = 120_000;
const STOP_LIMIT_MS = 5_000;
/** The sockets of a run that was just killed take a moment to close. */
const PORT_WAIT_MS = 3_000;
const PORT_POLL_MS = 100;
const LOG_TAIL_LINES = 30;

/** No telemetry, no lookups on the network, no recording of every request, and nothing written outside the project. */
const ENVIRONMENT = {
  ...process.env,
  CLOUDFLARE_CF_FETCH_ENABLED: "false",
  WRANGLER_SEND_METRICS: "false",
  X_LOCAL_OBSERVABILITY: "false",
  WRANGLER_LOG_PATH: workspace.toolLogs,
};

export function readPort(text: string | undefined): number {
  const port = text === undefined || text === "" ? 8787 : Number(text);
  if (Number.isInteger(port) && port >= 1 && port <= HIGHEST_PORT) return port;
  throw new Problem(`PORT must be a number from 1 to ${HIGHEST_PORT}, not "${text}".`);
}

/** A container is reached from outside at 0.0.0.0 only. Names are rejected: some shells set HOST to the machine's name. */
export function readHost(text: string | undefined): string {
  const host = text === undefined || text === "" ? LOOPBACK : text;
  if (isIP(host) !== 0) return host;
  if (host === "localhost") return LOOPBACK;
  throw new Problem(`HOST must be an address to listen on, such as 0.0.0.0 or ::1, not "${text}".`);
}

/** The address at which this machine reaches a server that listens on `host`. */
export function baseUrl(host: string, port: number): string {
  const at = host === "0.0.0.0" || host === "::" ? LOOPBACK : host;
  return `http://${isIP(at) === 6 ? `[${at}]` : at}:${port}`;
}

export async function requireFreePorts(host: string, port: number): Promise<void> {
  const deadline = Date.now() + PORT_WAIT_MS;
  for (const wanted of [port, port + 1]) {
    while (!(await isFree(host, wanted))) {
      if (Date.now() > deadline) {
        throw new Problem(
          `Port ${wanted} is in use by another program. Stop it, or choose another port: PORT=9000 npm start\n` +
            `(two consecutive ports are needed: one for the gateway, the next for the files-creator stand-in)`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, PORT_POLL_MS));
    }
  }
}

export async function applyMigrations(): Promise<void> {
  rmSync(workspace.toolLogs, { recursive: true, force: true });
  const wrangler = path.join(workspace.root, "node_modules/wrangler/bin/wrangler.js");
  const args = ["d1", "migrations", "apply", "DB", "--local", "--persist-to", workspace.gatewayState];
  try {
    await promisify(execFile)(process.execPath, [wrangler, ...args], {
      cwd: workspace.root,
      env: { ...ENVIRONMENT, CI: "true" },
    });
  } catch (error) {
    const output =
      error instanceof Error && "stdout" in error && "stderr" in error
        ? [error.stdout, error.stderr]
        : [error];
    throw new Problem(`Could not apply the database migrations:\n${output.join("\n").trim()}`);
  }
}

/** Serves the gateway on `port` of `host` and the stand-in on the next one; resolves when both answer. */
export async function serveWorkers(host: string, port: number): Promise<ServedWorkers> {
  rmSync(workspace.registry, { recursive: true, force: true });
  mkdirSync(workspace.registry, { recursive: true });
  const log = openSync(workspace.runnerLog, "w", 0o600);
  const child = spawn(process.execPath, [path.join(import.meta.dirname, "serve.ts"), String(port), host], {
    cwd: workspace.root,
    env: ENVIRONMENT,
    detached: true,
    stdio: ["ignore", log, log, "ipc"],
  });
  closeSync(log);
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  if (child.pid === undefined) throw new Problem("Could not start the process that serves the Workers.");
  const group = child.pid;
  recordRun({ pid: process.pid, group, port });
  const end = () => {
    endGroup(group);
    forgetRun();
  };
  try {
    await firstAnswer(child, exited);
  } catch (error) {
    end();
    throw error;
  }
  let stopping = false;
  return {
    died: exited.then(() => {
      if (stopping) return new Promise<never>(() => undefined);
      end();
      return undefined;
    }),
    async stop() {
      stopping = true;
      if (child.connected) child.send("stop");
      const limit = AbortSignal.timeout(STOP_LIMIT_MS);
      await Promise.race([exited, new Promise((resolve) => limit.addEventListener("abort", resolve))]);
      end();
    },
  };
}

/** The last lines that the serving process wrote, which say why it ended. */
export function runnerLogTail(): string {
  return readFileSync(workspace.runnerLog, "utf8").trim().split("\n").slice(-LOG_TAIL_LINES).join("\n");
}

async function firstAnswer(child: ChildProcess, exited: Promise<void>): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const limit = setTimeout(() => reject(new Problem("The Workers did not start in time.")), START_LIMIT_MS);
  child.once("message", (message: ServeMessage) => {
    if (message.type === "ready") resolve();
    else
      reject(
        new Problem(
          `Could not start the Workers (more in ${shown(workspace.runnerLog)}):\n${message.message}`,
        ),
      );
  });
  void exited.then(() => reject(new Problem(`Could not start the Workers:\n${runnerLogTail()}`)));
  await promise.finally(() => clearTimeout(limit));
}

function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen({ port, host, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}
