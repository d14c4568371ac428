import { describe, expect, it } from "vitest";
import { utf8 } from "../../../src/crypto/encoding.ts";
import { describeFailure } from "../../../src/http/failure.ts";
import { placeOf, scanJson } from "../../../src/http/json-scan.ts";
import { readJson, readJsonBytes } from "../../../src/http/json-text.ts";

const read = (text: string) => readJson(text, "The body");
const deep = (levels: number) => `${"[".repeat(levels)}${"]".repeat(levels)}`;

describe("JSON that will be printed again", () => {
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
    ['"\\ud83d\\ude00 \\u0001 \\/ \\u00e9"', '"😀 \\u0001 / é"'],
    ['{"a":{"x":1},"b":{"x":1},"c":[{"x":1},{"x":1}]}', '{"a":{"x":1},"b":{"x":1},"c":[{"x":1},{"x":1}]}'],
    [
      '["a:1","{\\"a\\":1,\\"a\\":2}","9007199254740993","\\\\u0000 \\\\ud83d"]',
      '["a:1","{\\"a\\":1,\\"a\\":2}","9007199254740993","\\\\u0000 \\\\ud83d"]',
    ],
    [" [ 1 , { } , [ ] , true,false,\r\n\tnull ] ", "[1,{},[],true,false,null]"],
  ])("survives: %s", (text, printed) => {
    const result = read(text);
    if (!result.ok) throw new Error(describeFailure(result.error).message);
    expect(JSON.stringify(result.value)).toBe(printed);
  });

  it.each([
    ["9007199254740993", "body", "9007199254740993 loses digits as a JSON number; send it as a string"],
    ['[1,{"a":[0,-9007199254740993]}]', "[1].a[1]", "-9007199254740993 loses digits"],
    ["12345678901234567890", "body", "12345678901234567890 loses digits"],
    ["9007199254740993.0", "body", "loses digits"],
    ["9007199254740993e0", "body", "loses digits"],
    ["90071992547409930e-1", "body", "loses digits"],
    ["900719925474099.3e1", "body", "loses digits"],
    ['{"data":{"n":1e400}}', "data.n", "1e400 loses digits"],
    ['{"data":{"n":-1e-400}}', "data.n", "-1e-400 loses digits"],
    ['{"a":1,"b":2,"a":3}', "a", "This name appears twice in its object"],
    ['{"a":{"é":1,"\\u00e9":2}}', "a.é", "This name appears twice in its object"],
    ['{"__proto__":1,"__proto__":1}', "__proto__", "This name appears twice"],
    ['{"a":[{},{"b":1,"c":{},"b":[]}]}', "a[1].b", "This name appears twice"],
    ['{"a":["x","\\ud83d"]}', "a[1]", "half of a surrogate pair"],
    ['{"a":"\\ude00\\ud83d"}', "a", "half of a surrogate pair"],
    ['{"a":"x\\u0000y"}', "a", "NUL"],
    ['{"a\\u0000":1}', "a\0", "NUL"],
    [deep(101), "[0]".repeat(100), "Nested deeper than 100 levels"],
  ])("is refused: %s", (text, path, problem) => {
    const result = read(text);
    if (result.ok) throw new Error("was read");
    expect(describeFailure(result.error).message).toBe("The request has invalid fields.");
    expect(Object.entries(describeFailure(result.error).details ?? {})).toEqual([
      [path, expect.stringContaining(problem)],
    ]);
  });

  it("that does not parse is reported as nested too deep, if the scan ends before the syntax error", () => {
    const result = read("[".repeat(3_000));
    expect(result.ok ? null : describeFailure(result.error)).toMatchObject({
      message: "The body is not valid JSON: line 1, column 101: Nested deeper than 100 levels.",
      details: { line: 1, column: 101 },
    });
  });

  it("is rejected with all problems at once, each under its path", () => {
    const result = read('{"a":1,"a":{"b":"\\u0000"},"c":["\\ud83d",1e999]}');
    expect(result.ok ? null : Object.keys(describeFailure(result.error).details ?? {})).toEqual([
      "a",
      "a.b",
      "c[0]",
      "c[1]",
    ]);
  });

  it("is read with texts of any length and any allowed nesting", () => {
    expect(read(JSON.stringify({ long: `${'\\"é'.repeat(200_000)}` })).ok).toBe(true);
    // As many escapes as the largest body holds.
    expect(read(`"${"\\n".repeat(4 * 1024 ** 2)}"`).ok).toBe(true);
    expect(read(deep(100)).ok).toBe(true);
    expect(read("[".repeat(1_000_000)).ok).toBe(false);
  });
});

