/** The door for payroll systems. Its body is described in both dialects; advice on fields refuses nothing there. */

import * as z from "zod";
import type { ZodOpenApiPathsObject } from "zod-openapi";
import { RATE_LIMITED } from "../contract/error-answers.ts";
import { EXAMPLE } from "../contract/examples.ts";
import type { Failure } from "../http/failure.ts";
import { IDEMPOTENCY_KEY } from "../http/idempotency-key.ts";
import { ONE_FILE } from "../http/repeat-promise.ts";
import { connectionIdInPath, fileId, fileStatus, moment, objectId, success } from "./fields.ts";
import { operation } from "./operation.ts";

const amount = z.number().nonnegative();
const fein = z.union([z.string(), z.int()]).meta({
  description: "Read by its nine digits, whatever stands between or around them.",
  examples: [EXAMPLE.fein],
});
const policyNumber = z.string().meta({ examples: ["WC1025561"] });

const webhookReport = z
  .looseObject({
    employer_fein: fein.optional(),
    policy_number: policyNumber.optional(),
    employees: z
      .array(
        z.looseObject({
          first_name: z.string().optional(),
          last_name: z.string().optional(),
          class_code: z.string().optional(),
          state: z.string().optional(),
          gross_wages: amount.optional(),
          hours_worked: amount.optional(),
        }),
      )
      .min(1),
    pay_period: z
      .looseObject({ start_date: z.iso.date().optional(), end_date: z.iso.date().optional() })
      .optional(),
  })
  .meta({ id: "WebhookReport", description: "The dialect of payroll systems that send webhooks." });

const payrollReport = z
  .looseObject({
    employer_id: z.string().optional(),
    period_start: z.iso.date().optional(),
    period_end: z.iso.date().optional(),
    payroll_data: z
      .looseObject({
        total_payroll: amount.optional(),
        total_hours: amount.optional(),
        officer_payroll: amount.optional(),
        subcontractor_payments: amount.optional(),
      })
      .optional(),
    employees: z
      .array(
        z.looseObject({
          employee_id: z.string().optional(),
          name: z.string().optional(),
          classification_code: z.string().optional(),
          hours_worked: amount.optional(),
          gross_wages: amount.optional(),
        }),
      )
      .min(1),
  })
  .meta({ id: "PayrollReport", description: "The dialect of the developer API." });

/** Both dialects of a report, each with an example. */
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

export const report = z.union([webhookReport, payrollReport]);

/** What may be sent with a report. */
export const reportHeaders = z.object({
  "Idempotency-Key": z
    .string()
    .regex(IDEMPOTENCY_KEY)
    .optional()
    .meta({
      description:
        "Remembered for 24 hours: the same key makes no second file, whatever the timestamp and the signature.",
      examples: ["payroll-2026-03-15"],
    }),
  Prefer: z
    .string()
    .optional()
    .meta({
      description:
        "`wait=N`: hold the answer up to N seconds, 1 to 30, until the files-creator has answered.",
      examples: ["wait=10"],
    }),
});

/** What a report is answered by, when it is taken. */
export function acceptedForm(sender: Record<string, z.ZodType>) {
  return z.strictObject({
    success,
    file_id: fileId,
    status: fileStatus,
    ...sender,
    employer_id: z.string(),
    received_at: moment,
    duplicate: z.boolean().meta({ description: "The report was known: nothing is forwarded twice." }),
    warnings: z
      .record(z.string(), z.string())
      .meta({ description: "Advice on fields, path to message. At most 100." }),
  });
}

const accepted = {
  success: true,
  file_id: EXAMPLE.fileId,
  status: "queued",
  connection_id: EXAMPLE.connectionId,
  employer_id: EXAMPLE.employerId,
  received_at: EXAMPLE.at,
  duplicate: false,
  warnings: { "employees[0].class_code": "Required field missing" },
};
const schema = acceptedForm({ connection_id: objectId }).meta({ id: "Accepted" });

