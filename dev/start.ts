/**
 * `npm start`: the whole gateway on this machine, nothing to install or configure, followed by a walkthrough.
 * `npm run dev`: the same, started again whenever its sources change. Its data stays.
 * PORT chooses the port (8787); the files-creator stand-in takes the next one. HOST chooses the address that both listen
 * at (127.0.0.1). Stops on Ctrl-C and SIGTERM.
 */

import { readFileSync } from "node:fs";
import { setScenes } from "./demo-scenes.ts";
import { setUpDemo } from "./demo-setup.ts";
import { runExample } from "./example-run.ts";
import { GatewayClient } from "./gateway-client.ts";
import { guide } from "./guide.ts";
import { startMinuteClock } from "./minute-clock.ts";
import { Problem, runCommand } from "./problem.ts";
import {
  applyMigrations,
  baseUrl,
  readHost,
  readPort,
  requireFreePorts,
  runnerLogTail,
  type ServedWorkers,
  serveWorkers,
} from "./processes.ts";
import { currentRun } from "./run-record.ts";
import { ensureSecrets } from "./secrets.ts";
import { type SourceChanges, WATCHED, watchSources } from "./source-changes.ts";
import { settingProblems } from "./worker-log.ts";
import { shown, workspace } from "./workspace.ts";

/** Workers that end sooner than this after their start are not started again. */
const SHORTEST_LIFE_MS = 3_000;
const SCENES_SET =
  "✓ The console has more to show: other connections, webhooks, events and requests that were refused";
/** The log is written to its file with a delay shorter than this. */
const LOG_DELAY_MS = 200;

/** Where to listen, and the sources to watch; null for `npm start`, which watches none. */
interface Place {
  host: string;
  port: number;
  changes: SourceChanges | null;
}

/** Stops everything that is running. */
let stopServing = async (): Promise<void> => undefined;

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Resolves on the first signal to stop. A second signal kills the process. */
function stopRequested(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => resolve());
  });
}

/** Serves until a signal to stop, or until something fails. */
async function start(): Promise<number> {
  const port = readPort(process.env.PORT);
  const host = readHost(process.env.HOST);
  const running = currentRun();
  if (running !== null) {
    throw new Problem(
      `A gateway is already running in this folder: http://127.0.0.1:${running.port} (process ${running.pid}).`,
    );
  }
  await requireFreePorts(host, port);
  const changes = process.argv.includes("--watch") ? watchSources() : null;
  await Promise.race([serveAndShow({ host, port, changes }), stopRequested()]);
  say("\nStopping.");
  await stopServing();
  return 0;
}

async function serveAndShow(place: Place): Promise<never> {
  const { host, port, changes } = place;
  const { secrets, made } = ensureSecrets();
  const files = [workspace.gatewayVars, workspace.filesCreatorVars].map(shown).join(", ");
  if (made) say(`✓ Development secrets created (${files})`);
  const first = await serveSources(place);
  say("✓ Database migrations applied");

  const urls = { base_url: baseUrl(host, port), files_creator_url: baseUrl(host, port + 1) };
  say(`✓ Gateway on ${urls.base_url}, files-creator stand-in on ${urls.files_creator_url}`);
  for (const problem of await problemsWithSettings(urls.base_url))
    say(`! A setting cannot be used: ${problem}`);
  const clock = startMinuteClock(urls.base_url, (problem) => {
    say(problem === null ? "  The minute cron works again" : `! The minute cron failed: ${problem}`);
  });
  const serving = keepServing(place, first, clock);
  const show = async () => {
    const gateway = new GatewayClient(urls.base_url, secrets.portal);
    const { demo: given, isNew } = await setUpDemo(gateway, secrets, urls, say);
    const { demo, fileId } = await runExample(gateway, given, say);
    say(guide(demo, fileId));
    if (isNew) await setScenes(demo).then(() => say(SCENES_SET), sayProblem);
    if (changes !== null) say(`Watching ${WATCHED.join(", ")} for changes.`);
  };
  // While sources change, the walkthrough may reach a gateway that is just restarting.
  const walkthrough = changes === null ? show() : show().catch(sayProblem);
  await Promise.race([walkthrough, serving]);
  return serving;
}

/** The gateway reads its settings with its first request. */
async function problemsWithSettings(baseUrl: string): Promise<string[]> {
  await fetch(`${baseUrl}/health`);
  await new Promise((resolve) => setTimeout(resolve, LOG_DELAY_MS));
  return settingProblems(readFileSync(workspace.gatewayLog, "utf8"));
}

/** Applies the migrations and starts the Workers. With watched sources, a failure waits for the next change. */
async function serveSources({ host, port, changes }: Place): Promise<ServedWorkers> {
  for (;;) {
    try {
      await applyMigrations();
      await requireFreePorts(host, port);
      return await serveWorkers(host, port);
    } catch (error) {
      if (changes === null) throw error;
      say(`! ${messageOf(error)}\n  Waiting for the next change.`);
      await changes.next();
    }
  }
}

/** Starts the Workers again when their sources change, and when they end by themselves, unless that keeps happening. */
async function keepServing(place: Place, first: ServedWorkers, clock: { stop(): void }): Promise<never> {
  const { changes } = place;
  let workers = first;
  let startedAt = Date.now();
  for (;;) {
    const { died, stop } = workers;
    stopServing = () => {
      clock.stop();
      return stop();
    };
    const changed = await Promise.race([
      died.then(() => null),
      ...(changes === null ? [] : [changes.next()]),
    ]);
    if (changed !== null) {
      say(`  ${changed.join(", ")} changed: starting the Workers again`);
      await stop();
    } else if (Date.now() - startedAt < SHORTEST_LIFE_MS) {
      throw new Problem(`The Workers ended by themselves soon after their start:\n${runnerLogTail()}`);
    } else say("! The Workers ended by themselves: starting them again");
    workers = await serveSources(place);
    startedAt = Date.now();
    say("✓ The Workers are running again");
  }
}

function sayProblem(error: unknown): void {
  say(`! ${messageOf(error)}`);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

// Ending this process also ends the Workers' process, which stops when its parent is gone.
await runCommand(start);
process.exit();
