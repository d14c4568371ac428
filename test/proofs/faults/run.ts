/** `npm run faults`: see `--help`. Ends with 1 when an invariant broke, or when a mutation was not caught. */
import { parseArgs } from "node:util";
import type { Finding } from "./invariants.ts";
import { MUTATIONS } from "./mutations.ts";
import { planOf, QUICK_STORM_S } from "./plan.ts";
import { describeTrial } from "./table.ts";
import { runTrial } from "./trial.ts";

const USAGE = `npm run faults -- [options]

  --minutes N    how long it takes, about: 1 to 120 minutes (10)
  --quick        the short run that belongs to npm test: ${QUICK_STORM_S} seconds of it
  --seed N       the same faults again; without it a new seed is drawn and printed
  --mutations    breaks the design on purpose, ${MUTATIONS.length} ways, and checks that each is noticed
  --only TEXT    of the mutations, those whose name contains TEXT
`;
/** Of a run's minutes. The rest goes into building, draining and judging. */
const STORMY_SHARE = 0.85;
/** A mutation shows only where its faults meet: some need longer than a short run, and another seed at times. */
const MUTATION_STORM_S = 35;
const MUTATION_ATTEMPTS = 2;
const LARGEST_SEED = 2 ** 31;

// Wrangler would warn of the secrets that this run brings along itself.
process.env.WRANGLER_LOG ??= "none";

class UsageError extends Error {}

function readArguments() {
  const { values } = parseArgs({
    options: {
      minutes: { type: "string", default: "10" },
      quick: { type: "boolean", default: false },
      seed: { type: "string" },
      mutations: { type: "boolean", default: false },
      only: { type: "string", default: "" },
      help: { type: "boolean", default: false },
    },
  });
  const minutes = Number(values.minutes);
  if (!(minutes >= 1 && minutes <= 120)) throw new UsageError("--minutes must be a number from 1 to 120");
  const seed = Number(values.seed ?? Math.floor(Math.random() * LARGEST_SEED));
  if (!Number.isInteger(seed) || seed < 0) throw new UsageError("--seed must be a whole number");
  return {
    ...values,
    seed,
    stormMs: values.mutations
      ? MUTATION_STORM_S * 1_000
      : values.quick
        ? QUICK_STORM_S * 1_000
        : minutes * 60_000 * STORMY_SHARE,
  };
}

/** Answers whether everything held. */
async function runOnce(seed: number, stormMs: number): Promise<boolean> {
  const startedAt = Date.now();
  const trial = await runTrial(planOf(seed, stormMs));
  console.log(describeTrial(trial));
  const held = trial.folder === null;
  console.log(
    `Seed ${seed}, ${Math.round((Date.now() - startedAt) / 1_000)} s, ${trial.kills} kills: ${held ? "everything held" : "BROKEN"}.`,
  );
  if (!held) console.log(`State and log are kept in ${trial.folder}. The same faults again: --seed ${seed}`);
  return held;
}

/** Answers whether each mutation was noticed. */
async function runMutations(seed: number, stormMs: number, only: string): Promise<boolean> {
  const chosen = MUTATIONS.filter(({ name }) => name.includes(only));
  if (chosen.length === 0) throw new UsageError(`no mutation is called "${only}"`);
  let missed = 0;
  console.log(`Seed ${seed}. A gateway that …\n`);
  for (const { name, edits } of chosen) {
    let caught: Finding[] = [];
    for (let attempt = 0; attempt < MUTATION_ATTEMPTS && caught.length === 0; attempt++) {
      const { findings } = await runTrial({ ...planOf(seed + attempt, stormMs), edits });
      caught = findings.filter(({ about, broken }) => about === "gateway" && broken.length > 0);
    }
    if (caught.length === 0) missed++;
    console.log(`${caught.length > 0 ? "✓" : "✗"} … ${name}`);
    if (caught.length === 0) console.log("    WAS NOT NOTICED");
    for (const { invariant, broken } of caught)
      console.log(`    broke "${invariant}" ${broken.length} times, e.g. ${broken[0]}`);
  }
  console.log(`\n${chosen.length - missed} of ${chosen.length} were noticed.`);
  return missed === 0;
}

try {
  const { help, mutations, only, seed, stormMs } = readArguments();
  if (help) console.log(USAGE);
  else if (!(mutations ? await runMutations(seed, stormMs, only) : await runOnce(seed, stormMs)))
    process.exitCode = 1;
} catch (error) {
  console.error(error instanceof UsageError ? error.message : error);
  process.exitCode = 2;
}
