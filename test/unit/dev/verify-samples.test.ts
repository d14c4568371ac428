/** What the console shows of verifying a delivery are the lines of the receivers that the tests run. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";
import { VERIFY_BODY_ONLY, VERIFY_SAMPLES } from "../../../src/console/samples/verify.ts";

const RECEIVERS = path.resolve(import.meta.dirname, "../../../docs/receivers");

it.each([
  ["every-v1.mjs", VERIFY_SAMPLES[0]],
  ["every_v1.py", VERIFY_SAMPLES[1]],
  ["body-only.mjs", VERIFY_BODY_ONLY[0]],
  ["body_only.py", VERIFY_BODY_ONLY[1]],
])("%s has every line of the sample", (file, sample) => {
  const tested = readFileSync(path.join(RECEIVERS, file), "utf8").split("\n");
  const shown = sample?.text.split("\n").filter((line) => line !== "") ?? [];
  expect(shown.length).toBeGreaterThan(3);
  expect(shown.filter((line) => !tested.includes(line))).toEqual([]);
});
