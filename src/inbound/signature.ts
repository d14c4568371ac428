/**
 * The inbound signing scheme: hex HMAC-SHA256(secret, `${timestamp}.` + raw body bytes), timestamp in Unix milliseconds.
 * Pure but for WebCrypto; comparison is the platform's, in constant time.
 */
import { type Bytes, fromHex, utf8 } from "../crypto/encoding.ts";
import { SIGNATURE_WINDOW_MS } from "../gate/memory.ts";
import type { Failure } from "../http/failure.ts";

const SIGNATURE = /^[0-9a-f]{64}$/i;
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

/** The 32 bytes of a signature in hex; null when it cannot be one. */
export function parseSignature(text: string): Bytes | null {
  return SIGNATURE.test(text) ? fromHex(text) : null;
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

/** The timestamp in milliseconds, or why it is refused at `now`. */
export function checkTimestamp(text: string, now: number): { timestampMs: number } | { failure: Failure } {
  const refuse = (reason: Extract<Failure, { kind: "timestamp_expired" }>["reason"]) => ({
    failure: { kind: "timestamp_expired", reason, serverTimeMs: now } as const,
  });
  if (!INTEGER.test(text)) return refuse("not_an_integer");
  const timestampMs = Number(text);
  if (timestampMs < SECONDS_BELOW) return refuse("looks_like_seconds");
  return Math.abs(now - timestampMs) > SIGNATURE_WINDOW_MS ? refuse("outside_window") : { timestampMs };
}
