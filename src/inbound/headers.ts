/** The checks of a report's headers, before anything is looked up: steps 1 to 5 of the wire contract. Pure. */
import type { Bytes } from "../crypto/encoding.ts";
import type { Failure } from "../http/failure.ts";
import { err, ok, type Result } from "../result.ts";
import { parseSignature, signedPrefix } from "./signature.ts";
import { checkTimestamp } from "./timestamp-window.ts";

export interface SignedRequest {
  /** In lower case, as it is stored. */
  connectionId: string;
  /** The error describes what the header holds instead of a signature; the request is refused when its signature is verified. */
  signature: Result<Bytes, string>;
  timestampMs: number;
  /** The signature covers it before the body. */
  prefix: Bytes;
}

const CONNECTION_ID = /^[0-9a-f]{24}$/i;
const LONGEST_WAIT_S = 30;

export function checkHeaders(
  connectionId: string,
  headers: Headers,
  limits: { maxBodyBytes: number; now: number },
): Result<SignedRequest, Failure> {
  if (!CONNECTION_ID.test(connectionId)) return err({ kind: "invalid_connection_id" });
  const signature = presentHeader(headers, "X-Webhook-Signature");
  const timestamp = presentHeader(headers, "X-Webhook-Timestamp");
  if (!signature || !timestamp) {
    const missing = [signature ? "" : "X-Webhook-Signature", timestamp ? "" : "X-Webhook-Timestamp"].filter(
      Boolean,
    );
    return err({ kind: "missing_headers", missing });
  }
  const time = checkTimestamp(timestamp, limits.now);
  if (!time.ok) return time;
  const unusable = checkBodyHeaders(headers, limits.maxBodyBytes);
  if (unusable !== null) return err(unusable);
  return ok({
    connectionId: connectionId.toLowerCase(),
    signature: parseSignature(signature),
    timestampMs: time.value.timestampMs,
    prefix: signedPrefix(time.value.text),
  });
}

/** Null if the header is absent or empty. A repeated, empty header is empty. */
function presentHeader(headers: Headers, name: string): string | null {
  const value = headers.get(name);
  return value === null || /^[\s,]*$/.test(value) ? null : value;
}

/** Checks Content-Encoding and Content-Length, at both intakes. */
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

/** `Content-Length`; null without one. */
export function declaredBytes(headers: Headers): number | null {
  const length = headers.get("Content-Length");
  return length === null ? null : Number(length);
}

/**
 * Seconds to hold the answer, from `Prefer: wait=N` (RFC 7240, section 4.3). The first well-formed wait counts, up to 30
 * seconds; malformed ones are ignored, as the RFC asks.
 */
export function preferredWait(headers: Headers, defaultSeconds: number): number {
  for (const preference of headers.get("Prefer")?.split(",") ?? []) {
    const [, seconds] = /^\s*wait\s*=\s*"?(\d{1,9})"?\s*(?:;.*)?$/i.exec(preference) ?? [];
    if (seconds !== undefined) return Math.min(Number(seconds), LONGEST_WAIT_S);
  }
  return defaultSeconds;
}

/** The sender's `Content-Type`, as a fact of the file. Absent if it cannot be sent on in a header. */
export function contentTypeFact(headers: Headers): { contentType?: string } {
  const given = headers.get("Content-Type") ?? "";
  return /^[\x21-\x7e][\x20-\x7e]{0,254}$/.test(given) ? { contentType: given } : {};
}
