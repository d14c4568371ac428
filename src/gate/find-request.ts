/** Finds the record of one request in the gate that received it. A request id contains the time of its request. */
import type { RequestEntry } from "../evidence/request-entry.ts";
import { parseFileId } from "./file-id.ts";
import type { FileRow } from "./file-row.ts";
import type { FileFacts, FileRecord } from "./protocol.ts";
import type { GateState } from "./state.ts";

/**
 * A file is minted when the body of its request has been read and its signature verified: the body takes at most 30 seconds,
 * the look-ups around it less than that.
 */
const MINTED_WITHIN_MS = 120_000;

/** The time in a request id, see http/request-id.ts. */
const TIME_IN_ID = /^req_\w*([0-9a-f]{11})[0-9a-f]{12}$/;

export interface FoundRequest {
  entry: RequestEntry;
  /** The file that the request brought or repeated. Null if there is none. */
  file: FileRecord | null;
}

/** The request with this id, which came at `at`. Reads the rows of two minutes at most. */
export function findRequest(
  { files, evidence, erased }: GateState,
  recordOf: (row: FileRow) => FileRecord | null,
  requestId: string,
  at: number,
): FoundRequest | null {
  const row = files.byRequest(requestId, at, at + MINTED_WITHIN_MS);
  const file = row && recordOf(row);
  if (row !== null && file !== null) return { entry: acceptedEntry(file.fileId, row, erased), file };
  const entry = evidence.find(requestId, at);
  const seq = entry?.fileId == null ? undefined : parseFileId(entry.fileId)?.seq;
  const repeated = seq === undefined ? null : files.get(seq);
  return entry && { entry, file: repeated && recordOf(repeated) };
}

/** An accepted request, as its file's row describes it. */
export function acceptedEntry(
  fileId: string,
  { facts, progress }: Pick<FileRow, "facts" | "progress">,
  erased: boolean,
): RequestEntry {
  const { requestId, receivedAt, size } = facts;
  const shown: Partial<FileFacts> = erased ? {} : facts;
  const time = TIME_IN_ID.exec(requestId)?.[1];
  return {
    requestId,
    callerRequestId: shown.callerRequestId ?? null,
    at: time === undefined ? receivedAt : Number.parseInt(time, 16),
    outcome: "accepted",
    status: 202,
    code: null,
    diagnosis: [],
    clockSkewMs: shown.skewMs ?? null,
    bytes: size,
    contentType: shown.contentType?.split(";", 1)[0]?.trim() ?? null,
    userAgent: shown.userAgent ?? null,
    country: shown.country ?? null,
    fileId,
    ms: progress?.ms ?? null,
  };
}
