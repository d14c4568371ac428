/**
 * The fields of `POST /employees/sync`: employer_id, employees[]{employee_id,action}, and by action
 *
 * `hire`:      name, hire_date, classification_code; hourly_rate where there is one
 * `terminate`: termination_date
 * `update`:    what has changed
 */
import {
  amountProblem,
  employerIdProblem,
  feinProblem,
  isRecord,
  MISSING,
  NOT_AN_OBJECT,
  type StrictRules,
  textProblem,
} from "../inbound/fields.ts";

const ACTIONS = ["hire", "terminate", "update"] as const;
type Action = (typeof ACTIONS)[number];

const REQUIRED_BY_ACTION: Record<Action, readonly string[]> = {
  hire: ["name", "hire_date", "classification_code"],
  terminate: ["termination_date"],
  update: [],
};
const REQUIRED = ["employer_id", "employees"];

const TEXTS = ["name", "classification_code"];
const AMOUNTS = ["hourly_rate", "gross_wages", "hours_worked"];

export const EMPLOYEE_CHANGES: StrictRules = {
  fields: new Set([
    ...REQUIRED,
    ...["employer_fein", "employee_id", "action", "hire_date", "termination_date"],
    ...TEXTS,
    ...AMOUNTS,
  ]),
  nested: [],
  required: () => REQUIRED,
  checkReport(findings, { employer_id, employer_fein }) {
    findings.check("employer_id", employerIdProblem(employer_id, true));
    findings.check("employer_fein", feinProblem(employer_fein, false));
  },
  checkEmployee(findings, index, employee) {
    if (findings.full) return;
    const path = `employees[${index}]`;
    if (!isRecord(employee)) return findings.add(path, NOT_AN_OBJECT);
    findings.check(`${path}.employee_id`, textProblem(employee.employee_id));
    const action = ACTIONS.find((each) => each === employee.action);
    if (action === undefined) findings.add(`${path}.action`, actionProblem(employee.action));
    const required = action === undefined ? [] : REQUIRED_BY_ACTION[action];
    for (const field of TEXTS)
      findings.check(`${path}.${field}`, textProblem(employee[field], required.includes(field)));
    for (const field of AMOUNTS) findings.check(`${path}.${field}`, amountProblem(employee[field], false));
    const dateOf = (field: string) => ({
      path: `${path}.${field}`,
      value: employee[field],
      required: required.includes(field),
    });
    findings.checkPeriod(dateOf("hire_date"), dateOf("termination_date"));
  },
};

function actionProblem(action: unknown): string {
  const missing = action === undefined || action === null || action === "";
  return missing ? MISSING : `Must be one of ${ACTIONS.join(", ")}`;
}
