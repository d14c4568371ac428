/** Bundles the Worker with faults at its edges, from these sources or from a mutated copy. */
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";

/** Replaces `find` in `file` with `replace`. `find` must occur exactly once. */
export interface Edit {
  file: string;
  find: string;
  replace: string;
}

const ROOT = path.resolve(import.meta.dirname, "../../..");
const ENTRY = "test/proofs/faults/worker/index.ts";
const COPIED = [
  "src",
  "test/proofs/faults",
  "migrations",
  "test/support/random.ts",
  "wrangler.toml",
  "package.json",
  "tsconfig.json",
];

/** Returns the bundled module. `folder` belongs to this run. */
export async function bundle(
  folder: string,
  edits: readonly Edit[],
): Promise<{ root: string; module: string }> {
  const root = edits.length === 0 ? ROOT : copy(path.join(folder, "sources"), edits);
  const out = path.join(folder, "bundle");
  const wrangler = path.join(ROOT, "node_modules/wrangler/bin/wrangler.js");
  const args = ["deploy", ENTRY, "--dry-run", "--config", "wrangler.toml", "--env", "", "--outdir", out];
  await promisify(execFile)(process.execPath, [wrangler, ...args], {
    cwd: root,
    env: {
      ...process.env,
      CLOUDFLARE_CF_FETCH_ENABLED: "false",
      WRANGLER_SEND_METRICS: "false",
      WRANGLER_HIDE_BANNER: "true",
      WRANGLER_LOG_PATH: path.join(folder, "wrangler-logs"),
    },
  });
  return { root, module: path.join(out, "index.js") };
}

function copy(root: string, edits: readonly Edit[]): string {
  for (const name of COPIED) {
    mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
    cpSync(path.join(ROOT, name), path.join(root, name), { recursive: true });
  }
  symlinkSync(path.join(ROOT, "node_modules"), path.join(root, "node_modules"));
  for (const edit of edits) writeFileSync(path.join(root, edit.file), edited(edit, root));
  return root;
}

/** The file's text with the edit applied. Throws unless `find` occurs exactly once. */
export function edited({ file, find, replace }: Edit, root = ROOT): string {
  const text = readFileSync(path.join(root, file), "utf8");
  const times = text.split(find).length - 1;
  if (times !== 1) throw new Error(`${file} contains the text to replace ${times} times, not once:\n${find}`);
  return text.replace(find, () => replace);
}
