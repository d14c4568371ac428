/** The contracts of the strict intake for bearer keys. */
import * as z from "zod";
import { once } from "../contract/answer.ts";
import { EXAMPLE } from "../contract/examples.ts";
import { objectId } from "../contract/fields.ts";
import type { Examples } from "../contract/operation.ts";
import type { Failure } from "../http/failure.ts";
import { amountProblem, dateProblem } from "../inbound/field-rules.ts";
import {
  accepted,
  acceptedAnswers,
  fieldsOf,
  OF_REPORTS,
  REPORT_EXAMPLES,
  reportHeaders,
  STRICT,
  strictReportBody,
} from "../inbound/report-contract.ts";
import { developerDescription } from "./developer-contract.ts";
import { ACTIONS, type Action, REQUIRED_BY_ACTION, RULES } from "./employee-changes.ts";

/** An entry of one action: its required fields come first. */
function changeOf(action: Action) {
  const required = REQUIRED_BY_ACTION[action];
  const { employee_id: _id, action: _action, ...rules } = RULES;
  const optional = Object.keys(rules).filter((name) => !required.includes(name));
  const schemaOf = (name: string) => {
    const rule = rules[name as keyof typeof rules];
    const isRequired = required.includes(name);
    if (rule === amountProblem) return isRequired ? STRICT.amount() : STRICT.maybeAmount();
    if (rule === dateProblem) return isRequired ? STRICT.date() : STRICT.maybeDate();
    return isRequired ? STRICT.text() : STRICT.maybeText();
  };
  return z.looseObject({
    employee_id: STRICT.text(),
    action: z.literal(action),
    ...fieldsOf([...required, ...optional], schemaOf),
  });
}

const employeeChanges = once(() =>
  z
    .looseObject({
      employer_id: STRICT.employerId(),
      employer_fein: STRICT.maybeFein(),
      employees: z.array(z.union(ACTIONS.map(changeOf))).min(1),
    })
    .meta({ id: "EmployeeChanges" }),
);

const INVALID: readonly Failure[] = [
  {
    kind: "report_fields_invalid",
    details: {
      employer_id: "Required field missing",
      "employees[3].gross_wages": "Must be a positive number",
    },
  },
  {
    kind: "fields_missing",
    missing: ["period_start"],
    required: ["employer_id", "period_start", "period_end", "employees", "payroll_data"],
  },
  { kind: "report_date_malformed", path: "period_start", received: "01/15/2024" },
  { kind: "unsupported_encoding", encoding: "gzip" },
  { kind: "payload_too_large", limitBytes: 10_485_760 },
  { kind: "too_many_refusals", scope: "sender", retryAfterSeconds: 10 },
];

const acceptedWithKey = once(() =>
  accepted("AcceptedWithKey", { api_key_id: objectId(EXAMPLE.apiKeyId) }, {}),
);

const STRICTLY =
  "Any field problem rejects the request; the response lists all of them, up to 100. Unknown fields are kept. With an `Idempotency-Key` the request is safe to repeat and creates at most one file. Without one, the same bytes from the same API key within ten minutes count as a repeat.";

function strictReport(id: string, summary: string, description: string, body: z.ZodType, examples: Examples) {
  return {
    id,
    summary,
    description: `${description} ${STRICTLY}`,
    header: reportHeaders(),
    body: { schema: body, examples },
    answers: acceptedAnswers(
      acceptedWithKey(),
      "Accepted: it is on durable storage and will reach the files-creator.",
    ),
    failures: [...INVALID, ...OF_REPORTS],
  };
}

export const submitPayrollReport = developerDescription(() =>
  strictReport(
    "submitPayrollReport",
    "Submit a payroll report",
    "Accepts either dialect, for an employer that is granted to the key's owner.",
    strictReportBody(),
    { report: REPORT_EXAMPLES.report, webhook: REPORT_EXAMPLES.webhook },
  ),
);

export const syncEmployees = developerDescription(() =>
  strictReport(
    "syncEmployees",
    "Report hires, terminations and changes of employees",
    "Each entry describes one change of one employee.",
    employeeChanges(),
    {
      changes: {
        summary: "One of each",
        value: {
          employer_id: EXAMPLE.employerId,
          employees: [
            {
              employee_id: "E-18",
              action: "hire",
              name: "John Doe",
              hire_date: "2026-03-01",
              classification_code: "8810",
              hourly_rate: 24.5,
            },
            { employee_id: "E-12", action: "terminate", termination_date: "2026-03-10" },
            { employee_id: "E-17", action: "update", classification_code: "8742" },
          ],
        },
      },
    },
  ),
);
