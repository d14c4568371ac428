/** The form of a request in lists and in the look-up. */
import type { RequestEntry } from "../../evidence/request-entry.ts";
import { iso } from "../../http/iso.ts";
import type { ShownRequest } from "./request-contract.ts";

export function presentRequest(entry: RequestEntry): ShownRequest {
  return {
    request_id: entry.requestId,
    caller_request_id: entry.callerRequestId,
    at: iso(entry.at),
    outcome: entry.outcome,
    status: entry.status,
    code: entry.code,
    diagnosis: entry.diagnosis,
    clock_skew_ms: entry.clockSkewMs,
    bytes: entry.bytes,
    content_type: entry.contentType,
    user_agent: entry.userAgent,
    country: entry.country,
    file_id: entry.fileId,
    ms: entry.ms,
  };
}
