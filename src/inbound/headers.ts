/** Steps 1 to 5 of the error table: what can be refused before anything is looked up. Pure. */
import type { Bytes } from "../crypto/encoding.ts";
import type { Failure } from "../http/failure.ts";
import { checkTimestamp, parseSignature, signedPrefix } from "./signature.ts";

export interface SignedRequest {
  /** Lower case: names everything from here on. */
  connectionId: string;
  /** A `problem` is what the header holds instead of one; refused where signatures are checked. */
  signature: { bytes: Bytes } | { problem: string };
  timestampMs: number;
  /** What goes before the body under the signature. */
  prefix: Bytes;
}

const CONNECTION_ID = /^[0-9a-f]{24}$/i;
const LONGEST_WAIT_S = 30;

export function checkHeaders(
  connectionId: string,
  headers: Headers,
  limits: { maxBodyBytes: number; now: number },
): { request: SignedRequest } | { failure: Failure } {
  if (!CONNECTION_ID.test(connectionId)) return { failure: { kind: "invalid_connection_id" } };
  const signature = presentHeader(headers, "X-Webhook-Signature");
  const timestamp = presentHeader(headers, "X-Webhook-Timestamp");
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
      prefix: signedPrefix(time.text),
    },
  };
}

/** Null where the header is absent or empty, which a header that came empty twice is as well. */
function presentHeader(headers: Headers, name: string): string | null {
  const value = headers.get(name);
  return value === null || /^[\s,]*$/.test(value) ? null : value;
}

/** Content-Encoding and Content-Length, for every endpoint that takes a report. */
export function checkBodyHeaders(headers: Headers, maxBodyBytes: number): Failure | null {
  const encodings = (headers.get("Content-Encoding") ?? "")
    .split(",")
    .map((each) => each.trim().toLowerCase());
  const encoding = encodings.find((each) => each !== "" && each !== "identity");
  if (encoding !== undefined) return { kind: "unsupported_encoding", encoding };
  return (declaredBytes(headers) ?? 0) > maxBodyBytes
    ? { kind: "payload_too_large", limitBytes: maxBodyBytes }
    : null;
}

/** The body's `Content-Length`; null without one. */
export function declaredBytes(headers: Headers): number | null {
  const length = headers.get("Content-Length");
  return length === null ? null : Number(length);
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
