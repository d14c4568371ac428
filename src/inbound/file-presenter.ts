/** A file as the API shows it. */
import * as z from "zod";
import { once } from "../contract/answer.ts";
import { EXAMPLE, like } from "../contract/examples.ts";
import { environment, fileId, fileStatus, moment, objectId } from "../contract/fields.ts";
import { parseFileId } from "../gate/file-id.ts";
import type { FileRecord } from "../gate/protocol.ts";
import { iso } from "../http/iso.ts";
import { warningsOf } from "./kept-warnings.ts";

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

const ATTEMPT_OUTCOMES = ["forwarded", "deferred", "refused"] as const;

/** The way of the file so far. */
const lifecycle = once(() =>
  z.strictObject({
    signed_at: moment().nullable().meta({
      description:
        "The sender's timestamp, by the sender's clock. Null for a report with a bearer key, and for one that was restored from the archive.",
    }),
    received_at: moment().meta({ description: "When its request had been read." }),
    admitted_at: moment().meta({ description: "When it was counted against the limits and stored." }),
    queued_at: moment().meta({ description: "When it was queued last: as it came, or for a replay." }),
    attempts: z
      .array(
        z.strictObject({
          generation: like(z.int().positive(), 1),
          at: like(moment(), EXAMPLE.later, "When the attempt ended."),
          outcome: like(
            z.enum(ATTEMPT_OUTCOMES),
            "forwarded",
            "`forwarded`: the files-creator has the file. `deferred`: it did not take it, and gets it again. `refused`: it rejected it for good.",
          ),
          response_status: z.int().nullable().meta({
            description:
              "The HTTP status of the response that deferred or refused it; null without a response.",
          }),
        }),
      )
      .meta({ description: "The newest attempts to hand it to the files-creator, oldest first." }),
    forwarded_at: moment(EXAMPLE.later)
      .nullable()
      .meta({ description: "When the files-creator first had it." }),
    completed_at: moment(EXAMPLE.later)
      .nullable()
      .meta({ description: "When it was first completed; null unless it is." }),
    failed_at: moment().nullable().meta({ description: "Null unless it has failed." }),
    archived: like(z.boolean(), true, "Whether its payload is in the archive."),
    archived_at: moment(EXAMPLE.later)
      .nullable()
      .meta({ description: "Null unless it is archived, and for files that earlier versions archived." }),
    archive_due_at: moment().nullable().meta({
      description:
        "When it is archived at the latest. Null if it is archived, or neither with the files-creator nor failed.",
    }),
  }),
);

/** One file by itself. */
export const fileDetails = once(() =>
  file()
    .extend({
      warnings: like(
        z.record(z.string(), z.string()),
        { "employees[0].class_code": "Required field missing" },
        "As the sender was told them: field problems, path to message. At most 100, and those that 8 KB hold. Empty also for a file of an earlier version, and for one that was restored from the archive, neither of which has a record of them, and once the connection or key is erased.",
      ),
      lifecycle: lifecycle(),
    })
    .meta({ id: "FileDetails" }),
);
export type FileDetails = z.infer<ReturnType<typeof fileDetails>>;

export function presentFileDetails(record: FileRecord): FileDetails {
  const { receivedAt } = record.facts;
  return {
    ...presentFile(record),
    warnings: warningsOf(record.facts),
    lifecycle: {
      signed_at: iso(record.signedAt),
      received_at: iso(receivedAt),
      admitted_at: iso(record.admittedAt),
      queued_at: iso(record.queuedAt),
      attempts: record.tries.map(({ generation, at, outcome, responseStatus }) => ({
        generation,
        at: iso(at),
        outcome,
        response_status: responseStatus,
      })),
      forwarded_at: iso(record.forwardedAt),
      completed_at: iso(record.completedAt),
      failed_at: iso(record.failedAt),
      archived: record.isArchived,
      archived_at: iso(record.archivedAt),
      archive_due_at: iso(record.archiveDueAt),
    },
  };
}

export type ShownFile = z.infer<ReturnType<typeof file>>;

export function presentFile(record: FileRecord): ShownFile {
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
