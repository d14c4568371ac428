/** The inbound signature: hex HMAC-SHA256 of `${timestamp}.` and the body's bytes, keyed with the whole secret string. */

import { createHmac } from "node:crypto";

/** `timestamp` is in Unix milliseconds. */
export function sign(secret: string, timestamp: string, body: Uint8Array): string {
  return createHmac("sha256", secret).update(`${timestamp}.`).update(body).digest("hex");
}

export function signedHeaders(secret: string, timestampMs: number, body: Uint8Array): Record<string, string> {
  const timestamp = String(timestampMs);
  return {
    "content-type": "application/json",
    "x-webhook-signature": sign(secret, timestamp, body),
    "x-webhook-timestamp": timestamp,
  };
}
