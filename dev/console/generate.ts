/**
 * `npm run console`: makes src/console/client-files.ts, the stylesheets and scripts of the console as the Worker serves them,
 * from src/console/client with the bundler that wrangler uses. With `--check`, fails if the file is not what the sources give.
 */

import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { build } from "esbuild";
import { Problem, runCommand } from "../problem.ts";

const ROOT = path.resolve(import.meta.dirname, "../..");
const SOURCES = path.join(ROOT, "src/console/client");
const MADE = path.join(ROOT, "src/console/client-files.ts");
/** Each becomes one file. */
const ENTRIES = ["charts.css", "charts.ts", "console.css", "console.ts", "sign-in.ts"];
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

async function generate(): Promise<number> {
  const made = moduleOf(await Promise.all(ENTRIES.map(fileOf)));
  if (process.argv.includes("--check")) {
    if (readFileSync(MADE, "utf8") !== made)
      throw new Problem("src/console/client-files.ts is not what its sources give. Run `npm run console`.");
    return 0;
  }
  writeFileSync(MADE, made);
  return 0;
}

await runCommand(generate);
