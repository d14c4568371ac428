/**
 * Signs a delivery in every documented scheme, with every secret in force. Pure except for WebCrypto.
 *
 * The first secret leads: headers with one signature use it, and headers with a list begin with it. While an old secret leads and
 * a newer one is to replace it, the newer one signs `X-Webhook-Signature-Next`.
 */
import { type Bytes, fromBase64, toBase64, toHex, utf8 } from "../crypto/encoding.ts";

export const SIGNATURE_FORMATS = ["timestamped", "sha256"] as const;
/** The form of `Audit1-Signature`: `t=…,v1=…`, or `sha256=…` of the body alone. */
export type SignatureFormat = (typeof SIGNATURE_FORMATS)[number];

const PREFIX = "whsec_";
/** The minimum of Standard Webhooks; 32 characters of base64 without padding, as documented. */
const SECRET_BYTES = 24;
/** What Standard Webhooks allows: base64 of 24 to 64 bytes. */
const SECRET = /^whsec_[A-Za-z0-9+/]{32,86}={0,2}$/;

/** `whsec_` and 32 characters of base64. */
export function newWebhookSecret(): string {
  return PREFIX + toBase64(crypto.getRandomValues(new Uint8Array(SECRET_BYTES)));
}

export interface SignedDelivery {
  /** The event's id, the same for every attempt. Printable ASCII without a dot, because a dot separates it from the timestamp. */
  id: string;
  body: Bytes;
  /** For the secrets in force: the leading one first, then from oldest to newest. */
  signers: Signers;
  /** Whether the newest secret is still to take the lead. */
  rotating: boolean;
  format: SignatureFormat;
  /** The time of this attempt, milliseconds. */
  now: number;
}

/** Of the headers that sign a delivery, those that are no signatures: the event's id, and when it was sent, in ms since the epoch. */
export function identifyingHeaders(id: string, now: number) {
  return {
    "X-Webhook-Timestamp": String(now),
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(now / 1_000)),
  };
}

/** The headers that sign a delivery. */
export async function signDelivery({ id, body, signers, rotating, format, now }: SignedDelivery) {
  const identifying = identifyingHeaders(id, now);
  const milliseconds = identifying["X-Webhook-Timestamp"];
  const seconds = identifying["webhook-timestamp"];
  const ofInbound = await signAll(signers, "whole", `${milliseconds}.`, body);
  const ofAudit1 = await signAll(signers, "whole", format === "sha256" ? "" : `${seconds}.`, body);
  const ofStandard = await signAll(signers, "decoded", `${id}.${seconds}.`, body);
  const next = rotating ? ofInbound.slice(1).at(-1) : undefined;
  return {
    ...identifying,
    "X-Webhook-Signature": toHex(ofInbound[0]),
    ...(next !== undefined && { "X-Webhook-Signature-Next": toHex(next) }),
    "Audit1-Signature":
      format === "sha256"
        ? `sha256=${toHex(ofAudit1[0])}`
        : [`t=${seconds}`, ...ofAudit1.map((signature) => `v1=${toHex(signature)}`)].join(","),
    "webhook-signature": ofStandard.map((signature) => `v1,${toBase64(signature)}`).join(" "),
  };
}

type SigningKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

/** The two keys that the schemes make of a secret: its characters, and the bytes that they encode. */
interface Signer {
  whole: SigningKey;
  decoded: SigningKey;
}

export type Signers = readonly [leading: Signer, ...others: Signer[]];

/** The result can sign any number of deliveries. Throws if a secret is not `whsec_` and base64. */
export async function signersOf(secrets: readonly [string, ...string[]]): Promise<Signers> {
  const [leading, ...others] = secrets;
  return Promise.all([signerOf(leading), ...others.map(signerOf)]);
}

async function signerOf(secret: string): Promise<Signer> {
  if (!SECRET.test(secret)) throw new Error("a webhook's secret is not of the form whsec_ and base64");
  const [whole, decoded] = await Promise.all([
    importKey(utf8(secret)),
    importKey(fromBase64(secret.slice(PREFIX.length))),
  ]);
  return { whole, decoded };
}

function importKey(key: Bytes): Promise<SigningKey> {
  return crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
}

type Signatures = [leading: Uint8Array, ...others: Uint8Array[]];

async function signAll(
  signers: readonly Signer[],
  key: keyof Signer,
  prefix: string,
  body: Bytes,
): Promise<Signatures> {
  const signed = concatenated(utf8(prefix), body);
  const signatures = signers.map(async (signer) => {
    return new Uint8Array(await crypto.subtle.sign("HMAC", signer[key], signed));
  });
  return (await Promise.all(signatures)) as Signatures;
}

function concatenated(start: Bytes, end: Bytes): Bytes {
  const bytes = new Uint8Array(start.byteLength + end.byteLength);
  bytes.set(start);
  bytes.set(end, start.byteLength);
  return bytes;
}
