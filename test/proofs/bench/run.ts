/**
 * `npm run bench`: the gateway against floors that check nothing, against its own refusals, and against what people usually
 * write, all in one run. See `--help`.
 *
 * Writes bench/results.json and bench/results.svg. Ends with an error when a server misbehaves, never because of a time.
 */
import { spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";

const USAGE = `npm run bench -- [options]

  --quick        a few minutes, too short to show the spread
  --only PART    "inbound" (acceptance, refusals, a flood, the whole path to the files-creator) or "outbound" (deliveries,
                 fan-out, events at a steady pace, a hanging neighbour, the sweep) instead of both
  --against DIR  another checkout, with its packages installed, whose gateway is measured in turns with this one
  --help
`;
const PARTS = ["inbound", "outbound"];

const { quick, only, against, help } = readArguments();
if (help) {
  console.log(USAGE);
  process.exit(0);
}
const measured = (part: string) => only === undefined || only === part;

if (!existsSync(path.join(import.meta.dirname, "node_modules"))) {
  console.log("Installing the packages of the bench…");
  const { status } = spawnSync("npm", ["ci", "--no-audit", "--no-fund"], {
    cwd: import.meta.dirname,
    stdio: "inherit",
  });
  if (status !== 0) process.exit(status ?? 1);
}

const { FLOOR_CONFIG, measureSet, OTHER_TURNS, nameOf, OTHER_SIZES } = await import("./acceptance.ts");
const { chart } = await import("./chart.ts");
const { measureFlood } = await import("./flood.ts");
const { GATEWAY_CONFIG, STAND_IN_CONFIG, WAKE_UPS_CONFIG } = await import("./gateway.ts");
const { Load } = await import("./load.ts");
const { OUTBOUND_FLOOR_CONFIG } = await import("./outbound/deliveries.ts");
const { measureOutbound } = await import("./outbound/measure.ts");
const { floodLines, outboundLines, samplesTable, targetsTable, wholePathLines } = await import("./report.ts");
const { bundle } = await import("./runtime.ts");
const { Samples } = await import("./samples.ts");
const { inboundTargets, outboundTargets, verdictOf } = await import("./targets.ts");
const { measureWholePath } = await import("./whole-path.ts");

const SETS = quick ? 1 : 5;
const PACE = quick ? { turns: 5, turnMs: 500 } : { turns: 6, turnMs: 500 };
const FLOOD = quick ? { rounds: 5, roundMs: 500 } : { rounds: 15, roundMs: 500 };
const WHOLE_PATH = quick ? { burstReports: 400, steadyMs: 6_000 } : { burstReports: 2_000, steadyMs: 20_000 };
const OUTBOUND = quick
  ? {
      deliveries: { turns: 3, eventsPerTurn: 100 },
      fanOutTurns: 3,
      steadyMs: 6_000,
      fairness: { turns: 1, turnMs: 30_000 },
    }
  : {
      deliveries: { turns: 15, eventsPerTurn: 200 },
      fanOutTurns: 15,
      steadyMs: 20_000,
      fairness: { turns: 3, turnMs: 40_000 },
    };

const startedAt = performance.now();
const [loadBefore = 0] = os.loadavg();
const [gateway, standIn] = await Promise.all([bundle(GATEWAY_CONFIG), bundle(STAND_IN_CONFIG)]);
const inbound = measured("inbound") ? await measureInbound() : undefined;
const outbound = measured("outbound")
  ? await measureOutbound(
      {
        gateway,
        standIn,
        outboundFloor: await bundle(OUTBOUND_FLOOR_CONFIG),
        wakeUps: await bundle(WAKE_UPS_CONFIG),
      },
      OUTBOUND,
      progress,
    )
  : undefined;
const targets = [...(inbound ? inboundTargets(inbound) : []), ...(outbound ? outboundTargets(outbound) : [])];

console.log(`
Every server in turns on this machine (${machine()}): compare within a run only.
Load average before the run: ${loadBefore.toFixed(1)}. What others run at the same time makes every number worse, and ratios uncertain.`);
if (inbound) {
  console.log(`
Inbound
floor    reads the body, one object call, one durable SQLite insert; checks nothing.
gateway  all it does before its 202, over 200 connections, without the forwarding consumer, which in production runs in
         other isolates. It makes its log line; only in "printing" does the local runtime print it.
express  raw body, HMAC, express-rate-limit, SQLite in WAL mode with synchronous=FULL and one insert; no sealing,
         no duplicates, no employers.
16 clients, every body and signature distinct. Medians of ${SETS * PACE.turns} turns of half a second (others ${SETS * OTHER_TURNS}), in brackets the middle half of them.

${samplesTable(inbound.samples)}

Flood
${floodLines(inbound.flood)}

Whole path
${wholePathLines(inbound.wholePath)}`);
}
if (outbound) console.log(`\nOutbound\n${outboundLines(outbound)}`);
console.log(`\n${targetsTable(targets)}\n`);

const results = {
  date: new Date().toISOString(),
  machine: machine(),
  load_average_before: loadBefore,
  quick,
  ...(inbound && {
    samples: samplesOf(inbound.samples),
    flood: inbound.flood,
    whole_path: inbound.wholePath,
  }),
  ...(outbound && { outbound }),
  targets: targets.map((target) => ({ ...target, verdict: verdictOf(target) })),
};
write("results.json", `${JSON.stringify(results, null, 2)}\n`);
if (inbound) write("results.svg", chartOf(inbound.samples));

async function measureInbound() {
  const floor = await bundle(FLOOR_CONFIG);
  const checkout = against === undefined ? undefined : path.resolve(against);
  const other =
    checkout === undefined ? undefined : { checkout, modules: await bundle(GATEWAY_CONFIG, checkout) };
  const load = new Load();
  const samples = new Samples();
  for (let set = 1; set <= SETS; set++) {
    progress(`acceptance and refusal, set ${set} of ${SETS}`);
    await measureSet(load, { floor, gateway, against: other }, PACE, samples);
  }
  progress("flood");
  const flood = await measureFlood(load, gateway, FLOOD.rounds, FLOOD.roundMs);
  progress("whole path");
  const wholePath = await measureWholePath(load, { gateway, standIn }, WHOLE_PATH);
  await load.stop();
  return { samples, compared: against !== undefined, flood, wholePath };
}

function samplesOf(samples: InstanceType<typeof Samples>) {
  return Object.fromEntries(
    samples.names().map((name) => [
      name,
      {
        per_second: samples.figure(name, "perSecond"),
        p50_ms: samples.figure(name, "p50Ms").median,
        p99_ms: samples.figure(name, "p99Ms").median,
        cpu_seconds_per_10k: finite(samples.figure(name, "cpuPer10k").median),
        statuses: samples.statuses(name),
      },
    ]),
  );
}

function chartOf(samples: InstanceType<typeof Samples>): string {
  return chart(
    "Reports accepted a second",
    `${machine()}, ${new Date().toISOString().slice(0, 10)}; line: the middle half of the turns; each size has its own scale`,
    ["2.4 KB", ...Object.keys(OTHER_SIZES)].map((size) => ({
      label: size,
      bars: (["floor", "gateway", "express"] as const).map((name) => ({
        name,
        ...samples.figure(nameOf(name, size), "perSecond"),
      })),
    })),
  );
}

function write(name: string, text: string): void {
  writeFileSync(path.join(import.meta.dirname, name), text);
  console.log(`Written: bench/${name}`);
}

function readArguments() {
  try {
    const { values } = parseArgs({
      options: {
        quick: { type: "boolean", default: false },
        only: { type: "string" },
        against: { type: "string" },
        help: { type: "boolean", default: false },
      },
    });
    if (values.only !== undefined && !PARTS.includes(values.only))
      throw new Error(`--only must be ${PARTS.join(" or ")}`);
    return values;
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${USAGE}`);
    process.exit(2);
  }
}

function progress(what: string): void {
  console.log(`${Math.round((performance.now() - startedAt) / 1_000)} s  ${what}`);
}

function machine(): string {
  const [cpu] = os.cpus();
  return `${os.cpus().length} × ${cpu?.model.trim() || "CPU"}, ${process.platform}, Node ${process.versions.node}`;
}

/** JSON has no word for a number that was not measured. */
function finite(value: number): number | null {
  return Number.isNaN(value) ? null : value;
}
