/** Calls the developer API as its users do: reports and employee changes with a bearer key. */
import type { Bindings } from "../../src/bindings.ts";
import { type Answer, createApiKey, createEmployer, type Json, send } from "./gateway.ts";

export interface Developer {
  id: string;
  token: string;
  employerId: string;
  fein: string;
}

/** A production key of the owner "acme", and a new employer that "acme" may report for. */
export async function createDeveloper(fields: Json = {}): Promise<Developer> {
  const { owner_type = "payroll_company", owner_id = "acme" } = fields;
  const employer = await createEmployer([{ owner_type, owner_id }]);
  return { ...(await createApiKey(fields)), employerId: employer.id, fein: employer.fein };
}

export const PAYROLL = "/payroll/reports";
export const EMPLOYEES = "/employees/sync";

/** Sends a string or bytes unchanged, anything else as JSON. */
export function submit(
  { token }: { token: string },
  path: string,
  body: Json | string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = {},
  using?: Bindings,
): Promise<Answer> {
  return send(`/api/v1${path}`, submission(token, body, headers), using);
}

export function submission(
  token: string,
  body: Json | string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = {},
): RequestInit {
  const bytes = typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body);
  return {
    method: "POST",
    headers: { "Content-Type": "application/json", Authorization: `Bearer ${token}`, ...headers },
    body: bytes,
  };
}

let reports = 0;

/** A payroll report in the dialect of the developer API. Each is different. */
export function payroll({ employerId }: { employerId: string }, fields: Json = {}): Json {
  const hours = 500 + ++reports / 100;
  return {
    employer_id: employerId,
    period_start: "2024-01-01",
    period_end: "2024-03-31",
    employees: [employee({ hours_worked: hours })],
    payroll_data: {
      total_payroll: 26_000,
      total_hours: hours,
      officer_payroll: 0,
      subcontractor_payments: 0,
    },
    ...fields,
  };
}

export function employee(fields: Json = {}): Json {
  return {
    employee_id: "EE_001",
    name: "John Smith",
    classification_code: "8810",
    hours_worked: 520,
    gross_wages: 26_000,
    ...fields,
  };
}

/** A report in the webhook dialect. */
export function webhookPayroll({ fein }: { fein: string }, fields: Json = {}): Json {
  return {
    employer_fein: fein,
    policy_number: `WC${++reports}`,
    employees: [webhookEmployee()],
    pay_period: { start_date: "2026-03-01", end_date: "2026-03-15" },
    ...fields,
  };
}

export function webhookEmployee(fields: Json = {}): Json {
  return {
    first_name: "John",
    last_name: "Doe",
    class_code: "8810",
    state: "CA",
    gross_wages: 5000,
    hours_worked: 80,
    ...fields,
  };
}

/** A report of employee changes: one hire by default. */
export function changes({ employerId }: { employerId: string }, employees: Json[] = [hire()]): Json {
  return { employer_id: employerId, employees };
}

export function hire(fields: Json = {}): Json {
  return {
    employee_id: `EE_${++reports}`,
    action: "hire",
    name: "Jane Doe",
    hire_date: "2024-02-01",
    classification_code: "8810",
    hourly_rate: 30,
    ...fields,
  };
}
