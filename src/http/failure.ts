/**
 * Every way in which a request fails, as values, and the one switch that turns them into answers. The wording of `error`
 * is the wire contract's; `message` says what to do about it.
 */

import type { RateStatus, SettingsPart } from "../model.ts";

export type Details = Record<string, unknown>;

export type Failure =
  /** `over` is what the request came over instead: `HTTP`, or a version of TLS. */
  | { kind: "https_required"; over: string }
  | { kind: "invalid_connection_id" }
  | { kind: "missing_headers"; missing: string[] }
  /** `aheadMs` is how far the timestamp is ahead of the server's time; negative where it is behind. */
  | {
      kind: "timestamp_expired";
      reason: "seconds" | "clock_ahead" | "clock_behind";
      aheadMs: number;
      serverTimeMs: number;
    }
  /** `form` says what stands there instead, where it has a name. */
  | { kind: "timestamp_expired"; reason: "not_a_number"; form: string | null; serverTimeMs: number }
  | { kind: "unsupported_encoding"; encoding: string }
  /** `of` is what is too large: a report, where it is not said. */
  | { kind: "payload_too_large"; limitBytes: number; of?: "body" }
  | { kind: "connection_not_found" }
  | { kind: "not_a_webhook" }
  | { kind: "connection_inactive" }
  /** `problem` is what the header holds that is no signature; `bodyBytes` is how long the body was that it does not match. */
  | { kind: "invalid_signature"; problem: string }
  | { kind: "invalid_signature"; bodyBytes: number }
  | { kind: "invalid_json"; reason: string }
  | { kind: "no_employees" }
  | { kind: "employer_unresolved"; reason: string }
  | { kind: "rate_limited"; rate: Pick<RateStatus, "limit" | "window" | "resetAt">; now: number }
  /** `scope`: towards one connection or key, or for every sender that would have to be looked up. */
  | { kind: "too_many_refusals"; scope: "sender" | "address"; retryAfterSeconds: number }
  | { kind: "key_reused" }
  | { kind: "invalid_idempotency_key"; problem: string }
  | { kind: "processing_failed"; fileId: string }
  /** `promise` is what holds of a repeat of the request; see {@link repeatPromise}. */
  | { kind: "unavailable"; retryAfterSeconds: number; reason: string; promise?: string }
  | { kind: "not_configured"; part: SettingsPart }
  | { kind: "internal" }
  | { kind: "validation"; message: string; details?: Details }
  | { kind: "unauthenticated"; message: string }
  /** `message` says which of the credentials is missing or wrong; without one, all are missing. */
  | { kind: "portal_unauthenticated"; message?: string }
  | { kind: "portal_only" }
  /** `error` is the documented word, such as `owner_id_required`. */
  | { kind: "portal"; status: 400 | 404 | 409 | 412; error: string; message: string; details?: Details }
  /** `near` is a path that exists and looks like the one that was asked for. */
  | { kind: "not_found"; near?: string }
  /** `near` is a path below the one that was asked for, which takes the method. */
  | { kind: "method_not_allowed"; method: string; allow: string[]; near?: string };

export interface FailureAnswer {
  status: 400 | 401 | 403 | 404 | 405 | 409 | 412 | 413 | 415 | 429 | 500 | 502 | 503;
  error: string;
  code: string;
  message: string;
  details?: Details;
  headers?: Record<string, string>;
}

