/** Finds the signature in a header that is not the plain 64 hex digits. Pure. */
import { type Bytes, fromBase64, fromHex } from "../../crypto/encoding.ts";
import type { Diagnosis } from "../../evidence/request-entry.ts";
import { onlyValue } from "../../http/repeated-header.ts";

export interface HeaderSignature {
  /** 32 bytes. */
  bytes: Bytes;
  /** How the header differs from the 64 hex digits. */
  slips: Diagnosis[];
}

/** Longer headers hold no signature in any of the known forms. */
const LONGEST_CHARS = 256;

/** A label before the signature: an algorithm, a version, a scheme, or that of `openssl dgst`. */
const LABEL =
  /^(?:[^=]{0,32}\(stdin\)\s*=|(?:hmac[-_]?)?sha-?(?:2-)?256\s*[=:]|t=\d+,\s*v\d+=|v\d+\s*[=:,]|(?:bearer|basic|hmac|signature)\s|0x)\s*/i;
/** Checksum tools print the name of the file after it, or `-` if there was none. */
const FILE_NAME = /\s+[*-]\S*$/;
const QUOTED = /^(["'`])(.*)\1$/;

const DIGITS = /^[0-9a-f]{64}$/i;
const SEPARATED = /^(?:[0-9a-f]{2}[-: ]){31}[0-9a-f]{2}$/i;
const BASE64 = /^[A-Za-z0-9+/_-]{43}=?$/;
const BASE64_OF_DIGITS = /^[A-Za-z0-9+/_-]{86}(?:==)?$/;

/** Null if the header holds no 32 bytes in any known form. */
export function signatureIn(header: string): HeaderSignature | null {
  if (header.length > LONGEST_CHARS) return null;
  const text = (onlyValue(header) ?? header).trim();
  const plain = decoded(text);
  if (plain !== null) return plain;
  const unquoted = QUOTED.exec(text)?.[2] ?? text;
  const rest = decoded(unquoted.replace(LABEL, "").replace(FILE_NAME, "").trim());
  return rest === null ? null : { bytes: rest.bytes, slips: ["prefixed", ...rest.slips] };
}

function decoded(text: string): HeaderSignature | null {
  if (DIGITS.test(text)) return { bytes: fromHex(text), slips: [] };
  if (SEPARATED.test(text)) return { bytes: fromHex(text.replace(/[-: ]/g, "")), slips: ["dashed"] };
  if (BASE64.test(text)) return { bytes: fromAnyBase64(text), slips: ["base64"] };
  if (!BASE64_OF_DIGITS.test(text)) return null;
  const digits = new TextDecoder().decode(fromAnyBase64(text));
  return DIGITS.test(digits) ? { bytes: fromHex(digits), slips: ["base64"] } : null;
}

/** `text` must consist of the characters of base64 or base64url. */
function fromAnyBase64(text: string): Bytes {
  return fromBase64(text.replaceAll("-", "+").replaceAll("_", "/"));
}
