import { describe, expect, it } from "vitest";
import { reportSeries } from "../../../dev/report-series.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (body: Uint8Array) => new TextDecoder().decode(body);

describe("reportSeries", () => {
  it("leaves the bytes alone when nothing is to vary", () => {
    const original = bytes('{ "a":5000.00 }');
    expect(reportSeries(original, false, "s")(7)).toBe(original);
  });

  it("adds a number of its own to each body and keeps the rest byte for byte", () => {
    const bodyOf = reportSeries(bytes('\n{ "wages":5000.00 }\n'), true, "s");
    expect(text(bodyOf(1))).toBe('\n{"report_number":"s-1", "wages":5000.00 }\n');
    expect(text(bodyOf(2))).toBe('\n{"report_number":"s-2", "wages":5000.00 }\n');
  });

  it("varies an empty object into valid JSON", () => {
    expect(JSON.parse(text(reportSeries(bytes("{}"), true, "s")(1)))).toEqual({ report_number: "s-1" });
  });

  it.each(["[]", "7", "null", "{", '{"report_number":1}'])("refuses to vary %s", (original) => {
    expect(() => reportSeries(bytes(original), true, "s")).toThrow("--same");
  });
});
