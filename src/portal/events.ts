/** `POST /events`: the files-creator reports on files. Safe to repeat: an event counts once per file. */
import { Hono } from "hono";
import * as z from "zod";
import { recordAttention } from "../db/attention.ts";
import { findGateOwner } from "../db/gates.ts";
import { OWNER_TYPES } from "../db/schema.ts";
import { gateName, parseFileId } from "../gate/file-id.ts";
import type { ProgressReport } from "../gate/protocol.ts";
import { type AppEnv, failureResponse, note } from "../http/context.ts";
import type { Failure } from "../http/failure.ts";
import { parseJsonBody } from "../http/validation.ts";
import { mayActFor } from "./owner.ts";

const STATUS_AFTER = {
  "file.validated": "processing",
  "file.processed": "completed",
  "file.failed": "failed",
} as const;

const count = z.int().nonnegative().optional();
const fileEvent = z.object({
  id: z.string().regex(/^[A-Za-z0-9_.-]{1,128}$/, "Must be 1 to 128 characters of A-Za-z0-9_.-"),
  type: z.enum(["file.validated", "file.processed", "file.failed"]),
  timestamp: z.iso.datetime({ offset: true }).optional(),
  data: z.object({ fileId: z.string(), recordsTotal: count, recordsProcessed: count, recordsFailed: count }),
});

const NOT_FOUND: Failure = { kind: "portal", status: 404, error: "file_not_found", message: "No such file." };

export const events = new Hono<AppEnv>().post("/events", async (c) => {
  const body = await parseJsonBody(c, fileEvent);
  if ("failure" in body) return failureResponse(c, body.failure);
  const { id, type, data } = body.value;
  const parsed = parseFileId(data.fileId);
  const owner = parsed && (await findGateOwner(c.env.DB, parsed.gate));
  if (parsed === null || owner === null) return failureResponse(c, NOT_FOUND);
  if (
    !mayActFor(c.get("client"), { type: z.enum(OWNER_TYPES).parse(owner.owner_type), id: owner.owner_id })
  ) {
    return failureResponse(c, NOT_FOUND);
  }
  const report: ProgressReport = {
    eventId: id,
    status: STATUS_AFTER[type],
    ...(data.recordsTotal !== undefined && { recordsTotal: data.recordsTotal }),
    ...(data.recordsProcessed !== undefined && { recordsProcessed: data.recordsProcessed }),
    ...(data.recordsFailed !== undefined && { recordsFailed: data.recordsFailed }),
  };
  const reported = await c.env.CONNECTION_GATE.getByName(gateName(parsed.gate)).report(parsed.fileId, report);
  if (reported.outcome === "unknown") return failureResponse(c, NOT_FOUND);
  note(c, { outcome: reported.outcome, event_type: type, file_id: parsed.fileId });
  if (reported.outcome === "moved" && reported.status === "failed") {
    await recordAttention(c.env.DB, [
      {
        kind: "set",
        fileId: parsed.fileId,
        reason: "reported_failed",
        responseStatus: null,
        attempts: 0,
        nextAttemptAt: null,
      },
    ]);
  }
  const duplicate = reported.outcome === "repeat";
  return c.json({ success: true, id, file_id: parsed.fileId, status: reported.status, duplicate }, 202);
});
