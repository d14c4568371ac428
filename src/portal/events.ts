/** `POST /events`: the files-creator reports on files. Safe to repeat: an event counts once per file. */
import { Hono } from "hono";
import * as z from "zod";
import { findGateOwner } from "../db/gates.ts";
import { type AttentionChange, recordAttention } from "../forwarding/attention.ts";
import { gateName, parseFileId } from "../gate/file-id.ts";
import type { ProgressReport, Reported } from "../gate/protocol.ts";
import { type AppEnv, failureResponse, note } from "../http/context.ts";
import type { Failure } from "../http/failure.ts";
import { parseJsonBody } from "../http/validation.ts";

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
  // Only Audit1's own services know what became of a file: a pair bound to an owner must not settle the owner's files.
  if (c.get("client").owner !== undefined) return failureResponse(c, NOT_FOUND);
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
  if (reported.outcome === "moved") await recordAttention(c.env.DB, attentionFor(parsed.fileId, reported));
  const duplicate = reported.outcome === "repeat";
  return c.json({ success: true, id, file_id: parsed.fileId, status: reported.status, duplicate }, 202);
});

function attentionFor(
  fileId: string,
  { status, wasDeferred }: Extract<Reported, { outcome: "moved" }>,
): AttentionChange[] {
  if (status === "failed") {
    return [
      {
        kind: "set",
        fileId,
        reason: "reported_failed",
        responseStatus: null,
        attempts: 0,
        nextAttemptAt: null,
      },
    ];
  }
  return wasDeferred ? [{ kind: "clear", fileId }] : [];
}
