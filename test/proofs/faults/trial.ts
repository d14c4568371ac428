/** One run: build, storm, drain, check. Afterwards every process has ended and every file is removed. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { bundle, type Edit } from "./build.ts";
import { Chance, pause } from "./chance.ts";
import { Chaos } from "./chaos.ts";
import { archive, type Drained, drain } from "./drain.ts";
import { EventRecord } from "./event-record.ts";
import { FilesCreator } from "./files-creator.ts";
import { GatewayProcess } from "./gateway-process.ts";
import { type Finding, judge } from "./invariants.ts";
import {
  type AtRest,
  CALM,
  type CountsAtEnd,
  type DeliveryAtEnd,
  type InboxReport,
  ROUGH,
} from "./orders.ts";
import { readAtEnd } from "./outbound-evidence.ts";
import { ProgressReports } from "./progress-reports.ts";
import { Receivers } from "./receivers.ts";
import { SendingRecord } from "./record.ts";
import type { Connection } from "./reports.ts";
import { age, FIRST_WAITS, LATER_WAITS, type RunOut, runOut } from "./retries.ts";
import { bindings, PORTAL_HEADERS, setUp, setUpWebhooks } from "./setup.ts";
import { senders, services } from "./traffic.ts";

export interface TrialPlan {
  seed: number;
  /** How long traffic and faults last, ms. Building, draining and checking come in addition. */
  stormMs: number;
  connections: number;
  /** The average pause of an ordinary sender between two reports, ms. */
  thinkMs: number;
  killEveryMs: [number, number];
  leastKills: number;
  leastAccepted: number;
  /** The average pause of a service between two requests, ms. */
  tellMs: number;
  leastDelivered: number;
  edits?: readonly Edit[];
}

export interface Trial {
  findings: Finding[];
  record: SendingRecord;
  kills: number;
  files: number;
  drained: Drained;
  events: EventRecord;
  deliveries: DeliveryAtEnd[];
  receptions: number;
  runOut: RunOut;
  /** The duration of the run in the gateway's time. */
  clockMs: number;
  /** How often each fault happened. */
  faults: {
    gateway: Map<string, number>;
    chaos: Map<string, number>;
    filesCreator: Map<string, number>;
    receivers: Map<string, number>;
  };
  /** The folder that is kept when an invariant broke. */
  folder: string | null;
}

/** Six minutes of the gateway's clock pass per real minute, so that backoffs, leases and windows pass within the run. */
const SPEED = 6;
const COUNT_EVERY_MS = 500;
/** Longer than it takes an isolate to hand over what it collected, in real time. */
const HANDED_OVER_MS = 3_000;

