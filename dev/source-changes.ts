/** Watches the sources of the two local Workers. */

import { type FSWatcher, watch } from "node:fs";
import path from "node:path";
import { workspace } from "./workspace.ts";

export const WATCHED = ["src", "migrations", "dev/files-creator", "wrangler.toml"] as const;

/** Editors write a file in several steps, and version control writes many files. */
const QUIET_MS = 200;
/** Build output, secrets that `npm start` writes, and editors' temporary files: no source has such a name. */
const NO_SOURCE = /(?:^|[/\\])\.|~$/;

export interface SourceChanges {
  /** Resolves with the files that changed since they were last reported, once nothing has changed for a moment. */
  next(): Promise<string[]>;
  close(): void;
}

export function watchSources(
  root: string = workspace.root,
  watched: readonly string[] = WATCHED,
): SourceChanges {
  const changed = new Set<string>();
  let wake = (): void => undefined;
  let pending: Promise<string[]> | null = null;
  const watchers: FSWatcher[] = watched.map((entry) =>
    watch(path.join(root, entry), { recursive: true }, (_, name) => {
      // A watched file reports its own name.
      const file = name === null || name === path.basename(entry) ? entry : path.join(entry, name);
      if (NO_SOURCE.test(file)) return;
      changed.add(file);
      wake();
    }),
  );
  const settled = async (): Promise<string[]> => {
    for (let seen = 0; seen === 0 || seen !== changed.size; ) {
      if (changed.size === 0) await nextWake();
      seen = changed.size;
      await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
    }
    const files = [...changed].sort();
    changed.clear();
    pending = null;
    return files;
  };
  const nextWake = () =>
    new Promise<void>((resolve) => {
      wake = resolve;
    });
  return {
    next() {
      pending ??= settled();
      return pending;
    },
    close() {
      for (const watcher of watchers) watcher.close();
    },
  };
}
