/**
 * The strict door for bearer keys. Its bodies are read as streams by rules of their own, not by a schema: what is said of them
 * here is as much as a schema can say, and examples and fuzzing hold it against the door.
 */

import * as z from "zod";
import type { ZodOpenApiPathsObject } from "zod-openapi";
import { EXAMPLE } from "../contract/examples.ts";
import type { Failure } from "../http/failure.ts";
import { developerOperation } from "./developer.ts";
import { objectId } from "./fields.ts";
import { acceptedForm, OF_REPORTS, REPORT_EXAMPLES, reportHeaders } from "./inbound.ts";

const text = z.string().min(1);
const maybeText = z.string().nullish();
const amount = z.number().nonnegative();
const date = z.iso.date();
const maybeDate = z.union([date, z.literal("")]).nullish();
const employerId = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/);
/** Read by its digits, whatever stands between or around them. An integer of fewer has lost its leading zero. */
const fein = z.union([
  z
    .string()
    .max(64)
    .regex(/^(?:[^0-9]*[0-9]){9}[^0-9]*$/),
  z.int().min(100_000_000).max(999_999_999),
]);
const maybeFein = z.union([fein, z.literal("")]).nullish();

const payrollReport = z
  .looseObject({
    employer_id: employerId,
    employer_fein: maybeFein,
    period_start: date,
    period_end: date.meta({ description: "Not before `period_start`." }),
    payroll_data: z.looseObject({
      total_payroll: amount,
      total_hours: amount.nullish(),
      officer_payroll: amount.nullish(),
      subcontractor_payments: amount.nullish(),
    }),
    employees: z
      .array(
        z.looseObject({
          employee_id: text,
          name: text,
          classification_code: text,
          hours_worked: amount,
          gross_wages: amount,
        }),
      )
      .min(1),
  })
  .meta({ id: "StrictPayrollReport" });

const webhookReport = z
  .looseObject({
    employer_fein: fein,
    employer_id: z.union([employerId, z.literal("")]).nullish(),
    policy_number: text,
    pay_period: z.looseObject({ start_date: date, end_date: date }),
    employees: z
      .array(
        z.looseObject({
          first_name: text,
          last_name: text,
          class_code: text,
          state: text,
          gross_wages: amount,
          hours_worked: amount,
        }),
      )
      .min(1),
  })
  .meta({ id: "StrictWebhookReport" });

const rates = {
  hourly_rate: amount.nullish(),
  gross_wages: amount.nullish(),
  hours_worked: amount.nullish(),
};
const employeeChanges = z
  .looseObject({
    employer_id: employerId,
    employer_fein: maybeFein,
    employees: z
      .array(
        z.union([
          z.looseObject({
            employee_id: text,
            action: z.literal("hire"),
            name: text,
            hire_date: date,
            classification_code: text,
            termination_date: maybeDate,
            ...rates,
          }),
          z.looseObject({
            employee_id: text,
            action: z.literal("terminate"),
            termination_date: date,
            name: maybeText,
            hire_date: maybeDate,
            classification_code: maybeText,
            ...rates,
          }),
          z.looseObject({
            employee_id: text,
            action: z.literal("update"),
            name: maybeText,
            hire_date: maybeDate,
            termination_date: maybeDate,
            classification_code: maybeText,
            ...rates,
          }),
        ]),
      )
      .min(1),
  })
  .meta({ id: "EmployeeChanges" });

const INVALID: readonly Failure[] = [
  {
    kind: "validation",
    message: "The body has invalid fields.",
    details: {
      employer_id: "Required field missing",
      "employees[3].gross_wages": "Must be a positive number",
    },
  },
  {
    kind: "validation",
    message: "Missing required fields: period_start",
    details: { required: ["employer_id", "period_start", "period_end", "employees", "payroll_data"] },
  },
  {
    kind: "validation",
    message: "Invalid date format for period_start",
    details: { expected: "YYYY-MM-DD", received: "01/15/2024" },
  },
  { kind: "unsupported_encoding", encoding: "gzip" },
  { kind: "payload_too_large", limitBytes: 10_485_760 },
  { kind: "too_many_refusals", scope: "sender", retryAfterSeconds: 10 },
];

const schema = acceptedForm({ api_key_id: objectId }).meta({ id: "AcceptedWithKey" });
const accepted = {
  success: true,
  file_id: EXAMPLE.fileId,
  status: "queued",
  api_key_id: EXAMPLE.apiKeyId,
  employer_id: EXAMPLE.employerId,
  received_at: EXAMPLE.at,
  duplicate: false,
  warnings: {},
};
const answers = {
  202: {
    description: "Accepted: it is on durable storage and will reach the files-creator.",
    schema,
    example: accepted,
    headers: ["Location", "rate"],
    sometimes: ["Preference-Applied"],
  },
  200: {
    description: "Accepted, and the files-creator has answered within the time that `Prefer: wait` gave it.",
    schema,
    example: { ...accepted, status: "processing" },
    headers: ["Location", "rate", "Preference-Applied"],
  },
} as const;

const STRICTLY =
  "Every problem with a field refuses it, and all are told at once, up to 100. Unknown fields are kept. With an `Idempotency-Key` it may be repeated: at most one file comes of it. Without one, the same bytes by the same key within ten minutes are a repeat.";

export const reportPaths: ZodOpenApiPathsObject = {
  "/api/v1/payroll/reports": {
    post: developerOperation({
      id: "submitPayrollReport",
      summary: "Submit a payroll report",
      description: `In either dialect, for an employer that is granted to the key's owner. ${STRICTLY}`,
      header: reportHeaders,
      body: {
        schema: z.union([payrollReport, webhookReport]),
        examples: { report: REPORT_EXAMPLES.report, webhook: REPORT_EXAMPLES.webhook },
      },
      answers,
      failures: [...INVALID, ...OF_REPORTS],
    }),
  },
  "/api/v1/employees/sync": {
    post: developerOperation({
      id: "syncEmployees",
      summary: "Hire, terminate and update employees",
      description: `Each entry says what happened to one employee. ${STRICTLY}`,
      header: reportHeaders,
      body: {
        schema: employeeChanges,
        examples: {
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
      },
      answers,
      failures: [...INVALID, ...OF_REPORTS],
    }),
  },
};
