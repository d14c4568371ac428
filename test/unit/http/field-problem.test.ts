import { describe, expect, it } from "vitest";
import * as z from "zod";
import { describeFailure } from "../../../src/http/failure.ts";
import { pageLimit } from "../../../src/http/page.ts";
import { timeParameter } from "../../../src/http/time-parameter.ts";
import { parseWith } from "../../../src/http/validation.ts";

function problemWith(schema: z.ZodType, value: unknown): unknown {
  const parsed = parseWith({ field: value }, z.strictObject({ field: schema }));
  if (parsed.ok) return "none";
  const { error, details } = describeFailure(parsed.error);
  return error === "Validation Error" ? details?.field : parsed.error;
}

describe("a field's problem says what is needed and what was given", () => {
  it.each<[string, z.ZodType, unknown, string]>([
    ["a quoted number", z.int(), "60", "Must be a number, not text: send 60 without quotes"],
    ["a quoted fraction", z.number(), "1.5", "Must be a number, not text: send 1.5 without quotes"],
    ["a word for a number", z.number(), "sixty", 'Must be a number; "sixty" was given'],
    ["an empty text for a number", z.number(), "", 'Must be a number; "" was given'],
    ["a fraction", z.int(), 1.5, "Must be a whole number; 1.5 was given"],
    ["null", z.int(), null, "Must be a number; null was given"],
    ["a quoted boolean", z.boolean(), "true", 'Must be true or false, without quotes; "true" was given'],
    ["a number for a text", z.string(), 5, "Must be text in quotes; 5 was given"],
    ["a list for an object", z.object({}), [], "Must be an object; an array was given"],
    ["a text for a list", z.array(z.string()), "file.*", 'Must be an array; "file.*" was given'],
    ["a word that is none of the words", z.enum(["a", "b"]), "c", 'Must be one of a, b; "c" was given'],
    ["a long text", z.enum(["a", "b"]), "c".repeat(41), "Must be one of a, b; a longer text was given"],
    ["a number too large", z.int().max(6), 60, "Must be at most 6; 60 was given"],
    ["a text too long", z.string().max(3), "four", "Must have at most 3 characters; it has 4"],
    ["a list too long", z.array(z.int()).max(1), [1, 2], "Must have at most 1 entry; it has 2"],
    ["an empty list", z.array(z.int()).min(1), [], "Must have at least 1 entry; it has 0"],
    ["an empty text", z.string().min(1), "", "Must have at least 1 character; it has 0"],
  ])("%s", (_name, schema, value, problem) => {
    expect(problemWith(schema, value)).toBe(problem);
  });

  it.each(["abc", "", "0", "101", "1.5", "-1", "1e9"])("a page limit of %j", (value) => {
    expect(problemWith(pageLimit, value)).toBe(
      `Must be a whole number from 1 to 100; ${JSON.stringify(value)} was given`,
    );
  });
});

describe("a time in a query", () => {
  it.each([
    ["2026-03-16T10:30:00Z", "2026-03-16T10:30:00Z"],
    ["2026-03-16T10:30:00.5+00:00", "2026-03-16T10:30:00.5+00:00"],
    ["2026-03-16T10:30:00 00:00", "2026-03-16T10:30:00+00:00"],
    ["2026-03-16T10:30:00.123 05:30", "2026-03-16T10:30:00.123+05:30"],
    ["2026-03-16T10:30:00-05:00", "2026-03-16T10:30:00-05:00"],
  ])("%j is %s", (text, time) => {
    expect(timeParameter.parse(text)).toBe(time);
  });

  it.each([
    ["2026-03-16", "a day without a time was given"],
    ["1774000000000", "a number was given"],
    ["2026-03-16T10:30:00", "the zone is missing: add Z or an offset"],
    ["2026-03-16 10:30:00Z", "put a T in place of the blank"],
    ["yesterday", '"yesterday" was given'],
    ["2026-02-30T10:30:00Z", '"2026-02-30T10:30:00Z" was given'],
  ])("%j is refused", (text, problem) => {
    expect(problemWith(timeParameter, text)).toBe(`Must be a time such as 2026-03-16T10:30:00Z; ${problem}`);
  });
});
