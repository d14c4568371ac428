/**
 * `POST /files/{id}/replay` forwards a settled file again, as a new generation. The gate stores the file, so a batch of D1
 * cannot include the change; the audit row is written before it.
 */
import { Hono } from "hono";
import * as z from "zod";
import { answer } from "../contract/answer.ts";
import { like } from "../contract/examples.ts";
import { fileId, success } from "../contract/fields.ts";
import { recordAudit } from "../db/audit.ts";
import { findGateOwner } from "../db/gates.ts";
import { parseFileId } from "../gate/file-id.ts";
import { type AppEnv, addLogFields, failureResponse } from "../http/context.ts";
import type { Failure } from "../http/failure.ts";
import { logError } from "../log.ts";
import { gateName } from "../model.ts";
import { actionRow } from "./audit-row.ts";
import { notFound } from "./change.ts";
import { ownerIn, withinScope } from "./owner.ts";
import { portalContracts } from "./portal-contract.ts";

const NOT_FOUND = notFound("file");
const NOT_SETTLED: Failure = { kind: "file_not_settled" };

const replayFile = portalContracts("Operations")({}, () => ({
  id: "replayFile",
  summary: "Forward a file again",
  description:
    "Hands a completed or failed file to the files-creator again, as a new generation with its own idempotency key.",
  of: "file",
  answers: {
    202: answer("Queued.", {
      success: success(),
      file_id: fileId(),
      status: z.literal("queued"),
      generation: like(z.int().positive(), 2),
    }),
  },
  failures: [NOT_SETTLED],
}));

export const portalFiles = new Hono<AppEnv>().post("/files/:file_id/replay", replayFile, async (c) => {
  const parsed = parseFileId(c.req.param("file_id"));
  const owner = parsed && (await findGateOwner(c.env.DB, parsed.gate));
  if (parsed === null || owner === null) return failureResponse(c, NOT_FOUND);
  if (!withinScope(c.get("client"), owner)) return failureResponse(c, NOT_FOUND);
  const { fileId: id } = parsed;
  await recordAudit(
    c.env.DB,
    actionRow(c, {
      at: Date.now(),
      kind: "file",
      what: "replay_asked",
      subjectId: id,
      owner: ownerIn(owner),
      after: null,
    }),
  );
  const replayed = await c.env.CONNECTION_GATE.getByName(gateName(parsed.gate)).replay(id);
  switch (replayed.outcome) {
    case "unknown":
      return failureResponse(c, NOT_FOUND);
    case "unsettled":
      return failureResponse(c, NOT_SETTLED);
    case "queued":
      addLogFields(c, { outcome: "replayed", file_id: id });
      c.executionCtx.waitUntil(
        // After a lost wake-up, the file's gate sends another within a minute.
        c.env.FILES.send({ file_ids: [id] }).catch((error) =>
          logError("failed to send a wake-up", { file_id: id }, error),
        ),
      );
      return c.json({ success: true, file_id: id, status: "queued", generation: replayed.generation }, 202);
  }
});
