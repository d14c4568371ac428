/** Files: their status for whoever sent them, and what the portal does with them. */

import * as z from "zod";
import type { ZodOpenApiPathsObject } from "zod-openapi";
import { EXAMPLE } from "../contract/examples.ts";
import { listQuery, NO_SUCH_SENDER } from "../developer/developer-file-routes.ts";
import type { Failure } from "../http/failure.ts";
import { developerOperation } from "./developer.ts";
import {
  environment,
  fileId,
  fileIdInPath,
  fileStatus,
  moment,
  nextCursor,
  objectId,
  success,
} from "./fields.ts";
import { portalOperation } from "./portal.ts";

const count = z.int().nonnegative().nullable();
const file = z
  .strictObject({
    file_id: fileId,
    status: fileStatus,
    records_total: count.meta({ description: "As the files-creator told; null until it did." }),
    records_processed: count,
    records_failed: count,
    kind: z.enum(["payroll_report", "employee_sync"]),
    environment,
    employer_id: z.string(),
    connection_id: objectId.optional().meta({ description: "Where the report came by a connection." }),
    api_key_id: objectId.optional().meta({ description: "Where the report came with a bearer key." }),
    request_id: z.string().meta({ description: "Of the request that brought the report." }),
    caller_request_id: z
      .string()
      .nullable()
      .meta({ description: "The `X-Request-Id` that the request carried, where it carried one." }),
    size: z.int().nonnegative().meta({ description: "Bytes of the report as it was received." }),
    generation: z.int().positive().meta({ description: "One more each time the file is forwarded again." }),
    attempts: z.int().nonnegative(),
    next_attempt_at: moment.nullable(),
    received_at: moment,
    updated_at: moment,
  })
  .meta({ id: "File" });

const shown = {
  file_id: EXAMPLE.fileId,
  status: "completed",
  records_total: 1,
  records_processed: 1,
  records_failed: 0,
  kind: "payroll_report",
  environment: "production",
  employer_id: EXAMPLE.employerId,
  connection_id: EXAMPLE.connectionId,
  request_id: EXAMPLE.requestId,
  caller_request_id: null,
  size: 254,
  generation: 1,
  attempts: 1,
  next_attempt_at: null,
  received_at: EXAMPLE.at,
  updated_at: EXAMPLE.later,
};

export const FILE_NOT_FOUND: Failure = {
  kind: "portal",
  status: 404,
  error: "file_not_found",
  message: "No such file.",
};

export const filePaths: ZodOpenApiPathsObject = {
  "/api/v1/files/status/{file_id}": {
    get: developerOperation({
      id: "getFileStatus",
      summary: "Where a file is",
      description: "Right from the moment of the 202 on.",
      path: z.object({ file_id: fileIdInPath }),
      answers: {
        200: { description: "The file.", schema: file, example: shown, headers: ["rate"] },
      },
      failures: [FILE_NOT_FOUND],
    }),
  },
  "/api/v1/files": {
    get: developerOperation({
      id: "listFiles",
      summary: "List files",
      description:
        "Newest first: those of a connection or of another key of the same owner, or those that came with the key itself. A page with a filter may be shorter than its limit, and the list still go on.",
      query: listQuery,
      answers: {
        200: {
          description: "A page of files.",
          schema: z.strictObject({ files: z.array(file), next_cursor: nextCursor }),
          example: { files: [shown], next_cursor: null },
          headers: ["rate"],
        },
      },
      failures: [
        {
          kind: "validation",
          message: "The request has invalid fields.",
          details: { limit: "Must be at most 100" },
        },
        { kind: "validation", message: "Invalid cursor", details: { cursor: "Not a cursor of this list" } },
        NO_SUCH_SENDER.connection,
        NO_SUCH_SENDER.key,
      ],
    }),
  },
  "/api/v1/files/{file_id}/replay": {
    post: portalOperation({
      id: "replayFile",
      tag: "Operations",
      summary: "Forward a file again",
      description:
        "A completed or failed file is handed to the files-creator once more, as a new generation with an idempotency key of its own.",
      path: z.object({ file_id: fileIdInPath }),
      answers: {
        202: {
          description: "It is on its way.",
          schema: z.strictObject({
            success,
            file_id: fileId,
            status: z.literal("queued"),
            generation: z.int().positive(),
          }),
          example: { success: true, file_id: EXAMPLE.fileId, status: "queued", generation: 2 },
        },
      },
      failures: [
        FILE_NOT_FOUND,
        {
          kind: "portal",
          status: 409,
          error: "file_not_settled",
          message: "The file is still on its way. Only a completed or failed file can be replayed.",
        },
      ],
    }),
  },
};
