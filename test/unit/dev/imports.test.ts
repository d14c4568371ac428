/** The directions of imports in `src`: routes, then capabilities, then db, crypto, http and the ground floor; never back. */
import { globSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { describe, expect, it } from "vitest";

/** Files directly in `src` that every folder may import. */
const GROUND = [
  "bindings.ts",
  "bounded-map.ts",
  "bounded.ts",
  "chunks.ts",
  "concurrency.ts",
  "deadline.ts",
  "env.ts",
  "log.ts",
  "messages.ts",
  "model.ts",
  "raised-conditions.ts",
  "result.ts",
  "setting-parsers.ts",
];

/** The folders that each folder may import, beside itself and the ground floor. */
const FOLDERS: Record<string, string[]> = {
  crypto: [],
  db: ["crypto"],
  http: ["crypto"],
  contract: ["http"],
  usage: ["crypto", "db"],
  evidence: ["crypto", "db", "usage"],
  gate: ["crypto", "db", "evidence", "usage"],
  outbound: ["crypto", "db", "gate", "http", "contract", "usage"],
  inbound: ["crypto", "db", "gate", "http", "contract", "evidence", "usage"],
  forwarding: ["crypto", "db", "gate", "http", "outbound", "watch"],
  watch: ["crypto", "db", "gate", "outbound", "usage"],
  jobs: ["crypto", "db", "gate", "inbound", "outbound"],
  maintenance: ["crypto", "db", "evidence", "forwarding", "gate", "jobs", "outbound", "usage", "watch"],
  developer: ["crypto", "db", "gate", "http", "contract", "evidence", "inbound", "outbound"],
  portal: [
    ...["crypto", "db", "http", "contract"],
    ...["evidence", "forwarding", "gate", "inbound", "jobs", "maintenance", "outbound", "usage", "watch"],
  ],
  console: ["crypto", "db", "http", "inbound", "portal"],
  reference: ["crypto", "http", "contract", "outbound"],
};

/** The files directly in `src` that each file of the ground floor may import. */
const FILES: Record<string, string[]> = {
  "bindings.ts": ["messages.ts"],
  "bounded-map.ts": [],
  "bounded.ts": ["bindings.ts", "deadline.ts"],
  "concurrency.ts": [],
  "deadline.ts": [],
  "env.ts": ["bindings.ts", "bounded.ts", "crypto", "log.ts", "model.ts", "setting-parsers.ts"],
  "log.ts": [],
  "chunks.ts": [],
  "messages.ts": ["chunks.ts", "log.ts"],
  "model.ts": [],
  "raised-conditions.ts": ["bindings.ts", "log.ts"],
  "result.ts": [],
  "setting-parsers.ts": ["bindings.ts", "model.ts"],
};

/** These compose the Worker and may import everything. */
const TOP = ["app.ts", "index.ts", "worker-configuration.d.ts"];

/** Imports against the directions above. */
const EXCEPTIONS = [
  // The variables of a developer's request hold the API key that it was authenticated with.
  "src/http/context.ts -> src/db/api-keys.ts",
  // Evidence of a request is made of what its intake has left in its context.
  "src/http/context.ts -> src/evidence/request-trace.ts",
];

const files = globSync("src/**/*.{ts,tsx}").sort();
const imports = files.flatMap((from) =>
  [...readFileSync(from, "utf8").matchAll(/\b(?:from|import)\s*\(?\s*"(\.[^"]+)"/g)].map((match) => ({
    from,
    to: join(dirname(from), match[1] ?? ""),
  })),
);

/** The folder of a file, or its name if it is directly in `src`. */
function placeOf(file: string): string {
  return file.split("/")[1] ?? "";
}

function isAllowed(from: string, to: string): boolean {
  const [place, target] = [placeOf(from), placeOf(to)];
  if (place === target || TOP.includes(place)) return true;
  return (
    FILES[place]?.includes(target) ?? (GROUND.includes(target) || FOLDERS[place]?.includes(target) === true)
  );
}

/** A chain of imports from `file` back to itself. Null if there is none. */
function cycleFrom(file: string): string[] | null {
  const seen = new Set<string>();
  const walk = (path: readonly string[]): string[] | null => {
    for (const { to } of imports.filter(({ from }) => from === path.at(-1))) {
      if (to === file) return [...path, to];
      if (seen.has(to)) continue;
      seen.add(to);
      const found = walk([...path, to]);
      if (found !== null) return found;
    }
    return null;
  };
  return walk([file]);
}

describe("imports in src", () => {
  it("are found, and the rules cover every folder", () => {
    expect(imports.length).toBeGreaterThan(500);
    const known = new Set([...GROUND, ...TOP, ...Object.keys(FOLDERS)]);
    expect(files.map(placeOf).filter((place) => !known.has(place))).toEqual([]);
  });

  it("run one way", () => {
    const against = imports
      .filter(({ from, to }) => !isAllowed(from, to))
      .map(({ from, to }) => `${from} -> ${to}`);
    expect(against).toEqual(EXCEPTIONS);
  });

  it("form no cycle", () => {
    expect(files.filter((file) => cycleFrom(file) !== null)).toEqual([]);
  });
});

it("no two files in src have the same name", () => {
  const byName = Map.groupBy(files, (file) => basename(file));
  expect([...byName.values()].filter(({ length }) => length > 1)).toEqual([]);
});
