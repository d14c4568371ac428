/** Describes what is wrong with a field: what is required, and what was given. Pure. */
import type * as z from "zod";

/** Longer texts are not repeated. */
const LONGEST_SHOWN_CHARS = 40;

/** The schema's own message if it has one; otherwise a plain one in place of the library's. */
export function fieldProblem(issue: z.core.$ZodIssue, given: unknown): string {
  const own = /^(Invalid|Too) /.test(issue.message) ? null : issue.message;
  switch (issue.code) {
    case "invalid_type":
      return own === null ? typeProblem(issue.expected, given) : withGiven(own, given);
    case "invalid_value":
      return withGiven(own ?? `Must be one of ${issue.values.map(String).join(", ")}`, given);
    case "too_big":
      return own === null
        ? sizeProblem("at most", issue.maximum, issue.origin, given)
        : sizedProblem(own, issue.origin, given);
    case "too_small":
      return own === null
        ? sizeProblem("at least", issue.minimum, issue.origin, given)
        : sizedProblem(own, issue.origin, given);
    default:
      return own ?? issue.message;
  }
}

/** `problem`, with the given value if it is short and simple. */
function withGiven(problem: string, given: unknown): string {
  const shown = shownValue(given);
  return shown === null ? problem : `${problem}; ${shown} was given`;
}

function typeProblem(expected: string, given: unknown): string {
  if (expected === "number" || expected === "int") {
    const needed = expected === "int" ? "Must be a whole number" : "Must be a number";
    const isQuoted = typeof given === "string" && given.trim() !== "" && Number.isFinite(Number(given));
    return isQuoted && given.length <= LONGEST_SHOWN_CHARS
      ? `${needed}, not text: send ${Number(given)} without quotes`
      : withGiven(needed, given);
  }
  if (expected === "boolean") return withGiven("Must be true or false, without quotes", given);
  if (expected === "string") return withGiven("Must be text in quotes", given);
  return withGiven(`Must be ${/^[aeio]/.test(expected) ? "an" : "a"} ${expected}`, given);
}

function sizedProblem(problem: string, origin: string, given: unknown): string {
  return isNumeric(origin) ? withGiven(problem, given) : problem;
}

function isNumeric(origin: string): boolean {
  return origin === "number" || origin === "int";
}

function sizeProblem(bound: string, limit: number | bigint, origin: string, given: unknown): string {
  const one = Number(limit) === 1;
  if (typeof given === "string")
    return `Must have ${bound} ${limit} ${one ? "character" : "characters"}; it has ${given.length}`;
  if (Array.isArray(given))
    return `Must have ${bound} ${limit} ${one ? "entry" : "entries"}; it has ${given.length}`;
  return isNumeric(origin) ? withGiven(`Must be ${bound} ${limit}`, given) : `Must be ${bound} ${limit}`;
}

function shownValue(given: unknown): string | null {
  switch (typeof given) {
    case "string":
      return given.length > LONGEST_SHOWN_CHARS ? "a longer text" : JSON.stringify(given);
    case "number":
    case "boolean":
      return String(given);
    case "object":
      return given === null ? "null" : Array.isArray(given) ? "an array" : "an object";
    default:
      return null;
  }
}
