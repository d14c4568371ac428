/** The short run of `npm run faults`; the mutations of `npm run faults -- --mutations` have to fit the sources. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { edited } from "../../faults/build.ts";
import { exceeded } from "../../faults/invariants.ts";
import { MUTATIONS } from "../../faults/mutations.ts";
import { root } from "./readme.ts";

const SEED = "20261123";
const LIMIT_MS = 90_000;

it("loses, doubles and forgets nothing while everything around it breaks", {
  timeout: LIMIT_MS,
}, async () => {
  const run = promisify(execFile)(process.execPath, ["faults/run.ts", "--quick", "--seed", SEED], {
    cwd: root,
    timeout: LIMIT_MS - 5_000,
  });
  const { stdout } = await run.catch((error: { stdout: string; stderr: string }) => {
    throw new Error(`${error.stdout}\n${error.stderr}`);
  });
  expect(stdout).toContain("everything held");
});

describe.each(MUTATIONS)("the mutation that $name", ({ edits }) => {
  it.each(edits)("changes $file", (edit) => {
    expect(edited(edit)).toContain(edit.replace);
  });
});

it.each([
  { at: [0, 59_999], limit: 1, most: [2] },
  { at: [0, 60_000], limit: 1, most: [] },
  { at: [0, 1, 60_000, 60_000], limit: 2, most: [3] },
  { at: [], limit: 0, most: [] },
])("of the admissions $at, a minute holds more than $limit: $most", ({ at, limit, most }) => {
  expect(exceeded(at, 60_000, limit)).toEqual(most);
});
