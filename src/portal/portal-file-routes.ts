/**
 * `POST /files/{id}/replay`: forwards a settled file again, as a new generation. The file is its gate's, out of reach of a
 * batch of D1, so that the audit trail tells what was asked, before it is done.
 */
import { Hono } from "hono";
import * as z from "zod";
import { newAuditRow, recordAudit } from "../db/audit.ts";
import { findGateOwner } from "../db/gates.ts";
import { parseFileId } from "../gate/file-id.ts";
import { type AppEnv, failureResponse, note } from "../http/context.ts";
import type { Failure } from "../http/failure.ts";
import { logError } from "../log.ts";
import { gateName, OWNER_TYPES } from "../model.ts";
import { mayActFor } from "./owner.ts";

const NOT_FOUND: Failure = { kind: "portal", status: 404, error: "file_not_found", message: "No such file." };

export const portalFiles = new Hono<AppEnv>().post("/files/:file_id/replay", async (c) => {
  const parsed = parseFileId(c.req.param("file_id"));
  const owner = parsed && (await findGateOwner(c.env.DB, parsed.gate));
  if (parsed === null || owner === null) return failureResponse(c, NOT_FOUND);
  const type = z.enum(OWNER_TYPES).parse(owner.owner_type);
  if (!mayActFor(c.get("client"), { type, id: owner.owner_id })) return failureResponse(c, NOT_FOUND);
  const { fileId } = parsed;
  await recordAudit(
    c.env.DB,
    newAuditRow({
      at: Date.now(),
      actor: c.get("client").actor,
      requestId: c.get("requestId"),
      kind: "file",
      what: "replay_asked",
      subjectId: fileId,
      owner: { type, id: owner.owner_id },
      before: null,
      after: null,
    }),
  );
  const replayed = await c.env.CONNECTION_GATE.getByName(gateName(parsed.gate)).replay(fileId);
  switch (replayed.outcome) {
    case "unknown":
      return failureResponse(c, NOT_FOUND);
    case "unsettled": {
      const message = "The file is still on its way. Only a completed or failed file can be replayed.";
      return failureResponse(c, { kind: "portal", status: 409, error: "file_not_settled", message });
    }
    case "queued":
      note(c, { outcome: "replayed", file_id: fileId });
      c.executionCtx.waitUntil(
        // A lost wake-up costs a minute: the file's gate sends another.
        c.env.FILES.send({ file_ids: [fileId] }).catch((error) =>
          logError("a wake-up was not sent", { file_id: fileId }, error),
        ),
      );
      return c.json(
        { success: true, file_id: fileId, status: "queued", generation: replayed.generation },
        202,
      );
  }
});
