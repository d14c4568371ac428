/**
 * The two dialects of a payroll report, and advice on their fields. Advice never refuses a report here.
 *
 * `webhook`: employer_fein, policy_number, pay_period{start_date,end_date},
 *            employees[]{first_name,last_name,class_code,state,gross_wages,hours_worked}
 * `report`:  employer_id, period_start, period_end, payroll_data{total_payroll,total_hours,officer_payroll,
 *            subcontractor_payments}, employees[]{employee_id,name,classification_code,hours_worked,gross_wages}
 */

/** Path to message, such as `employees[0].class_code`: `Required field missing`. */
export type FieldProblems = Record<string, string>;

export const MAX_WARNINGS = 100;

const MISSING = "Required field missing";
const NOT_A_STRING = "Must be a string";
const NOT_AN_OBJECT = "Must be an object";
const NOT_POSITIVE = "Must be a positive number";
const NOT_A_DATE = "Invalid date format, expected YYYY-MM-DD";

interface Dialect {
  employeeTexts: readonly string[];
  employeeNumbers: readonly string[];
  /** Fields of the report that only this dialect has. */
  marks: readonly string[];
}

const WEBHOOK: Dialect = {
  employeeTexts: ["first_name", "last_name", "class_code", "state"],
  employeeNumbers: ["gross_wages", "hours_worked"],
  marks: ["employer_fein", "policy_number", "pay_period"],
};
const REPORT: Dialect = {
  employeeTexts: ["employee_id", "name", "classification_code"],
  employeeNumbers: ["hours_worked", "gross_wages"],
  marks: ["employer_id", "period_start", "period_end", "payroll_data"],
};
const TOTALS = ["total_payroll", "total_hours", "officer_payroll", "subcontractor_payments"];

/** The objects of a report whose fields are looked at. */
export const NESTED_OBJECTS: readonly string[] = ["pay_period", "payroll_data"];
/** Every field that is looked at, wherever it stands. */
export const KNOWN_FIELDS: ReadonlySet<string> = new Set([
  ...[WEBHOOK, REPORT].flatMap((dialect) => [
    ...dialect.marks,
    ...dialect.employeeTexts,
    ...dialect.employeeNumbers,
  ]),
  ...["start_date", "end_date"],
  ...TOTALS,
]);

/** Collects advice up to a limit. */
export class Advice {
  readonly problems: FieldProblems = {};
  #count = 0;

  get full(): boolean {
    return this.#count >= MAX_WARNINGS;
  }

  add(path: string, message: string): void {
    if (this.full || path in this.problems) return;
    this.problems[path] = message;
    this.#count++;
  }
}

/** As many as an answer names. */
export function firstProblems(problems: FieldProblems): FieldProblems {
  const entries = Object.entries(problems);
  return entries.length <= MAX_WARNINGS ? problems : Object.fromEntries(entries.slice(0, MAX_WARNINGS));
}

export function adviseOnEmployee(advice: Advice, index: number, employee: unknown): void {
  if (advice.full) return;
  if (!isRecord(employee)) return advice.add(`employees[${index}]`, NOT_AN_OBJECT);
  const dialect = dialectOf(employee, WEBHOOK.employeeTexts, REPORT.employeeTexts);
  // Most reports are in order: a field's path is put together only to complain of it.
  for (const field of dialect.employeeTexts) {
    const problem = textProblem(employee[field]);
    if (problem !== null) advice.add(`employees[${index}].${field}`, problem);
  }
  for (const field of dialect.employeeNumbers) {
    const problem = amountProblem(employee[field], true);
    if (problem !== null) advice.add(`employees[${index}].${field}`, problem);
  }
}

/** `report` is the body's top level; only its scalars and the {@link NESTED_OBJECTS} are looked at. */
export function adviseOnReport(advice: Advice, report: Record<string, unknown>): void {
  if (dialectOf(report, WEBHOOK.marks, REPORT.marks) === WEBHOOK) {
    const problem = textProblem(report.policy_number);
    if (problem !== null) advice.add("policy_number", problem);
    const period = report.pay_period;
    if (!isRecord(period)) return advice.add("pay_period", period === undefined ? MISSING : NOT_AN_OBJECT);
    return dates(
      advice,
      ["pay_period.start_date", period.start_date],
      ["pay_period.end_date", period.end_date],
    );
  }
  dates(advice, ["period_start", report.period_start], ["period_end", report.period_end]);
  const totals = report.payroll_data;
  if (!isRecord(totals)) return advice.add("payroll_data", totals === undefined ? MISSING : NOT_AN_OBJECT);
  for (const field of TOTALS) {
    const problem = amountProblem(totals[field], field === "total_payroll");
    if (problem !== null) advice.add(`payroll_data.${field}`, problem);
  }
}

/** The dialect with more of its fields present; `webhook` when it is a draw. */
function dialectOf(
  value: Record<string, unknown>,
  webhook: readonly string[],
  report: readonly string[],
): Dialect {
  let lead = 0;
  for (const field of report) if (value[field] !== undefined) lead++;
  for (const field of webhook) if (value[field] !== undefined) lead--;
  return lead > 0 ? REPORT : WEBHOOK;
}

function textProblem(value: unknown): string | null {
  if (value === undefined || value === null || value === "") return MISSING;
  return typeof value === "string" ? null : NOT_A_STRING;
}

function amountProblem(value: unknown, required: boolean): string | null {
  if (value === undefined || value === null) return required ? MISSING : null;
  return typeof value !== "number" || value < 0 ? NOT_POSITIVE : null;
}

function dates(
  advice: Advice,
  [startPath, start]: [string, unknown],
  [endPath, end]: [string, unknown],
): void {
  const startProblem = dateProblem(start);
  const endProblem = dateProblem(end);
  if (startProblem !== null) advice.add(startPath, startProblem);
  if (endProblem !== null) advice.add(endPath, endProblem);
  if (startProblem === null && endProblem === null && String(end) < String(start))
    advice.add(endPath, `Must not be before ${startPath}`);
}

function dateProblem(value: unknown): string | null {
  if (value === undefined || value === null || value === "") return MISSING;
  return isCalendarDate(value) ? null : NOT_A_DATE;
}

/** `YYYY-MM-DD` and a day that exists. */
export function isCalendarDate(value: unknown): value is string {
  if (typeof value !== "string" || !/^\d{4}-\d{2}-\d{2}$/.test(value)) return false;
  // A day that the month does not have is taken for one of the next.
  return new Date(`${value}T00:00:00Z`).getUTCDate() === Number(value.slice(8));
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
