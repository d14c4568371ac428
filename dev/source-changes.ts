/** Watches the sources of the two local Workers. */

import { globSync, statSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { workspace } from "./workspace.ts";

export const WATCHED = ["src", "migrations", "dev/files-creator", "wrangler.toml"] as const;

/** Editors write a file in several steps, and version control writes many files: a change is reported once two scans agree. */
const SCAN_INTERVAL_MS = 300;
/** Build output, secrets that `npm start` writes, and editors' temporary files: no source has such a name. */
const NO_SOURCE = /(?:^|[/\\])\.|~$/;

export interface SourceChanges {
  /** Resolves with the files that changed since they were last reported, once nothing has changed for a moment. */
  next(): Promise<string[]>;
}

/** The state of each file by its path. */
type Scan = Map<string, string>;

/**
 * Scans the files instead of asking the system for notices: on Linux, a notice follows the file that was there first, and
 * editors that save by renaming replace it.
 */
export function watchSources(
  root: string = workspace.root,
  watched: readonly string[] = WATCHED,
): SourceChanges {
  let reported = scan(root, watched);
  let pending: Promise<string[]> | null = null;
  const settled = async (): Promise<string[]> => {
    for (let latest = reported; ; ) {
      await sleep(SCAN_INTERVAL_MS);
      const earlier = latest;
      latest = scan(root, watched);
      const changed = differences(reported, latest);
      if (changed.length === 0 || differences(earlier, latest).length > 0) continue;
      reported = latest;
      pending = null;
      return changed;
    }
  };
  return {
    next() {
      pending ??= settled();
      return pending;
    },
  };
}

function scan(root: string, watched: readonly string[]): Scan {
  const found: Scan = new Map();
  for (const file of globSync(
    watched.map((entry) => `${entry}{,/**}`),
    { cwd: root },
  )) {
    const stats = statSync(path.join(root, file), { throwIfNoEntry: false });
    // The change time, unlike the modification time, is not kept when an older file is moved here.
    if (stats?.isFile() && !NO_SOURCE.test(file)) found.set(file, `${stats.ctimeMs} ${stats.size}`);
  }
  return found;
}

/** The files that are not the same in both, sorted. */
function differences(before: Scan, after: Scan): string[] {
  const files = new Set([...before.keys(), ...after.keys()]);
  return [...files].filter((file) => before.get(file) !== after.get(file)).sort();
}
