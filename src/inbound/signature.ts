/**
 * The inbound signing scheme: hex HMAC-SHA256(secret, `${timestamp}.` + raw body bytes), timestamp in Unix milliseconds.
 * Pure but for WebCrypto, which compares in constant time.
 */
import { type Bytes, fromHex, utf8 } from "../crypto/encoding.ts";
import { type HeaderForm, matchingForm, PLACEHOLDER } from "../http/header-forms.ts";
import { onlyValue } from "../http/repeated-header.ts";
import { err, ok, type Result } from "../result.ts";

const SIGNATURE = /^[0-9a-f]{64}$/i;

export function importSigningKey(secret: string): Promise<CryptoKey> {
  return importVerifyingKey(utf8(secret));
}

/** A key of any bytes. */
export function importVerifyingKey(bytes: Bytes): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", bytes, { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
}

/** The bytes that the signature covers before the body. */
export function signedPrefix(timestamp: string): Bytes {
  return utf8(`${timestamp}.`);
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

/** The 32 bytes of a signature in hex, or a description of what the header holds instead. A repeated, equal header counts once. */
export function parseSignature(header: string): Result<Bytes, string> {
  if (SIGNATURE.test(header)) return ok(fromHex(header));
  const hex = onlyValue(header.toLowerCase());
  if (hex !== null && SIGNATURE.test(hex)) return ok(fromHex(hex));
  const areSignatures = header.split(",").every((part) => SIGNATURE.test(part.trim()));
  return err(areSignatures ? "It was sent twice, with different values." : describeSignature(header));
}

/** By the number of hex digits. */
const DIGESTS: Record<number, string> = {
  32: "MD5",
  40: "SHA-1",
  56: "SHA-224",
  96: "SHA-384",
  128: "SHA-512",
};

const SIGNATURE_FORMS: HeaderForm[] = [
  [
    /\(stdin\)\s*=/i,
    "It begins with the label that `openssl dgst` prints, such as `(stdin)= `: send only what follows it.",
  ],
  [/^["'`]|["'`]$/, "It is in quotes: send only the digits."],
  [
    /^(?:t=\d+|v\d+=|v\d+,).*[=,]/i,
    "It has the format of another scheme, with `t=` or `v1`: send only the digits.",
  ],
  [
    /^(?:hmac[-_]?)?sha-?\d+\s*[=:]/i,
    "It begins with the name of an algorithm, such as `sha256=`: send only the digits.",
  ],
  [/^v\d+\s*[=:,]/i, "It begins with a version, such as `v1=`: send only the digits."],
  [/^(?:bearer|basic|hmac|signature)\b/i, "It begins with the name of a scheme: send only the digits."],
  [/^0x[0-9a-f]/i, "It begins with `0x`: send only the digits."],
  [/^\\x|\\n|\\r|%0a|%0d/i, "It contains an escape sequence, such as `\\n`: send only the digits."],
  [
    /^(?:[0-9a-f]{2}[-:\s]){15,}[0-9a-f]{2}$/i,
    "Its bytes are separated by dashes, colons or spaces: send the digits without them.",
  ],
  [/^[0-9a-f]+\s+[*-]/i, "It ends with a file name, as checksum tools print it: send only the digits."],
  [
    /^(?:undefined|null|none|nan|true|false|\[object .*|function\b.*)$/i,
    "It is not a signature but the word that a program prints for a missing value.",
  ],
  [PLACEHOLDER, "It contains a placeholder that was never filled in."],
  [
    /^[A-Za-z0-9+/_-]{43}=?$/,
    "It looks like base64 (43 or 44 characters): encode the same 32 bytes as 64 hex digits.",
  ],
  [
    /^[A-Za-z0-9+/_-]{86,88}={0,2}$/,
    "It looks like base64 of the hex digits or of a longer digest: send the 64 hex digits themselves.",
  ],
];

/** For the person who corrects the sender. Repeats nothing of the header's value. */
function describeSignature(text: string): string {
  const { length } = text;
  if (/^[0-9a-f]+$/i.test(text)) {
    const digest = DIGESTS[length];
    const likely = digest === undefined ? "" : `, the length of ${digest}`;
    return `It has ${length} hex digits${likely}; HMAC-SHA256 has 64.`;
  }
  const known = matchingForm(text, SIGNATURE_FORMS);
  if (known !== null) return known;
  if (/\s/.test(text.trim())) return "It contains spaces: send only the 64 hex digits.";
  return `It has ${length} characters that are not all hex digits.`;
}
