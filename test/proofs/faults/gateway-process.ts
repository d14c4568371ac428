/** The gateway under test as a process that can be started on its state, killed with all its children, and started again. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import path from "node:path";
import type { V4QueueConsumerOptions, V4WorkerOptions } from "miniflare";
import { unstable_getMiniflareWorkerOptions as workerOptionsOf } from "wrangler";
import { type ClockSetting, shownAt } from "./clock.ts";
import { CALM, type Orders, type Rates } from "./orders.ts";
import type { ServeAnswer, ServeOrder } from "./serve.ts";

export interface Workspace {
  /** The folder of wrangler.toml and the migrations. */
  root: string;
  /** The bundled Worker. */
  module: string;
  /** Databases, objects and buckets. */
  state: string;
  log: string;
}

const WORKER = "audit1-webhook-gateway";
const START_LIMIT_MS = 60_000;
const CALL_LIMIT_MS = 60_000;
/** A smaller step forwards ends no wait noticeably early. */
const NOTICED_MS = 1_000;

export class GatewayProcess {
  /** Increases with every start. */
  life = 0;
  clock: ClockSetting;
  rates: Rates = CALM;
  /** Spans of time that its clock showed twice. */
  readonly setBack: { from: number; to: number }[] = [];
  /** Called when its clock is set forwards by a second or more. */
  onForwards: () => void = () => undefined;
  /** When it was killed, in real time. */
  readonly killedAt: number[] = [];
  /** Names of the gates, whose alarms are rescheduled when the clock is set. */
  gates: string[] = [];
  readonly #workspace: Workspace;
  readonly #options: V4WorkerOptions;
  readonly #seed: number;
  #child: ChildProcess | null = null;
  #port: number | null = null;

  constructor(
    workspace: Workspace,
    setup: { seed: number; clock: ClockSetting; filesCreatorPort: number; bindings: Record<string, string> },
  ) {
    this.#workspace = workspace;
    this.#seed = setup.seed;
    this.clock = setup.clock;
    this.#options = optionsOf(workspace, setup.filesCreatorPort, setup.clock.speed, setup.bindings);
  }

  /** Null while it is down. */
  get url(): string | null {
    return this.#port === null ? null : `http://127.0.0.1:${this.#port}`;
  }

  now(): number {
    return shownAt(this.clock, Date.now());
  }

  /** Resolves when the gateway responds; with false when it was killed before. */
  async start(): Promise<boolean> {
    this.life++;
    const log = openSync(this.#workspace.log, "a");
    const child = spawn(process.execPath, [path.join(import.meta.dirname, "serve.ts")], {
      cwd: this.#workspace.root,
      detached: true,
      stdio: ["ignore", log, log, "ipc"],
      // Files that a killed runtime leaves there are removed with the run.
      env: { ...process.env, TMPDIR: path.dirname(this.#workspace.log) },
    });
    closeSync(log);
    this.#child = child;
    const orders: Orders = { clock: this.clock, seed: this.#seed + this.life, rates: this.rates };
    const bindings = { ...this.#options.bindings, FAULT_ORDERS: JSON.stringify(orders) };
    const order: ServeOrder = {
      worker: { ...this.#options, bindings },
      state: this.#workspace.state,
      migrations: path.join(this.#workspace.root, "migrations"),
    };
    const answer = await firstAnswer(child, order);
    if (answer === null) return false;
    if (!answer.ready) throw new Error(`the gateway did not start: ${answer.reason}`);
    if (this.#child !== child) return false;
    this.#port = answer.port;
    return true;
  }

  /** Sends SIGKILL to the whole process group. Resolves when its leader has exited. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    this.#port = null;
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    this.killedAt.push(Date.now());
    const gone = new Promise((resolve) => child.once("exit", resolve));
    process.kill(-child.pid, "SIGKILL");
    await gone;
  }

  /** Sets the fault rates and the clock, and reschedules the gates' alarms. */
  async order(change: { rates?: Rates; forwardMs?: number }): Promise<void> {
    const { rates, forwardMs } = change;
    if (rates !== undefined) this.rates = rates;
    if (forwardMs !== undefined) this.#setClock(forwardMs);
    const orders: Orders = { clock: this.clock, seed: this.#seed, rates: this.rates };
    try {
      await this.control("orders", { orders, gates: forwardMs === undefined ? [] : this.gates });
    } finally {
      if ((forwardMs ?? 0) >= NOTICED_MS) this.onForwards();
    }
  }

  #setClock(forwardMs: number): void {
    const from = this.now();
    this.clock = { ...this.clock, offsetMs: this.clock.offsetMs + forwardMs };
    if (forwardMs < 0) this.setBack.push({ from, to: from + forwardMs });
  }

  /** Calls an entry of worker/control.ts. Rejects when the gateway is down. */
  async control<T>(
    entry: string,
    body: { gates?: string[]; orders?: Orders; dueBy?: number } = {},
  ): Promise<T> {
    const response = await fetch(`${this.url}/__faults/${entry}`, {
      method: "POST",
      body: JSON.stringify({ gates: this.gates, ...body }),
      signal: AbortSignal.timeout(CALL_LIMIT_MS),
    });
    if (!response.ok) throw new Error(`${entry} responded ${response.status}: ${await response.text()}`);
    return (await response.json()) as T;
  }
}

/** Null when the process ended before it responded. */
async function firstAnswer(child: ChildProcess, order: ServeOrder): Promise<ServeAnswer | null> {
  const { promise, resolve, reject } = Promise.withResolvers<ServeAnswer | null>();
  child.once("message", (answer: ServeAnswer) => resolve(answer));
  child.once("exit", () => resolve(null));
  child.once("error", reject);
  const limit = setTimeout(() => reject(new Error("the gateway did not start in time")), START_LIMIT_MS);
  child.send(order, () => undefined);
  return promise.finally(() => clearTimeout(limit));
}

/** The configuration of wrangler.toml, but with an external files-creator and queues that wait in real time. */
function optionsOf(
  { root, module }: Workspace,
  filesCreatorPort: number,
  speed: number,
  bindings: Record<string, string>,
): V4WorkerOptions {
  const { workerOptions } = workerOptionsOf(path.join(root, "wrangler.toml"));
  const { modulesRules: _rules, queueConsumers, ...options } = workerOptions;
  const consumers = Object.entries(queueConsumers as Record<string, V4QueueConsumerOptions>);
  return {
    ...options,
    name: WORKER,
    queueConsumers: Object.fromEntries(
      consumers.map(([queue, settings]) => [
        queue,
        { ...settings, retryDelay: Math.ceil((settings.retryDelay ?? 0) / speed) },
      ]),
    ),
    bindings: { ...(options.bindings as Record<string, string>), ...bindings },
    serviceBindings: {
      FILES_CREATOR: { external: { address: `127.0.0.1:${filesCreatorPort}`, http: {} } },
    },
    modulesRoot: path.dirname(module),
    modules: [{ type: "ESModule", path: module }],
    unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
  };
}
