/** One run: build, storm, drain, judgement. Everything it starts has ended and everything it wrote is gone afterwards. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { bundle, type Edit } from "./build.ts";
import { Chance, pause } from "./chance.ts";
import { Chaos } from "./chaos.ts";
import { type Drained, drain } from "./drain.ts";
import { FilesCreator } from "./files-creator.ts";
import { GatewayProcess } from "./gateway-process.ts";
import { type Finding, judge } from "./invariants.ts";
import { type AtRest, type InboxReport, ROUGH } from "./orders.ts";
import { ProgressReports } from "./progress-reports.ts";
import { SendingRecord } from "./record.ts";
import type { Connection } from "./reports.ts";
import { Sender } from "./senders.ts";
import { bindings, PORTAL_HEADERS, setUp } from "./setup.ts";

export interface TrialPlan {
  seed: number;
  /** How long senders send and things break, ms. Building, draining and judging come on top. */
  stormMs: number;
  connections: number;
  /** The pause of an ordinary sender between two reports, ms, on average. */
  thinkMs: number;
  killEveryMs: [number, number];
  leastKills: number;
  leastAccepted: number;
  edits?: readonly Edit[];
}

export interface Trial {
  findings: Finding[];
  record: SendingRecord;
  kills: number;
  files: number;
  drained: Drained;
  /** Of the gateway's clock, from first to last. */
  clockMs: number;
  /** What was done to whom, and how often. */
  faults: { gateway: Map<string, number>; chaos: Map<string, number>; filesCreator: Map<string, number> };
  /** Where everything is kept when an invariant broke. */
  folder: string | null;
}

/** Six minutes of the gateway's clock in one of ours: its backoffs, leases and windows pass within the run. */
const SPEED = 6;
const SENDERS_PER_CONNECTION = 2;
/** The connection that is sent more than its plan allows. */
const FLOODING_SENDERS = 6;
const FLOODING_THINK_MS = 5;
const COUNT_EVERY_MS = 500;

export async function runTrial(plan: TrialPlan): Promise<Trial> {
  const folder = mkdtempSync(path.join(tmpdir(), "gateway-faults-"));
  const chance = new Chance(plan.seed);
  const over = new AbortController();
  let gateway: GatewayProcess | null = null;
  const progress = new ProgressReports(chance.fork(), () => gateway?.url ?? null, PORTAL_HEADERS);
  const filesCreator = new FilesCreator(chance.fork(), progress);
  let clean = false;
  // Whoever interrupts the run leaves nothing behind.
  const interrupted = () => {
    const removed = () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    void Promise.resolve(gateway?.kill()).finally(() => {
      removed();
      process.exit(130);
    });
  };
  process.once("SIGINT", interrupted).once("SIGTERM", interrupted);
  try {
    const { root, module } = await bundle(folder, plan.edits ?? []);
    gateway = new GatewayProcess(
      { root, module, state: path.join(folder, "state"), log: path.join(folder, "gateway.log") },
      {
        seed: plan.seed,
        clock: { epochMs: Date.now(), speed: SPEED, offsetMs: 0 },
        filesCreatorPort: await filesCreator.listen(),
        bindings: bindings(chance.fork()),
      },
    );
    const trial = await storm(gateway, filesCreator, plan, chance, over);
    clean = trial.findings.every(({ broken }) => broken.length === 0);
    return { ...trial, folder: clean ? null : folder };
  } finally {
    over.abort();
    process.off("SIGINT", interrupted).off("SIGTERM", interrupted);
    await gateway?.kill();
    await filesCreator.close();
    if (clean || plan.edits !== undefined) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function storm(
  gateway: GatewayProcess,
  filesCreator: FilesCreator,
  plan: TrialPlan,
  chance: Chance,
  over: AbortController,
): Promise<Omit<Trial, "folder">> {
  const startedAt = gateway.now();
  if (!(await gateway.start())) throw new Error("the gateway ended while it started");
  const connections = await setUp(gateway, plan.connections);
  const record = new SendingRecord();
  const chaos = new Chaos(gateway, filesCreator, record, chance.fork(), over.signal);
  const gatewayFaults = new Map<string, number>();
  await gateway.order({ rates: ROUGH });

  const ended = [
    ...senders(connections, gateway, record, plan.thinkMs, chance, over.signal),
    chaos.rage({ killEveryMs: plan.killEveryMs }),
    count(gateway, gatewayFaults, over.signal),
  ];
  await Promise.race([pause(plan.stormMs), Promise.all(ended)]);
  over.abort();
  await Promise.all(ended);

  const drained = await drain(gateway, filesCreator, PORTAL_HEADERS);
  const inboxes = await gateway.control<InboxReport[]>("inboxes");
  const atRest = await gateway.control<AtRest[]>("at-rest");
  const findings = judge({
    kills: chaos.kills,
    least: { kills: plan.leastKills, accepted: plan.leastAccepted },
    connections,
    record,
    stored: [...filesCreator.stored.values()],
    otherBytes: filesCreator.otherBytes,
    reportedCompleted: [...filesCreator.reports.taken.values()],
    reportsUnknown: filesCreator.reports.unknown,
    inboxes,
    atRest,
    drained,
  });
  return {
    findings,
    record,
    kills: chaos.kills,
    files: filesCreator.stored.size,
    drained,
    clockMs: gateway.now() - startedAt,
    faults: { gateway: gatewayFaults, chaos: chaos.counts, filesCreator: filesCreator.counts },
  };
}

function senders(
  connections: Connection[],
  gateway: GatewayProcess,
  record: SendingRecord,
  thinkMs: number,
  chance: Chance,
  stopped: AbortSignal,
): Promise<void>[] {
  return connections.flatMap((connection, c) => {
    const flooding = connection.plan === "sandbox";
    return Array.from({ length: flooding ? FLOODING_SENDERS : SENDERS_PER_CONNECTION }, (_, s) =>
      new Sender(`c${c}s${s}`, connection, gateway, record, chance.fork(), stopped).run(
        flooding ? FLOODING_THINK_MS : thinkMs,
        flooding,
      ),
    );
  });
}

/** Each life of the gateway counts for itself; what it did in its last moments is lost with it. */
async function count(
  gateway: GatewayProcess,
  totals: Map<string, number>,
  stopped: AbortSignal,
): Promise<void> {
  let seen: Record<string, number> = {};
  let life = gateway.life;
  while (!stopped.aborted) {
    await pause(COUNT_EVERY_MS);
    try {
      const counts = await gateway.control<Record<string, number>>("counts", { gates: [] });
      if (gateway.life !== life) [seen, life] = [{}, gateway.life];
      for (const [name, n] of Object.entries(counts))
        totals.set(name, (totals.get(name) ?? 0) + n - (seen[name] ?? 0));
      seen = counts;
    } catch {
      // It was killed just now.
    }
  }
}
