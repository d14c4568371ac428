import { describe, expect, it } from "vitest";
import { importLinesOf } from "../../../src/console/pages/settings/employers/import-lines.ts";

function read(text: string) {
  const result = importLinesOf(text);
  if (!result.ok) return expect.fail(result.error);
  const employers = result.value.lines.map((line) => (line === "" ? null : JSON.parse(line)));
  return { employers, problems: result.value.problems };
}

const problemOf = (text: string) => {
  const result = importLinesOf(text);
  return result.ok ? expect.fail("it was read") : result.error;
};

describe("a list of employers", () => {
  it("of NDJSON stays as it is, line by line", () => {
    const text = '\uFEFF{"id":"A","name":"One"}\r\n\n{"id":"B"\n';
    expect(importLinesOf(text)).toEqual({
      ok: true,
      value: { lines: ['{"id":"A","name":"One"}', "", '{"id":"B"'], problems: [] },
    });
  });

  it("of CSV keeps its line numbers, also past quoted line breaks", () => {
    const text =
      'name,id,fein,owners\r\n"Smith, ""Bo"" & Söhne",A,12-3456789,payroll_company/acme employer/x\r\n\r\n"two\r\nlines",B,,none\r\nLast,C,,\r\n';
    expect(read(text)).toEqual({
      employers: [
        null,
        {
          id: "A",
          name: 'Smith, "Bo" & Söhne',
          fein: "12-3456789",
          owners: [
            { owner_type: "payroll_company", owner_id: "acme" },
            { owner_type: "employer", owner_id: "x" },
          ],
        },
        null,
        { id: "B", name: "two\r\nlines", owners: [] },
        null,
        { id: "C", name: "Last" },
      ],
      problems: [],
    });
  });

  it.each([
    ["semicolons", "ID;Name\nA;One, two"],
    ["tabs", "id\tname\nA\tOne, two"],
  ])("may be separated by %s", (_what, text) => {
    expect(read(text).employers).toEqual([null, { id: "A", name: "One, two" }]);
  });

  it("says in which line something is wrong, and reads the others", () => {
    expect(read('id,name\nA\nB,Two\nC,"Three\n').problems).toEqual([
      { line: 2, message: "The line has one field, and the first line names 2." },
      { line: 4, message: 'A quoted field has no end: " is missing.' },
    ]);
    expect(read("id,name\nA,One,more\nB,Two").employers).toEqual([null, null, { id: "B", name: "Two" }]);
  });

  it.each([
    [" \n", "The list is empty."],
    [
      "EMP_1,One\n",
      "The first line must name the columns, of id, name, fein, owners: id and name are required. It has “emp_1”.",
    ],
    [
      "id,fein\n",
      "The first line must name the columns, of id, name, fein, owners: id and name are required.",
    ],
    ["id,name,id\n", "The first line names a column twice."],
  ])("is refused as a whole: %j", (text, problem) => {
    expect(problemOf(text)).toBe(problem);
  });
});