describe("what is not JSON", () => {
  it.each([
    ["{", 1, 2, "ends before"],
    ["NaN", 1, 1, "NaN is not a JSON value: send null"],
    ['{"a": NaN}', 1, 7, "(a): NaN is not a JSON value"],
    ['{\r\n  "a": 1,\r\n  "b": -Infinity\r\n}', 3, 8, "(b): -Infinity is not a JSON value"],
    ['{"a":[1,undefined]}', 1, 9, "(a[1]): undefined is not a JSON value"],
    ["[1,]", 1, 3, "Remove the trailing comma before ]"],
    ['{"a":1,\n}', 1, 7, "Remove the trailing comma before }"],
    ["{'a':1}", 1, 2, "Single quotes"],
    ["[“a”]", 1, 2, "Typographic quotes"],
    ["{a:1}", 1, 2, "Names must be in double quotes"],
    ['{"a":True}', 1, 6, "True is Python's: JSON writes true"],
    ['{"a":None}', 1, 6, "None is Python's: JSON writes null"],
    ['{"a":1} // done', 1, 9, "no comments"],
    ['{"a":01}', 1, 6, "Not a JSON number"],
    ['{"a":+1}', 1, 6, "Not a JSON number"],
    ['{"a":.5}', 1, 6, "Not a JSON number"],
    ['{"a":1.}', 1, 6, "Not a JSON number"],
    ['{"a":tru}', 1, 6, "strings must be in double quotes"],
    ['{"a":"x\ny"}', 1, 8, "A line break in a string must be written as \\n"],
    ['{"a":"C:\\Users"}', 1, 9, "write a backslash in a string as \\\\"],
    ['{"a":"x', 1, 8, "ends inside a string"],
    ['{"a" 1}', 1, 6, "Expected a colon"],
    ['{"a":1 "b":2}', 1, 8, "Expected a comma or }"],
    ["[1 2]", 1, 4, "Expected a comma or ]"],
    ["[,1]", 1, 2, "before the comma"],
    ['{"a":1}{"a":2}', 1, 8, "More text follows"],
    ["<html>", 1, 1, "XML or HTML"],
    ["name=x&b=1", 1, 1, "a form"],
    ["\ufeff{}", 1, 1, "Expected a value"],
  ])("is refused with the place and the slip: %s", (text, line, column, problem) => {
    const result = read(text);
    if (result.ok) throw new Error("was read");
    expect(describeFailure(result.error).message).toMatch(/^The body is not valid JSON: line/);
    expect(describeFailure(result.error).message).toContain(`line ${line}, column ${column}`);
    expect(describeFailure(result.error).message).toContain(problem);
    expect(describeFailure(result.error).details).toEqual({ line, column });
  });

  it("is rejected by the scan exactly if the platform's parser rejects it", () => {
    const pieces = [
      "{",
      "}",
      "[",
      "]",
      ",",
      ":",
      '"a"',
      '"b"',
      "1",
      "-",
      "0",
      ".5",
      "e1",
      "true",
      "nul",
      " ",
    ];
    let seed = 7;
    const next = (n: number) => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return seed % n;
    };
    for (let run = 0; run < 20_000; run++) {
      const text = Array.from({ length: 1 + next(7) }, () => pieces[next(pieces.length)]).join("");
      const refused = scanJson(text).some(({ kind }) => kind === "syntax");
      let parses = true;
      try {
        JSON.parse(text);
      } catch {
        parses = false;
      }
      expect([text, refused]).toEqual([text, !parses]);
    }
  });
});

describe("bytes that are not UTF-8", () => {
  const latin1 = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0));
  const utf16 = (text: string) => Uint8Array.from([...text].flatMap((char) => [char.charCodeAt(0), 0]));
  const messageOf = (bytes: Uint8Array) => {
    const result = readJsonBytes(bytes, "The body");
    return result.ok ? "read" : describeFailure(result.error).message;
  };

  it.each([
    ["a byte order mark", Uint8Array.of(0xef, 0xbb, 0xbf, 0x7b, 0x7d), "byte order mark (EF BB BF)"],
    ["UTF-16 with a mark", Uint8Array.of(0xff, 0xfe, ...utf16("{}")), "UTF-16"],
    ["big-endian UTF-16 with a mark", Uint8Array.of(0xfe, 0xff, 0, 0x7b, 0, 0x7d), "UTF-16"],
    ["UTF-16 without a mark", utf16('{"a":1}'), "UTF-16 or UTF-32"],
    ["big-endian UTF-16 without a mark", Uint8Array.of(0, 0x7b, 0, 0x7d), "UTF-16 or UTF-32"],
    ["gzip", Uint8Array.of(0x1f, 0x8b, 8, 0, 0), "compressed with gzip"],
    ["Latin-1", latin1('{\n "name": "José"}'), "line 2, column 14 (name): the byte E9"],
    ["an overlong slash", Uint8Array.of(0x22, 0xc0, 0xaf, 0x22), "the byte C0"],
    ["a surrogate in UTF-8", Uint8Array.of(0x22, 0xed, 0xa0, 0x80, 0x22), "the byte ED"],
    ["beyond Unicode", Uint8Array.of(0x22, 0xf4, 0x90, 0x80, 0x80, 0x22), "the byte F4"],
    ["a character cut off", utf8('"é').subarray(0, 2), "line 1, column 2: the byte C3"],
  ])("%s is refused by name", (_name, bytes, problem) => {
    expect(messageOf(bytes)).toContain(problem);
  });

  it.each(["é", "\u00a0", "\u2028", "😀", "\ufeff inside", "\uffff", "\ufffd"])(
    "%j is read as it is",
    (text) => {
      expect(readJsonBytes(utf8(JSON.stringify({ text })), "The body")).toEqual({
        ok: true,
        value: { text },
      });
    },
  );
});

it("places are counted from one, by lines that end in any way", () => {
  expect([0, 1, 2, 3, 5].map((at) => placeOf("a\nb\r\nc", at))).toEqual([
    { line: 1, column: 1 },
    { line: 1, column: 2 },
    { line: 2, column: 1 },
    { line: 2, column: 2 },
    { line: 3, column: 1 },
  ]);
});
