/**
 * `npm start`: the whole gateway on this machine, nothing to install or configure, followed by a walkthrough.
 * PORT chooses the port (8787); the files-creator stand-in takes the next one. HOST chooses the address that both listen
 * at (127.0.0.1). Stops on Ctrl-C and SIGTERM.
 */

import { readFileSync } from "node:fs";
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
import { settingProblems } from "./setting-problems.ts";
import { shown, workspace } from "./workspace.ts";

/** Workers that do not live longer than this are not started again. */
const SHORTEST_LIFE_MS = 3_000;
/** What was logged is in the file by then. */
const LOG_DELAY_MS = 200;

/** Stops what has been started so far. */
let stopServing = async (): Promise<void> => undefined;

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Resolves on the first signal to stop. A second one ends the process the hard way. */
function stopAsked(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => resolve());
  });
}

/** Serves until told to stop, or until something fails. */
async function start(): Promise<number> {
  const port = readPort(process.env.PORT);
  const host = readHost(process.env.HOST);
  const running = currentRun();
  if (running !== null) {
    throw new Problem(
      `A gateway is running on this folder already: http://127.0.0.1:${running.port} (process ${running.pid}).`,
    );
  }
  await requireFreePorts(host, port);
  await Promise.race([serveAndShow(host, port), stopAsked()]);
  say("\nStopping.");
  await stopServing();
  return 0;
}

async function serveAndShow(host: string, port: number): Promise<never> {
  const { secrets, made } = ensureSecrets();
  const files = [workspace.gatewayVars, workspace.filesCreatorVars].map(shown).join(", ");
  if (made) say(`✓ Development secrets made (${files})`);
  await applyMigrations();
  say("✓ Database migrations applied");

  const urls = { base_url: baseUrl(host, port), files_creator_url: baseUrl(host, port + 1) };
  const first = await serveWorkers(host, port);
  say(`✓ Gateway on ${urls.base_url}, files-creator stand-in on ${urls.files_creator_url}`);
  for (const problem of await problemsWithSettings(urls.base_url))
    say(`! A setting cannot be used: ${problem}`);
  const clock = startMinuteClock(urls.base_url, (problem) => {
    say(problem === null ? "  The minute cron works again" : `! The minute cron failed: ${problem}`);
  });
  const serving = keepServing(host, port, first, clock);
  const show = async () => {
    const gateway = new GatewayClient(urls.base_url, secrets.portal);
    const given = await setUpDemo(gateway, secrets, urls, say);
    const { demo, fileId } = await runExample(gateway, given, say);
    say(guide(demo, fileId));
  };
  await Promise.race([show(), serving]);
  return serving;
}

/** The gateway reads its settings with its first request. */
async function problemsWithSettings(baseUrl: string): Promise<string[]> {
  await fetch(`${baseUrl}/health`);
  await new Promise((resolve) => setTimeout(resolve, LOG_DELAY_MS));
  return settingProblems(readFileSync(workspace.gatewayLog, "utf8"));
}

/** Starts the Workers again whenever they end by themselves, unless that keeps happening. */
async function keepServing(
  host: string,
  port: number,
  first: ServedWorkers,
  clock: { stop(): void },
): Promise<never> {
  let workers = first;
  let startedAt = Date.now();
  for (;;) {
    const { stop } = workers;
    stopServing = () => {
      clock.stop();
      return stop();
    };
    await workers.died;
    if (Date.now() - startedAt < SHORTEST_LIFE_MS) {
      throw new Problem(`The Workers ended by themselves soon after their start:\n${runnerLogTail()}`);
    }
    say("! The Workers ended by themselves: starting them again");
    await requireFreePorts(host, port);
    workers = await serveWorkers(host, port);
    startedAt = Date.now();
    say("✓ The Workers serve again");
  }
}

// Ending this process ends what it started: the Workers' process goes when its parent is gone.
await runCommand(start);
process.exit();
