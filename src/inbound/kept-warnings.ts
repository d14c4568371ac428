/**
 * How a file's row keeps the warnings that its sender was told. A sender that always leaves a field out is told so for each
 * employee, so equal messages on the same field share one entry. Pure.
 */
import type { FileFacts, KeptWarning } from "../gate/protocol.ts";
import { type FieldProblems, firstProblems } from "./field-rules.ts";

/**
 * Rows stay for 90 days, and paths consist of the body's own names. No report of the two dialects comes near it: a body of nested
 * names that stand twice would keep twenty times its size.
 */
const MOST_KEPT_CHARS = 8_192;

interface Kept {
  message: string;
  path: string;
  employees: number[] | null;
}

const OF_EMPLOYEE = /^employees\[(\d+)\](.*)$/s;

/** Undefined if there are none, so that most rows hold nothing. */
export function keptWarnings(problems: FieldProblems): KeptWarning[] | undefined {
  const kept = new Map<string, Kept>();
  let chars = 0;
  const keep = (name: string, warning: Kept) => {
    chars += warning.path.length + warning.message.length;
    if (chars <= MOST_KEPT_CHARS) kept.set(name, warning);
  };
  for (const [path, message] of Object.entries(firstProblems(problems))) {
    const [, index, field] = OF_EMPLOYEE.exec(path) ?? [];
    if (index === undefined || field === undefined || String(Number(index)) !== index) {
      keep(JSON.stringify([path]), { message, path, employees: null });
      continue;
    }
    const name = JSON.stringify([field, message]);
    const known = kept.get(name)?.employees;
    if (known) known.push(Number(index));
    else keep(name, { message, path: field, employees: [Number(index)] });
  }
  if (kept.size === 0) return undefined;
  return [...kept.values()].map(({ message, path, employees }) =>
    employees === null ? { message, path } : { message, path, employees: rangesOf(employees) },
  );
}

/** The warnings of a file by path, as its sender was told them. */
export function warningsOf({ warnings = [], sameBodyAs }: FileFacts): FieldProblems {
  // Without a prototype, so that a field named `__proto__` is a field.
  const problems: FieldProblems = Object.create(null);
  if (sameBodyAs !== undefined) Object.assign(problems, sameBodyWarning(sameBodyAs));
  for (const { message, path, employees } of warnings) {
    if (employees === undefined) problems[path] = message;
    else for (const index of numbersIn(employees)) problems[`employees[${index}]${path}`] = message;
  }
  return firstProblems(problems);
}

export function sameBodyWarning(earlier: string): FieldProblems {
  return { body: `Identical to ${earlier}, received within the last hour` };
}

/** `0-2,5` for 0, 1, 2 and 5. */
function rangesOf(numbers: readonly number[]): string {
  const ranges: [first: number, last: number][] = [];
  for (const number of numbers) {
    const range = ranges.at(-1);
    if (range !== undefined && number === range[1] + 1) range[1] = number;
    else ranges.push([number, number]);
  }
  return ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(",");
}

function numbersIn(ranges: string): number[] {
  return ranges.split(",").flatMap((range) => {
    const [first = 0, last = first] = range.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}
