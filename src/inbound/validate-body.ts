/**
 * Validates a report's body: whether it is a JSON object, which employees it lists, and what is wrong with its fields.
 * Small bodies are parsed. Large ones are read as a stream of bytes, so that the worst JSON of 10 MiB costs no more memory
 * than the best. A small body with anything to report is read that way as well, so both get the same judgement and words.
 */
import type { Failure } from "../http/failure.ts";
import { shapeOf } from "../http/json-shape.ts";
import { encodingProblem, firstInvalidByte } from "../http/json-text.ts";
import { err, ok, type Result } from "../result.ts";
import { type FieldProblems, type FieldRules, Findings, isRecord } from "./field-rules.ts";
import { PAYROLL_ADVICE } from "./payroll-rules.ts";
import { JsonRefused, JsonSyntaxError, StreamingJson } from "./streaming-json.ts";

/** What an accepted body says. */
export interface ValidBody {
  employerFein: unknown;
  employerId: unknown;
  warnings: FieldProblems;
}

export interface ParsedReport {
  /** The top level. Only its scalars and the nested objects of the rules are complete. */
  report: Record<string, unknown>;
  /** How many employees it lists; null without an array of them. */
  employees: number | null;
  /** On the report first, then on its employees. */
  findings: Findings;
  /** What another parser of the body could read differently. These never refuse a body. */
  oddities: Findings;
}

/** A body above either is streamed instead of parsed: ten times the work, but its tree is never in memory. */
export const PARSE_UP_TO_BYTES = 1024 ** 2;
const PARSE_UP_TO_VALUES = 100_000;
export const MAX_DEPTH = 64;
/** 10 MiB hold fewer real employees. This bounds the work for a body of `{},`. */
export const MAX_EMPLOYEES = 250_000;
const TOO_MANY_EMPLOYEES = `The report has more than ${MAX_EMPLOYEES} employees. Split it.`;

/** More would tell the sender nothing new. */
const MAX_ODDITIES = 20;
const CHUNK_BYTES = 64 * 1024;

const utf8Text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** For the signed intake: problems with fields are warnings. */
export function validateBody(body: Uint8Array): Result<ValidBody & { employees: number }, Failure> {
  const parsed = parseReport(body, PAYROLL_ADVICE);
  if (!parsed.ok) return parsed;
  const { report, employees, findings, oddities } = parsed.value;
  if (employees === null || employees === 0) return err({ kind: "no_employees" });
  const { employer_fein: employerFein, employer_id: employerId } = report;
  // Oddities come first, so that the limit on warnings never drops them.
  const warnings = oddities.none
    ? findings.problems
    : { ...oddities.problems, ...findings.problems, ...oddities.problems };
  return ok({ employerFein, employerId, employees, warnings });
}

/** Fails only for a body that is no JSON object, repeats a deciding name, or is too large. */
export function parseReport(body: Uint8Array, rules: FieldRules): Result<ParsedReport, Failure> {
  if (body.byteLength === 0) return invalid("The body is empty. Send a JSON object.");
  const misencoded = encodingProblem(body);
  if (misencoded !== null) return invalid(`The body ${misencoded}`);
  const parsed = body.byteLength > PARSE_UP_TO_BYTES ? null : parseAtOnce(body, rules);
  return parsed === null ? parseStreaming(body, rules) : ok(parsed);
}

/** Null for a body that is broken, odd, or large for its bytes: {@link parseStreaming} says which. */
function parseAtOnce(body: Uint8Array, rules: FieldRules): ParsedReport | null {
  const { values, depth, members, hasOddEscape } = shapeOf(body);
  if (values > PARSE_UP_TO_VALUES || depth > MAX_DEPTH || hasOddEscape) return null;
  let report: unknown;
  try {
    report = JSON.parse(utf8Text.decode(body));
  } catch {
    return null;
  }
  // A parser drops all but the last member of the same name.
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

/** The number of members in all objects of a parsed value. */
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

function parseStreaming(body: Uint8Array, rules: FieldRules): Result<ParsedReport, Failure> {
  if (!isUtf8(body)) {
    const at = firstInvalidByte(body);
    const hex = (body[at] ?? 0).toString(16).toUpperCase().padStart(2, "0");
    return invalid(
      `The body is not UTF-8: ${placeOf(body, at)}: the byte ${hex} is invalid there. Encode the text as UTF-8.`,
    );
  }
  const onEmployees = new Findings();
  const oddities = new Findings();
  let streamed: StreamingJson;
  try {
    streamed = new StreamingJson(body, {
      maxDepth: MAX_DEPTH,
      listed: "employees",
      fields: rules.fields,
      nested: rules.nested,
      deciding: rules.deciding,
      onElement: (index, employee) => {
        if (index >= MAX_EMPLOYEES) throw new JsonRefused(TOO_MANY_EMPLOYEES);
        rules.checkEmployee(onEmployees, index, employee);
      },
      onOddity: (path, oddity) => {
        if (Object.keys(oddities.problems).length < MAX_ODDITIES) oddities.add(path, oddity);
      },
    });
  } catch (error) {
    if (error instanceof JsonSyntaxError)
      return invalid(`The body is not valid JSON: ${placeOf(body, error.at)}: ${error.message}.`);
    if (error instanceof JsonRefused) return invalid(error.message);
    throw error;
  }
  if (!streamed.isObject) return invalid("The body must be a JSON object.");
  const findings = new Findings();
  rules.checkReport(findings, streamed.top);
  findings.addAll(onEmployees);
  return ok({ report: streamed.top, employees: streamed.elements, findings, oddities });
}

/** Decodes in pieces, so that a large body is never in memory as text too. */
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

/** Lines and columns count from 1, columns in UTF-16 units, as in editors. */
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

function invalid(reason: string): Result<never, Failure> {
  return err({ kind: "invalid_json", reason });
}
