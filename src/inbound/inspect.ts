/**
 * Looks into a body: is it a JSON object, which employees does it list, what is wrong with its fields. Small bodies are
 * parsed; large ones are outlined, so that the worst JSON of 10 MiB costs no more memory than the best.
 */
import type { Failure } from "../http/failure.ts";
import { shapeOf } from "../http/json-shape.ts";
import { type FieldProblems, type FieldRules, Findings, isRecord } from "./fields.ts";
import { JsonOutline, OutlineError } from "./json-outline.ts";
import { PAYROLL_ADVICE } from "./payroll.ts";

/** What a door needs to know of a body that it takes. */
export interface Inspected {
  employerFein: unknown;
  employerId: unknown;
  warnings: FieldProblems;
}

export interface LookedInto {
  /** The top level. Only its scalars and the nested objects of the rules can be relied on. */
  report: Record<string, unknown>;
  /** How many employees it lists; null without an array of them. */
  employees: number | null;
  /** On the report first, then on its employees. */
  findings: Findings;
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

/** For the signed door: problems with fields are advice. */
export function inspectBody(body: Uint8Array): (Inspected & { employees: number }) | { failure: Failure } {
  const looked = lookInto(body, PAYROLL_ADVICE);
  if ("failure" in looked) return looked;
  const { report, employees, findings } = looked;
  if (employees === null || employees === 0) return { failure: { kind: "no_employees" } };
  const { employer_fein: employerFein, employer_id: employerId } = report;
  return { employerFein, employerId, employees, warnings: findings.problems };
}

/** The only failure is that it is no JSON object, or too large a one. */
export function lookInto(body: Uint8Array, rules: FieldRules): LookedInto | { failure: Failure } {
  if (body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf) {
    return invalid("The body begins with a byte order mark. Send plain UTF-8.");
  }
  if (body.byteLength > PARSE_UP_TO_BYTES) return outline(body, rules);
  const { values, depth } = shapeOf(body);
  return values > PARSE_UP_TO_VALUES ? outline(body, rules) : parse(body, depth, rules);
}

function parse(body: Uint8Array, depth: number, rules: FieldRules): LookedInto | { failure: Failure } {
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
  const findings = new Findings();
  rules.checkReport(findings, report);
  const { employees } = report;
  if (!Array.isArray(employees)) return { report, employees: null, findings };
  for (let index = 0; index < employees.length && !findings.full; index++)
    rules.checkEmployee(findings, index, employees[index]);
  return { report, employees: employees.length, findings };
}

function outline(body: Uint8Array, rules: FieldRules): LookedInto | { failure: Failure } {
  let onEmployees = new Findings();
  const outlined = new JsonOutline({
    maxDepth: MAX_DEPTH,
    listed: "employees",
    fields: rules.fields,
    nested: rules.nested,
    onElement: (index, employee) => {
      if (index >= MAX_EMPLOYEES) throw new OutlineError(TOO_MANY_EMPLOYEES);
      rules.checkEmployee(onEmployees, index, employee);
    },
    onRestart: () => {
      onEmployees = new Findings();
    },
  });
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  try {
    for (let at = 0; at < body.byteLength; at += CHUNK_BYTES) {
      const chunk = body.subarray(at, at + CHUNK_BYTES);
      decoder.decode(chunk, { stream: true });
      outlined.write(chunk);
    }
    decoder.decode();
    outlined.end();
  } catch (error) {
    if (error instanceof OutlineError) return invalid(error.message);
    if (error instanceof TypeError) return invalid("The body is not UTF-8.");
    throw error;
  }
  if (!outlined.isObject) return invalid("The body must be a JSON object.");
  const findings = new Findings();
  rules.checkReport(findings, outlined.top);
  findings.addAll(onEmployees);
  return { report: outlined.top, employees: outlined.elements, findings };
}

function invalid(reason: string): { failure: Failure } {
  return { failure: { kind: "invalid_json", reason } };
}
