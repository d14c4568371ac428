/**
 * The events that report a file's processing. Their ids are derived from the idempotency key and the type, so that reporting
 * twice is harmless.
 */

import type { PayrollTable } from "./payroll-table.ts";

export type FileEventType = "file.validated" | "file.processed" | "file.failed";

export interface FileEvent {
  id: string;
  type: FileEventType;
  timestamp: string;
  data: Record<string, unknown>;
}

/** Waits before an event is reported again. */
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 300_000;
/** Enough for a person to find the problem; the rest is in the file. */
const MAX_ERROR_DETAILS = 20;

/** `file.validated` then `file.processed`; only `file.failed` if no row could be written. */
export async function fileEvents(
  file: { fileId: string; employerId: string | null; idempotencyKey: string },
  table: PayrollTable,
  now: Date,
): Promise<FileEvent[]> {
  const common = { fileId: file.fileId, employerId: file.employerId, recordsTotal: table.total };
  const event = async (type: FileEventType, data: Record<string, unknown>): Promise<FileEvent> => ({
    id: await eventId(file.idempotencyKey, type),
    type,
    timestamp: now.toISOString(),
    data: { ...common, ...data },
  });
  const counts = { recordsProcessed: table.rows.length, recordsFailed: table.unreadable.length };
  if (table.rows.length > 0) {
    return [
      await event("file.validated", { status: "validated" }),
      await event("file.processed", { status: "processed", ...counts }),
    ];
  }
  const details = table.unreadable.slice(0, MAX_ERROR_DETAILS).map((position) => ({
    field: `employees[${position}]`,
    message: "Must be an object",
  }));
  const error = { code: "NO_READABLE_EMPLOYEES", message: "None of the employees could be read.", details };
  return [await event("file.failed", { status: "failed", ...counts, error })];
}

async function eventId(idempotencyKey: string, type: FileEventType): Promise<string> {
  const digest = await crypto.subtle.digest(
    "SHA-256",
    new TextEncoder().encode(`${idempotencyKey}\n${type}`),
  );
  return `evt_${hex(digest).slice(0, 32)}`;
}

export function hex(bytes: ArrayBuffer): string {
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** When an event is reported again after its n-th failure: doubling from a second to five minutes. Null gives it up. */
export function nextReportAt(now: number, tries: number, maxTries: number): number | null {
  if (tries >= maxTries) return null;
  return now + Math.min(FIRST_WAIT_MS * 2 ** (tries - 1), LONGEST_WAIT_MS);
}
