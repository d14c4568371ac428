/**
 * One exchange with a receiver: one POST, and what came of it. Never rejects; ten seconds at most, whatever the other side does.
 *
 * The status decides. A success is a 2xx whose head arrives in time; its body is read for people alone, so one that hangs,
 * breaks off or is no text changes nothing. Redirects are not followed.
 */
import type { Bytes } from "../crypto/encoding.ts";
import { retryAfterMs } from "../http/retry-after.ts";
import { looksLikeBotWall } from "./bot-wall.ts";
import type { AnswerHeaders, FailureKind, Outcome, TlsCause } from "./outcome.ts";
import { checkUrl, type UrlPolicy } from "./url-policy.ts";

/** Over the whole exchange. From the wire contract. */
export const EXCHANGE_TIMEOUT_MS = 10_000;
/** How much of an answer is kept; the rest is not read. */
export const ANSWER_BYTES = 1_024;
/** Headers of an answer that tell people why it came. */
const KEPT_HEADERS = [
  "location",
  "retry-after",
  "content-type",
  "server",
  "www-authenticate",
  "cf-mitigated",
];
/** How much of one is kept. */
export const HEADER_CHARS = 256;
export const USER_AGENT = "Audit1-Webhooks/1";

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
  /** Whether anything accepts connections at this address; asked when `fetch` does not say why it failed. */
  accepts(url: URL): Promise<boolean>;
  timeoutMs?: number;
}

export async function attemptDelivery(exchange: Exchange, deps: AttemptDeps): Promise<Outcome> {
  let outcome = await attemptAt(exchange, deps);
  for (const url of otherLoopbacks(exchange)) {
    if (outcome.kind !== "refused") break;
    outcome = await attemptAt({ ...exchange, url }, deps);
  }
  return outcome;
}

/**
 * Development servers listen at either of the addresses that `localhost` stands for, and the runtime tries only one. Where
 * a connection was refused nothing was sent, so trying the others makes no second request.
 */
function otherLoopbacks({ url, policy }: Exchange): string[] {
  if (!policy.allowInsecure || !URL.canParse(url) || new URL(url).hostname !== "localhost") return [];
  return ["127.0.0.1", "[::1]"].map((hostname) => Object.assign(new URL(url), { hostname }).href);
}

async function attemptAt(exchange: Exchange, deps: AttemptDeps): Promise<Outcome> {
  const startedAt = deps.now();
  const unanswered = (kind: FailureKind): Outcome => {
    return { kind, status: null, ms: deps.now() - startedAt, answer: null, retryAfterMs: null };
  };
  const url = checkUrl(exchange.url, exchange.policy);
  if (!url.ok) return unanswered("blocked");
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(), deps.timeoutMs ?? EXCHANGE_TIMEOUT_MS);
  let ended = false;
  try {
    let response: Response;
    try {
      response = await deps.fetch(url.value, requestOf(exchange, deadline.signal));
    } catch (error) {
      if (deadline.signal.aborted) return unanswered("timeout");
      const message = error instanceof Error ? error.message : "";
      const kind = await unansweredKind(message, new URL(url.value), deps);
      const cause = kind === "tls" ? tlsCauseOf(null, message) : null;
      return { ...unanswered(kind), ...(cause && { tlsCause: cause }) };
    }
    const { status, headers } = response;
    const asked = retryAfterMs(headers, deps.now());
    const start = await (isShort(response) ? readShort(response) : readStart(response));
    const { answer } = start;
    ended = start.ended;
    const ms = deps.now() - startedAt;
    const kind = answeredKind(status, answer);
    const kept = keptHeaders(headers);
    if (kind === "delivered") return { kind, status, ms, answer, headers: kept };
    const botWall = looksLikeBotWall(status, headers, answer);
    const cause = kind === "tls" ? tlsCauseOf(status, answer) : null;
    return {
      kind,
      status,
      ms,
      answer,
      headers: kept,
      retryAfterMs: asked,
      ...(botWall && { botWall }),
      ...(cause && { tlsCause: cause }),
    };
  } finally {
    clearTimeout(timer);
    // Where not all of an answer was read, the connection would last as long as the invocation.
    if (!ended) deadline.abort();
  }
}

function requestOf({ headers, body }: Exchange, signal: AbortSignal): RequestInit {
  const ours = { "Content-Type": "application/json", "User-Agent": USER_AGENT };
  return { method: "POST", headers: { ...headers, ...ours }, body, redirect: "manual", signal };
}

/** What Cloudflare's edge answers in place of a receiver that it cannot reach. No server says these itself. */
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
/** The edge's own error numbers for a name without an address, which come with status 530. */
const EDGE_DNS_ERROR = /\b(1001|1016)\b/;

/** What an answer means. Pure. */
export function answeredKind(status: number, answer: string): Outcome["kind"] {
  if (status >= 200 && status < 300) return "delivered";
  if (status >= 300 && status < 400) return "redirect";
  if (status === 530 && EDGE_DNS_ERROR.test(answer)) return "dns";
  return EDGE_STATUSES[status] ?? "status";
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

const TLS_WORDS: readonly [RegExp, TlsCause][] = [
  [/expired|not yet valid/i, "expired"],
  [/host ?name mismatch|name mismatch|does not match/i, "wrong_name"],
  [/self.signed|issuer|not trusted|unable to verify/i, "untrusted"],
  [/handshake|no certificate|wrong version/i, "handshake"],
];
const EDGE_TLS_CAUSES: Partial<Record<number, TlsCause>> = { 525: "handshake", 526: "untrusted" };

/** What the platform's words say of a failure of TLS; its status where they say nothing. Null where neither does. Pure. */
export function tlsCauseOf(status: number | null, words: string): TlsCause | null {
  const said = TLS_WORDS.find(([pattern]) => pattern.test(words))?.[1];
  return said ?? (status === null ? null : (EDGE_TLS_CAUSES[status] ?? null));
}

/** How the runtime begins where it names a failure of TLS, instead of an "internal error". */
const NAMES_TLS = /^TLS |certificate/i;

/**
 * Why there was no answer. Of most failures the runtime says two things only: that a connection was lost, which it also says when there never
 * was one, or "internal error", which is a name that does not resolve or a handshake that failed. Whether a connection can be
 * opened tells the two of each kind apart.
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
  /** That was all of it. */
  ended: boolean;
}

/** What says nothing of its length, or is compressed, may be longer than it seems. */
function announcedBytes(headers: Headers): number | null {
  const length = headers.has("Content-Encoding") ? null : headers.get("Content-Length");
  return length === null ? null : Number(length);
}

/** Successes that say that they are short are most answers, and taken from the platform in one piece, for half of the work. */
function isShort({ ok, headers }: Response): boolean {
  const announced = announcedBytes(headers);
  return ok && announced !== null && announced <= ANSWER_BYTES;
}

/** Of one that breaks off, nothing is kept. */
async function readShort(response: Response): Promise<Start> {
  try {
    return { answer: new TextDecoder().decode(await response.arrayBuffer()), ended: true };
  } catch {
    return { answer: "", ended: false };
  }
}

/**
 * At most {@link ANSWER_BYTES}, as text: what is no UTF-8 becomes U+FFFD, and a character that is cut in two is left out.
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
    // Time is up, the answer broke off, or its compression is broken: what came before is kept.
  }
  return { answer: new TextDecoder().decode(kept.subarray(0, length), { stream: true }), ended };
}
