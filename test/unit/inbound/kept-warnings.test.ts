import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { FileFacts } from "../../../src/gate/protocol.ts";
import { keptWarnings, warningsOf } from "../../../src/inbound/kept-warnings.ts";

const MISSING = "Required field missing";

const shown = (warnings: ReturnType<typeof keptWarnings>, more: Partial<FileFacts> = {}) =>
  warningsOf({ ...(warnings && { warnings }), ...more } as FileFacts);

describe("warnings that are kept with a file", () => {
  it("take little room where every employee lacks the same field", () => {
    const told = Object.fromEntries(
      Array.from({ length: 100 }, (_, i) => [`employees[${i}].class_code`, MISSING]),
    );
    expect(keptWarnings(told)).toEqual([{ message: MISSING, path: ".class_code", employees: "0-99" }]);
  });

  it("take no room where there are none", () => {
    expect(keptWarnings({})).toBeUndefined();
  });

  it("take little room whatever the body's names are", () => {
    const told = Object.fromEntries(
      Array.from({ length: 100 }, (_, i) => [`${"deep.".repeat(500)}${i}`, MISSING]),
    );
    const kept = keptWarnings(told);
    expect(JSON.stringify(kept).length).toBeLessThan(9_000);
    expect(Object.keys(shown(kept))).toEqual(Object.keys(told).slice(0, 3));
  });

  it("come back as they were told", () => {
    const path = fc.oneof(
      fc
        .tuple(fc.nat(300), fc.constantFrom("", ".state", ".class_code", "[0].x"))
        .map(([i, field]) => `employees[${i}]${field}`),
      fc.constantFrom(
        "employer_fein",
        "employees",
        "employees[01].x",
        "employees[-1]",
        "employees[1-2].x",
        '["x","y"]',
      ),
      fc.string({ minLength: 1 }),
    );
    fc.assert(
      fc.property(
        fc.dictionary(path, fc.constantFrom(MISSING, "Must be a string"), { maxKeys: 100 }),
        (told) => {
          expect(shown(keptWarnings(told))).toEqual({ ...told });
        },
      ),
    );
  });

  it("name the earlier file with the same body first", () => {
    const warnings = keptWarnings({ employer_fein: MISSING });
    expect(Object.entries(shown(warnings, { sameBodyAs: "FILE_1" }))).toEqual([
      ["body", "Identical to FILE_1, received within the last hour"],
      ["employer_fein", MISSING],
    ]);
  });
});
