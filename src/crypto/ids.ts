/** Identifiers and secrets that the gateway generates, all from the platform's CSPRNG. */
import { integerToBase32, toBase64, toHex } from "./encoding.ts";

/** 24 lower-case hex digits, like an ObjectId. For connections, API keys and webhooks. */
export function newObjectId(): string {
  return toHex(crypto.getRandomValues(new Uint8Array(12)));
}

const ALPHANUMERIC = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/** `length` characters of `A-Za-z0-9`, unbiased: 5.95 bits each. */
export function randomToken(length: number): string {
  let token = "";
  while (token.length < length) {
    for (const byte of crypto.getRandomValues(new Uint8Array(length))) {
      const char = byte < 248 ? ALPHANUMERIC[byte % 62] : undefined;
      if (char !== undefined && token.length < length) token += char;
    }
  }
  return token;
}

/** 256 random bits in 43 characters of `A-Za-z0-9_-`. */
export function randomSecret(): string {
  const base64 = toBase64(crypto.getRandomValues(new Uint8Array(32)));
  return base64.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** `digits` × 5 random bits in Crockford's base32. */
export function randomBase32(digits: number): string {
  let text = "";
  for (const byte of crypto.getRandomValues(new Uint8Array(digits))) text += integerToBase32(byte & 31, 1);
  return text;
}
