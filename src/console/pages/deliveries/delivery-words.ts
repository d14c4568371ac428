/** What became of a delivery, in words. */
import type { ShownAttempt, ShownDelivery } from "../../../portal/webhooks/delivery-contract.ts";
import type { Meaning } from "../../parts/badge.tsx";
import { failureWords } from "../../parts/failure-words.ts";
import { duration } from "../../parts/values.tsx";

type TlsCause = NonNullable<ShownAttempt["tlsCause"]>;

const TLS_CAUSES: Record<TlsCause, string> = {
  handshake: "The receiver and the gateway found no common version of TLS, or the receiver speaks none.",
  expired: "The receiver's certificate has expired, or is not valid yet.",
  wrong_name: "The receiver's certificate is for another host.",
  untrusted: "The receiver's certificate is self-signed, or of an issuer that nobody knows.",
};

/** Why nothing was sent, in short. */
const UNSENT: Record<string, string> = {
  webhook_disabled: "Webhook was disabled",
  webhook_deleted: "Webhook was deleted",
  event_expired: "Event had expired",
  not_subscribed: "Type no longer subscribed to",
  not_configured: "Gateway lacks a setting",
};

/** A `lastError`, in a few words. */
export function errorWords(error: string): string {
  return UNSENT[error] ?? (error.startsWith("HTTP ") ? error : failureWords(error));
}

/** Why nothing was sent, in a sentence; null if the error is that of an attempt. */
export function unsentReason(error: string | null): string | null {
  switch (error) {
    case "webhook_disabled":
      return "The webhook was disabled. Enable it, then send the delivery again.";
    case "webhook_deleted":
      return "The webhook was deleted.";
    case "event_expired":
      return "The event expired while the webhook was paused. Nothing is left to send.";
    case "not_subscribed":
      return "The webhook no longer subscribed to the type when the delivery was due.";
    case "not_configured":
      return "The gateway lacks a key or a setting. The delivery waits, and no attempt is counted.";
    default:
      return null;
  }
}

/** The short fact about an attempt: a status, or why there was none. */
export function outcomeWords({
  outcome,
  responseCode,
}: Pick<ShownAttempt, "outcome" | "responseCode">): string {
  return responseCode === null ? errorWords(outcome) : `HTTP ${responseCode}`;
}

export function outcomeMeaning({ outcome }: Pick<ShownAttempt, "outcome">): Meaning {
  if (outcome === "delivered") return "good";
  return outcome === "internal" ? "warning" : "bad";
}

/** Why the attempt ended as it did, and what to do about it. */
export function causeOf({ outcome, responseCode: code, tlsCause, headers, ms }: ShownAttempt): string {
  switch (outcome) {
    case "delivered":
      return "The receiver accepted it.";
    case "status":
      return statusCause(code, headers);
    case "redirect": {
      const to = headers?.location === undefined ? "elsewhere" : `to ${headers.location}`;
      return `The receiver redirected ${to}. Redirects are not followed: register the address that answers itself.`;
    }
    case "tls":
      return tlsCause === null ? "No TLS connection could be made." : TLS_CAUSES[tlsCause];
    case "dns":
      return "The host's name does not resolve. Check the address of the webhook and its DNS records.";
    case "refused":
      return "Nothing accepted the connection. Check that the receiver runs, and its port and firewall.";
    case "reset":
      return "The connection was lost before an answer came.";
    case "timeout":
      return `No answer came within ${duration(ms)}. Answer first, and do the work afterwards.`;
    case "network":
      return "The connection failed. The platform gives no further reason.";
    case "blocked":
      return "The gateway does not send to this address. Nothing was sent.";
    case "internal":
      return "The gateway could not make the request. Nothing was sent, and it does not count against the webhook.";
  }
}

function statusCause(code: number | null, headers: ShownAttempt["headers"]): string {
  if (headers?.["cf-mitigated"] !== undefined)
    return "A bot wall in front of the receiver answered. Let the gateway's User-Agent pass.";
  switch (code) {
    case 401:
    case 403:
      return "The receiver, or a firewall in front of it, refused the request. Check how it verifies the signature, and which requests it lets pass.";
    case 404:
    case 405:
      return "Nothing takes POST requests at this path. Check the address of the webhook.";
    case 410:
      return "The receiver said that it is gone for good. Nothing more is tried, and the webhook is disabled.";
    case 429:
    case 503: {
      const after = headers?.["retry-after"];
      return `The receiver asked to come back later${after === undefined ? "" : ` (Retry-After: ${after})`}.`;
    }
    default:
      return code !== null && code >= 500
        ? "The receiver failed. Its own log says why."
        : "The receiver did not accept it. Only an answer of 2xx counts as delivered.";
  }
}

/** Whether nothing will change any more by itself. */
export function isFinal({ nextAttemptAt }: Pick<ShownDelivery, "nextAttemptAt">): boolean {
  return nextAttemptAt === null;
}
