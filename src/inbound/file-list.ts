/** `GET /files` of one connection or key, for API keys and portal clients: its query, and its page from the sender's gate. */
import * as z from "zod";
import type { Bindings } from "../bindings.ts";
import { type ListCount, listCount } from "../db/list-count.ts";
import { parseFileId } from "../gate/file-id.ts";
import type { FileRecord, FileStatus } from "../gate/protocol.ts";
import type { Failure } from "../http/failure.ts";
import { encodeCursor, pageFields, pageLimit } from "../http/page.ts";
import { millisecondsOf, timeParameter } from "../http/time-parameter.ts";
import {
  API_KEY_PREFIX,
  type Environment,
  type GateAddress,
  type GateKind,
  gateName,
  objectIdOf,
} from "../model.ts";
import { err, ok, type Result } from "../result.ts";
import { presentFile } from "./file-presenter.ts";

/** The name of an owner's list in its cursors. The cursor of one sender's list is the last file's id. */
const OWNER_FILE_LIST = "files_of_owner";
const ownFilePosition = z.string().refine((text) => parseFileId(text)?.fileId === text);
const ownerCursor = z.object(pageFields(OWNER_FILE_LIST, ownFilePosition)).pick({ cursor: true });

/** The sender whose files are meant. */
export const senderFields = {
  connection_id: z
    .string()
    .refine((text) => objectIdOf(text, "") !== null, "Must be 24 hex characters")
    .meta({ pattern: "^[0-9a-fA-F]{24}$" })
    .optional(),
  api_key_id: z
    .string()
    .refine((text) => objectIdOf(text, API_KEY_PREFIX) !== null, "Must be ak_ and 24 hex characters")
    .meta({ pattern: "^(ak_)?[0-9a-fA-F]{24}$" })
    .optional(),
};
type SenderFields = z.infer<z.ZodObject<typeof senderFields>>;

/** What selects among the files, besides their status. */
export const fileFilterFields = {
  employer_id: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,64}$/, "Must be 1 to 64 characters of A-Za-z0-9_-")
    .optional(),
  since: timeParameter.optional().meta({ description: "Files that arrived at this time or later." }),
  until: timeParameter.optional().meta({ description: "Files that arrived before this time." }),
};

export const fileListFields = {
  ...senderFields,
  status: z.enum(["queued", "processing", "completed", "failed"]).optional(),
  ...fileFilterFields,
  limit: pageLimit,
  cursor: z
    .string()
    .refine((text) => positionIn(text) !== null, "Not a cursor of this list")
    .optional(),
};
type FileListFields = z.infer<z.ZodObject<typeof fileListFields>>;

export const FOREIGN_CURSOR: Failure = { kind: "foreign_cursor" };
export const NO_SUCH_SENDER: Record<GateKind, Failure> = {
  connection: { kind: "connection_not_found" },
  key: { kind: "api_key_not_found" },
};

/** The sender that a request names. Null if it names none. */
export function senderOf({ connection_id, api_key_id }: SenderFields): Result<GateAddress | null, Failure> {
  if (connection_id !== undefined && api_key_id !== undefined) return err({ kind: "two_senders" });
  if (connection_id !== undefined) return ok({ kind: "connection", id: connection_id.toLowerCase() });
  const id = api_key_id === undefined ? null : objectIdOf(api_key_id, API_KEY_PREFIX);
  return ok(id === null ? null : { kind: "key", id });
}

interface Position {
  fileId: string;
  ofOwner: boolean;
}

function positionIn(cursor: string): Position | null {
  const parsed = parseFileId(cursor);
  if (parsed !== null) return { fileId: parsed.fileId, ofOwner: false };
  const own = ownerCursor.safeParse({ cursor });
  return own.data?.cursor === undefined ? null : { fileId: own.data.cursor, ofOwner: true };
}

/** The file that the page of an owner's list continues after. Null on the first page. */
export function ownersPosition(cursor: string | undefined): Result<string | null, Failure> {
  if (cursor === undefined) return ok(null);
  const position = positionIn(cursor);
  return position?.ofOwner ? ok(position.fileId) : err(FOREIGN_CURSOR);
}

interface FileListFilter {
  status: FileStatus | undefined;
  employerId: string | undefined;
  since: number | undefined;
  until: number | undefined;
}

export function fileListFilterOf(query: FileListFields): FileListFilter {
  return {
    status: query.status,
    employerId: query.employer_id,
    since: millisecondsOf(query.since),
    until: millisecondsOf(query.until),
  };
}

interface FileList {
  files: ReturnType<typeof presentFile>[];
  next_cursor: string | null;
  count: ListCount | null;
}

/** D1 has confirmed that the gate's row exists. Without an environment, the files of both. */
export async function filesOfSender(
  env: Bindings,
  gate: GateAddress,
  query: FileListFields,
  environment: Environment | undefined,
): Promise<Result<FileList, Failure>> {
  const after = query.cursor === undefined ? null : parseFileId(query.cursor);
  if (query.cursor !== undefined && (after === null || gateName(after.gate) !== gateName(gate)))
    return err(FOREIGN_CURSOR);
  const { status = null, employerId = null, since = 0, until = null } = fileListFilterOf(query);
  const page = await env.CONNECTION_GATE.getByName(gateName(gate)).listFiles({
    status,
    employerId,
    environment: environment ?? null,
    since: Math.max(0, since),
    until: until === null ? null : Math.max(0, until),
    before: after?.seq ?? null,
    limit: query.limit,
  });
  return ok({
    files: page.files.map(presentFile),
    next_cursor: page.next,
    count: page.count && listCount(page.count.found, page.count.complete),
  });
}

/** A page of an owner's list, from the records of its files. */
export function ownersPage(
  records: readonly FileRecord[],
  next: string | null,
  count: ListCount | null,
): FileList {
  return { files: records.map(presentFile), next_cursor: next && encodeCursor(OWNER_FILE_LIST, next), count };
}
