/**
 * `npm run console`: makes src/console/client-files.ts, the stylesheets and scripts of the console as the Worker serves them,
 * from src/console/client with the bundler that wrangler uses, src/console/runbook.ts from docs/runbook.md, and
 * src/console/samples/receivers.ts from docs/receivers. With `--check`, fails if a file is not what its sources give.
 */

import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { build } from "esbuild";
import { Problem, runCommand } from "../problem.ts";
import { runbookSections } from "./runbook.ts";

const ROOT = path.resolve(import.meta.dirname, "../..");
const SOURCES = path.join(ROOT, "src/console/client");
/** Each becomes one file. */
const ENTRIES = [
  "calculator.ts",
  "charts.css",
  "charts.ts",
  "console.css",
  "console.ts",
  "import.ts",
  "continue.ts",
  "search-rows.ts",
  "sign-in.ts",
];
const HASH_LENGTH = 10;

async function fileOf(entry: string): Promise<{ name: string; text: string }> {
  const { outputFiles } = await build({
    entryPoints: [path.join(SOURCES, entry)],
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    charset: "utf8",
    target: ["chrome123", "firefox120", "safari17.5"],
    legalComments: "inline",
  });
  const [output] = outputFiles;
  if (output === undefined) throw new Error(`nothing was made of ${entry}`);
  return { name: entry.replace(/\.ts$/, ".js"), text: output.text };
}

function moduleOf(files: readonly { name: string; text: string }[]): string {
  const entries = files.map(({ name, text }) => {
    const hash = createHash("sha256").update(text).digest("hex").slice(0, HASH_LENGTH);
    return `  ${JSON.stringify(name)}: {\n    hash: ${JSON.stringify(hash)},\n    text: ${JSON.stringify(text)},\n  },\n`;
  });
  return `/** Made by \`npm run console\` from src/console/client. Do not edit. */\n\nexport const CLIENT_FILES = {\n${entries.join("")}} as const;\n`;
}

function runbookModule(): string {
  const sections = runbookSections(readFileSync(path.join(ROOT, "docs/runbook.md"), "utf8"));
  return `/** Made by \`npm run console\` from docs/runbook.md. Do not edit. */\n\nexport const RUNBOOK = ${JSON.stringify(sections, null, 2)} as const;\n`;
}

/** The programs that receive webhooks, as the documentation has them. */
const RECEIVERS = [
  { language: "Node", file: "every-v1.mjs", run: "node every-v1.mjs" },
  { language: "Python", file: "every_v1.py", run: "python3 every_v1.py" },
];

function receiversModule(): string {
  const programs = RECEIVERS.map((program) => ({
    ...program,
    text: readFileSync(path.join(ROOT, "docs/receivers", program.file), "utf8"),
  }));
  return `/** Made by \`npm run console\` from docs/receivers. Do not edit. */\n\nexport const RECEIVERS = ${JSON.stringify(programs, null, 2)} as const;\n`;
}

async function generate(): Promise<number> {
  const made = {
    "src/console/client-files.ts": moduleOf(await Promise.all(ENTRIES.map(fileOf))),
    "src/console/runbook.ts": runbookModule(),
    "src/console/samples/receivers.ts": receiversModule(),
  };
  for (const [file, text] of Object.entries(made)) {
    const at = path.join(ROOT, file);
    if (!process.argv.includes("--check")) writeFileSync(at, text);
    else if (readFileSync(at, "utf8") !== text)
      throw new Problem(`${file} is not what its sources give. Run \`npm run console\`.`);
  }
  return 0;
}

await runCommand(generate);
