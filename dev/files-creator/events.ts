/**
 * The events a file's processing is reported with. Their ids follow from the idempotency key and the type,
 * so that reporting twice is harmless.
 */

import type { PayrollTable } from "./payroll.ts";

export type FileEventType = "file.validated" | "file.processed" | "file.failed";

export interface FileEvent {
  id: string;
  type: FileEventType;
  timestamp: string;
  data: Record<string, unknown>;
}

/** Enough for a person to find the trouble; the file itself says the rest. */
const MAX_ERROR_DETAILS = 20;

/** `file.validated` then `file.processed`; `file.failed` alone when not one row could be written. */
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
  const error = { code: "NO_READABLE_EMPLOYEES", message: "Not one employee could be read.", details };
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
