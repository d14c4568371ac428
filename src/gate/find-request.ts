/** Finds the record of one request in the gate that received it. A request id contains the time of its request. */
import type { RequestEntry } from "../evidence/request-entry.ts";
import type { FileRow } from "./file-row.ts";
import type { FileStore } from "./file-store.ts";
import type { FileRecord } from "./protocol.ts";

/**
 * A file is minted when the body of its request has been read and its signature verified: the body takes at most 30 seconds,
 * the look-ups around it less than that.
 */
const MINTED_WITHIN_MS = 120_000;

export interface FoundRequest {
  entry: RequestEntry;
  /** The file that the request brought. Null if it brought none. */
  file: FileRecord | null;
}

/** The request with this id, which came at `at`. Reads the rows of two minutes at most. */
export function findRequest(
  files: FileStore,
  recordOf: (row: FileRow) => FileRecord | null,
  requestId: string,
  at: number,
): FoundRequest | null {
  const row = files.byRequest(requestId, at, at + MINTED_WITHIN_MS);
  const file = row && recordOf(row);
  return file && { entry: acceptedEntry(file, at), file };
}

/** An accepted request, as its file's row describes it. */
function acceptedEntry({ fileId, facts }: FileRecord, at: number): RequestEntry {
  return {
    requestId: facts.requestId,
    callerRequestId: facts.callerRequestId ?? null,
    at,
    outcome: "accepted",
    status: 202,
    code: null,
    diagnosis: [],
    clockSkewMs: null,
    bytes: facts.size,
    contentType: facts.contentType ?? null,
    userAgent: null,
    country: null,
    fileId,
    ms: null,
  };
}
