import { describe, expect, it } from "vitest";
import { readJson } from "../../../src/outbound/lossless.ts";

describe("JSON that is to be printed again", () => {
  it.each([
    ["0", "0"],
    ["-0", "0"],
    ["0.0e5", "0"],
    ["9007199254740992", "9007199254740992"],
    ["-9007199254740991", "-9007199254740991"],
    ["375000.00", "375000"],
    ["1E+2", "100"],
    ["1e21", "1e+21"],
    ["100000000000000000000000", "1e+23"],
    ["1.5e-7", "1.5e-7"],
    ["0.10000000000000001", "0.1"],
    ["0.1000000000000000055511151231257827", "0.1"],
    ["5e-324", "5e-324"],
    ["1.7976931348623157e308", "1.7976931348623157e+308"],
    ['{"b":1,"2":2,"1":3}', '{"1":3,"2":2,"b":1}'],
    ['{"__proto__":{"a":1},"constructor":2}', '{"__proto__":{"a":1},"constructor":2}'],
    ['"\\ud800 \\u0000 \\/ \\u00e9"', '"\\ud800 \\u0000 / é"'],
    ['{"a":{"x":1},"b":{"x":1},"c":[{"x":1},{"x":1}]}', '{"a":{"x":1},"b":{"x":1},"c":[{"x":1},{"x":1}]}'],
    [
      '["a:1","{\\"a\\":1,\\"a\\":2}","9007199254740993"]',
      '["a:1","{\\"a\\":1,\\"a\\":2}","9007199254740993"]',
    ],
    [" [ 1 , { } , [ ] ] ", "[1,{},[]]"],
  ])("survives: %s", (text, printed) => {
    const read = readJson(text);
    if (!read.ok) throw new Error(read.problem);
    expect(JSON.stringify(read.value)).toBe(printed);
  });

  it.each([
    ["9007199254740993", "", "9007199254740993 loses digits as a JSON number; send it as a string"],
    ['[1,{"a":[0,-9007199254740993]}]', "[1].a[1]", "-9007199254740993 loses digits"],
    ["12345678901234567890", "", "12345678901234567890 loses digits"],
    ["9007199254740993.0", "", "loses digits"],
    ["9007199254740993e0", "", "loses digits"],
    ["90071992547409930e-1", "", "loses digits"],
    ["900719925474099.3e1", "", "loses digits"],
    ['{"data":{"n":1e400}}', "data.n", "1e400 loses digits"],
    ['{"data":{"n":-1e-400}}', "data.n", "-1e-400 loses digits"],
    ['{"a":1,"b":2,"a":3}', "a", "This name stands twice in its object"],
    ['{"a":{"é":1,"\\u00e9":2}}', "a.é", "This name stands twice in its object"],
    ['{"__proto__":1,"__proto__":1}', "__proto__", "This name stands twice"],
    ['{"a":[{},{"b":1,"c":{},"b":[]}]}', "a[1].b", "This name stands twice"],
    [`${"[".repeat(101)}${"]".repeat(101)}`, "[0]".repeat(100), "Nested deeper than 100 levels"],
    ["", "", "Not valid JSON"],
    ["{", "", "Not valid JSON"],
    ["NaN", "", "Not valid JSON"],
    ["[1,]", "", "Not valid JSON"],
    ["\ufeff{}", "", "Not valid JSON"],
  ])("is refused: %s", (text, path, problem) => {
    expect(readJson(text)).toEqual({ ok: false, path, problem: expect.stringContaining(problem) });
  });

  it("is read however long its texts and however deep its nesting within the bound", () => {
    expect(readJson(JSON.stringify({ long: `${'\\"é'.repeat(200_000)}` })).ok).toBe(true);
    // As many escapes as the largest body holds.
    expect(readJson(`"${"\\n".repeat(4 * 1024 ** 2)}"`).ok).toBe(true);
    expect(readJson(`${"[".repeat(100)}${"]".repeat(100)}`).ok).toBe(true);
    expect(readJson("[".repeat(1_000_000)).ok).toBe(false);
  });
});