export function describeFailure(failure: Failure): FailureAnswer {
  switch (failure.kind) {
    case "https_required":
      return {
        status: 403,
        error: "HTTPS required",
        code: "HTTPS_REQUIRED",
        message: `This request came over ${failure.over}, where others can read it; nothing of it was processed. Send it to the https:// address with TLS 1.2 or newer, and replace any key or secret that it carried.`,
      };
    case "invalid_connection_id":
      return {
        status: 400,
        error: "Invalid connection_id",
        code: "INVALID_CONNECTION_ID",
        message:
          "The last part of the URL must be the connection's 24 hex characters. Copy the URL from the portal.",
      };
    case "missing_headers":
      return {
        status: 401,
        error: "Missing required headers",
        code: "MISSING_HEADERS",
        message: `Send ${failure.missing.join(" and ")} with every request.`,
        details: { missing: failure.missing },
      };
    case "timestamp_expired":
      return {
        status: 401,
        error: "Request timestamp expired",
        code: "TIMESTAMP_EXPIRED",
        message: timestampAdvice(failure),
        details: { server_time: failure.serverTimeMs, window_ms: 300_000 },
      };
    case "unsupported_encoding":
      return {
        status: 415,
        error: "Unsupported content encoding",
        code: "UNSUPPORTED_CONTENT_ENCODING",
        message: encodingAdvice(failure.encoding),
      };
    case "payload_too_large":
      return {
        status: 413,
        error: "Payload too large",
        code: "PAYLOAD_TOO_LARGE",
        message:
          failure.of === "body"
            ? `The body may have at most ${failure.limitBytes} bytes. Send it in parts.`
            : `A report may have at most ${failure.limitBytes} bytes. Split it by employees or pay period.`,
        details: { limit_bytes: failure.limitBytes },
      };
    case "connection_not_found":
      return {
        status: 404,
        error: "Webhook connection not found",
        code: "CONNECTION_NOT_FOUND",
        message: "No connection has this id, or it was deleted. Check the URL in the portal.",
      };
    case "not_a_webhook":
      return {
        status: 400,
        error: "Connection is not a webhook type",
        code: "NOT_A_WEBHOOK_CONNECTION",
        message:
          "This connection takes no webhooks. Set up a webhook connection in the portal and use its URL.",
      };
    case "connection_inactive":
      return {
        status: 403,
        error: "Webhook connection is inactive",
        code: "CONNECTION_INACTIVE",
        message: "The connection was disconnected. Activate it in the portal, then send the report again.",
      };
    case "invalid_signature":
      return {
        status: 401,
        error: "Invalid webhook signature",
        code: "INVALID_SIGNATURE",
        message:
          "problem" in failure
            ? `X-Webhook-Signature is not 64 hex digits. ${failure.problem} ${SIGNATURE_RULE}`
            : `The signature does not match the ${bodySize(failure.bodyBytes)} received, under any active secret of this connection. ${SIGNATURE_RULE}`,
      };
    case "invalid_json":
      return { status: 400, error: "Invalid JSON body", code: "INVALID_JSON", message: failure.reason };
    case "no_employees":
      return {
        status: 400,
        error: "Missing or empty employees array",
        code: "NO_EMPLOYEES",
        message: "The report must have an array `employees` with at least one entry.",
      };
    case "employer_unresolved":
      return {
        status: 404,
        error: "Could not resolve employer",
        code: "EMPLOYER_NOT_RESOLVED",
        message: failure.reason,
      };
    case "rate_limited": {
      const seconds = Math.max(1, Math.ceil((failure.rate.resetAt - failure.now) / 1_000));
      return {
        status: 429,
        error: "Rate Limit Exceeded",
        code: "RATE_LIMIT_EXCEEDED",
        message: `Too many requests. Please retry after ${seconds} seconds.`,
        details: { retry_after: seconds, limit: failure.rate.limit, window: failure.rate.window },
        headers: { "Retry-After": String(seconds) },
      };
    }
    case "too_many_refusals":
      return {
        status: 429,
        error: "Rate Limit Exceeded",
        code: "TOO_MANY_REFUSED_REQUESTS",
        message: REFUSED_TOO_OFTEN[failure.scope].advice,
        details: {
          retry_after: failure.retryAfterSeconds,
          limit: REFUSED_TOO_OFTEN[failure.scope].perMinute,
          window: "1 minute",
        },
        headers: { "Retry-After": String(failure.retryAfterSeconds) },
      };
    case "key_reused":
      return {
        status: 409,
        error: "Idempotency-Key reused with a different body",
        code: "IDEMPOTENCY_KEY_REUSED",
        message:
          "This key already names another report of the last 24 hours. Use a new key for a new report.",
      };
    case "invalid_idempotency_key":
      return {
        status: 400,
        error: "Invalid Idempotency-Key",
        code: "INVALID_IDEMPOTENCY_KEY",
        message: `An Idempotency-Key has 1 to 255 printable ASCII characters. ${failure.problem}`,
      };
    case "processing_failed":
      return {
        status: 502,
        error: "File processing failed",
        code: "FILE_PROCESSING_FAILED",
        message:
          "The report was received but could not be made into a file. Contact support with the file id.",
        details: { file_id: failure.fileId },
      };
    case "unavailable":
      return {
        status: 503,
        error: "Service unavailable",
        code: "SERVICE_UNAVAILABLE",
        message: failure.promise === undefined ? failure.reason : `${failure.reason} ${failure.promise}`,
        headers: { "Retry-After": String(failure.retryAfterSeconds) },
      };
    case "not_configured":
      return {
        status: 503,
        error: "Service unavailable",
        code: "NOT_CONFIGURED",
        message: `The gateway's ${PARTS[failure.part]} not configured. Tell its operators; the same request works once this is corrected.`,
        details: { part: failure.part },
        headers: { "Retry-After": "60" },
      };
    case "internal":
      return {
        status: 500,
        error: "Internal error",
        code: "INTERNAL_ERROR",
        message: "Something went wrong on our side. Contact support with the request id.",
      };
    case "validation":
      return {
        status: 400,
        error: "Validation Error",
        code: "VALIDATION_ERROR",
        message: failure.message,
        ...(failure.details && { details: failure.details }),
      };
    case "unauthenticated":
      return {
        status: 401,
        error: "Authentication Failed",
        code: "AUTHENTICATION_FAILED",
        message: failure.message,
        headers: { "WWW-Authenticate": 'Bearer realm="Audit1"' },
      };
    case "portal_unauthenticated":
      return {
        status: 401,
        error: "Authentication Failed",
        code: "AUTHENTICATION_FAILED",
        message: failure.message ?? "Send X-Client-ID and X-Client-Secret of a portal client.",
      };
    case "portal_only":
      return {
        status: 403,
        error: "Forbidden",
        code: "PORTAL_ONLY",
        message: "Developer API keys cannot manage this. Use the portal.",
      };
    case "portal": {
      const { status, error, message, details } = failure;
      const code = PORTAL_CODES[status];
      return details === undefined
        ? { status, error, code, message }
        : { status, error, code, message, details };
    }
    case "not_found":
      return {
        status: 404,
        error: "Not Found",
        code: "NOT_FOUND",
        message:
          failure.near === undefined
            ? "No such endpoint. /docs has all of them."
            : `No such endpoint. Did you mean ${failure.near}?`,
      };
    case "method_not_allowed":
      return {
        status: 405,
        error: "Method Not Allowed",
        code: "METHOD_NOT_ALLOWED",
        message: `${failure.method} is not possible here. Use ${failure.allow.join(" or ")}${failure.near === undefined ? "" : `, or ${failure.method} ${failure.near}`}.`,
        headers: { Allow: failure.allow.join(", ") },
      };
  }
}

