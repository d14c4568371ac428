/** A body as other programs print it. The expected texts were printed by those programs. */
import { expect, it } from "vitest";
import { utf8 } from "../../../../src/crypto/encoding.ts";
import { reprinted } from "../../../../src/inbound/diagnosis/reprinted-json.ts";

const SOURCE = String.raw`{"b": 5000.00, "a": 1e2, "tiny": 0.00001, "small": 1.5E-7, "huge": 1e16, "below": 123456789012345.6,
  "int": 12345678901234567890, "neg": -0.0, "minus": -0, "text": "é😀/<\u007f\n\"'", "flag": true, "none": null,
  "list": [], "map": {}, "deep": [[1], {"x": []}]}`;

const prints = [...reprinted(utf8(SOURCE))];

it("as JSON.stringify prints it", () => {
  const value: unknown = JSON.parse(SOURCE);
  for (const indent of [0, 2, 4]) expect(prints).toContain(JSON.stringify(value, null, indent));
});

it.each([
  [
    "json.dumps",
    String.raw`{"b": 5000.0, "a": 100.0, "tiny": 1e-05, "small": 1.5e-07, "huge": 1e+16, "below": 123456789012345.6, "int": 12345678901234567890, "neg": -0.0, "minus": 0, "text": "\u00e9\ud83d\ude00/<\u007f\n\"'", "flag": true, "none": null, "list": [], "map": {}, "deep": [[1], {"x": []}]}`,
  ],
  [
    "json.dumps with compact separators",
    String.raw`{"b":5000.0,"a":100.0,"tiny":1e-05,"small":1.5e-07,"huge":1e+16,"below":123456789012345.6,"int":12345678901234567890,"neg":-0.0,"minus":0,"text":"\u00e9\ud83d\ude00/<\u007f\n\"'","flag":true,"none":null,"list":[],"map":{},"deep":[[1],{"x":[]}]}`,
  ],
  [
    "a program that keeps numbers",
    `{"b":5000.00,"a":1e2,"tiny":0.00001,"small":1.5E-7,"huge":1e16,"below":123456789012345.6,"int":12345678901234567890,"neg":-0.0,"minus":-0,"text":"é😀/<` +
      "\x7f" +
      String.raw`\n\"'","flag":true,"none":null,"list":[],"map":{},"deep":[[1],{"x":[]}]}`,
  ],
  [
    "System.Text.Json",
    String.raw`{"b":5000.00,"a":1e2,"tiny":0.00001,"small":1.5E-7,"huge":1e16,"below":123456789012345.6,"int":12345678901234567890,"neg":-0.0,"minus":-0,"text":"\u00E9\uD83D\uDE00/\u003C\u007F\n\u0022\u0027","flag":true,"none":null,"list":[],"map":{},"deep":[[1],{"x":[]}]}`,
  ],
])("as %s prints it", (_, print) => {
  expect(prints).toContain(print);
});

it("each print is a different text of the same value", () => {
  expect(new Set(prints).size).toBe(prints.length);
  const value: unknown = JSON.parse(SOURCE.replace("-0,", "0,").replace("-0.0", "0"));
  for (const print of prints) {
    expect(print).not.toBe(SOURCE);
    const read: unknown = JSON.parse(print.replace("-0.0", "0").replace(/-0\b(?!\.)/, "0"));
    expect(read).toEqual(value);
  }
});

it.each([
  ["no JSON", "{"],
  ["invalid UTF-8", Uint8Array.of(0x22, 0xff, 0x22)],
  ["too deep", `${"[".repeat(65)}${"]".repeat(65)}`],
  ["too many values", `[${"1,".repeat(10_001)}1]`],
  ["nothing", ""],
])("no print of a body that is %s", (_, body) => {
  expect([...reprinted(typeof body === "string" ? utf8(body) : body)]).toEqual([]);
});
