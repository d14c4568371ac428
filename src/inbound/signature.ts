/**
 * The inbound signing scheme: hex HMAC-SHA256(secret, `${timestamp}.` + raw body bytes), timestamp in Unix milliseconds.
 * Pure but for WebCrypto; comparison is the platform's, in constant time.
 */
import { type Bytes, fromHex, utf8 } from "../crypto/encoding.ts";
import { SIGNATURE_WINDOW_MS } from "../gate/recent-requests.ts";
import type { Failure } from "../http/failure.ts";
import { onlyValue } from "../http/repeated-header.ts";
import { describeSignature, describeTimestamp } from "./signature-form.ts";

const SIGNATURE = /^[0-9a-f]{64}$/i;
const CAME_TWICE = "came twice, with different values";
/** Shorter numbers in a list are one number with separators. */
const A_TIME = /^\d{9,16}$/;
const INTEGER = /^\d{1,16}$/;
/** Values below this are no milliseconds of our age: they are seconds until the year 5138. */
const SECONDS_BELOW = 100_000_000_000;

export function importSigningKey(secret: string): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", utf8(secret), { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
}

/** The bytes that go before the body under the signature. */
export function signedPrefix(timestamp: string): Bytes {
  return utf8(`${timestamp}.`);
}

/** The 32 bytes of a signature in hex, or what the header holds instead. A header that came twice counts once. */
export function parseSignature(header: string): { bytes: Bytes } | { problem: string } {
  if (SIGNATURE.test(header)) return { bytes: fromHex(header) };
  const hex = onlyValue(header.toLowerCase());
  if (hex !== null && SIGNATURE.test(hex)) return { bytes: fromHex(hex) };
  const areSignatures = header.split(",").every((part) => SIGNATURE.test(part.trim()));
  return { problem: areSignatures ? `It ${CAME_TWICE}.` : describeSignature(header) };
}

/** Whether one of the keys signed `signed`: the {@link signedPrefix} and the body's bytes, in one piece. */
export async function verifySignature(
  keys: readonly CryptoKey[],
  signature: Bytes,
  signed: Bytes,
): Promise<boolean> {
  for (const key of keys) if (await crypto.subtle.verify("HMAC", key, signature, signed)) return true;
  return false;
}

/**
 * The timestamp in milliseconds and as it was written, which is what is signed, or why it is refused at `now`. A header that
 * came twice counts once.
 */
export function checkTimestamp(
  header: string,
  now: number,
): { timestampMs: number; text: string } | { failure: Failure } {
  const text = onlyValue(header);
  if (text === null || !INTEGER.test(text)) {
    const isNumbers = header.split(",").every((part) => A_TIME.test(part.trim()));
    const form =
      text === null && isNumbers ? `two values: the header ${CAME_TWICE}` : describeTimestamp(header);
    return { failure: { kind: "timestamp_expired", reason: "not_a_number", form, serverTimeMs: now } };
  }
  const timestampMs = Number(text);
  const late = lateFailure(timestampMs, now);
  return late === null ? { timestampMs, text } : { failure: late };
}

/** Why a timestamp is outside of the window at `now`; null where it is within. */
export function lateFailure(timestampMs: number, now: number): Failure | null {
  const aheadMs = timestampMs - now;
  if (Math.abs(aheadMs) <= SIGNATURE_WINDOW_MS) return null;
  const reason = timestampMs < SECONDS_BELOW ? "seconds" : aheadMs > 0 ? "clock_ahead" : "clock_behind";
  return { kind: "timestamp_expired", reason, aheadMs, serverTimeMs: now };
}
