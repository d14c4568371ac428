/** What a comparison in the calculator may find, in words. In all texts, backticks mark code. */
import type { Finding } from "../../calculator/compare-signature.ts";
import { DIAGNOSES, type Explanation } from "../../parts/diagnosis.tsx";

type Slip = keyof typeof DIAGNOSES;
type OwnFinding = Exclude<Finding, Slip>;

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

/** Those that only the gateway finds: it knows the other secrets, and when the request came. */
const ELSEWHERE: readonly Slip[] = [
  "ended_secret",
  "other_connection",
  "clock_ahead",
  "clock_behind",
  "seconds",
  "not_a_number",
];

/** The mistakes in signatures that somebody can find with the right secret at hand. */
export const SLIPS = (Object.keys(DIAGNOSES) as Slip[]).filter((slip) => !ELSEWHERE.includes(slip));

/** What receivers of webhooks do about a mistake; senders have the advice of {@link DIAGNOSES}. */
export const RECEIVER_ADVICE =
  "Verify the bytes of the request as they came, before anything parses or converts them, with the header's own timestamp and the secret of this webhook.";
