/**
 * One HTTP exchange with a receiver: one POST, and its result. Never rejects, and takes at most ten seconds, whatever the
 * receiver does.
 *
 * A 2xx whose headers arrive in time is a success. The body is read only for people, so a body that hangs, is incomplete or
 * is not text makes no difference. Redirects are not followed.
 */
import type { Bytes } from "../crypto/encoding.ts";
import { retryAfterMs } from "../http/retry-after.ts";
import type { UrlPolicy } from "../model.ts";
import {
  type AnswerHeaders,
  type Attempt,
  answeredKind,
  type FailureKind,
  looksLikeBotWall,
  tlsCauseOf,
  unanswered,
} from "./attempt-result.ts";
import { checkUrl } from "./url-policy.ts";

/** For the whole exchange. From the wire contract. */
export const EXCHANGE_TIMEOUT_MS = 10_000;
/** How much of an answer is read and kept. */
export const ANSWER_BYTES = 1_024;
/** The headers of an answer that help people to understand it. */
const KEPT_HEADERS = [
  "location",
  "retry-after",
  "content-type",
  "server",
  "www-authenticate",
  "cf-mitigated",
];
/** How much of one header is kept. */
export const HEADER_CHARS = 256;
export const USER_AGENT = "Audit1-Webhooks/1";
/** The headers that every request has, whatever the webhook. */
export const OWN_REQUEST_HEADERS = { "Content-Type": "application/json", "User-Agent": USER_AGENT };

export interface Exchange {
  url: string;
  /** Custom headers and signatures. */
  headers: Record<string, string>;
  body: Bytes;
  policy: UrlPolicy;
}

export interface AttemptDeps {
  fetch(url: string, init: RequestInit): Promise<Response>;
  /** Milliseconds. */
  now(): number;
  /** Whether anything accepts connections at this URL; asked when `fetch` does not say why it failed. */
  accepts(url: URL): Promise<boolean>;
  timeoutMs?: number;
}

export async function attemptDelivery(exchange: Exchange, deps: AttemptDeps): Promise<Attempt> {
  let attempt = await attemptAt(exchange, deps);
  for (const url of otherLoopbacks(exchange)) {
    if (attempt.kind !== "refused") break;
    attempt = await attemptAt({ ...exchange, url }, deps);
  }
  return attempt;
}

/**
 * A development server listens on one of the addresses of `localhost`, and the runtime tries only one of them. A refused
 * connection sent nothing, so trying the others makes no second request.
 */
function otherLoopbacks({ url, policy }: Exchange): string[] {
  if (!policy.allowInsecure || !URL.canParse(url) || new URL(url).hostname !== "localhost") return [];
  return ["127.0.0.1", "[::1]"].map((hostname) => Object.assign(new URL(url), { hostname }).href);
}

async function attemptAt(exchange: Exchange, deps: AttemptDeps): Promise<Attempt> {
  const startedAt = deps.now();
  const url = checkUrl(exchange.url, exchange.policy);
  if (!url.ok) return unanswered("blocked", startedAt, deps.now());
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(), deps.timeoutMs ?? EXCHANGE_TIMEOUT_MS);
  let ended = false;
  try {
    let response: Response;
    try {
      response = await deps.fetch(url.value, requestOf(exchange, deadline.signal));
    } catch (error) {
      if (deadline.signal.aborted) return unanswered("timeout", startedAt, deps.now());
      const message = error instanceof Error ? error.message : "";
      const kind = await unansweredKind(message, new URL(url.value), deps);
      const tlsCause = kind === "tls" ? tlsCauseOf(null, message) : null;
      return unanswered(kind, startedAt, deps.now(), tlsCause);
    }
    const { status, headers } = response;
    const askedMs = retryAfterMs(headers, deps.now());
    const start = await (isShort(response) ? readShort(response) : readStart(response));
    const { answer } = start;
    ended = start.ended;
    const kind = answeredKind(status, answer);
    const botWall = kind !== "delivered" && looksLikeBotWall(status, headers, answer);
    const tlsCause = kind === "tls" ? tlsCauseOf(status, answer) : null;
    return {
      startedAt,
      ms: deps.now() - startedAt,
      kind,
      status,
      answer,
      headers: keptHeaders(headers),
      retryAfterMs: kind === "delivered" ? null : askedMs,
      ...(botWall && { botWall }),
      ...(tlsCause && { tlsCause }),
    };
  } finally {
    clearTimeout(timer);
    // A connection whose answer was not read to its end would last as long as the invocation.
    if (!ended) deadline.abort();
  }
}