const REFUSED_TOO_OFTEN = {
  sender: {
    perMinute: 120,
    advice:
      "Too many requests from this address to this connection or key were refused. Correct the request before sending more.",
  },
  address: {
    perMinute: 600,
    advice:
      "Too many requests from this address named no connection or key, or did not verify. Correct those; repeat a correct request after Retry-After.",
  },
} as const;

const PARTS: Record<SettingsPart, string> = {
  key_ring: "key ring is",
  portal_clients: "portal clients are",
  access: "sign-in through Cloudflare Access is",
  files_creator: "way to the files-creator is",
  mail: "mail is",
  own_hosts: "list of its own hosts is",
};

const PORTAL_CODES = {
  400: "VALIDATION_ERROR",
  404: "NOT_FOUND",
  409: "CONFLICT",
  412: "PRECONDITION_FAILED",
} as const;

const SIGNATURE_RULE =
  "It must be the hex HMAC-SHA256 (64 digits, no prefix), under the connection's secret, of the timestamp, a dot and the exact bytes of the body.";

function bodySize(bytes: number): string {
  if (bytes === 0) return "empty body";
  return bytes === 1 ? "1 byte" : `${bytes} bytes`;
}

const YEAR_MS = 365 * 86_400_000;

function timestampAdvice(failure: Extract<Failure, { kind: "timestamp_expired" }>): string {
  const at = `The server's time is ${failure.serverTimeMs} (${new Date(failure.serverTimeMs).toISOString()}).`;
  switch (failure.reason) {
    case "not_a_number": {
      const instead = failure.form === null ? "" : ` It holds ${failure.form}.`;
      return `X-Webhook-Timestamp must be the time in Unix milliseconds, digits only.${instead} ${at}`;
    }
    case "seconds": {
      const { aheadMs, serverTimeMs } = failure;
      const asSecondsMs = (serverTimeMs + aheadMs) * 1_000 - serverTimeMs;
      const apart = `${duration(Math.abs(asSecondsMs))} ${asSecondsMs > 0 ? "ahead of" : "behind"} the server's time`;
      return `X-Webhook-Timestamp looks like seconds; it must be Unix milliseconds. Multiply it by 1000 before signing: read as seconds, it is ${apart}. ${at}`;
    }
    case "clock_ahead": {
      const finer =
        failure.aheadMs > 100 * YEAR_MS
          ? " It may be in microseconds: divide it by 1000 before signing."
          : "";
      return `X-Webhook-Timestamp is ${duration(failure.aheadMs)} ahead of the server's time; at most five minutes are allowed. Set the sender's clock, and sign again.${finer} ${at}`;
    }
    case "clock_behind":
      return `X-Webhook-Timestamp is ${duration(-failure.aheadMs)} behind the server's time; at most five minutes are allowed. Set the sender's clock, or sign again before resending. ${at}`;
  }
}

/** In the two largest units that say something, rounded down to seconds. */
function duration(ms: number): string {
  const units: [number, string][] = [
    [YEAR_MS, "year"],
    [86_400_000, "day"],
    [3_600_000, "hour"],
    [60_000, "minute"],
    [1_000, "second"],
  ];
  const parts: string[] = [];
  let left = ms;
  for (const [unit, name] of units) {
    const count = Math.floor(left / unit);
    left -= count * unit;
    if (count > 0 && parts.length < 2) parts.push(`${count} ${name}${count === 1 ? "" : "s"}`);
  }
  return parts.join(" ") || `${ms} ms`;
}

/** Names an encoding only where it has the form of one: the header is the sender's. */
function encodingAdvice(encoding: string): string {
  if (encoding.startsWith("utf"))
    return `Content-Encoding is \`${encoding.slice(0, 8)}\`, which is a charset and no encoding. Leave the header out.`;
  const named = /^[a-z0-9][a-z0-9*._-]{0,15}$/.test(encoding) ? `\`${encoding}\`` : "an unknown encoding";
  return `Content-Encoding is ${named}. Send the body uncompressed, without this header: the signature covers the bytes as they travel.`;
}
