/** A file as the API shows it. */
import * as z from "zod";
import { once } from "../contract/answer.ts";
import { EXAMPLE, like } from "../contract/examples.ts";
import { environment, fileId, fileStatus, moment, objectId } from "../contract/fields.ts";
import { parseFileId } from "../gate/file-id.ts";
import type { FileRecord } from "../gate/protocol.ts";
import { iso } from "../http/iso.ts";

const count = () => z.int().nonnegative().nullable();

export const file = once(() =>
  z
    .strictObject({
      file_id: fileId(),
      status: like(fileStatus(), "completed"),
      records_total: like(count(), 1, "As reported by the files-creator; null until then."),
      records_processed: like(count(), 1),
      records_failed: like(count(), 0),
      kind: like(z.enum(["payroll_report", "employee_sync"]), "payroll_report"),
      environment: environment(),
      employer_id: like(z.string(), EXAMPLE.employerId),
      connection_id: like(
        objectId().optional(),
        EXAMPLE.connectionId,
        "If the report came through a connection.",
      ),
      api_key_id: objectId().optional().meta({ description: "If the report came with a bearer key." }),
      request_id: like(z.string(), EXAMPLE.requestId, "The id of the request that delivered the report."),
      caller_request_id: z
        .string()
        .nullable()
        .meta({ description: "The `X-Request-Id` of that request, if it had one." }),
      size: like(z.int().nonnegative(), 254, "Size of the received report in bytes."),
      generation: like(z.int().positive(), 1, "Increases by one each time the file is forwarded again."),
      attempts: like(z.int().nonnegative(), 1),
      next_attempt_at: moment().nullable(),
      received_at: moment(),
      updated_at: moment(EXAMPLE.later),
    })
    .meta({ id: "File" }),
);

export function presentFile(record: FileRecord): z.infer<ReturnType<typeof file>> {
  const { fileId, facts } = record;
  const gate = parseFileId(fileId)?.gate;
  return {
    file_id: fileId,
    status: record.status,
    records_total: record.recordsTotal,
    records_processed: record.recordsProcessed,
    records_failed: record.recordsFailed,
    kind: facts.kind,
    environment: facts.environment,
    employer_id: facts.employerId,
    ...(gate?.kind === "key" ? { api_key_id: gate.id } : { connection_id: gate?.id }),
    request_id: facts.requestId,
    caller_request_id: facts.callerRequestId ?? null,
    size: facts.size,
    generation: record.generation,
    attempts: record.attempts,
    next_attempt_at: iso(record.nextAttemptAt),
    received_at: iso(facts.receivedAt),
    updated_at: iso(record.updatedAt),
  };
}