function requestOf({ headers, body }: Exchange, signal: AbortSignal): RequestInit {
  return {
    method: "POST",
    headers: { ...headers, ...OWN_REQUEST_HEADERS },
    body,
    redirect: "manual",
    signal,
  };
}

function keptHeaders(headers: Headers): AnswerHeaders {
  const kept: AnswerHeaders = {};
  for (const name of KEPT_HEADERS) {
    const value = headers.get(name);
    if (value !== null)
      kept[name] = value.length > HEADER_CHARS ? `${value.slice(0, HEADER_CHARS).toWellFormed()}…` : value;
  }
  return kept;
}

/** How the runtime's message begins if it names a TLS failure instead of an "internal error". */
const NAMES_TLS = /^TLS |certificate/i;

/**
 * Why there was no response. For most failures the runtime gives one of two messages: "connection lost", also where there never was a
 * connection, or "internal error", for a name that does not resolve or a handshake that failed. Whether a connection can be
 * opened tells the two causes of each message apart.
 */
async function unansweredKind(message: string, url: URL, deps: AttemptDeps): Promise<FailureKind> {
  if (url.protocol === "https:" && NAMES_TLS.test(message)) return "tls";
  const lost = message.startsWith("Network connection lost");
  if (!lost && !message.startsWith("internal error")) return "network";
  const accepts = await deps.accepts(url);
  if (lost) return accepts ? "reset" : "refused";
  if (!accepts) return "dns";
  return url.protocol === "https:" ? "tls" : "network";
}

interface Start {
  answer: string;
  /** The answer was read to its end. */
  ended: boolean;
}

/** Null if the length is unknown: it is not announced, or the response is compressed. */
function announcedBytes(headers: Headers): number | null {
  const length = headers.has("Content-Encoding") ? null : headers.get("Content-Length");
  return length === null ? null : Number(length);
}

/** Most responses are successes that announce a short body: reading it in one piece costs half as much. */
function isShort({ ok, headers }: Response): boolean {
  const announced = announcedBytes(headers);
  return ok && announced !== null && announced <= ANSWER_BYTES;
}

/** An incomplete response is dropped. */
async function readShort(response: Response): Promise<Start> {
  try {
    return { answer: new TextDecoder().decode(await response.arrayBuffer()), ended: true };
  } catch {
    return { answer: "", ended: false };
  }
}

/**
 * At most {@link ANSWER_BYTES}, as text: invalid UTF-8 becomes U+FFFD, and a character that is cut in two is left out.
 */
async function readStart({ body, headers }: Response): Promise<Start> {
  if (body === null) return { answer: "", ended: true };
  const announced = announcedBytes(headers);
  const reader = body.getReader();
  const kept = new Uint8Array(ANSWER_BYTES);
  let length = 0;
  let ended = false;
  try {
    while (length < ANSWER_BYTES && !ended) {
      const read = await reader.read();
      if (read.done) {
        ended = true;
        break;
      }
      const part = read.value.subarray(0, ANSWER_BYTES - length);
      kept.set(part, length);
      length += part.byteLength;
      ended = length === announced;
    }
  } catch {
    // The time is up, or the response is incomplete or badly compressed: the bytes so far are kept.
  }
  return { answer: new TextDecoder().decode(kept.subarray(0, length), { stream: true }), ended };
}
