import { describe, expect, it } from "vitest";
import { type Fault, parseFaults, storesFile, takeFault } from "../../../dev/files-creator/ordered-faults.ts";

function parsed(body: unknown): Fault[] {
  const result = parseFaults(body);
  if (!result.ok) throw new Error(result.message);
  return result.faults;
}

describe("parseFaults", () => {
  it("accepts a single fault for one request", () => {
    expect(parsed({ status: 503 })).toEqual([{ status: 503, count: 1 }]);
  });

  it("accepts a list, in its order", () => {
    expect(parsed([{ drop: true }, { retry_after: 3, status: 429, count: 2 }])).toEqual([
      { drop: true, count: 1 },
      { retry_after: 3, status: 429, count: 2 },
    ]);
  });

  it.each([
    ["nothing to do", {}, "at least one of"],
    ["a count alone", { count: 3 }, "at least one of"],
    ["an unknown field", { status: 503, statsu: 1 }, "statsu"],
    ["a status that is none", { status: 99 }, "status"],
    ["a count of zero", { status: 503, count: 0 }, "count"],
    ["two ends of one answer", { status: 503, hang: true }, "only one of"],
    ["hang: false", { hang: false }, "hang"],
    ["an unknown report order", { report: "later" }, "report"],
    ["a string", "503", "object"],
    ["null", null, "object"],
  ])("refuses %s and says why", (_, body, reason) => {
    expect(parseFaults(body)).toEqual({ ok: false, message: expect.stringContaining(reason) });
  });

  it("says which fault of a list is wrong", () => {
    expect(parseFaults([{ hang: true }, { delay_ms: -1 }])).toEqual({
      ok: false,
      message: expect.stringMatching(/^\[1\] delay_ms/),
    });
  });
});

describe("takeFault", () => {
  it("uses up each fault's count before the next one's turn", () => {
    let left = parsed([{ status: 500, count: 2 }, { hang: true }]);
    const taken: (Fault | undefined)[] = [];
    for (let i = 0; i < 4; i += 1) {
      const step = takeFault(left);
      taken.push(step.fault);
      left = step.left;
    }
    expect(taken.map((fault) => fault?.status ?? fault?.hang)).toEqual([500, 500, true, undefined]);
    expect(left).toEqual([]);
  });
});

describe("storesFile", () => {
  it.each<[Partial<Fault>, boolean]>([
    [{ status: 503 }, false],
    [{ status: 422 }, false],
    [{ status: 200 }, true],
    [{ status: 500, store: true }, true],
    [{ hang: true }, false],
    [{ hang: true, store: true }, true],
    [{ drop: true }, true],
    [{ drop: "body" }, true],
    [{ drop: true, store: false }, false],
    [{ delay_ms: 10 }, true],
    [{ report: "none" }, true],
  ])("%j: %s", (fault, expected) => {
    expect(storesFile({ count: 1, ...fault })).toBe(expected);
  });

  it("stores when there is no fault", () => {
    expect(storesFile(undefined)).toBe(true);
  });
});
