/** The files of the local gateway. Git ignores all that it writes, and `npm run reset` removes it. */

import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";

const root = path.dirname(import.meta.dirname);
const local = path.join(root, ".dev");

export const workspace = {
  root,
  local,
  gatewayConfig: path.join(root, "wrangler.toml"),
  filesCreatorConfig: path.join(root, "dev/files-creator/wrangler.toml"),
  /** Databases, objects and buckets: one folder per Worker, since two runtimes must not open the same files. */
  gatewayState: path.join(local, "state/gateway"),
  filesCreatorState: path.join(local, "state/files-creator"),
  /** Where the two Workers find each other. Emptied at every start, since an old address would lead nowhere. */
  registry: path.join(local, "registry"),
  gatewayLog: path.join(local, "gateway.log"),
  filesCreatorLog: path.join(local, "files-creator.log"),
  toolLogs: path.join(local, "wrangler-logs"),
  runnerLog: path.join(local, "runner.log"),
  run: path.join(local, "run.json"),
  secrets: path.join(local, "secrets.json"),
  demo: path.join(local, "demo.json"),
  gatewayVars: path.join(root, ".dev.vars"),
  filesCreatorVars: path.join(root, "dev/files-creator/.dev.vars"),
} as const;

/** The path relative to the project's folder. */
export function shown(file: string): string {
  return path.relative(root, file);
}

/** Writes a file that only its owner can read, completely or not at all. */
export function writePrivately(file: string, text: string): void {
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  const draft = `${file}.${process.pid}.new`;
  writeFileSync(draft, text, { mode: 0o600 });
  renameSync(draft, file);
}
