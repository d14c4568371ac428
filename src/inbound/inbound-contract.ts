/** The contract of the intake for payroll systems. It accepts both dialects; field problems never reject a report. */

import { once } from "../contract/answer.ts";
import type { Describe } from "../contract/contract.ts";
import { objectId } from "../contract/fields.ts";
import type { Failure } from "../http/failure.ts";
import {
  accepted,
  acceptedAnswers,
  OF_REPORTS,
  REPORT_EXAMPLES,
  reportBody,
  reportHeaders,
} from "./report-contract.ts";

const SERVER_TIME_MS = 1_773_657_000_000;

/** In the order of the checks. */
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
  { kind: "webhook_connection_not_found" },
  { kind: "not_a_webhook" },
  { kind: "connection_inactive" },
  {
    kind: "invalid_signature",
    problem: "It looks like base64 (43 or 44 characters): encode the same 32 bytes as 64 hex digits.",
  },
  { kind: "invalid_signature", bodyBytes: 2_048 },
];

const acceptedReport = once(() =>
  accepted(
    "Accepted",
    { connection_id: objectId() },
    { "employees[0].class_code": "Required field missing" },
  ),
);

export const receiveReport: Describe = () => ({
  id: "receiveReport",
  tag: "Inbound",
  summary: "Send a payroll report",
  description: [
    "A 202 means that the report is on durable storage and will reach the files-creator. If there is no response, or after a 429 or 503, send the same request again: it creates at most one file.",
    "Both dialects are accepted. Unknown fields are kept, and the body is forwarded byte for byte. Field problems are reported in `warnings`; they never cause a rejection.",
    "Repeating the same signed request, or the same `Idempotency-Key`, returns the first `file_id` with `duplicate: true`.",
  ].join("\n\n"),
  access: "sender",
  header: reportHeaders(),
  body: { schema: reportBody(), examples: REPORT_EXAMPLES },
  answers: acceptedAnswers(acceptedReport(), "Accepted."),
  failures: [
    ...BEFORE_THE_BODY,
    { kind: "invalid_json", reason: "The body is not valid JSON." },
    { kind: "no_employees" },
    ...OF_REPORTS,
    { kind: "too_many_refusals", scope: "sender", retryAfterSeconds: 10 },
  ],
  failureHeaders: ["rate"],
});

export const receiveWithoutConnection: Describe = () => ({
  id: "receiveReportWithoutConnection",
  tag: "Inbound",
  summary: "A report without a connection",
  description: "Responds that the URL lacks the connection's id. Accepts nothing.",
  access: "nobody",
  answers: {},
  failures: [{ kind: "invalid_connection_id" }],
});
