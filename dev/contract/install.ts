/** What only this folder needs is installed when it is first used, as its own lockfile says. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";

/** Where the project is. */
export const root = path.resolve(import.meta.dirname, "../..");

export function ensureInstalled(): void {
  if (existsSync(path.join(import.meta.dirname, "node_modules"))) return;
  console.log("Installing what only the contract's checks need…");
  const { status } = spawnSync("npm", ["ci", "--no-audit", "--no-fund"], {
    cwd: import.meta.dirname,
    stdio: "inherit",
  });
  if (status !== 0) process.exit(status ?? 1);
}
