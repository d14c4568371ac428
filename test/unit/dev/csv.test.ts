import { describe, expect, it } from "vitest";
import { type Cell, csvCell, csvFile } from "../../../dev/files-creator/csv.ts";

describe("csvCell", () => {
  it.each<[string, Cell, string]>([
    ["plain text", "John", "John"],
    ["nothing", null, ""],
    ["a missing value", undefined, ""],
    ["a number", 5000.5, "5000.5"],
    ["a negative number", -12, "-12"],
    ["a truth value", false, "false"],
    ["a comma", "Doe, John", '"Doe, John"'],
    ["a quote", 'the "boss"', '"the ""boss"""'],
    ["a line break", "a\r\nb", '"a\r\nb"'],
    ["blanks at the edges", " a ", '" a "'],
    ["letters beyond ASCII", "Zoë Núñez 李", "Zoë Núñez 李"],
  ])("writes %s", (_, value, expected) => {
    expect(csvCell(value)).toBe(expected);
  });

  it.each([
    ["=1+1", "'=1+1"],
    ["+1", "'+1"],
    ["-2+3", "'-2+3"],
    ["@SUM(A1)", "'@SUM(A1)"],
    ["  =1", "'  =1"],
    ["\t=1", "'\t=1"],
    ["\u0000=1", "'\u0000=1"],
    ["＝1", "'＝1"],
    ["\tx", "'\tx"],
    ['=HYPERLINK("x","y")', `"'=HYPERLINK(""x"",""y"")"`],
    ["\r=1", `"'\r=1"`],
  ])("disarms the formula %j", (value, expected) => {
    expect(csvCell(value)).toBe(expected);
  });

  it.each(["a=b", "1-2", "x@example.com", "Smith-Jones"])("leaves %j alone", (value) => {
    expect(csvCell(value)).toBe(value);
  });
});

describe("csvFile", () => {
  it("ends every line with CRLF and quotes the header too", () => {
    expect(csvFile(["a", "b,c", "=d"], [[1, "x", null]])).toBe('a,"b,c",\'=d\r\n1,x,\r\n');
  });
});
