/** Modules of a bundled Worker that are no JavaScript: wrangler puts them beside the main module, under hashed names. */
import { readdirSync } from "node:fs";
import path from "node:path";

const HASHED = /^[0-9a-f]{40}-/;

/** As the runtime's options take them, beside the main module in `folder`. */
export function dataModules(folder: string): { type: "Data"; path: string }[] {
  return readdirSync(folder)
    .filter((name) => HASHED.test(name))
    .map((name) => ({ type: "Data", path: path.join(folder, name) }));
}
