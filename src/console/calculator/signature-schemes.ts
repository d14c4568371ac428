/** How each documented scheme signs, for the calculator of the docs, which runs in the reader's browser. Pure but for WebCrypto. */
import { type Bytes, concat, fromBase64, toBase64, toHex, utf8 } from "../../crypto/encoding.ts";

/** The scheme of reports, which also signs deliveries; both forms of `Audit1-Signature`; Standard Webhooks. */
export const SIGNATURE_SCHEMES = ["inbound", "timestamped", "body_only", "standard"] as const;
export type SignatureScheme = (typeof SIGNATURE_SCHEMES)[number];

/** What is signed. A scheme that does not sign the timestamp or the id ignores it. */
export interface Signable {
  secret: string;
  timestamp: string;
  /** The value of `webhook-id`. */
  id: string;
  body: Bytes;
}

interface SchemeRule {
  /** The header that holds the signature. */
  header: string;
  /** The text before the body. */
  prefix(signable: Signable): string;
  /** The header's value. */
  written(signature: Uint8Array, timestamp: string): string;
}

export const SCHEME_RULES: Record<SignatureScheme, SchemeRule> = {
  inbound: {
    header: "X-Webhook-Signature",
    prefix: ({ timestamp }) => `${timestamp}.`,
    written: toHex,
  },
  timestamped: {
    header: "Audit1-Signature",
    prefix: ({ timestamp }) => `${timestamp}.`,
    written: (signature, timestamp) => `t=${timestamp},v1=${toHex(signature)}`,
  },
  body_only: {
    header: "Audit1-Signature",
    prefix: () => "",
    written: (signature) => `sha256=${toHex(signature)}`,
  },
  standard: {
    header: "webhook-signature",
    prefix: ({ id, timestamp }) => `${id}.${timestamp}.`,
    written: (signature) => `v1,${toBase64(signature)}`,
  },
};

/** Null if the secret cannot be a key of the scheme: it is empty, or should encode bytes in base64 and does not. */
function keyBytes(scheme: SignatureScheme, secret: string): Bytes | null {
  if (scheme !== "standard") return secret === "" ? null : utf8(secret);
  const digits = secret.replace(/^whsec_/, "");
  return /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/.test(digits) &&
    digits !== ""
    ? fromBase64(digits)
    : null;
}

export async function hmac(key: Bytes, signed: Bytes): Promise<Bytes> {
  const imported = await crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, [
    "sign",
  ]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", imported, signed));
}

/** 32 bytes. Null if the secret cannot be a key of the scheme. */
export async function signatureBy(scheme: SignatureScheme, signable: Signable): Promise<Bytes | null> {
  const key = keyBytes(scheme, signable.secret);
  return key && hmac(key, concat([utf8(SCHEME_RULES[scheme].prefix(signable)), signable.body]));
}
