import { expect, it } from "vitest";
import { csvOf } from "../../../src/console/pages/metrics/metrics-csv.ts";
import type { Part } from "../../../src/console/pages/metrics/metrics-view.ts";

const AT = Date.UTC(2026, 4, 20);
const ISO = "2026-05-20T00:00:00.000Z";

const named = (name: string): Part => ({
  kind: "breakdown",
  breakdown: {
    title: "Refused by owner",
    of: "Owner",
    times: [AT],
    rows: [
      {
        name,
        isId: false,
        href: null,
        figures: [{ label: "Total", value: -3, unit: "cents" }],
        spark: { values: [null], unit: "cents", meaning: "bad" },
      },
    ],
    empty: "",
    next: null,
  },
});

it("has a row for every number of a chart, and its totals", () => {
  const csv = csvOf([
    {
      kind: "chart",
      chart: {
        title: "Requests",
        times: [AT, AT + 3_600_000],
        lines: [{ label: "Accepted", meaning: "good", values: [3, null], total: 3 }],
      },
    },
  ]);
  expect(csv).toBe(
    [
      "chart,series,figure,from,value,unit",
      "Requests,Accepted,Total,,3,count",
      `Requests,Accepted,,${ISO},3,count`,
      "Requests,Accepted,,2026-05-20T01:00:00.000Z,,count",
      "",
    ].join("\r\n"),
  );
});

it("leaves numbers numbers, negative ones too", () => {
  expect(csvOf([named("a/b")])).toContain("Refused by owner,a/b,Total,,-3,cents\r\n");
});

it.each([
  ["=1+1", "'=1+1"],
  ["+1", "'+1"],
  ["-cmd", "'-cmd"],
  ["@x", "'@x"],
  ["\tx", "'\tx"],
  [" =x", "' =x"],
  ['say "a", b', '"say ""a"", b"'],
  ['=HYPERLINK("x","y")', '"\'=HYPERLINK(""x"",""y"")"'],
  ["two\r\nlines", '"two\r\nlines"'],
  ["payroll_company/acme", "payroll_company/acme"],
])("the text %j becomes %j, which no spreadsheet runs", (text, cell) => {
  expect(csvOf([named(text)])).toContain(`Refused by owner,${cell},Total,,-3,cents`);
});
