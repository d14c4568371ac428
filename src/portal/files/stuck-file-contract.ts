/** The contract of the operators' list of stuck files. */
import * as z from "zod";
import { countedPage, once } from "../../contract/answer.ts";
import { EXAMPLE, like } from "../../contract/examples.ts";
import { fileId, moment, objectId } from "../../contract/fields.ts";
import { STUCK_REASONS } from "../../forwarding/stuck-files.ts";
import { parseFileId } from "../../gate/file-id.ts";
import { pageFields } from "../../http/page.ts";
import { timeParameter } from "../../http/time-parameter.ts";
import { portalContracts } from "../portal-contract.ts";

/** The name of the list in its cursors. */
export const STUCK_FILE_LIST = "stuck_files";

const stuckFileQuery = z.strictObject({
  reason: z.enum(STUCK_REASONS).optional(),
  since: timeParameter.optional().meta({ description: "Files first listed at this time or later." }),
  until: timeParameter.optional().meta({ description: "Files first listed before this time." }),
  ...pageFields(
    STUCK_FILE_LIST,
    z.tuple([z.int().nonnegative(), z.string().refine((text) => parseFileId(text)?.fileId === text)]),
  ),
});

const stuckFile = once(() =>
  z
    .strictObject({
      file_id: fileId(),
      reason: like(
        z.enum(STUCK_REASONS),
        "deferred",
        "`deferred`: an attempt failed and will be repeated. `consumer_died`: the consumer crashed repeatedly on a message that names the file. `ring_key_missing`, `not_configured`: the file waits for a key or a setting, and no attempt counts. Failed for good: `refused` by the files-creator, `reported_failed` by it later, `gave_up` after a day.",
      ),
      response_status: like(
        z.int().nullable(),
        503,
        "The HTTP status of the files-creator; null without a response.",
      ),
      attempts: like(z.int().nonnegative(), 1),
      next_attempt_at: like(
        moment().nullable(),
        EXAMPLE.later,
        "As of `updated_at`. A time in the past: an attempt is due or under way, or attempts wait until the files-creator responds again. Null: the file has failed for good, or waits for a key or a setting.",
      ),
      first_seen_at: moment().meta({ description: "When the file was first listed." }),
      updated_at: moment(),
      connection_id: like(
        objectId().optional(),
        EXAMPLE.connectionId,
        "If the report came through a connection.",
      ),
      api_key_id: objectId().optional().meta({ description: "If the report came with a bearer key." }),
    })
    .meta({ id: "StuckFile" }),
);
export type ShownStuckFile = z.infer<ReturnType<typeof stuckFile>>;

export const listStuckFiles = portalContracts("Operations")({ query: stuckFileQuery }, () => ({
  id: "listStuckFiles",
  summary: "List stuck files",
  description:
    "Files of all owners that were deferred or failed, the last one first. A file leaves the list when it is forwarded, a failed one also 90 days after it was last updated. Only for clients that are bound to no owner.",
  answers: { 200: countedPage("A page of stuck files.", "stuck_files", stuckFile()) },
}));
