/**
 * `npm run bench`: the gateway against a floor that checks nothing, against its own refusals, and against what people
 * usually write, all in one run. `--quick` takes about a minute and says little of the spread.
 *
 * Writes bench/results.json and bench/results.svg. Ends with an error when a server misbehaves, never because of a time.
 */
import { spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";

if (!existsSync(path.join(import.meta.dirname, "node_modules"))) {
  console.log("Installing what only the bench needs…");
  const { status } = spawnSync("npm", ["ci", "--no-audit", "--no-fund"], {
    cwd: import.meta.dirname,
    stdio: "inherit",
  });
  if (status !== 0) process.exit(status ?? 1);
}

const { FLOOR_CONFIG, measureSet, OTHER_TURNS, nameOf, OTHER_SIZES } = await import("./acceptance.ts");
const { chart } = await import("./chart.ts");
const { measureFlood } = await import("./flood.ts");
const { GATEWAY_CONFIG, STAND_IN_CONFIG } = await import("./gateway.ts");
const { Load } = await import("./load.ts");
const { floodLines, samplesTable, targetsTable, wholePathLines } = await import("./report.ts");
const { bundle } = await import("./runtime.ts");
const { Samples } = await import("./samples.ts");
const { targetsOf, verdictOf } = await import("./targets.ts");
const { measureWholePath } = await import("./whole-path.ts");

const quick = process.argv.includes("--quick");
const SETS = quick ? 1 : 5;
const PACE = quick ? { turns: 5, turnMs: 500 } : { turns: 6, turnMs: 500 };
const FLOOD = quick ? { rounds: 5, roundMs: 500 } : { rounds: 15, roundMs: 500 };
const WHOLE_PATH = quick ? { burstReports: 400, steadyMs: 6_000 } : { burstReports: 2_000, steadyMs: 20_000 };

const startedAt = performance.now();
const [loadBefore = 0] = os.loadavg();
const [gateway, standIn, floor] = await Promise.all([
  bundle(GATEWAY_CONFIG),
  bundle(STAND_IN_CONFIG),
  bundle(FLOOR_CONFIG),
]);
const load = new Load();
const samples = new Samples();
for (let set = 1; set <= SETS; set++) {
  progress(`acceptance and refusal, set ${set} of ${SETS}`);
  await measureSet(load, { floor, gateway }, PACE, samples);
}
progress("flood");
const flood = await measureFlood(load, gateway, FLOOD.rounds, FLOOD.roundMs);
progress("whole path");
const wholePath = await measureWholePath(load, { gateway, standIn }, WHOLE_PATH);
await load.stop();
const targets = targetsOf(samples, flood, wholePath);

console.log(`
Every server in turns on this machine (${machine()}): compare within a run only.
Load average before the run: ${loadBefore.toFixed(1)}. What others run at the same time makes every number worse, and ratios uncertain.
floor    reads the body, one object call, one durable SQLite insert; checks nothing.
gateway  all it does before its 202, over 200 connections, without the forwarding consumer, which in production runs in
         other isolates. It makes its log line; only in "printing" does the local runtime print it.
express  raw body, HMAC, express-rate-limit, SQLite in WAL mode with synchronous=FULL and one insert; no sealing,
         no duplicates, no employers.
16 clients, every body and signature distinct. Medians of ${SETS * PACE.turns} turns of half a second (others ${SETS * OTHER_TURNS}), in brackets the middle half of them.

${samplesTable(samples)}

Flood
${floodLines(flood)}

Whole path
${wholePathLines(wholePath)}

${targetsTable(targets)}
`);

const results = {
  date: new Date().toISOString(),
  machine: machine(),
  load_average_before: loadBefore,
  quick,
  samples: Object.fromEntries(
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
  ),
  flood,
  whole_path: wholePath,
  targets: targets.map((target) => ({ ...target, verdict: verdictOf(target) })),
};
writeFileSync(path.join(import.meta.dirname, "results.json"), `${JSON.stringify(results, null, 2)}\n`);
writeFileSync(
  path.join(import.meta.dirname, "results.svg"),
  chart(
    "Reports accepted a second",
    `${machine()}, ${results.date.slice(0, 10)}; line: the middle half of the turns; each size has its own scale`,
    ["2.4 KB", ...Object.keys(OTHER_SIZES)].map((size) => ({
      label: size,
      bars: (["floor", "gateway", "express"] as const).map((name) => ({
        name,
        ...samples.figure(nameOf(name, size), "perSecond"),
      })),
    })),
  ),
);
console.log("Written: bench/results.json, bench/results.svg");

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
