/** `GET /files` for portal clients: all files of one sender, or an owner's stuck and failed ones. */
import { Hono } from "hono";
import { chunks } from "../../chunks.ts";
import { findGateOwner } from "../../db/gates.ts";
import { countStuckFilesOf, listStuckFilesOf } from "../../forwarding/stuck-file-list.ts";
import { parseFileId } from "../../gate/file-id.ts";
import type { FileRecord } from "../../gate/protocol.ts";
import { type AppContext, type AppEnv, failureResponse } from "../../http/context.ts";
import type { Failure } from "../../http/failure.ts";
import {
  fileListFilterOf,
  filesOfSender,
  NO_SUCH_SENDER,
  ownersPage,
  ownersPosition,
  senderOf,
} from "../../inbound/file-list.ts";
import { gateName } from "../../model.ts";
import { DEFAULT_ENVIRONMENT, ownerOf, withinScope } from "../owner.ts";
import { listFiles } from "./file-list-contract.ts";

const FILES_AT_A_TIME = 6;

const NEEDS_SENDER: Failure = {
  kind: "invalid_fields",
  details: {
    status: "Without connection_id or api_key_id, only stuck and failed files are listed: queued or failed",
  },
};

export const fileLists = new Hono<AppEnv>().get("/files", listFiles, async (c) => {
  const query = c.req.valid("query");
  const sender = senderOf(query);
  if (!sender.ok) return failureResponse(c, sender.error);
  if (sender.value !== null) {
    const row = await findGateOwner(c.env.DB, sender.value);
    if (row === null || !withinScope(c.get("client"), row))
      return failureResponse(c, NO_SUCH_SENDER[sender.value.kind]);
    const listed = await filesOfSender(c.env, sender.value, query, query.environment);
    return listed.ok ? c.json(listed.value) : failureResponse(c, listed.error);
  }
  const owner = ownerOf(c.get("client"), query);
  if (!owner.ok) return failureResponse(c, owner.error);
  const { status, ...filter } = fileListFilterOf(query);
  if (status === "processing" || status === "completed") return failureResponse(c, NEEDS_SENDER);
  const after = ownersPosition(query.cursor);
  if (!after.ok) return failureResponse(c, after.error);
  const environment = query.environment ?? DEFAULT_ENVIRONMENT;
  const found = { ...filter, status };
  const [page, count] = await Promise.all([
    listStuckFilesOf(c.env.DB, owner.value, environment, found, { after: after.value, limit: query.limit }),
    after.value === null ? countStuckFilesOf(c.env.DB, owner.value, environment, found) : null,
  ]);
  const records: (FileRecord | null)[] = [];
  // One after another, so that a gate that hangs fails the page after one deadline, not after one per file.
  for (const fileIds of chunks(page.fileIds, FILES_AT_A_TIME))
    records.push(...(await Promise.all(fileIds.map((fileId) => recordOf(c, fileId)))));
  // A row may be behind its file for a moment: a file that has been forwarded since is left out.
  const listed = records.filter((record) => record !== null).filter((record) => isListed(record, status));
  return c.json(ownersPage(listed, page.next, count));
});

async function recordOf(c: AppContext, fileId: string): Promise<FileRecord | null> {
  const gate = parseFileId(fileId)?.gate;
  return gate === undefined ? null : c.env.CONNECTION_GATE.getByName(gateName(gate)).status(fileId);
}

function isListed({ status }: FileRecord, asked: "queued" | "failed" | undefined): boolean {
  return asked === undefined ? status === "queued" || status === "failed" : status === asked;
}
