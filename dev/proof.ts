/** `npm run proof`: long-running checks and measurements, each with options of its own. */

import { Problem, runCommand } from "./problem.ts";
import { runSteps } from "./steps.ts";

interface Proof {
  takes: string;
  what: string;
  command: string;
}

const PROOFS: Record<string, Proof> = {
  faults: {
    takes: "10 min",
    what: "kill -9, outages, lost messages and clock jumps; then no report and no event is missing",
    command: "node test/proofs/faults/run.ts",
  },
  fuzz: {
    takes: "5 min",
    what: "50 000 invented requests; none is answered with a bug or stored by mistake",
    command: "node test/proofs/fuzz/main.ts",
  },
  bench: {
    takes: "10 min",
    what: "speed as a ratio to Workers that check and store nothing",
    command: "node test/proofs/bench/run.ts",
  },
  counts: {
    takes: "2 min",
    what: "binding calls and rows per report are those in test/proofs/cost/counts.json",
    command: "vitest run --project cost",
  },
  cost: {
    takes: "1 s",
    what: "those counts times the price list: dollars per million reports",
    command: "node test/proofs/cost/run.ts",
  },
  memory: {
    takes: "2 min",
    what: "the largest reports, twenty at once, fit into one isolate",
    command: "vitest run --project memory",
  },
  simulate: {
    takes: "1 min",
    what: "an hour without the files-creator at 1 000 reports per second, simulated",
    command: "node test/proofs/cost/simulate.ts",
  },
  screenshots: {
    takes: "3 min",
    what: "a picture of every page of the console, wide and at 360 px, light and dark, in dist/screenshots (needs chromium)",
    command: "node test/proofs/screenshots.ts",
  },
  schemathesis: {
    takes: "5 min",
    what: "a public fuzzer of OpenAPI documents against a local gateway (needs Python)",
    command: "node dev/contract/schemathesis.ts",
  },
};

const HELP = `npm run proof -- NAME [options]      --help after a name lists its options, where it has any

${Object.entries(PROOFS)
  .map(([name, { takes, what }]) => `  ${name.padEnd(14)}${takes.padEnd(8)}${what}`)
  .join("\n")}
`;

async function prove(): Promise<number> {
  const [name, ...options] = process.argv.slice(2);
  if (name === undefined || name === "--help") {
    process.stdout.write(HELP);
    return 0;
  }
  const proof = Object.hasOwn(PROOFS, name) ? PROOFS[name] : undefined;
  if (proof === undefined) throw new Problem(`There is no proof "${name}".\n\n${HELP}`, 2);
  return runSteps([proof.command], options);
}

await runCommand(prove);
