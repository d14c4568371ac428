/**
 * Looks into a verified body: is it a JSON object with employees, whom does it name, what would we advise. Small bodies
 * are parsed; large ones are outlined, so that the worst JSON of 10 MiB costs no more memory than the best.
 */
import type { Failure } from "../http/failure.ts";
import { JsonOutline, OutlineError } from "./json-outline.ts";
import {
  Advice,
  adviseOnEmployee,
  adviseOnReport,
  type FieldProblems,
  isRecord,
  KNOWN_FIELDS,
  NESTED_OBJECTS,
} from "./payroll.ts";

export interface Inspected {
  employerFein: unknown;
  employerId: unknown;
  employees: number;
  warnings: FieldProblems;
}

/** Above either, a body is outlined instead of parsed: ten times the work, but its tree is never in memory. */
export const PARSE_UP_TO_BYTES = 1024 ** 2;
export const PARSE_UP_TO_VALUES = 100_000;
const CHUNK_BYTES = 64 * 1024;
export const MAX_DEPTH = 64;
/** Ten MiB of real employees are fewer; this bounds the work that a body of `{},` makes. */
export const MAX_EMPLOYEES = 250_000;
const TOO_MANY_EMPLOYEES = `The report has more than ${MAX_EMPLOYEES} employees. Split it.`;

const utf8Text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export function inspectBody(body: Uint8Array): Inspected | { failure: Failure } {
  if (body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf) {
    return invalid("The body begins with a byte order mark. Send plain UTF-8.");
  }
  if (body.byteLength > PARSE_UP_TO_BYTES) return inspectOutline(body);
  const { values, depth } = shapeOf(body);
  return values > PARSE_UP_TO_VALUES ? inspectOutline(body) : inspectParsed(body, depth);
}

function inspectParsed(body: Uint8Array, depth: number): Inspected | { failure: Failure } {
  let text: string;
  try {
    text = utf8Text.decode(body);
  } catch {
    return invalid("The body is not UTF-8.");
  }
  if (depth > MAX_DEPTH) return invalid(`The body nests deeper than ${MAX_DEPTH} levels.`);
  let report: unknown;
  try {
    report = JSON.parse(text);
  } catch {
    return invalid("The body is not valid JSON.");
  }
  if (!isRecord(report)) return invalid("The body must be a JSON object.");
  const { employees } = report;
  if (!Array.isArray(employees) || employees.length === 0) return { failure: { kind: "no_employees" } };
  const advice = new Advice();
  adviseOnReport(advice, report);
  for (let index = 0; index < employees.length && !advice.full; index++)
    adviseOnEmployee(advice, index, employees[index]);
  return {
    employerFein: report.employer_fein,
    employerId: report.employer_id,
    employees: employees.length,
    warnings: advice.problems,
  };
}

function inspectOutline(body: Uint8Array): Inspected | { failure: Failure } {
  let employeeAdvice = new Advice();
  const outline = new JsonOutline({
    maxDepth: MAX_DEPTH,
    listed: "employees",
    fields: KNOWN_FIELDS,
    nested: NESTED_OBJECTS,
    onElement: (index, employee) => {
      if (index >= MAX_EMPLOYEES) throw new OutlineError(TOO_MANY_EMPLOYEES);
      adviseOnEmployee(employeeAdvice, index, employee);
    },
    onRestart: () => {
      employeeAdvice = new Advice();
    },
  });
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  try {
    for (let at = 0; at < body.byteLength; at += CHUNK_BYTES) {
      const chunk = body.subarray(at, at + CHUNK_BYTES);
      decoder.decode(chunk, { stream: true });
      outline.write(chunk);
    }
    decoder.decode();
    outline.end();
  } catch (error) {
    if (error instanceof OutlineError) return invalid(error.message);
    if (error instanceof TypeError) return invalid("The body is not UTF-8.");
    throw error;
  }
  if (!outline.isObject) return invalid("The body must be a JSON object.");
  if (outline.elements === null || outline.elements === 0) return { failure: { kind: "no_employees" } };
  const advice = new Advice();
  adviseOnReport(advice, outline.top);
  for (const [path, message] of Object.entries(employeeAdvice.problems)) advice.add(path, message);
  const { employer_fein: employerFein, employer_id: employerId } = outline.top;
  return { employerFein, employerId, employees: outline.elements, warnings: advice.problems };
}

/**
 * How many values a document has, and how deep they nest, from the brackets and commas outside its strings: at least as
 * many as it has, if it is valid JSON, and no matter if it is not.
 */
function shapeOf(body: Uint8Array): { values: number; depth: number } {
  let values = 1;
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let i = 0; i < body.byteLength; i++) {
    const byte = body[i];
    if (inString) {
      if (byte === 0x5c) i++;
      else if (byte === 0x22) inString = false;
    } else if (byte === 0x22) inString = true;
    else if (byte === 0x2c) values++;
    else if (byte === 0x7b || byte === 0x5b) {
      values++;
      if (++depth > deepest) deepest = depth;
    } else if (byte === 0x7d || byte === 0x5d) depth--;
  }
  return { values, depth: deepest };
}

function invalid(reason: string): { failure: Failure } {
  return { failure: { kind: "invalid_json", reason } };
}
