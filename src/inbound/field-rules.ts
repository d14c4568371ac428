/** Checks of single fields, in the wire contract's words, and the findings on a whole body. Pure. */
import { err, ok, type Result } from "../result.ts";

/** Messages by path, such as `employees[0].class_code`: `Required field missing`. */
export type FieldProblems = Record<string, string>;

/** A response lists at most this many. */
export const MAX_PROBLEMS = 100;

export const MISSING = "Required field missing";
export const NOT_AN_OBJECT = "Must be an object";
export const NOT_A_DATE = "Invalid date format, expected YYYY-MM-DD";
export const NOT_AN_EMPLOYER_ID = "Must be 1 to 64 letters, digits, underscores or dashes";
export const NOT_A_FEIN = "Must be a FEIN of nine digits, such as 12-3456789";
const NOT_A_STRING = "Must be a string";
const NOT_POSITIVE = "Must be a positive number";

const FEIN_DIGITS = 9;
/** Nine digits and whatever is written around them are shorter than this. */
const LONGEST_FEIN_CHARS = 64;
const EMPLOYER_ID = /^[A-Za-z0-9_-]{1,64}$/;

/** Which fields to check in a body that names an employer and lists its employees, and how. */
export interface FieldRules {
  /** The names of all fields that are checked, at any depth. */
  fields: ReadonlySet<string>;
  /** The top-level objects whose fields are checked. */
  nested: readonly string[];
  /** Fields that the gateway's decisions depend on. They may not appear twice: `employer_id`, `pay_period.start_date`, `employees[].action`. */
  deciding: ReadonlySet<string>;
  /** `report` is the body's top level. Only its scalars and the {@link nested} objects are complete. */
  checkReport(findings: Findings, report: Record<string, unknown>): void;
  checkEmployee(findings: Findings, index: number, employee: unknown): void;
}

/** Rules whose findings refuse the body. They check the employer as well. */
export interface StrictRules extends FieldRules {
  /** The top-level fields that this body requires, in the order of the documentation. */
  required(report: Record<string, unknown>): readonly string[];
}

/** Collects problems up to a limit. */
export class Findings {
  /** Without a prototype, so that a field named `constructor` is a field. */
  readonly problems: FieldProblems = Object.create(null);
  /** The first field that should have been a date, with its value. */
  wrongDate: { path: string; received: unknown } | null = null;
  #count = 0;

  get full(): boolean {
    return this.#count >= MAX_PROBLEMS;
  }

  get none(): boolean {
    return this.#count === 0;
  }

  /** `received` is the value of a field that should have been a date. */
  add(path: string, message: string, received?: unknown): void {
    if (this.full || path in this.problems) return;
    if (message === NOT_A_DATE) this.wrongDate ??= { path, received };
    this.problems[path] = message;
    this.#count++;
  }

  /** Adds a problem unless it is null. Use {@link add} where building the path is expensive. */
  check(path: string, problem: string | null): void {
    if (problem !== null) this.add(path, problem);
  }

  /** Checks that both are dates, in order. */
  checkPeriod([startPath, start]: [string, unknown], [endPath, end]: [string, unknown]): void {
    const startProblem = dateProblem(start, true);
    const endProblem = dateProblem(end, true) ?? orderProblem(start, end, startPath);
    if (startProblem !== null) this.add(startPath, startProblem, start);
    if (endProblem !== null) this.add(endPath, endProblem, end);
  }

  addAll({ problems, wrongDate }: Findings): void {
    for (const [path, message] of Object.entries(problems)) this.add(path, message);
    this.wrongDate ??= wrongDate;
  }
}

export function firstProblems(problems: FieldProblems): FieldProblems {
  const entries = Object.entries(problems);
  return entries.length <= MAX_PROBLEMS ? problems : Object.fromEntries(entries.slice(0, MAX_PROBLEMS));
}

export function textProblem(value: unknown, required = true): string | null {
  if (value === undefined || value === null || value === "") return required ? MISSING : null;
  return typeof value === "string" ? null : NOT_A_STRING;
}

/** Zero is fine. */
export function amountProblem(value: unknown, required: boolean): string | null {
  if (value === undefined || value === null) return required ? MISSING : null;
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? null : NOT_POSITIVE;
}

export function feinProblem(value: unknown, required: boolean): string | null {
  if (value === undefined || value === null || value === "") return required ? MISSING : null;
  const read = readFein(value);
  return read.ok ? null : read.error;
}

/**
 * A FEIN as senders write it: the nine digits of a string or an integer, whatever is between or around them. Otherwise the problem,
 * in words that do not repeat the value.
 */
export function readFein(value: unknown): Result<string, string> {
  const text = typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? String(value) : value;
  if (typeof text !== "string" || text.length > LONGEST_FEIN_CHARS) return err(NOT_A_FEIN);
  const digits = text.replace(/\D/g, "");
  if (digits.length === FEIN_DIGITS) return ok(digits);
  if (digits === "") return err(NOT_A_FEIN);
  if (digits.length === FEIN_DIGITS - 1)
    return err("Has 8 digits: a leading zero was lost. Send all nine as a string, such as 01-2345678");
  return err(
    `Has ${digits.length} digit${digits.length === 1 ? "" : "s"}; a FEIN has nine, such as 12-3456789`,
  );
}

export function employerIdProblem(value: unknown, required: boolean): string | null {
  if (value === undefined || value === null || value === "") return required ? MISSING : null;
  return isEmployerId(value) ? null : NOT_AN_EMPLOYER_ID;
}

export function isEmployerId(value: unknown): value is string {
  return typeof value === "string" && EMPLOYER_ID.test(value);
}

export function dateProblem(value: unknown, required: boolean): string | null {
  if (value === undefined || value === null || value === "") return required ? MISSING : null;
  return isCalendarDate(value) ? null : NOT_A_DATE;
}

/** Null unless both are dates and `end` is before `start`. `startPath` names the start in the message. */
export function orderProblem(start: unknown, end: unknown, startPath: string): string | null {
  return isCalendarDate(start) && isCalendarDate(end) && end < start
    ? `Must not be before ${startPath}`
    : null;
}

/** `YYYY-MM-DD` and a day that exists. */
export function isCalendarDate(value: unknown): value is string {
  if (typeof value !== "string" || !/^\d{4}-\d{2}-\d{2}$/.test(value)) return false;
  // A day that the month does not have becomes a day of the next month.
  return new Date(`${value}T00:00:00Z`).getUTCDate() === Number(value.slice(8));
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
