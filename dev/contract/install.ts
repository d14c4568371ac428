/** Installs the packages of this folder on first use, according to its own lockfile. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";

export function ensureInstalled(): void {
  if (existsSync(path.join(import.meta.dirname, "node_modules"))) return;
  console.log("Installing the packages of the contract's checks…");
  const { status } = spawnSync("npm", ["ci", "--no-audit", "--no-fund"], {
    cwd: import.meta.dirname,
    stdio: "inherit",
  });
  if (status !== 0) process.exit(status ?? 1);
}
