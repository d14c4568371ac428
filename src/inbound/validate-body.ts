/**
 * Looks into a body: is it a JSON object, which employees does it list, what is wrong with its fields. Small bodies are
 * parsed; large ones are outlined, so that the worst JSON of 10 MiB costs no more memory than the best. Small ones with
 * anything to tell are outlined as well, so that both are judged, and refused, in the same words.
 */
import type { Failure } from "../http/failure.ts";
import { shapeOf } from "../http/json-shape.ts";
import { encodingProblem, firstInvalidByte } from "../http/json-text.ts";
import { type FieldProblems, type FieldRules, Findings, isRecord } from "./field-rules.ts";
import { PAYROLL_ADVICE } from "./payroll-rules.ts";
import { JsonOutline, JsonSyntaxError, OutlineError } from "./streaming-json.ts";

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
  /** What another reader of the body could take in another way. Advice wherever it is read. */
  oddities: Findings;
}

/** Above either, a body is outlined instead of parsed: ten times the work, but its tree is never in memory. */
export const PARSE_UP_TO_BYTES = 1024 ** 2;
export const PARSE_UP_TO_VALUES = 100_000;
export const MAX_DEPTH = 64;
/** Ten MiB of real employees are fewer; this bounds the work that a body of `{},` makes. */
export const MAX_EMPLOYEES = 250_000;
const TOO_MANY_EMPLOYEES = `The report has more than ${MAX_EMPLOYEES} employees. Split it.`;

/** More of them say nothing new. */
const MAX_ODDITIES = 20;
const CHUNK_BYTES = 64 * 1024;

const utf8Text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** For the signed door: problems with fields are advice. */
export function inspectBody(body: Uint8Array): (Inspected & { employees: number }) | { failure: Failure } {
  const looked = lookInto(body, PAYROLL_ADVICE);
  if ("failure" in looked) return looked;
  const { report, employees, findings, oddities } = looked;
  if (employees === null || employees === 0) return { failure: { kind: "no_employees" } };
  const { employer_fein: employerFein, employer_id: employerId } = report;
  // Oddities come first, so that no number of others leaves them out.
  const warnings = oddities.none
    ? findings.problems
    : { ...oddities.problems, ...findings.problems, ...oddities.problems };
  return { employerFein, employerId, employees, warnings };
}

/** The only failure is that it is no JSON object, names twice what may be named once, or is too large. */
export function lookInto(body: Uint8Array, rules: FieldRules): LookedInto | { failure: Failure } {
  if (body.byteLength === 0) return invalid("The body is empty. Send a JSON object.");
  const misencoded = encodingProblem(body);
  if (misencoded !== null) return invalid(`The body ${misencoded}`);
  const parsed = body.byteLength > PARSE_UP_TO_BYTES ? null : parse(body, rules);
  return parsed ?? outline(body, rules);
}

/** Null for what only the outline tells apart: a body that is broken, odd, or large for its bytes. */
function parse(body: Uint8Array, rules: FieldRules): LookedInto | null {
  const { values, depth, members, hasOddEscape } = shapeOf(body);
  if (values > PARSE_UP_TO_VALUES || depth > MAX_DEPTH || hasOddEscape) return null;
  let report: unknown;
  try {
    report = JSON.parse(utf8Text.decode(body));
  } catch {
    return null;
  }
  // A parser keeps the last of the members that have the same name.
  if (!isRecord(report) || membersOf(report) !== members) return null;
  const findings = new Findings();
  rules.checkReport(findings, report);
  const { employees } = report;
  const oddities = new Findings();
  if (!Array.isArray(employees)) return { report, employees: null, findings, oddities };
  for (let index = 0; index < employees.length && !findings.full; index++)
    rules.checkEmployee(findings, index, employees[index]);
  return { report, employees: employees.length, findings, oddities };
}

/** Members of all objects in a parsed value. */
function membersOf(value: object): number {
  let count = 0;
  if (Array.isArray(value)) {
    for (const item of value) if (typeof item === "object" && item !== null) count += membersOf(item);
    return count;
  }
  const record = value as Record<string, unknown>;
  for (const name in record) {
    count++;
    const member = record[name];
    if (typeof member === "object" && member !== null) count += membersOf(member);
  }
  return count;
}

function outline(body: Uint8Array, rules: FieldRules): LookedInto | { failure: Failure } {
  if (!isUtf8(body)) {
    const at = firstInvalidByte(body);
    const hex = (body[at] ?? 0).toString(16).toUpperCase().padStart(2, "0");
    return invalid(
      `The body is not UTF-8: ${placeOf(body, at)}: the byte ${hex} does not belong there. Encode the text as UTF-8.`,
    );
  }
  const onEmployees = new Findings();
  const oddities = new Findings();
  let outlined: JsonOutline;
  try {
    outlined = new JsonOutline(body, {
      maxDepth: MAX_DEPTH,
      listed: "employees",
      fields: rules.fields,
      nested: rules.nested,
      deciding: rules.deciding,
      onElement: (index, employee) => {
        if (index >= MAX_EMPLOYEES) throw new OutlineError(TOO_MANY_EMPLOYEES);
        rules.checkEmployee(onEmployees, index, employee);
      },
      onOddity: (path, oddity) => {
        if (Object.keys(oddities.problems).length < MAX_ODDITIES) oddities.add(path, oddity);
      },
    });
  } catch (error) {
    if (error instanceof JsonSyntaxError)
      return invalid(`The body is not valid JSON: ${placeOf(body, error.at)}: ${error.message}.`);
    if (error instanceof OutlineError) return invalid(error.message);
    throw error;
  }
  if (!outlined.isObject) return invalid("The body must be a JSON object.");
  const findings = new Findings();
  rules.checkReport(findings, outlined.top);
  findings.addAll(onEmployees);
  return { report: outlined.top, employees: outlined.elements, findings, oddities };
}

/** In pieces: a large body is never in memory as a text as well. */
function isUtf8(body: Uint8Array): boolean {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  try {
    for (let at = 0; at < body.byteLength; at += CHUNK_BYTES)
      decoder.decode(body.subarray(at, at + CHUNK_BYTES), { stream: true });
    decoder.decode();
    return true;
  } catch {
    return false;
  }
}

/** Counted from 1; columns in UTF-16 units, as editors count them. */
function placeOf(body: Uint8Array, at: number): string {
  let line = 1;
  let column = 1;
  for (let i = 0; i < at; i++) {
    const byte = body[i] ?? 0;
    if (byte === 0x0a) {
      line++;
      column = 1;
    } else if (byte < 0x80 || byte >= 0xc0) column += byte >= 0xf0 ? 2 : 1;
  }
  return `line ${line}, column ${column}`;
}

function invalid(reason: string): { failure: Failure } {
  return { failure: { kind: "invalid_json", reason } };
}
