/**
 * `npm run openapi`: writes the contract document to `docs/openapi.json`, so that every change of the API shows in review.
 * With `--check`, writes nothing and fails when the committed document is not the one that the code makes.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { document } from "./document.ts";
import { root } from "./install.ts";

const file = path.join(root, "docs/openapi.json");
const made = `${JSON.stringify(document, null, 2)}\n`;

if (!process.argv.includes("--check")) writeFileSync(file, made);
else if (!existsSync(file) || readFileSync(file, "utf8") !== made) {
  console.error(
    "docs/openapi.json is not the contract that the code describes. Run `npm run openapi`, and review the difference.",
  );
  process.exitCode = 1;
}
