/** Steps 1 to 5 of the error table: what can be refused before anything is looked up. Pure. */
import type { Bytes } from "../crypto/encoding.ts";
import type { Failure } from "../http/failure.ts";
import { checkTimestamp, parseSignature, signedPrefix } from "./signature.ts";

export interface SignedRequest {
  /** Lower case: names everything from here on. */
  connectionId: string;
  /** Null when the header cannot be a signature; refused where signatures are checked. */
  signature: Bytes | null;
  timestampMs: number;
  /** What goes before the body under the signature. */
  prefix: Bytes;
}

const CONNECTION_ID = /^[0-9a-f]{24}$/i;
export const IDEMPOTENCY_KEY = /^[\x20-\x7e]{1,255}$/;
const LONGEST_WAIT_S = 30;

export function checkHeaders(
  connectionId: string,
  headers: Headers,
  limits: { maxBodyBytes: number; now: number },
): { request: SignedRequest } | { failure: Failure } {
  if (!CONNECTION_ID.test(connectionId)) return { failure: { kind: "invalid_connection_id" } };
  const signature = headers.get("X-Webhook-Signature");
  const timestamp = headers.get("X-Webhook-Timestamp");
  if (!signature || !timestamp) {
    const missing = [signature ? "" : "X-Webhook-Signature", timestamp ? "" : "X-Webhook-Timestamp"].filter(
      Boolean,
    );
    return { failure: { kind: "missing_headers", missing } };
  }
  const time = checkTimestamp(timestamp, limits.now);
  if ("failure" in time) return time;
  const tooBig = checkBodyHeaders(headers, limits.maxBodyBytes);
  if (tooBig !== null) return { failure: tooBig };
  return {
    request: {
      connectionId: connectionId.toLowerCase(),
      signature: parseSignature(signature),
      timestampMs: time.timestampMs,
      prefix: signedPrefix(timestamp),
    },
  };
}

/** Content-Encoding and Content-Length, for every endpoint that takes a report. */
export function checkBodyHeaders(headers: Headers, maxBodyBytes: number): Failure | null {
  const encoding = headers.get("Content-Encoding")?.trim().toLowerCase() ?? "";
  if (encoding !== "" && encoding !== "identity") return { kind: "unsupported_encoding", encoding };
  return (declaredBytes(headers) ?? 0) > maxBodyBytes
    ? { kind: "payload_too_large", limitBytes: maxBodyBytes }
    : null;
}

/** The body's `Content-Length`; null without one. */
export function declaredBytes(headers: Headers): number | null {
  const length = headers.get("Content-Length");
  return length === null ? null : Number(length);
}

/** The key, null without one, or a failure when it cannot be one. */
export function idempotencyKey(headers: Headers): { key: string | null } | { failure: Failure } {
  const key = headers.get("Idempotency-Key");
  if (key === null) return { key: null };
  return IDEMPOTENCY_KEY.test(key) ? { key } : { failure: { kind: "invalid_idempotency_key" } };
}

/**
 * Seconds to hold the answer, from `Prefer: wait=N` (RFC 7240, section 4.3): the first well-formed wait counts, longer
 * ones are cut to 30, malformed ones are ignored as the RFC asks.
 */
export function preferredWait(headers: Headers, defaultSeconds: number): number {
  for (const preference of headers.get("Prefer")?.split(",") ?? []) {
    const [, seconds] = /^\s*wait\s*=\s*"?(\d{1,9})"?\s*(?:;.*)?$/i.exec(preference) ?? [];
    if (seconds !== undefined) return Math.min(Number(seconds), LONGEST_WAIT_S);
  }
  return defaultSeconds;
}

/** The sender's own label of the body, as a fact of the file. Absent where it cannot travel in a header again. */
export function contentTypeFact(headers: Headers): { contentType?: string } {
  const given = headers.get("Content-Type") ?? "";
  return /^[\x21-\x7e][\x20-\x7e]{0,254}$/.test(given) ? { contentType: given } : {};
}
