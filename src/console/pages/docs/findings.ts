/** What a comparison in the calculator may find, in words. In all texts, backticks mark code. */
import type { Finding } from "../../calculator/compare-signature.ts";
import type { DIAGNOSES, Explanation } from "../../parts/diagnosis.tsx";

type OwnFinding = Exclude<Finding, keyof typeof DIAGNOSES>;

export const OWN_FINDINGS: Record<OwnFinding, Explanation> = {
  match: { what: "It matches.", fix: "This is the signature of these values." },
  no_signature: {
    what: "This holds no signature.",
    fix: "A signature is 32 bytes: 64 hex digits, or 44 characters of base64. Paste the value of the header named above.",
  },
  too_large: {
    what: "It does not match, and the body is too large to look for the reason.",
    fix: "Try a body of at most 64 KB.",
  },
  secret_not_decoded: {
    what: "The text of the secret was used as the key.",
    fix: "The key of Standard Webhooks is the bytes that the text after `whsec_` encodes in base64. Its libraries decode the secret themselves.",
  },
  of_timestamped: {
    what: "It signs the timestamp, a dot and the body.",
    fix: "That is the scheme of `Audit1-Signature: t=…,v1=…`, not the chosen one.",
  },
  of_body_only: {
    what: "It signs the body alone.",
    fix: "That is the scheme of `Audit1-Signature: sha256=…`, not the chosen one. The webhook's `signature_format` decides which of the two is sent.",
  },
  of_standard: {
    what: "It is a signature of Standard Webhooks.",
    fix: "That scheme belongs to the header `webhook-signature`, and is not the chosen one.",
  },
};

/** The mistakes in signatures that somebody can find with the right secret at hand. */
export const SLIPS = [
  "body_without_timestamp",
  "timestamp_in_seconds",
  "newline_after_body",
  "newline_after_secret",
  "crlf",
  "json_printed_anew",
  "prefixed",
  "base64",
  "dashed",
  "secret_without_prefix",
  "secret_decoded",
  "unknown",
] as const satisfies readonly (keyof typeof DIAGNOSES)[];

/** What receivers of webhooks do about a mistake; senders have the advice of {@link DIAGNOSES}. */
export const RECEIVER_ADVICE =
  "Verify the bytes of the request as they came, before anything parses or converts them, with the header's own timestamp and the secret of this webhook.";
