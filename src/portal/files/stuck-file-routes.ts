/** `GET /stuck-files` lists the files of all owners that were deferred or failed, for operators. */
import { Hono } from "hono";
import * as list from "../../forwarding/stuck-file-list.ts";
import { parseFileId } from "../../gate/file-id.ts";
import type { AppEnv } from "../../http/context.ts";
import { iso } from "../../http/iso.ts";
import { pageOf } from "../../http/page.ts";
import { millisecondsOf } from "../../http/time-parameter.ts";
import { forEveryOwner } from "../scope.ts";
import { listStuckFiles, type ShownStuckFile, STUCK_FILE_LIST } from "./stuck-file-contract.ts";

export const stuckFiles = new Hono<AppEnv>().get("/stuck-files", forEveryOwner, listStuckFiles, async (c) => {
  const { reason, since, until, limit, cursor = null } = c.req.valid("query");
  const filter = { reason, since: millisecondsOf(since), until: millisecondsOf(until) };
  const [found, count] = await Promise.all([
    list.listStuckFiles(c.env.DB, filter, cursor, limit),
    cursor === null ? list.countStuckFiles(c.env.DB, filter) : null,
  ]);
  const { rows, next_cursor } = pageOf(STUCK_FILE_LIST, found, limit, ({ first_at, file_id }) => [
    first_at,
    file_id,
  ]);
  return c.json({ stuck_files: rows.map(present), next_cursor, count });
});

function present(row: list.StuckFile): ShownStuckFile {
  const gate = parseFileId(row.file_id)?.gate;
  return {
    file_id: row.file_id,
    reason: row.reason,
    response_status: row.response_status,
    attempts: row.attempts,
    next_attempt_at: iso(row.next_attempt_at),
    first_seen_at: iso(row.first_at),
    updated_at: iso(row.updated_at),
    ...(gate?.kind === "key" ? { api_key_id: gate.id } : { connection_id: gate?.id }),
  };
}
