/** `npm run check`: the checks that every commit must pass besides the tests. */

import { Problem, runCommand } from "./problem.ts";
import { runSteps } from "./steps.ts";

interface Check {
  what: string;
  steps: string[];
}

const dryRun = (env: string) => `wrangler deploy --dry-run --env=${env} --outdir dist`;

const CHECKS: Record<string, Check> = {
  lint: { what: "formatting and lint rules (npm run format fixes them)", steps: ["biome check ."] },
  typecheck: {
    what: "the four TypeScript programs",
    steps: ["tsc", "tsc -p test", "tsc -p dev", "tsc -p src/console/client"],
  },
  types: {
    what: "generated binding types are those of wrangler.toml (npm run types)",
    steps: ["npm run -s types -- --check"],
  },
  migrations: {
    what: "the schema has its migration, and no migration loses rows",
    steps: ["node dev/check-migrations.ts"],
  },
  openapi: {
    what: "docs/openapi.json is what the code describes (npm run openapi), and a linter finds no fault",
    steps: ["node dev/contract/generate.ts --check", "node dev/contract/lint.ts"],
  },
  console: {
    what: "the console's stylesheets and scripts are what their sources give (npm run console)",
    steps: ["node dev/console/generate.ts --check"],
  },
  bundle: {
    what: "the Worker bundles for every environment",
    steps: ["", "staging", "production"].map(dryRun),
  },
};

const HELP = `npm run check -- [name …]      all checks, or those that are named

${Object.entries(CHECKS)
  .map(([name, { what }]) => `  ${name.padEnd(12)}${what}`)
  .join("\n")}
`;

async function check(): Promise<number> {
  const names = process.argv.slice(2);
  if (names.includes("--help")) {
    process.stdout.write(HELP);
    return 0;
  }
  const unknown = names.find((name) => !Object.hasOwn(CHECKS, name));
  if (unknown !== undefined) throw new Problem(`There is no check "${unknown}".\n\n${HELP}`, 2);
  const failed = Object.entries(CHECKS)
    .filter(([name]) => names.length === 0 || names.includes(name))
    .filter(([name, { steps }]) => {
      process.stdout.write(`▸ ${name}\n`);
      return runSteps(steps) !== 0;
    })
    .map(([name]) => name);
  if (failed.length > 0) process.stderr.write(`\nFailed: ${failed.join(", ")}\n`);
  return failed.length > 0 ? 1 : 0;
}

await runCommand(check);
