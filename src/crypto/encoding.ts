/** Text encodings of bytes in the wire formats and the stored formats. */

export type Bytes = Uint8Array<ArrayBuffer>;

const encoder = new TextEncoder();

/** The UTF-8 bytes of `text`. */
export function utf8(text: string): Bytes {
  return encoder.encode(text) as Bytes;
}

/** Joins the parts. */
export function concat(parts: readonly Uint8Array[]): Bytes {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.byteLength;
  }
  return joined;
}

/** Smaller buffers are left to the garbage collector. */
const WORTH_DISCARDING_BYTES = 64 * 1024;

/**
 * Frees a large buffer at once, including all views of it. To the garbage collector it looks like a small object that can wait,
 * but an isolate has room for only a dozen of the largest bodies.
 */
export function discard(bytes: Bytes): void {
  if (bytes.buffer.byteLength >= WORTH_DISCARDING_BYTES) bytes.buffer.transfer(0);
}

/** Crockford's base32: without I, L, O and U; sorts in the order of the bits. https://www.crockford.com/base32.html */
const BASE32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

const HEX_OF_BYTE = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** In lower case. */
export function toHex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += HEX_OF_BYTE[byte];
  return text;
}

/** `text` must be an even number of hex digits. */
export function fromHex(text: string): Bytes {
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

export function toBase64(bytes: Uint8Array): string {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

/** Throws a `DOMException` when `text` is not base64. */
export function fromBase64(text: string): Bytes {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

/** The lowest `digits` × 5 bits of a non-negative integer below 2^53, most significant digit first. */
export function integerToBase32(value: number, digits: number): string {
  let text = "";
  let rest = value;
  for (let i = 0; i < digits; i++) {
    text = (BASE32[rest % 32] ?? "") + text;
    rest = Math.floor(rest / 32);
  }
  return text;
}

/** The inverse of {@link integerToBase32}. NaN if a character is not in the alphabet. */
export function integerFromBase32(text: string): number {
  let value = 0;
  for (const char of text) {
    const digit = BASE32.indexOf(char);
    if (digit < 0) return Number.NaN;
    value = value * 32 + digit;
  }
  return value;
}

export async function sha256Hex(text: string): Promise<string> {
  return toHex(new Uint8Array(await crypto.subtle.digest("SHA-256", utf8(text))));
}
