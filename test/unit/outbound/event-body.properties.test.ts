/** Event data of every shape: what is taken comes out as it went in, and what a receiver prints again is what was signed. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readJson } from "../../../src/http/json-text.ts";
import { EVENT_TYPES, eventBody } from "../../../src/outbound/event-types.ts";
import { jsonValue } from "../../support/json-texts.ts";

const event = fc.record({
  id: fc.string({ unit: "binary", maxLength: 40 }),
  type: fc.constantFrom(...EVENT_TYPES),
  createdAt: fc.integer({ min: 0, max: 4e12 }),
  source: fc.string({ unit: "binary", maxLength: 20 }),
  environment: fc.constantFrom("sandbox" as const, "production" as const),
  sequence: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
});

/** The value of a JSON text with every number as its exact decimal digits, and nothing else of its form. */
function exactValueOf(text: string): unknown {
  return JSON.parse(text, (_key, value, context?: { source?: string }) =>
    typeof value === "number" ? exactNumber(context?.source ?? String(value)) : value,
  );
}

/** Digits and exponent of a number, without zeros at either end. */
function exactNumber(source: string): string {
  const [mantissa = "", exponent = "0"] = source.toLowerCase().split("e");
  const [whole = "", fraction = ""] = mantissa.replace("-", "").split(".");
  const digits = (whole + fraction).replace(/^0+/, "");
  if (digits === "") return "0";
  const significant = digits.replace(/0+$/, "");
  const power = Number(exponent) - fraction.length + digits.length - significant.length;
  return `${source.startsWith("-") ? "-" : ""}${significant}e${power}`;
}

describe("an event's body", () => {
  it("is the same bytes when a receiver parses and prints it again", () => {
    const property = fc.property(event, jsonValue, (facts, text) => {
      const read = readJson(text, "The text");
      if (!read.ok) return;
      const body = eventBody(facts, JSON.stringify(read.value));
      expect(JSON.stringify(JSON.parse(body))).toBe(body);
    });
    fc.assert(property, { numRuns: 2_000 });
  });

  // Fractions with more digits than a double prints are not among these texts: they are rounded.
  it("holds exactly the value that was given", () => {
    const property = fc.property(jsonValue, (text) => {
      const read = readJson(text, "The text");
      if (!read.ok) return;
      const printed = JSON.stringify(read.value);
      expect(exactValueOf(printed)).toEqual(exactValueOf(text));
    });
    fc.assert(property, { numRuns: 2_000 });
  });

  it("is taken whatever JSON.stringify made of plain values", () => {
    // Any text but the one character that is refused.
    const text = (maxLength: number) =>
      fc.string({ unit: "binary", maxLength }).map((any) => any.replaceAll("\0", " "));
    const plain = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 5 },
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.maxSafeInteger(),
        text(20),
        fc.boolean(),
        fc.constant(null),
        fc.array(tie("value"), { maxLength: 4 }),
        fc.dictionary(text(8), tie("value"), { maxKeys: 4 }),
      ),
    })).value;
    const property = fc.property(plain, (value) => {
      expect(readJson(JSON.stringify(value), "The text")).toMatchObject({ ok: true });
    });
    fc.assert(property, { numRuns: 1_000 });
  });
});
