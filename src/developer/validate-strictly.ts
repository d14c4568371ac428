/** Strict validation of a body: reports all problems with its fields at once, in the wire contract's words. Pure. */
import type { Failure } from "../http/failure.ts";
import { type Findings, MISSING, type StrictRules } from "../inbound/field-rules.ts";
import { parseReport, type ValidBody } from "../inbound/validate-body.ts";
import { err, ok, type Result } from "../result.ts";

/** Enough to recognise the value that was sent as a date. */
const MOST_RECEIVED_CHARS = 32;

export function validateStrictly(body: Uint8Array, rules: StrictRules): Result<ValidBody, Failure> {
  const parsed = parseReport(body, rules);
  if (!parsed.ok) return err(asValidation(parsed.error));
  const { report, employees, findings, oddities } = parsed.value;
  findings.check("employees", employeesProblem(report.employees, employees));
  if (!findings.none) return err(describe(findings, rules.required(report)));
  const { employer_fein: employerFein, employer_id: employerId } = report;
  return ok({ employerFein, employerId, warnings: oddities.problems });
}

function employeesProblem(value: unknown, count: number | null): string | null {
  if (count !== null) return count === 0 ? "Must have at least one employee" : null;
  return value === undefined || value === null ? MISSING : "Must be an array";
}

function describe({ problems, wrongDate }: Findings, required: readonly string[]): Failure {
  const paths = Object.keys(problems);
  const missing = required.filter((field) => problems[field] === MISSING);
  if (missing.length === paths.length) return { kind: "fields_missing", missing, required };
  if (wrongDate !== null && paths.length === 1) {
    return { kind: "report_date_malformed", path: wrongDate.path, received: shortened(wrongDate.received) };
  }
  const ofEmployees = paths.every((path) => path.startsWith("employees["));
  return { kind: ofEmployees ? "report_employees_invalid" : "report_fields_invalid", details: problems };
}

function shortened(value: unknown): string {
  if (typeof value === "object") return Array.isArray(value) ? "an array" : "an object";
  const text = String(value);
  return text.length > MOST_RECEIVED_CHARS ? `${text.slice(0, MOST_RECEIVED_CHARS)}…` : text;
}

/** The developer API has one `error` for every problem with a body. */
function asValidation(failure: Failure): Failure {
  return failure.kind === "invalid_json" ? { kind: "unreadable_body", problem: failure.reason } : failure;
}
