/**
 * The two dialects of a payroll report, and the rules for their fields. The signed intake reports violations as warnings;
 * the developer API refuses the report.
 *
 * `webhook`: employer_fein, policy_number, pay_period{start_date,end_date},
 *            employees[]{first_name,last_name,class_code,state,gross_wages,hours_worked}
 * `report`:  employer_id, period_start, period_end, payroll_data{total_payroll,total_hours,officer_payroll,
 *            subcontractor_payments}, employees[]{employee_id,name,classification_code,hours_worked,gross_wages}
 */
import {
  amountProblem,
  employerIdProblem,
  type FieldRules,
  type Findings,
  feinProblem,
  isRecord,
  MISSING,
  NOT_AN_OBJECT,
  type StrictRules,
  textProblem,
} from "./field-rules.ts";

export interface Dialect {
  employeeTexts: readonly string[];
  employeeNumbers: readonly string[];
  /** Top-level fields that only this dialect has. */
  marks: readonly string[];
  /** Top-level fields that strict validation requires, in the order of the documentation. */
  required: readonly string[];
}

export const WEBHOOK: Dialect = {
  employeeTexts: ["first_name", "last_name", "class_code", "state"],
  employeeNumbers: ["gross_wages", "hours_worked"],
  marks: ["employer_fein", "policy_number", "pay_period"],
  required: ["employer_fein", "policy_number", "employees", "pay_period"],
};
export const REPORT: Dialect = {
  employeeTexts: ["employee_id", "name", "classification_code"],
  employeeNumbers: ["hours_worked", "gross_wages"],
  marks: ["employer_id", "period_start", "period_end", "payroll_data"],
  required: ["employer_id", "period_start", "period_end", "employees", "payroll_data"],
};
export const TOTALS = ["total_payroll", "total_hours", "officer_payroll", "subcontractor_payments"];

const NESTED_OBJECTS: readonly string[] = ["pay_period", "payroll_data"];
export const KNOWN_FIELDS: ReadonlySet<string> = new Set([
  ...[WEBHOOK, REPORT].flatMap((dialect) => [
    ...dialect.marks,
    ...dialect.employeeTexts,
    ...dialect.employeeNumbers,
  ]),
  ...["employees", "start_date", "end_date"],
  ...TOTALS,
]);

/** Fields that decide the employer, the policy, the employees and the period. */
export const DECIDING: ReadonlySet<string> = new Set([
  "employer_fein",
  "employer_id",
  "employees",
  "policy_number",
  "period_start",
  "period_end",
  "pay_period",
  "pay_period.start_date",
  "pay_period.end_date",
]);

/** For the signed intake, which resolves the employer separately. */
export const PAYROLL_ADVICE: FieldRules = {
  fields: KNOWN_FIELDS,
  nested: NESTED_OBJECTS,
  deciding: DECIDING,
  checkReport: (findings, report) => checkReport(findings, report, dialectOfReport(report, WEBHOOK)),
  checkEmployee: (findings, index, employee) => checkEmployee(findings, index, employee, WEBHOOK),
};

/** For the developer API. A report that fits neither dialect better is judged as `report`. */
export const STRICT_PAYROLL: StrictRules = {
  fields: KNOWN_FIELDS,
  nested: NESTED_OBJECTS,
  deciding: DECIDING,
  checkReport(findings, report) {
    const dialect = dialectOfReport(report, REPORT);
    findings.check("employer_id", employerIdProblem(report.employer_id, dialect === REPORT));
    findings.check("employer_fein", feinProblem(report.employer_fein, dialect === WEBHOOK));
    checkReport(findings, report, dialect);
  },
  checkEmployee: (findings, index, employee) => checkEmployee(findings, index, employee, REPORT),
  required: (report) => dialectOfReport(report, REPORT).required,
};

function checkEmployee(findings: Findings, index: number, employee: unknown, otherwise: Dialect): void {
  if (findings.full) return;
  if (!isRecord(employee)) return findings.add(`employees[${index}]`, NOT_AN_OBJECT);
  const dialect = dialectOf(employee, (each) => each.employeeTexts, otherwise);
  // Most fields are valid, so a path is built only for a problem.
  for (const field of dialect.employeeTexts) {
    const problem = textProblem(employee[field]);
    if (problem !== null) findings.add(`employees[${index}].${field}`, problem);
  }
  for (const field of dialect.employeeNumbers) {
    const problem = amountProblem(employee[field], true);
    if (problem !== null) findings.add(`employees[${index}].${field}`, problem);
  }
}

function checkReport(findings: Findings, report: Record<string, unknown>, dialect: Dialect): void {
  if (dialect === WEBHOOK) {
    findings.check("policy_number", textProblem(report.policy_number));
    const period = report.pay_period;
    if (!isRecord(period)) return findings.add("pay_period", period === undefined ? MISSING : NOT_AN_OBJECT);
    return findings.checkPeriod(
      ["pay_period.start_date", period.start_date],
      ["pay_period.end_date", period.end_date],
    );
  }
  findings.checkPeriod(["period_start", report.period_start], ["period_end", report.period_end]);
  const totals = report.payroll_data;
  if (!isRecord(totals)) return findings.add("payroll_data", totals === undefined ? MISSING : NOT_AN_OBJECT);
  for (const field of TOTALS)
    findings.check(`payroll_data.${field}`, amountProblem(totals[field], field === "total_payroll"));
}

function dialectOfReport(report: Record<string, unknown>, otherwise: Dialect): Dialect {
  return dialectOf(report, (dialect) => dialect.marks, otherwise);
}

/** The dialect with more of its fields present; `otherwise` when they are equal. */
function dialectOf(
  value: Record<string, unknown>,
  fieldsOf: (dialect: Dialect) => readonly string[],
  otherwise: Dialect,
): Dialect {
  let lead = 0;
  for (const field of fieldsOf(REPORT)) if (value[field] !== undefined) lead++;
  for (const field of fieldsOf(WEBHOOK)) if (value[field] !== undefined) lead--;
  return lead === 0 ? otherwise : lead > 0 ? REPORT : WEBHOOK;
}