export async function runTrial(plan: TrialPlan): Promise<Trial> {
  const folder = mkdtempSync(path.join(tmpdir(), "gateway-faults-"));
  const chance = new Chance(plan.seed);
  const over = new AbortController();
  let gateway: GatewayProcess | null = null;
  const progress = new ProgressReports(chance.fork(), () => gateway?.url ?? null, PORTAL_HEADERS);
  const filesCreator = new FilesCreator(chance.fork(), progress);
  const receivers = new Receivers(chance.fork());
  let clean = false;
  // An interrupted run leaves nothing behind.
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
    await receivers.listen();
    gateway.onForwards = () => receivers.inFlight.clockWentForwards();
    const trial = await storm(gateway, { filesCreator, receivers }, plan, chance, over);
    clean = trial.findings.every(({ broken }) => broken.length === 0);
    return { ...trial, folder: clean ? null : folder };
  } finally {
    over.abort();
    process.off("SIGINT", interrupted).off("SIGTERM", interrupted);
    await gateway?.kill();
    await Promise.all([filesCreator.close(), receivers.close()]);
    if (clean || plan.edits !== undefined) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function storm(
  gateway: GatewayProcess,
  others: { filesCreator: FilesCreator; receivers: Receivers },
  plan: TrialPlan,
  chance: Chance,
  over: AbortController,
): Promise<Omit<Trial, "folder">> {
  const { filesCreator, receivers } = others;
  const startedAt = gateway.now();
  if (!(await gateway.start())) throw new Error("the gateway ended while it started");
  const connections = await setUp(gateway, plan.connections);
  const endpoints = await setUpWebhooks(gateway, receivers);
  const record = new SendingRecord();
  const events = new EventRecord();
  const chaos = new Chaos(gateway, others, record, chance.fork(), over.signal);
  const gatewayFaults = new Map<string, number>();
  await gateway.order({ rates: ROUGH });

  const ended = [
    ...senders(connections, gateway, record, plan.thinkMs, chance, over.signal),
    ...services(gateway, events, plan.tellMs, chance, over.signal),
    chaos.rage({ killEveryMs: plan.killEveryMs }),
    count(gateway, gatewayFaults, over.signal),
  ];
  await Promise.race([pause(plan.stormMs), Promise.all(ended)]);
  over.abort();
  await Promise.all(ended);

  await handOverCounts(gateway, connections, record);
  let kills = chaos.kills + (await age(gateway, receivers, FIRST_WAITS, chance.fork()));
  const drained = await drain(gateway, filesCreator, PORTAL_HEADERS);
  kills += await age(gateway, receivers, LATER_WAITS, chance.fork());
  const ranOut = await runOut(gateway, receivers);
  await archive(gateway, filesCreator);
  const inboxes = await gateway.control<InboxReport[]>("inboxes");
  const atRest = await gateway.control<AtRest[]>("at-rest");
  const counts = await gateway.control<CountsAtEnd>("usage");
  const atEnd = await readAtEnd(gateway, PORTAL_HEADERS);
  const requestIds = new Map(inboxes.flatMap(({ rows }) => rows.map((row) => [row.fileId, row.requestId])));
  const findings = judge({
    kills,
    least: { kills: plan.leastKills, accepted: plan.leastAccepted },
    connections,
    record,
    stored: [...filesCreator.stored.values()].map((file) => ({
      ...file,
      requestId: requestIds.get(file.fileId) ?? "",
    })),
    otherBytes: filesCreator.otherBytes,
    reportedCompleted: [...filesCreator.reports.taken.values()],
    reportsUnknown: filesCreator.reports.unknown,
    inboxes,
    atRest,
    drained,
    counts,
    killedAt: gateway.killedAt,
    outbound: {
      ...atEnd,
      leastDelivered: plan.leastDelivered,
      connections,
      inboxes,
      refusedFiles: filesCreator.refused,
      reports: filesCreator.reports.sent,
      events,
      endpoints,
      receivers,
      runOut: ranOut,
      setBack: gateway.setBack,
    },
  });
  return {
    findings,
    record,
    kills,
    files: filesCreator.stored.size,
    drained,
    events,
    deliveries: atEnd.deliveries,
    receptions: receivers.receptions.length,
    runOut: ranOut,
    clockMs: gateway.now() - startedAt,
    faults: {
      gateway: gatewayFaults,
      chaos: chaos.counts,
      filesCreator: filesCreator.counts,
      receivers: receivers.counts,
    },
  };
}

/** An isolate that could not hand over what it counted does so with its next request, so each connection gets one more. */
async function handOverCounts(
  gateway: GatewayProcess,
  connections: readonly Connection[],
  record: SendingRecord,
): Promise<void> {
  await gateway.order({ rates: CALM });
  for (const { id } of connections) {
    const requestId = `last-${id}`;
    const unit = record.open(requestId, "wrong headers", false, "", id);
    record.sending(unit, requestId);
    const response = await fetch(`${gateway.url}/api/v1/webhook/inbound/${id}`, { method: "POST" });
    const { error, code } = (await response.json()) as { error: string; code: string };
    const { status } = response;
    record.hear(unit, { requestId, status, fileId: null, error, code, duplicate: false, at: Date.now() });
  }
  await pause(HANDED_OVER_MS);
}

/** Adds up the counts of each life of the gateway. The counts of its last moments are lost when it is killed. */
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
      // The gateway was killed in the meantime.
    }
  }
}
