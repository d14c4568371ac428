/** What each event type means, and the data that its events usually carry. */
import { EXAMPLE } from "../contract/examples.ts";
import { type EventType, TEST_DATA, TEST_EVENT } from "./event-types.ts";

export interface DescribedEvent {
  summary: string;
  data: Record<string, unknown>;
}

const file = { fileId: EXAMPLE.fileId, fileName: "payroll-2026-03-15.csv", employerId: EXAMPLE.employerId };
const audit = { auditId: "AUD_1024", employerId: EXAMPLE.employerId };
const premium = { estimatedPremium: 50_000, actualPremium: 54_500, adjustment: 4_500 };
const period = { start: "2025-01-01", end: "2025-12-31" };
const employee = { employeeId: "E-17", employerId: EXAMPLE.employerId };
const policy = { policyNumber: "WC1025561", employerId: EXAMPLE.employerId };
const payment = { paymentId: "PAY_88", policyNumber: "WC1025561", amount: 1250.5 };

/** Every event type with example data. `data` passes through as it was reported. */
export const EVENT_EXAMPLES: Record<EventType, DescribedEvent> = {
  "file.uploaded": {
    summary: "A report was handed to the files-creator",
    data: { ...file, status: "uploaded" },
  },
  "file.validated": { summary: "A file was checked", data: { ...file, status: "validated" } },
  "file.processed": {
    summary: "A file was created",
    data: { ...file, status: "processed", recordsTotal: 1, recordsProcessed: 1, recordsFailed: 0 },
  },
  "file.failed": {
    summary: "A report could not be turned into a file",
    data: {
      ...file,
      status: "failed",
      error: { code: "VALIDATION_FAILED", message: "The report was refused.", details: [] },
    },
  },
  "audit.started": { summary: "An audit started", data: audit },
  "audit.completed": {
    summary: "An audit ended",
    data: { ...audit, policyPeriod: period, results: premium },
  },
  "audit.adjusted": { summary: "An audit was adjusted", data: { ...audit, results: premium } },
  "audit.failed": { summary: "An audit failed", data: audit },
  "employee.created": { summary: "An employee was added", data: employee },
  "employee.updated": { summary: "An employee was changed", data: employee },
  "employee.terminated": { summary: "An employee left", data: employee },
  "policy.created": { summary: "A policy was created", data: policy },
  "policy.updated": { summary: "A policy was changed", data: policy },
  "policy.renewed": { summary: "A policy was renewed", data: policy },
  "policy.cancelled": { summary: "A policy was cancelled", data: policy },
  "policy.premium_adjusted": { summary: "A premium was adjusted", data: policy },
  "payment.processed": { summary: "A payment went through", data: payment },
  "payment.failed": { summary: "A payment failed", data: payment },
  "payment.refunded": { summary: "A payment was refunded", data: payment },
  "webhook.test": {
    summary: "A test requested in the portal",
    data: TEST_DATA,
  },
};

/** The data of a test event: that of the type, and values that receivers get wrong. */
export function testDataOf(type: EventType): Record<string, unknown> {
  return type === TEST_EVENT ? TEST_DATA : { ...EVENT_EXAMPLES[type].data, test: TEST_DATA };
}
