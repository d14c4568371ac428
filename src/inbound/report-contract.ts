/**
 * What the contracts of all intakes share. Reports are read as streams and validated by rules, not by schemas. The schemas here
 * are built from the tables of those rules and express what a schema can; examples and fuzzing compare them with the intakes.
 */
import * as z from "zod";
import { type Answer, answerOf, once } from "../contract/answer.ts";
import { RATE_LIMITED } from "../contract/common-failures.ts";
import { EXAMPLE, like } from "../contract/examples.ts";
import { fileId, fileStatus, moment, success } from "../contract/fields.ts";
import type { Failure } from "../http/failure.ts";
import { IDEMPOTENCY_KEY } from "../http/idempotency-key.ts";
import { type Dialect, REPORT, TOTALS, WEBHOOK } from "./payroll-rules.ts";

const text = () => z.string().min(1);
const amount = () => z.number().nonnegative();
const date = () => z.iso.date();
const employerId = () => z.string().regex(/^[A-Za-z0-9_-]{1,64}$/);
/** Only the nine digits count. An integer with fewer digits has lost a leading zero. */
const fein = () =>
  z.union([
    z
      .string()
      .max(64)
      .regex(/^(?:[^0-9]*[0-9]){9}[^0-9]*$/),
    z.int().min(100_000_000).max(999_999_999),
  ]);
const orEmpty = (schema: z.ZodType) => z.union([schema, z.literal("")]).nullish();

/** Fields whose problems reject the body. An optional field may be null or, unless it is an amount, empty. */
export const STRICT = {
  text,
  maybeText: () => z.string().nullish(),
  amount,
  maybeAmount: () => amount().nullish(),
  date,
  maybeDate: () => orEmpty(date()),
  employerId,
  maybeEmployerId: () => orEmpty(employerId()),
  fein,
  maybeFein: () => orEmpty(fein()),
};

/** Fields by name, in the order of `names`. */
export function fieldsOf(names: readonly string[], schemaOf: (name: string) => z.ZodType) {
  return Object.fromEntries(names.map((name) => [name, schemaOf(name)]));
}

function employeesOf({ employeeTexts, employeeNumbers }: Dialect, strict: boolean) {
  const employee = z.looseObject({
    ...fieldsOf(employeeTexts, () => (strict ? text() : z.string().optional())),
    ...fieldsOf(employeeNumbers, () => (strict ? amount() : amount().optional())),
  });
  return z.array(employee).min(1);
}

/** Either dialect, where field problems are only warnings. */
export const reportBody = once(() => {
  const feinAsGiven = z.union([z.string(), z.int()]).meta({
    description: "Only the nine digits count; other characters are ignored.",
    examples: [EXAMPLE.fein],
  });
  const webhookReport = z
    .looseObject({
      employer_fein: feinAsGiven.optional(),
      policy_number: z
        .string()
        .meta({ examples: ["WC1025561"] })
        .optional(),
      employees: employeesOf(WEBHOOK, false),
      pay_period: z.looseObject({ start_date: date().optional(), end_date: date().optional() }).optional(),
    })
    .meta({ id: "WebhookReport", description: "The dialect of payroll systems that send webhooks." });
  const payrollReport = z
    .looseObject({
      employer_id: z.string().optional(),
      period_start: date().optional(),
      period_end: date().optional(),
      payroll_data: z.looseObject(fieldsOf(TOTALS, () => amount().optional())).optional(),
      employees: employeesOf(REPORT, false),
    })
    .meta({ id: "PayrollReport", description: "The dialect of the developer API." });
  return z.union([webhookReport, payrollReport]);
});

/** Either dialect, where field problems reject the body. */
export const strictReportBody = once(() => {
  const totalOf = (name: string) => (name === "total_payroll" ? amount() : STRICT.maybeAmount());
  const payrollReport = z
    .looseObject({
      employer_id: employerId(),
      employer_fein: STRICT.maybeFein(),
      period_start: date(),
      period_end: date().meta({ description: "Not before `period_start`." }),
      payroll_data: z.looseObject(fieldsOf(TOTALS, totalOf)),
      employees: employeesOf(REPORT, true),
    })
    .meta({ id: "StrictPayrollReport" });
  const webhookReport = z
    .looseObject({
      employer_fein: fein(),
      employer_id: STRICT.maybeEmployerId(),
      policy_number: text(),
      pay_period: z.looseObject({ start_date: date(), end_date: date() }),
      employees: employeesOf(WEBHOOK, true),
    })
    .meta({ id: "StrictWebhookReport" });
  return z.union([payrollReport, webhookReport]);
});

