/**
 * `npm run openapi`: writes the contract document to `docs/openapi.json` and the page of errors to `docs/errors.md`, so that
 * every change of the API shows in review. With `--check`, writes nothing and fails if a committed file differs.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { workspace } from "../workspace.ts";
import { document } from "./document.ts";
import { errorTable } from "./error-table.ts";

const made = {
  "docs/openapi.json": `${JSON.stringify(document, null, 2)}\n`,
  "docs/errors.md": errorTable(),
};

for (const [name, text] of Object.entries(made)) {
  const file = path.join(workspace.root, name);
  if (!process.argv.includes("--check")) writeFileSync(file, text);
  else if (!existsSync(file) || readFileSync(file, "utf8") !== text) {
    console.error(
      `${name} is not what the code describes. Run \`npm run openapi\`, and review the difference.`,
    );
    process.exitCode = 1;
  }
}
