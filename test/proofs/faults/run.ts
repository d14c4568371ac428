/** `npm run faults`: see `--help`. Ends with 1 when an invariant broke, or when a mutation was not caught. */
import { parseArgs } from "node:util";
import type { Finding } from "./invariants.ts";
import { MUTATIONS } from "./mutations.ts";
import { planOf, QUICK_STORM_S } from "./plan.ts";
import { describeTrial } from "./table.ts";
import { runTrial } from "./trial.ts";

const USAGE = `npm run faults -- [options]

  --minutes N    approximate duration: 1 to 120 minutes (10)
  --quick        the short run that belongs to npm test: ${QUICK_STORM_S} seconds of it
  --seed N       repeats the faults of a seed; the default is a new seed, which is printed
  --mutations    runs ${MUTATIONS.length} mutations of the source and checks that each is caught
  --only TEXT    only the mutations whose name contains TEXT
`;
/** The storm's share of a run's duration. The rest is building, draining and checking. */
const STORMY_SHARE = 0.85;
/** A mutation shows only when certain faults coincide: some need longer than a short run, and sometimes another seed. */
const MUTATION_STORM_S = 35;
const MUTATION_ATTEMPTS = 2;
const LARGEST_SEED = 2 ** 31;

// Wrangler would warn about missing secrets, which this run provides itself.
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

/** Returns whether every invariant held. */
async function runOnce(seed: number, stormMs: number): Promise<boolean> {
  const startedAt = Date.now();
  const trial = await runTrial(planOf(seed, stormMs));
  console.log(describeTrial(trial));
  const held = trial.folder === null;
  console.log(
    `Seed ${seed}, ${Math.round((Date.now() - startedAt) / 1_000)} s, ${trial.kills} kills: ${held ? "everything held" : "BROKEN"}.`,
  );
  if (!held) console.log(`State and log are in ${trial.folder}. To repeat the faults: --seed ${seed}`);
  return held;
}

/** Returns whether every mutation was caught. */
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
    if (caught.length === 0) console.log("    WAS NOT CAUGHT");
    for (const { invariant, broken } of caught)
      console.log(`    broke "${invariant}" ${broken.length} times, e.g. ${broken[0]}`);
  }
  console.log(`\n${chosen.length - missed} of ${chosen.length} were caught.`);
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
