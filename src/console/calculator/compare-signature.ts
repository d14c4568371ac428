/**
 * Compares a signature that somebody has with the right one, and finds the usual slip that explains a difference. It looks for
 * the same slips as the gateway does after it has refused a signature. Pure but for WebCrypto.
 */
import { type Bytes, concat, toHex, utf8 } from "../../crypto/encoding.ts";
import { findSlips } from "../../inbound/diagnosis/find-slips.ts";
import { bodyGuesses } from "../../inbound/diagnosis/guesses.ts";
import { type HeaderSignature, signatureIn } from "../../inbound/diagnosis/header-signature.ts";
import { EXAMINED_BYTES, WorkBudget } from "../../inbound/diagnosis/work-budget.ts";
import { hmac, SCHEME_RULES, type Signable, type SignatureScheme, signatureBy } from "./signature-schemes.ts";

/** What a comparison may find beside the slips that the gateway diagnoses. */
export type Finding =
  | Awaited<ReturnType<typeof findSlips>>[number]
  | "match"
  /** Nothing in the pasted text is a signature of 32 bytes. */
  | "no_signature"
  | "too_large"
  | "secret_not_decoded"
  /** It is right by another scheme. */
  | `of_${Exclude<SignatureScheme, "inbound">}`;

/** The schemes whose signature differs from this one's, and that no slip stands for. */
const OTHERS: Record<SignatureScheme, readonly Exclude<SignatureScheme, "inbound">[]> = {
  inbound: ["standard"],
  timestamped: ["body_only", "standard"],
  body_only: ["timestamped", "standard"],
  standard: ["timestamped", "body_only"],
};

const HEADER_NAME = /^(?:x-webhook-signature(?:-next)?|audit1-signature|webhook-signature)\s*:\s*/i;

/** `pasted` is the value of the scheme's header, with or without the header's name. */
export async function compareSignature(
  scheme: SignatureScheme,
  signable: Signable,
  pasted: string,
): Promise<Finding[]> {
  const value = pasted.trim().replace(HEADER_NAME, "");
  const found = signaturesIn(scheme, value);
  if (found.length === 0) return ["no_signature"];
  const isFound = (signature: Bytes | null) =>
    signature !== null && found.some(({ bytes }) => toHex(bytes) === toHex(signature));
  const isPlain = scheme !== "inbound" || found.every(({ slips }) => slips.length === 0);
  if (isPlain && isFound(await signatureBy(scheme, signable))) return ["match"];
  for (const other of OTHERS[scheme]) if (isFound(await signatureBy(other, signable))) return [`of_${other}`];
  if (signable.body.byteLength > EXAMINED_BYTES) return ["too_large"];
  return scheme === "inbound" || scheme === "timestamped"
    ? slipsOfTimestamped(scheme === "inbound" ? [value] : found.map(({ bytes }) => toHex(bytes)), signable)
    : slipsOfOthers(scheme, signable, isFound);
}

/** Headers of deliveries hold one signature for each secret in force. */
function signaturesIn(scheme: SignatureScheme, value: string): HeaderSignature[] {
  const texts = scheme === "inbound" ? [value] : value.split(/[\s,]+/);
  return texts.flatMap((text) => signatureIn(text) ?? []);
}

async function slipsOfTimestamped(values: readonly string[], signable: Signable): Promise<Finding[]> {
  const { secret, timestamp, body } = signable;
  for (const signature of values) {
    const slips = await findSlips(
      { signature, timestamp, body },
      { active: [secret], ended: [], others: [] },
    );
    if (!slips.includes("unknown")) return slips;
  }
  return ["unknown"];
}

async function slipsOfOthers(
  scheme: SignatureScheme,
  signable: Signable,
  isFound: (signature: Bytes | null) => boolean,
): Promise<Finding[]> {
  const prefix = utf8(SCHEME_RULES[scheme].prefix(signable));
  if (scheme === "standard" && isFound(await hmac(utf8(signable.secret), concat([prefix, signable.body]))))
    return ["secret_not_decoded"];
  for (const { bytes, slips } of bodyGuesses(signable.body, new WorkBudget()))
    if (slips.length > 0 && isFound(await signatureBy(scheme, { ...signable, body: bytes })))
      return [...slips];
  return ["unknown"];
}
