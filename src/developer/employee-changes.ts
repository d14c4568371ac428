/**
 * The fields of `POST /employees/sync`: employer_id, employees[]{employee_id,action}, and per action
 *
 * `hire`:      name, hire_date, classification_code, and optionally hourly_rate
 * `terminate`: termination_date
 * `update`:    the fields that changed
 */
import {
  amountProblem,
  dateProblem,
  employerIdProblem,
  feinProblem,
  isRecord,
  MISSING,
  NOT_AN_OBJECT,
  orderProblem,
  type StrictRules,
  textProblem,
} from "../inbound/field-rules.ts";

export const ACTIONS = ["hire", "terminate", "update"] as const;
export type Action = (typeof ACTIONS)[number];

export const REQUIRED_BY_ACTION: Record<Action, readonly string[]> = {
  hire: ["name", "hire_date", "classification_code"],
  terminate: ["termination_date"],
  update: [],
};
const REQUIRED = ["employer_id", "employees"];

export const RULES = {
  employee_id: (value: unknown) => textProblem(value),
  action: actionProblem,
  name: textProblem,
  hire_date: dateProblem,
  termination_date: dateProblem,
  classification_code: textProblem,
  hourly_rate: amountProblem,
  gross_wages: amountProblem,
  hours_worked: amountProblem,
};
const FIELDS = Object.keys(RULES) as (keyof typeof RULES)[];

export const EMPLOYEE_CHANGES: StrictRules = {
  fields: new Set([...REQUIRED, "employer_fein", ...FIELDS]),
  nested: [],
  deciding: new Set([
    "employer_fein",
    "employer_id",
    "employees",
    "employees[].employee_id",
    "employees[].action",
  ]),
  required: () => REQUIRED,
  checkReport(findings, { employer_id, employer_fein }) {
    findings.check("employer_id", employerIdProblem(employer_id, true));
    findings.check("employer_fein", feinProblem(employer_fein, false));
  },
  checkEmployee(findings, index, employee) {
    if (findings.full) return;
    if (!isRecord(employee)) return findings.add(`employees[${index}]`, NOT_AN_OBJECT);
    const action = actionOf(employee.action);
    const required = action === undefined ? [] : REQUIRED_BY_ACTION[action];
    for (const field of FIELDS) {
      const value = employee[field];
      const problem = RULES[field](value, required.includes(field));
      // Most fields are valid, so a path is built only for a problem.
      if (problem !== null) findings.add(`employees[${index}].${field}`, problem, value);
    }
    const { hire_date: hired, termination_date: terminated } = employee;
    const disorder = orderProblem(hired, terminated, "hire_date");
    if (disorder !== null) findings.add(`employees[${index}].termination_date`, disorder);
  },
};

function actionOf(value: unknown): Action | undefined {
  return ACTIONS.find((action) => action === value);
}

function actionProblem(value: unknown): string | null {
  if (value === undefined || value === null || value === "") return MISSING;
  return actionOf(value) === undefined ? `Must be one of ${ACTIONS.join(", ")}` : null;
}
