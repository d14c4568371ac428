/** What came of one attempt: the words that rows, retries, health and people share. */

/**
 * Why an attempt failed. `blocked`: the address is none that the gateway sends to. `dns`, `refused`, `tls`: no connection came
 * about. `reset`: it was lost before an answer. `timeout`: no answer within the limit. `redirect`, `status`: an answer, but none
 * that means success. `network`: the platform does not say more. `internal`: nothing was sent, because the gateway could not
 * make the request.
 */
export const FAILURE_KINDS = [
  "blocked",
  "dns",
  "refused",
  "tls",
  "reset",
  "timeout",
  "network",
  "redirect",
  "status",
  "internal",
] as const;
export type FailureKind = (typeof FAILURE_KINDS)[number];

/**
 * Why TLS failed, where the platform says. `handshake`: no common version or cipher, or no TLS at all. `expired`: the certificate is
 * out of its time. `wrong_name`: it is for another host. `untrusted`: it is self-signed, or of an issuer that nobody knows; where
 * the edge says only that it is invalid (526), it is this as well.
 */
export const TLS_CAUSES = ["handshake", "expired", "untrusted", "wrong_name"] as const;
export type TlsCause = (typeof TLS_CAUSES)[number];

/** By lower-case name, bounded in length. */
export type AnswerHeaders = Partial<Record<string, string>>;

interface Exchange {
  /** From the first byte sent to the last one read. */
  ms: number;
  /** The answer's first kilobyte, as text; null when there was no answer. */
  answer: string | null;
  /** Some of the answer's headers; absent when there was no answer. */
  headers?: AnswerHeaders;
}

export type Outcome =
  | ({ kind: "delivered"; status: number } & Exchange)
  | ({
      kind: FailureKind;
      /** Null when no answer came. */
      status: number | null;
      /** How long the receiver asked to be left alone, from the moment of its answer; null when it did not. */
      retryAfterMs: number | null;
      /** A wall against bots seems to have answered. */
      botWall?: boolean;
      /** Only of a failure of TLS. */
      tlsCause?: TlsCause;
    } & Exchange);

const WORDS: Record<Exclude<FailureKind, "status">, string> = {
  blocked: "Address not allowed",
  dns: "DNS lookup failed",
  refused: "Connection refused",
  tls: "TLS handshake failed",
  reset: "Connection reset",
  timeout: "Connection timeout",
  network: "Connection failed",
  redirect: "Redirects are not followed",
  internal: "The gateway could not send it",
};

/** What went wrong, in a few words for people; null when nothing did. */
export function describe(outcome: Pick<Outcome, "kind" | "status">): string | null {
  if (outcome.kind === "delivered") return null;
  return outcome.kind === "status" ? `HTTP ${outcome.status}` : WORDS[outcome.kind];
}
