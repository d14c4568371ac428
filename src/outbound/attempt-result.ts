/**
 * The result of one attempt to deliver: the kinds of failure, and how an answer is classified. Rows, retries, an endpoint's
 * health and the mails share these words. Pure.
 */

/**
 * Why an attempt failed. `blocked`: the URL policy does not allow the target. `dns`, `refused`, `tls`: no connection was made.
 * `reset`: the connection was lost before an answer. `timeout`: no answer within the limit. `redirect`, `status`: an answer, but
 * not a success. `network`: the platform gives no further reason. `internal`: nothing was sent, because the gateway could not
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
 * Why TLS failed, if the platform says. `handshake`: no common version or cipher, or no TLS at all. `expired`: the certificate
 * is expired or not yet valid. `wrong_name`: it is for another host. `untrusted`: it is self-signed or from an unknown issuer; also
 * where the edge reports only that it is invalid (526).
 */
export const TLS_CAUSES = ["handshake", "expired", "untrusted", "wrong_name"] as const;
export type TlsCause = (typeof TLS_CAUSES)[number];

/** By lower-case name; values are limited in length. */
export type AnswerHeaders = Record<string, string>;

/** What was tried, and the result. `StoredAttempt` is the stored form. */
export interface Attempt {
  /** When the request started, ms; also the time in its signatures. */
  startedAt: number;
  /** From the first byte sent to the last one read. */
  ms: number;
  kind: "delivered" | FailureKind;
  /** Null if there was no response. */
  status: number | null;
  /** The first kilobyte of the response, as text; null if there was no response. */
  answer: string | null;
  /** Some of the answer's headers; absent when no answer came. */
  headers?: AnswerHeaders;
  /** How long the receiver asked the gateway to wait, counted from its response; null if it did not. */
  retryAfterMs: number | null;
  /** The answer seems to come from a bot wall. Only of a failure. */
  botWall?: boolean;
  /** Only of a TLS failure. */
  tlsCause?: TlsCause;
}

/** An attempt without an answer. */
export function unanswered(
  kind: FailureKind,
  startedAt: number,
  endedAt: number,
  tlsCause: TlsCause | null = null,
): Attempt {
  const ms = endedAt - startedAt;
  return {
    startedAt,
    ms,
    kind,
    status: null,
    answer: null,
    retryAfterMs: null,
    ...(tlsCause && { tlsCause }),
  };
}

export function endedAt({ startedAt, ms }: Pick<Attempt, "startedAt" | "ms">): number {
  return startedAt + ms;
}

const DESCRIPTIONS: Record<Exclude<FailureKind, "status">, string> = {
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

/** The failure in a few words for people; null for a success. */
export function describeAttempt({ kind, status }: Pick<Attempt, "kind" | "status">): string | null {
  if (kind === "delivered") return null;
  return kind === "status" ? `HTTP ${status}` : DESCRIPTIONS[kind];
}

/** The failure in a word or two, as `last_error` holds it; null for a success. */
export function lastErrorOf({ kind, status }: Pick<Attempt, "kind" | "status">): string | null {
  if (kind === "delivered") return null;
  return status === null ? kind : `HTTP ${status}`;
}

/** The statuses with which Cloudflare's edge answers for a receiver that it cannot reach. No server sends these itself. */
const EDGE_STATUSES: Partial<Record<number, FailureKind>> = {
  520: "reset",
  521: "refused",
  522: "timeout",
  523: "network",
  524: "timeout",
  525: "tls",
  526: "tls",
  530: "network",
};
/** The edge's own error numbers for a name that does not resolve, which come with status 530. */
const EDGE_DNS_ERROR = /\b(1001|1016)\b/;

/** Classifies an answer. */
export function answeredKind(status: number, answer: string): Attempt["kind"] {
  if (status >= 200 && status < 300) return "delivered";
  if (status >= 300 && status < 400) return "redirect";
  if (status === 530 && EDGE_DNS_ERROR.test(answer)) return "dns";
  return EDGE_STATUSES[status] ?? "status";
}

const TLS_MESSAGES: readonly [RegExp, TlsCause][] = [
  [/expired|not yet valid/i, "expired"],
  [/host ?name mismatch|name mismatch|does not match/i, "wrong_name"],
  [/self.signed|issuer|not trusted|unable to verify/i, "untrusted"],
  [/handshake|no certificate|wrong version/i, "handshake"],
];
const EDGE_TLS_CAUSES: Partial<Record<number, TlsCause>> = { 525: "handshake", 526: "untrusted" };

/** The cause that the platform's message names, else the one that its status implies; null if neither does. */
export function tlsCauseOf(status: number | null, message: string): TlsCause | null {
  const named = TLS_MESSAGES.find(([pattern]) => pattern.test(message))?.[1];
  return named ?? (status === null ? null : (EDGE_TLS_CAUSES[status] ?? null));
}

/** The statuses with which bot walls answer. */
const BOT_WALL_STATUSES: ReadonlySet<number> = new Set([403, 429, 503]);
/** Their names in the `server` header. */
const BOT_WALL_SERVERS = /cloudflare|akamai|sucuri|imperva|incapsula|datadome|awselb/i;
const HTML = /^\s*<(?:!doctype html|html)/i;

/**
 * Whether a failure seems to come from a bot wall in front of the receiver. `answer` is the start of the body. A guess: it only
 * decides whether mails show the gateway's `User-Agent`.
 */
export function looksLikeBotWall(status: number, headers: Headers, answer: string): boolean {
  if (headers.has("cf-mitigated")) return true;
  if (!BOT_WALL_STATUSES.has(status)) return false;
  const isHtml = (headers.get("content-type") ?? "").includes("text/html") || HTML.test(answer);
  return isHtml || BOT_WALL_SERVERS.test(headers.get("server") ?? "");
}