const SERVER_TIME_MS = 1_773_657_000_000;

/** In the order in which they are checked. */
const BEFORE_THE_BODY: readonly Failure[] = [
  { kind: "invalid_connection_id" },
  { kind: "missing_headers", missing: ["X-Webhook-Signature", "X-Webhook-Timestamp"] },
  {
    kind: "timestamp_expired",
    reason: "not_a_number",
    form: "a formatted date",
    serverTimeMs: SERVER_TIME_MS,
  },
  { kind: "timestamp_expired", reason: "seconds", aheadMs: -1_771_883_343_000, serverTimeMs: SERVER_TIME_MS },
  { kind: "timestamp_expired", reason: "clock_ahead", aheadMs: 7_200_000, serverTimeMs: SERVER_TIME_MS },
  { kind: "timestamp_expired", reason: "clock_behind", aheadMs: -612_000, serverTimeMs: SERVER_TIME_MS },
  { kind: "unsupported_encoding", encoding: "gzip" },
  { kind: "payload_too_large", limitBytes: 10_485_760 },
  { kind: "connection_not_found" },
  { kind: "not_a_webhook" },
  { kind: "connection_inactive" },
  {
    kind: "invalid_signature",
    problem: "It looks like base64 (43 or 44 characters): encode the same 32 bytes as 64 hex digits.",
  },
  { kind: "invalid_signature", bodyBytes: 2_048 },
];
/** How a report that came from a known sender can be refused. */
export const OF_REPORTS: readonly Failure[] = [
  { kind: "employer_unresolved", reason: "No employer with this FEIN is granted to the connection's owner." },
  { kind: "invalid_idempotency_key", problem: "It has 256 characters." },
  { kind: "key_reused" },
  RATE_LIMITED,
  { kind: "processing_failed", fileId: EXAMPLE.fileId },
  {
    kind: "unavailable",
    retryAfterSeconds: 5,
    reason: "The report is not known to be accepted.",
    promise: ONE_FILE,
  },
];

export const inboundPaths: ZodOpenApiPathsObject = {
  "/api/v1/webhook/inbound/{connection_id}": {
    post: operation({
      id: "receiveReport",
      tag: "Inbound",
      summary: "Send a payroll report",
      description: [
        "A 202 means that the report is on durable storage and will reach the files-creator. Without an answer, or after a 429 or 503, send the same request again: at most one file comes of it.",
        "Both dialects are taken; unknown fields are kept, and the bytes are forwarded as they came. Problems with fields are told in `warnings` and refuse nothing.",
        "The same signed request, or the same `Idempotency-Key`, is answered with the first `file_id` and `duplicate: true`.",
      ].join("\n\n"),
      access: "sender",
      path: z.object({ connection_id: connectionIdInPath }),
      header: reportHeaders,
      body: { schema: report, examples: REPORT_EXAMPLES },
      answers: {
        202: {
          description: "Accepted.",
          schema,
          example: accepted,
          headers: ["Location", "rate"],
          sometimes: ["Preference-Applied"],
        },
        200: {
          description:
            "Accepted, and the files-creator has answered within the time that `Prefer: wait` gave it.",
          schema,
          example: { ...accepted, status: "processing" },
          headers: ["Location", "rate", "Preference-Applied"],
        },
      },
      failures: [
        ...BEFORE_THE_BODY,
        { kind: "invalid_json", reason: "The body is not valid JSON." },
        { kind: "no_employees" },
        ...OF_REPORTS,
        { kind: "too_many_refusals", scope: "sender", retryAfterSeconds: 10 },
      ],
      failureHeaders: ["rate"],
    }),
  },
  "/api/v1/webhook/inbound": {
    post: operation({
      id: "receiveReportWithoutConnection",
      tag: "Inbound",
      summary: "A report without a connection",
      description: "Says that the URL lacks the connection's id. Takes nothing.",
      access: "nobody",
      answers: {},
      failures: [{ kind: "invalid_connection_id" }],
    }),
  },
};
