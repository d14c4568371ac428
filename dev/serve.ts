/**
 * Serves both Workers from one process until its parent tells it to stop, or dies.
 * processes.ts starts it as the leader of its own process group, to which the runtimes belong.
 * Wrangler watches nothing: `npm run dev` starts the whole process again (source-changes.ts).
 */

import type { ChildProcess } from "node:child_process";
import { subscribe } from "node:diagnostics_channel";
import { createWriteStream, renameSync, statSync, type WriteStream, writeSync } from "node:fs";
import { unstable_DevEnv as DevEnv } from "wrangler";
import { type LogEntry, logLine } from "./worker-log.ts";
import { workspace } from "./workspace.ts";

export type ServeMessage = { type: "ready" } | { type: "failed"; message: string };

const LARGEST_LOG_BYTES = 20 * 1024 ** 2;

/** Kills this process and the runtimes. */
function endAll(): void {
  process.kill(-process.pid, "SIGKILL");
}

// Without the parent, nobody else stops the runtimes.
process.on("disconnect", endAll);

// Wrangler restarts a runtime that crashed, but the two Workers may no longer find each other. So the parent restarts both
// instead.
subscribe("child_process", (message) => {
  const { process: child } = message as { process: ChildProcess };
  child.once("exit", (code, signal) => {
    if (child.killed || !child.spawnfile.includes("workerd")) return;
    writeSync(process.stderr.fd, `A runtime ended by itself (${signal ?? code}).\n`);
    endAll();
  });
});

const port = Number(process.argv[2]);
const host = process.argv[3] ?? "127.0.0.1";

async function serve(): Promise<void> {
  const gatewayLog = openLog(workspace.gatewayLog);
  const filesCreatorLog = openLog(workspace.filesCreatorLog);
  // The parent kills the runtimes, which survive it without harm. Only the logs must be written to their end first.
  process.once("message", () => {
    gatewayLog.end(() => filesCreatorLog.end(() => process.exit(0)));
  });
  await Promise.all([
    startServing(workspace.gatewayConfig, workspace.gatewayState, port, gatewayLog),
    startServing(workspace.filesCreatorConfig, workspace.filesCreatorState, port + 1, filesCreatorLog),
  ]);
  tell({ type: "ready" });
}

async function startServing(
  config: string,
  persist: string,
  atPort: number,
  log: WriteStream,
): Promise<void> {
  const devEnv = new DevEnv();
  const started = devEnv.startWorker({
    config,
    dev: {
      persist,
      registry: workspace.registry,
      server: { hostname: host, port: atPort },
      watch: false,
      inspector: false,
      logLevel: "error",
      structuredLogsHandler: (entry: LogEntry) => {
        if (log.writable) log.write(logLine(entry));
      },
    },
  });
  await Promise.all([loaded(devEnv), started.then((worker) => worker.ready)]);
}

/** Resolves when the runtime has loaded the Worker's code. A Worker's `ready` only says that its port is open. */
function loaded(devEnv: DevEnv): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (event: Error | { reason: string; cause: unknown }) =>
      reject(event instanceof Error ? event : new Error(event.reason, { cause: event.cause }));
    devEnv.once("reloadComplete", () => resolve());
    devEnv.once("buildFailed", fail);
    devEnv.once("error", fail);
  });
}

function openLog(file: string): WriteStream {
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  if (size > LARGEST_LOG_BYTES) renameSync(file, `${file}.1`);
  return createWriteStream(file, { flags: "a", mode: 0o600 });
}

function tell(message: ServeMessage): void {
  process.send?.(message);
}

serve().catch((error: unknown) => {
  console.error(error);
  const { message, cause } = error instanceof Error ? error : { message: String(error), cause: undefined };
  tell({ type: "failed", message: cause === undefined ? message : `${message}\n${String(cause)}` });
});