/** An example of each dialect. */
export const REPORT_EXAMPLES = {
  webhook: {
    summary: "The dialect of webhooks",
    value: {
      employer_fein: EXAMPLE.fein,
      policy_number: "WC1025561",
      employees: [
        {
          first_name: "Jane",
          last_name: "Roe",
          class_code: "8810",
          state: "CA",
          gross_wages: 5200,
          hours_worked: 76,
        },
      ],
      pay_period: { start_date: "2026-03-01", end_date: "2026-03-15" },
    },
  },
  report: {
    summary: "The dialect of the developer API",
    value: {
      employer_id: EXAMPLE.employerId,
      period_start: "2026-03-01",
      period_end: "2026-03-15",
      payroll_data: { total_payroll: 5200, total_hours: 76 },
      employees: [
        {
          employee_id: "E-17",
          name: "Jane Roe",
          classification_code: "8810",
          hours_worked: 76,
          gross_wages: 5200,
        },
      ],
    },
  },
};

/** Optional headers of a report. */
export const reportHeaders = once(() =>
  z.object({
    "Idempotency-Key": z
      .string()
      .regex(IDEMPOTENCY_KEY)
      .optional()
      .meta({
        description:
          "Remembered for 24 hours: the same key never creates a second file, whatever the timestamp and signature.",
        examples: ["payroll-2026-03-15"],
      }),
    Prefer: z
      .string()
      .optional()
      .meta({
        description:
          "`wait=N`: hold the response for up to N seconds (1 to 30) until the files-creator has responded.",
        examples: ["wait=10"],
      }),
  }),
);

const acceptedFields = (warnings: Record<string, string>) => ({
  success: success(),
  file_id: fileId(),
  status: like(fileStatus(), "queued"),
  employer_id: like(z.string(), EXAMPLE.employerId),
  received_at: moment(),
  duplicate: like(z.boolean(), false, "The report had been accepted before; nothing is forwarded twice."),
  warnings: like(z.record(z.string(), z.string()), warnings, "Field problems, path to message. At most 100."),
});
/** The body of the response to an accepted report, without the field that identifies the sender. */
export type AcceptedBody = z.infer<z.ZodObject<ReturnType<typeof acceptedFields>>>;

/** `sender` is the field that identifies the sender, `id` the name of the schema. */
export function accepted(
  id: string,
  sender: z.core.$ZodShape,
  warnings: Record<string, string>,
): z.ZodObject {
  const { success, file_id, status, ...rest } = acceptedFields(warnings);
  return z.strictObject({ success, file_id, status, ...sender, ...rest }).meta({ id });
}

/** The responses to an accepted report, without and with a wait for the files-creator. */
export function acceptedAnswers(schema: z.ZodObject, description: string): Record<200 | 202, Answer> {
  return {
    202: answerOf(description, schema, {
      headers: ["Location", "rate"],
      sometimes: ["Preference-Applied"],
    }),
    200: answerOf(
      "Accepted, and the files-creator responded within the time set by `Prefer: wait`.",
      schema,
      { headers: ["Location", "rate", "Preference-Applied"], example: { status: "processing" } },
    ),
  };
}

/** Why a report from a known sender can be rejected. */
export const OF_REPORTS: readonly Failure[] = [
  { kind: "employer_unresolved", reason: "No employer with this FEIN is granted to the connection's owner." },
  { kind: "invalid_idempotency_key", problem: "It has 256 characters." },
  { kind: "key_reused" },
  RATE_LIMITED,
  { kind: "processing_failed", fileId: EXAMPLE.fileId },
  { kind: "acceptance_unknown", retryAfterSeconds: 5 },
];
