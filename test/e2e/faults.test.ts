/** The short run of `npm run faults`; the mutations of `npm run faults -- --mutations` have to fit the sources. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { edited } from "../proofs/faults/build.ts";
import { early } from "../proofs/faults/delivery-invariants.ts";
import { exceeded } from "../proofs/faults/invariants.ts";
import { MUTATIONS } from "../proofs/faults/mutations.ts";
import { root } from "./pages.ts";

const SEED = "20261123";
const LIMIT_MS = 180_000;

it("loses, doubles and forgets nothing while everything around it breaks", {
  timeout: LIMIT_MS,
}, async () => {
  const run = promisify(execFile)(
    process.execPath,
    ["test/proofs/faults/run.ts", "--quick", "--seed", SEED],
    {
      cwd: root,
      timeout: LIMIT_MS - 5_000,
    },
  );
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

/** Attempts that took no time, at these seconds and with these answers. */
function attempts(list: [seconds: number, status: number][]) {
  return list.map(([seconds, status], i) => {
    return { number: i + 1, started_at: seconds * 1_000, ms: 0, kind: "status", status };
  });
}

it.each([
  {
    of: [
      [0, 500],
      [0, 500],
      [60, 500],
      [360, 200],
    ],
    setBack: [],
    early: [],
  },
  {
    of: [
      [0, 500],
      [0, 500],
      [59, 500],
    ],
    setBack: [],
    early: [3],
  },
  {
    of: [
      [0, 429],
      [60, 500],
      [120, 200],
    ],
    setBack: [],
    early: [2],
  },
  {
    of: [
      [100, 500],
      [40, 200],
    ],
    setBack: [{ from: 101_000, to: 30_000 }],
    early: [],
  },
  {
    of: [
      [100, 500],
      [40, 200],
    ],
    setBack: [{ from: 101_000, to: 50_000 }],
    early: [2],
  },
] as const)("of the attempts $of, with the clock set back as in $setBack, $early came too early", (row) => {
  expect(early(attempts([...row.of].map(([s, status]) => [s, status])), row.setBack)).toEqual(row.early);
});
