/**
 * Every public error: its status, the fixed words `error` and `code`, and a message that says how to fix it. The code refers
 * to an error by its kind. The API document and the error reference are generated from this table.
 */
import { type RateStatus, type SettingsPart, SIGNATURE_WINDOW_MS } from "../model.ts";
import {
  bodySize,
  encodingAdvice,
  SETTINGS_PARTS,
  SIGNATURE_RULE,
  type TimestampProblem,
  timestampAdvice,
} from "./error-wording.ts";

export type Details = Record<string, unknown>;

/** What a person needs to understand and fix an error, in one or two sentences each. */
interface Reference {
  cause: string;
  fix: string;
}

export interface PublicError<Params> extends Reference {
  status: 400 | 401 | 403 | 404 | 405 | 409 | 412 | 413 | 415 | 429 | 500 | 502 | 503;
  /** The text is fixed, so programs may compare it. */
  error: string;
  /** The class of the error. Several errors may share one; `error` tells them apart. */
  code: string;
  message: string | ((params: Params) => string);
  details?: (params: Params) => Details | undefined;
  headers?: (params: Params) => Record<string, string>;
}

type NoParams = Record<never, never>;

/** Gives an entry the type of its parameters. */
function entry<Params = NoParams>(error: PublicError<Params>): PublicError<Params> {
  return error;
}

type Wording<Params> = Reference & Pick<PublicError<Params>, "message" | "details">;

function invalid<Params = NoParams>(wording: Wording<Params>): PublicError<Params> {
  return { status: 400, error: "Validation Error", code: "VALIDATION_ERROR", ...wording };
}

function required(field: string): PublicError<NoParams> {
  return {
    status: 400,
    error: `${field}_required`,
    code: "VALIDATION_ERROR",
    message: `The ${field} field is required`,
    cause: `The request has no \`${field}\`, and the credentials do not imply one.`,
    fix: `Add \`${field}\` to the query or the JSON body.`,
  };
}

function unauthenticated<Params = NoParams>(wording: Wording<Params>): PublicError<Params> {
  return { status: 401, error: "Authentication Failed", code: "AUTHENTICATION_FAILED", ...wording };
}

function invalidKey<Params = NoParams>(wording: Wording<Params>): PublicError<Params> {
  return { ...unauthenticated(wording), headers: () => ({ "WWW-Authenticate": 'Bearer realm="Audit1"' }) };
}

function notFound<Params = NoParams>(error: string, wording: Wording<Params>): PublicError<Params> {
  return { status: 404, error, code: "NOT_FOUND", ...wording };
}

/** An object that does not exist, or that belongs to an owner outside the caller's scope. */
function noSuch(error: string, noun: string): PublicError<NoParams> {
  return notFound(error, {
    message: `No such ${noun}.`,
    cause: `No ${noun} has this id, or it belongs to an owner that the credentials or the request's \`owner_id\` exclude.`,
    fix: "Check the id, and the owner that the request names.",
  });
}

function conflict<Params = NoParams>(error: string, wording: Wording<Params>): PublicError<Params> {
  return { status: 409, error, code: "CONFLICT", ...wording };
}

/** A change that lost to a concurrent change of the same object. */
function changedMeanwhile(error: string, noun: string): PublicError<NoParams> {
  return conflict(error, {
    message: `Another request changed the ${noun} at the same time. Read it again.`,
    cause: `Another request changed the ${noun} between this request's read and its write.`,
    fix: "Read the object again and repeat the change if it is still wanted.",
  });
}

function preconditionFailed<Params = NoParams>(wording: Wording<Params>): PublicError<Params> {
  return { status: 412, error: "precondition_failed", code: "PRECONDITION_FAILED", ...wording };
}

function unavailable(
  retryAfterSeconds: number,
  message: string,
  reference: Reference,
): PublicError<NoParams> {
  return {
    status: 503,
    error: "Service unavailable",
    code: "SERVICE_UNAVAILABLE",
    message,
    headers: () => ({ "Retry-After": String(retryAfterSeconds) }),
    ...reference,
  };
}

const REPEAT = "Repeat the same request after `Retry-After`.";

const REFUSED_TOO_OFTEN = {
  sender: {
    perMinute: 120,
    advice:
      "Too many requests from this address to this connection or key were rejected. Correct the request before sending more.",
  },
  address: {
    perMinute: 600,
    advice:
      "Too many requests from this address had an unknown connection or key, or an invalid signature. Correct them; repeat a correct request after Retry-After.",
  },
} as const;

export const ERRORS = {
  // Any endpoint

  https_required: entry<{
    /** The insecure transport: `HTTP`, or a version of TLS. */
    over: string;
  }>({
    status: 403,
    error: "HTTPS required",
    code: "HTTPS_REQUIRED",
    message: ({ over }) =>
      `This request was sent over ${over}, where others can read it, so it was not processed. Send it to the https:// address with TLS 1.2 or newer, and replace any key or secret that it carried.`,
    cause: "The request was sent over plain HTTP, or over a version of TLS below 1.2.",
    fix: "Use the `https://` address with TLS 1.2 or newer. Replace the key or secret that was sent in the clear.",
  }),
  endpoint_not_found: notFound<{
    /** A path that exists and resembles the requested one. */
    near?: string;
  }>("Not Found", {
    message: ({ near }) =>
      near === undefined ? "No such endpoint. See /docs." : `No such endpoint. Did you mean ${near}?`,
    cause: "The path names no endpoint, or one that these credentials may not see.",
    fix: "Check the path against `/docs`.",
  }),
  method_not_allowed: entry<{
    method: string;
    allow: string[];
    /** A path below the requested one that supports the method. */
    near?: string;
  }>({
    status: 405,
    error: "Method Not Allowed",
    code: "METHOD_NOT_ALLOWED",
    message: ({ method, allow, near }) =>
      `${method} is not supported here. Use ${allow.join(" or ")}${near === undefined ? "" : `, or ${method} ${near}`}.`,
    headers: ({ allow }) => ({ Allow: allow.join(", ") }),
    cause: "The endpoint exists but does not support the request's method.",
    fix: "Use one of the methods in the `Allow` header.",
  }),
  rate_limited: entry<{ rate: Pick<RateStatus, "limit" | "window" | "resetAt">; now: number }>({
    status: 429,
    error: "Rate Limit Exceeded",
    code: "RATE_LIMIT_EXCEEDED",
    message: ({ rate, now }) =>
      `Too many requests. Please retry after ${secondsUntil(rate.resetAt, now)} seconds.`,
    details: ({ rate, now }) => ({
      retry_after: secondsUntil(rate.resetAt, now),
      limit: rate.limit,
      window: rate.window,
    }),
    headers: ({ rate, now }) => ({ "Retry-After": String(secondsUntil(rate.resetAt, now)) }),
    cause: "The connection, key or client sent more requests than its plan allows.",
    fix: "Wait for the seconds in `Retry-After`, then repeat the request. The `X-RateLimit-*` headers show the limit.",
  }),
  internal: entry({
    status: 500,
    error: "Internal error",
    code: "INTERNAL_ERROR",
    message: "Something went wrong on our side. Contact support with the request id.",
    cause: "A bug in the gateway.",
    fix: "Contact support with the `request_id`. A report may be repeated: at most one file results from it.",
  }),
  not_configured: entry<{ part: SettingsPart }>({
    status: 503,
    error: "Service unavailable",
    code: "NOT_CONFIGURED",
    message: ({ part }) =>
      `The gateway's ${SETTINGS_PARTS[part]} not configured. Tell its operators; the same request works once this is corrected.`,
    details: ({ part }) => ({ part }),
    headers: () => ({ "Retry-After": "60" }),
    cause: "A setting that the endpoint needs is missing or malformed; `details.part` names it.",
    fix: "Tell the gateway's operators, then repeat the same request.",
  }),
  binding_unanswered: unavailable(5, "A part of the service did not respond.", {
    cause: "A database, queue or store behind the gateway did not respond in time.",
    fix: REPEAT,
  }),
  ring_key_missing: unavailable(60, "The stored data cannot be decrypted at the moment.", {
    cause: "The gateway's key ring lacks the key that the stored data is encrypted under.",
    fix: `${REPEAT} Tell the operators if it persists.`,
  }),
  body_timeout: unavailable(1, "The body did not arrive within 30 seconds.", {
    cause: "The request's body was sent too slowly, or the connection stalled.",
    fix: "Repeat the same request over a faster connection, or send a smaller body.",
  }),

  // Bodies and queries

  invalid_fields: invalid<{ details: Details }>({
    message: "The request has invalid fields.",
    details: ({ details }) => details,
    cause:
      "Fields of the body or the query are missing, unknown or malformed; `details` maps each path to its problem.",
    fix: "Correct the fields that `details` names.",
  }),
  fields_missing: invalid<{ missing: readonly string[]; required: readonly string[] }>({
    message: ({ missing }) => `Missing required fields: ${missing.join(", ")}`,
    details: ({ required }) => ({ required }),
    cause: "Required fields of the body or the query are absent, or empty in a report.",
    fix: "Send every field in `details.required`.",
  }),
  invalid_query: invalid<{ details: Details }>({
    message: "The query has invalid parameters.",
    details: ({ details }) => details,
    cause: "A query parameter is given twice with different values, or is not percent-encoded UTF-8.",
    fix: "Correct the parameters that `details` names.",
  }),
  empty_body: invalid({
    message: "The request body is empty. Send a JSON object ({} for defaults).",
    cause: "The endpoint needs a JSON body and the request has none.",
    fix: "Send a JSON object; `{}` uses the defaults.",
  }),
  unreadable_body: invalid<{
    /** A sentence that names the problem and its place. */
    problem: string;
    details?: Details;
  }>({
    message: ({ problem }) => problem,
    details: ({ details }) => details,
    cause: "The body is not valid JSON in UTF-8. The message and `details` name the line and column.",
    fix: "Send valid JSON, encoded as UTF-8 without a byte order mark and without compression.",
  }),
  too_many_values: invalid<{ limitValues: number }>({
    message: ({ limitValues }) => `The body has more than ${limitValues} values. Send it in parts.`,
    cause: "The body has more JSON values than the endpoint accepts.",
    fix: "Split the body into several requests.",
  }),
  wrong_content_type: invalid<{ expected: string; type: string; received: string }>({
    message: ({ expected, type }) => {
      const form = expected === "application/json" ? "a JSON" : "an NDJSON";
      const given = type === "" ? "The Content-Type is missing" : `The Content-Type is ${type}`;
      return `${given}. Send ${form} body with Content-Type: ${expected}.`;
    },
    details: ({ expected, received }) => ({ expected, received }),
    cause: "The `Content-Type` header is missing, or names a type that the endpoint does not accept.",
    fix: "Send the type in `details.expected`.",
  }),
  unsupported_encoding: entry<{ encoding: string }>({
    status: 415,
    error: "Unsupported content encoding",
    code: "UNSUPPORTED_CONTENT_ENCODING",
    message: ({ encoding }) => encodingAdvice(encoding),
    cause: "The request has a `Content-Encoding` other than `identity`.",
    fix: "Send the body uncompressed and leave the header out.",
  }),
  payload_too_large: entry<{
    limitBytes: number;
    /** The part that is too large; a report if absent. */
    of?: "body";
  }>({
    status: 413,
    error: "Payload too large",
    code: "PAYLOAD_TOO_LARGE",
    message: ({ limitBytes, of }) =>
      of === "body"
        ? `The body may have at most ${limitBytes} bytes. Send it in parts.`
        : `A report may have at most ${limitBytes} bytes. Split it by employees or pay period.`,
    details: ({ limitBytes }) => ({ limit_bytes: limitBytes }),
    cause: "The body is larger than the limit in `details.limit_bytes`.",
    fix: "Split the body. Split a report by employees or by pay period.",
  }),
  invalid_if_match: invalid({
    message: "Invalid If-Match",
    details: () => ({
      "If-Match": 'Must be the ETag of the object as it was read, such as "1774000000000"',
    }),
    cause: "The `If-Match` header is not an ETag of this gateway.",
    fix: "Send the `ETag` of the response that contained the object, with its quotes.",
  }),
  invalid_idempotency_key: entry<{ problem: string }>({
    status: 400,
    error: "Invalid Idempotency-Key",
    code: "INVALID_IDEMPOTENCY_KEY",
    message: ({ problem }) => `An Idempotency-Key has 1 to 255 printable ASCII characters. ${problem}`,
    cause:
      "The `Idempotency-Key` header is empty, too long or not printable ASCII, or two different keys were sent.",
    fix: "Send one key of 1 to 255 printable ASCII characters, or leave the header out.",
  }),

  // Signed reports: POST /webhook/inbound/{connection_id}

  invalid_connection_id: entry({
    status: 400,
    error: "Invalid connection_id",
    code: "INVALID_CONNECTION_ID",
    message:
      "The last part of the URL must be the connection's 24 hex characters. Copy the URL from the portal.",
    cause: "The last part of the URL is not 24 hexadecimal characters.",
    fix: "Copy the connection's URL from the portal.",
  }),
  missing_headers: entry<{ missing: string[] }>({
    status: 401,
    error: "Missing required headers",
    code: "MISSING_HEADERS",
    message: ({ missing }) => `Send ${missing.join(" and ")} with every request.`,
    details: ({ missing }) => ({ missing }),
    cause: "A header that signs the request is absent or empty.",
    fix: "Send `X-Webhook-Signature` and `X-Webhook-Timestamp` with every request.",
  }),
  timestamp_expired: entry<TimestampProblem>({
    status: 401,
    error: "Request timestamp expired",
    code: "TIMESTAMP_EXPIRED",
    message: timestampAdvice,
    details: ({ serverTimeMs }) => ({ server_time: serverTimeMs, window_ms: SIGNATURE_WINDOW_MS }),
    cause:
      "`X-Webhook-Timestamp` is not a time in Unix milliseconds, or is more than five minutes from the server's time.",
    fix: "Send the time in Unix milliseconds, correct the sender's clock, and sign each attempt again.",
  }),
  webhook_connection_not_found: entry({
    status: 404,
    error: "Webhook connection not found",
    code: "CONNECTION_NOT_FOUND",
    message: "No connection has this id, or it was deleted. Check the URL in the portal.",
    cause: "No connection has the id in the URL, or it was deleted.",
    fix: "Copy the connection's URL from the portal.",
  }),
  not_a_webhook: entry({
    status: 400,
    error: "Connection is not a webhook type",
    code: "NOT_A_WEBHOOK_CONNECTION",
    message:
      "This connection does not accept webhooks. Create a webhook connection in the portal and use its URL.",
    cause: "The connection exists but is of a type that does not accept webhooks.",
    fix: "Create a webhook connection in the portal and use its URL.",
  }),
  connection_inactive: entry({
    status: 403,
    error: "Webhook connection is inactive",
    code: "CONNECTION_INACTIVE",
    message: "The connection was deactivated. Activate it in the portal, then send the report again.",
    cause: "The connection was deactivated.",
    fix: "Activate the connection in the portal, then send the report again.",
  }),
  invalid_signature: entry<
    | {
        /** What the header holds instead of a signature. */
        problem: string;
      }
    | {
        /** The length of the body that the signature does not match. */
        bodyBytes: number;
      }
  >({
    status: 401,
    error: "Invalid webhook signature",
    code: "INVALID_SIGNATURE",
    message: (params) =>
      "problem" in params
        ? `X-Webhook-Signature is not 64 hex digits. ${params.problem} ${SIGNATURE_RULE}`
        : `The signature does not match the ${bodySize(params.bodyBytes)} received, under any active secret of this connection. ${SIGNATURE_RULE}`,
    cause:
      "`X-Webhook-Signature` is malformed, or does not match the timestamp and body under any active secret of the connection.",
    fix: "Sign the timestamp, a dot and the exact bytes of the body with HMAC-SHA256 under the connection's current secret, in hex.",
  }),
  invalid_json: entry<{ reason: string }>({
    status: 400,
    error: "Invalid JSON body",
    code: "INVALID_JSON",
    message: ({ reason }) => reason,
    cause:
      "The report is not a JSON object in UTF-8, names a deciding field twice, or nests too deeply. The message names the place.",
    fix: "Send one valid JSON object, encoded as UTF-8.",
  }),
  no_employees: entry({
    status: 400,
    error: "Missing or empty employees array",
    code: "NO_EMPLOYEES",
    message: "The report must have an array `employees` with at least one entry.",
    cause: "`employees` is absent, is not an array, or is empty.",
    fix: "Send at least one employee.",
  }),
  employer_unresolved: entry<{ reason: string }>({
    status: 404,
    error: "Could not resolve employer",
    code: "EMPLOYER_NOT_RESOLVED",
    message: ({ reason }) => reason,
    cause:
      "The report names no employer that the sender's owner may report for, or names two. The message says which.",
    fix: "Check `employer_fein` and `employer_id`, or add the employer in the portal.",
  }),
  too_many_refusals: entry<{
    /** The limit that was exceeded: of requests to one connection or key, or of all requests that need a lookup. */
    scope: "sender" | "address";
    retryAfterSeconds: number;
  }>({
    status: 429,
    error: "Rate Limit Exceeded",
    code: "TOO_MANY_REFUSED_REQUESTS",
    message: ({ scope }) => REFUSED_TOO_OFTEN[scope].advice,
    details: ({ scope, retryAfterSeconds }) => ({
      retry_after: retryAfterSeconds,
      limit: REFUSED_TOO_OFTEN[scope].perMinute,
      window: "1 minute",
    }),
    headers: ({ retryAfterSeconds }) => ({ "Retry-After": String(retryAfterSeconds) }),
    cause: "Too many requests from the same address were rejected within a minute.",
    fix: "Correct the rejected requests first; repeat a correct request after `Retry-After`.",
  }),
  key_reused: entry({
    status: 409,
    error: "Idempotency-Key reused with a different body",
    code: "IDEMPOTENCY_KEY_REUSED",
    message: "This key was used for another report in the last 24 hours. Use a new key for a new report.",
    cause: "The `Idempotency-Key` was used for a different report within the last 24 hours.",
    fix: "Use a new key for a new report; repeat a report with the same key and the same body.",
  }),
  processing_failed: entry<{ fileId: string }>({
    status: 502,
    error: "File processing failed",
    code: "FILE_PROCESSING_FAILED",
    message:
      "The report was received, but no file could be created from it. Contact support with the file id.",
    details: ({ fileId }) => ({ file_id: fileId }),
    cause: "The report was accepted, and the files-creator rejected it.",
    fix: "Contact support with `details.file_id`. The report is kept and can be replayed.",
  }),
  sender_lookup_unavailable: unavailable(1, "The sender could not be looked up in time.", {
    cause: "The connection or key could not be read from the database in time.",
    fix: REPEAT,
  }),
  employer_lookup_unavailable: unavailable(5, "The employer could not be looked up.", {
    cause: "The employer could not be read from the database.",
    fix: REPEAT,
  }),
  acceptance_unknown: entry<{ retryAfterSeconds: number }>({
    ...unavailable(0, "The gateway could not confirm that the report was accepted.", {
      cause: "The gateway could not confirm that the report is stored.",
      fix: "Repeat the same request after `Retry-After`; at most one file results from it.",
    }),
    headers: ({ retryAfterSeconds }) => ({ "Retry-After": String(retryAfterSeconds) }),
  }),

  // API keys: the developer API

  authorization_missing: invalidKey({
    message: "Missing Authorization header",
    cause: "The request has no `Authorization` header.",
    fix: "Send `Authorization: Bearer <key>`.",
  }),
  api_key_malformed: invalidKey<{
    /** What the header holds instead of a key; empty if that is unknown. */
    problem: string;
  }>({
    message: ({ problem }) =>
      `Invalid API key format. Expected audit1_test_sk_* or audit1_live_sk_*${problem === "" ? "" : `. ${problem}`}`,
    cause: "The `Authorization` header does not hold a bearer key of this gateway.",
    fix: "Send `Authorization: Bearer <key>` with the whole key.",
  }),
  api_key_unknown: invalidKey({
    message: "API key not found",
    cause: "No key has this value, or it was erased.",
    fix: "Check the key, or create another in the portal.",
  }),
  api_key_inactive: invalidKey({
    message: "API key inactive",
    cause: "The key was deactivated.",
    fix: "Use an active key, or activate this one in the portal.",
  }),
  api_key_changed_meanwhile: unavailable(1, "The key was changed while the request was checked.", {
    cause: "The key was changed while the request was being checked.",
    fix: REPEAT,
  }),
  report_date_malformed: invalid<{ path: string; received: string }>({
    message: ({ path }) => `Invalid date format for ${path}`,
    details: ({ received }) => ({ expected: "YYYY-MM-DD", received }),
    cause: "A date of the report is not written as `YYYY-MM-DD`.",
    fix: "Send the date as `YYYY-MM-DD`.",
  }),
  report_employees_invalid: invalid<{ details: Details }>({
    message: "Invalid employee data",
    details: ({ details }) => details,
    cause:
      "Fields of the report's employees are missing or malformed; `details` maps each path to its problem.",
    fix: "Correct the fields that `details` names.",
  }),
  report_fields_invalid: invalid<{ details: Details }>({
    message: "The body has invalid fields.",
    details: ({ details }) => details,
    cause: "Fields of the report are missing or malformed; `details` maps each path to its problem.",
    fix: "Correct the fields that `details` names.",
  }),
  two_senders: invalid({
    message: "Name at most one sender.",
    details: () => ({ api_key_id: "Cannot be combined with connection_id" }),
    cause: "The request names a connection and a key at once.",
    fix: "Send `connection_id` or `api_key_id`, not both.",
  }),
  foreign_cursor: invalid({
    message: "Invalid cursor",
    details: () => ({ cursor: "Not a cursor of this list" }),
    cause: "The cursor was issued by another list.",
    fix: "Use the `next_cursor` of the same list, or start without a cursor.",
  }),

  // The portal: credentials and owners

  portal_credentials_missing: unauthenticated({
    message: "Send X-Client-ID and X-Client-Secret of a portal client.",
    cause: "The request has no portal credentials.",
    fix: "Send `X-Client-ID` and `X-Client-Secret`.",
  }),
  portal_credentials_incomplete: unauthenticated<{ missing: string; given: string }>({
    message: ({ missing, given }) => `${missing} is missing or empty. Send it beside ${given}.`,
    cause: "The request has only one of the two portal credentials.",
    fix: "Send both `X-Client-ID` and `X-Client-Secret`.",
  }),
  portal_credential_repeated: unauthenticated<{ name: string }>({
    message: ({ name }) => `${name} was sent twice, with different values. Send it once.`,
    cause: "A credential header was sent twice with different values.",
    fix: "Send each header once.",
  }),
  portal_credential_quoted: unauthenticated<{ name: string }>({
    message: ({ name }) => `${name} is in quotes. Send it without them.`,
    cause: "A credential header is enclosed in quotes.",
    fix: "Send the value without quotes.",
  }),
  portal_secret_hashed: unauthenticated({
    message:
      "No portal client has this id and secret. X-Client-Secret looks like a SHA-256 hash: send the secret itself.",
    cause: "`X-Client-Secret` holds the hash from the gateway's settings instead of the secret.",
    fix: "Send the secret itself.",
  }),
  portal_credentials_unknown: unauthenticated({
    message:
      "No portal client has this id and secret: one of them is wrong, or the pair was replaced. Check both.",
    cause: "No portal client has this id and secret.",
    fix: "Check both values; the pair may have been replaced.",
  }),
  access_token_refused: unauthenticated({
    message:
      "The Cloudflare Access token is not valid here: it has expired, or belongs to another team or application. Sign in again.",
    cause: "The Cloudflare Access token has expired, or belongs to another team or application.",
    fix: "Sign in again.",
  }),
  cross_site_request: unauthenticated({
    message:
      "A page of another site made the browser send this request (Sec-Fetch-Site), so the browser's sign-in does not authorize it. Send X-Client-ID and X-Client-Secret.",
    cause:
      "A page of another site caused the browser to send the request, which the browser's sign-in must not authorize.",
    fix: "Send the request from the portal's own pages, or with `X-Client-ID` and `X-Client-Secret`.",
  }),
  sign_in_unverified: unavailable(5, "The sign-in could not be verified.", {
    cause: "The keys that verify Cloudflare Access tokens could not be fetched.",
    fix: REPEAT,
  }),
  portal_only: entry({
    status: 403,
    error: "Forbidden",
    code: "PORTAL_ONLY",
    message: "Developer API keys cannot manage this. Use the portal.",
    cause: "The request to a management endpoint carries an API key.",
    fix: "Use the portal, or portal client credentials.",
  }),
  view_only: entry({
    status: 403,
    error: "View only",
    code: "VIEW_ONLY",
    message:
      "This session may look but not change anything. Ask for a link whose `capabilities` are `manage`.",
    cause: "The request belongs to a session that may only read, and its method is neither `GET` nor `HEAD`.",
    fix: "Sign in with a link whose `capabilities` are `manage`.",
  }),
  session_makes_no_access: entry({
    status: 403,
    error: "Not available to sessions",
    code: "SESSION_NOT_ALLOWED",
    message: "A session cannot let others in. Have the portal create the link, with its own credentials.",
    cause: "The request belongs to a person's session, and would create a portal link.",
    fix: "Create the link with portal client credentials.",
  }),
  owner_id_required: required("owner_id"),
  owner_type_required: required("owner_type"),
  owner_not_found: noSuch("owner_not_found", "owner"),
  owner_named_twice: invalid<{ field: "owner_id" | "owner_type" }>({
    message: ({ field }) => `${field} is given twice, with different values. Name one owner.`,
    details: ({ field }) => ({ [field]: "Given twice, with different values" }),
    cause: "The query and the body name different owners.",
    fix: "Name one owner, in one place.",
  }),
  plan_not_selectable: invalid({
    message: "Only the portal itself can choose a plan",
    details: () => ({ plan: "Only the portal itself can choose a plan" }),
    cause: "A client that is bound to one owner sent a `plan`.",
    fix: "Leave `plan` out; Audit1 agrees plans with each owner.",
  }),

  // The portal: objects

  connection_not_found: noSuch("connection_not_found", "connection"),
  api_key_not_found: noSuch("api_key_not_found", "API key"),
  webhook_not_found: noSuch("webhook_not_found", "webhook"),
  employer_not_found: noSuch("employer_not_found", "employer"),
  file_not_found: noSuch("file_not_found", "file"),
  alert_not_found: noSuch("alert_not_found", "alert"),
  delivery_not_found: noSuch("delivery_not_found", "delivery"),
  replay_not_found: noSuch("replay_not_found", "replay"),
  event_not_found: noSuch("event_not_found", "event"),
  id_not_found: notFound<{
    /** When the request came, according to its id, as an ISO time; absent for an id of another form. */
    requestedAt?: string;
  }>("id_not_found", {
    message: ({ requestedAt }) =>
      requestedAt === undefined
        ? "Nothing has this id."
        : `There is no record of this request. According to its id, it came at ${requestedAt}. Of a sender's rejected requests, only the first ten and the newest ten of a minute are recorded.`,
    details: ({ requestedAt }) => (requestedAt === undefined ? undefined : { requested_at: requestedAt }),
    cause:
      "Nothing has this id, or it belongs to an owner that the credentials or the request's `owner_id` exclude. Of a flood of rejected requests, and of requests other than reports and changes, no single record is kept.",
    fix: "Check the id, and the owner that the request names. For a request, search the log for its id around the time in `details.requested_at`.",
  }),
  job_not_found: noSuch("job_not_found", "job"),
  portal_link_not_found: noSuch("portal_link_not_found", "portal link"),
  session_not_found: noSuch("session_not_found", "session"),
  connection_changed: changedMeanwhile("connection_changed", "connection"),
  api_key_changed: changedMeanwhile("api_key_changed", "API key"),
  webhook_changed: changedMeanwhile("webhook_changed", "webhook"),
  employer_changed: conflict("employer_changed", {
    message: "Other requests changed the employer at the same time. Read it again.",
    cause: "Other requests kept changing the employer while this one was being written.",
    fix: "Read the employer again and repeat the change if it is still wanted.",
  }),
  changed_since_read: preconditionFailed({
    message: "The object was changed since it was read. Read it again.",
    cause: "`If-Match` names an older version of the object.",
    fix: "Read the object again and repeat the change with its new `ETag`.",
  }),
  overtaken: preconditionFailed<{ noun: string }>({
    message: ({ noun }) => `Another request changed the ${noun} at the same time. Read it again.`,
    cause: "Another request changed the object while this one, which carries `If-Match`, was being written.",
    fix: "Read the object again and repeat the change with its new `ETag`.",
  }),
  already_exists: preconditionFailed({
    message: "If-None-Match matches the object, so it was not changed.",
    cause: "`If-None-Match` matches the object, so the change was not made.",
    fix: "Leave `If-None-Match` out to change an object that exists.",
  }),
  change_not_propagated: unavailable(
    5,
    "The change is stored but does not take effect everywhere yet; it will within a minute.",
    {
      cause: "The change is stored, but a part of the gateway that enforces it could not be notified yet.",
      fix: "Repeat the same request, or wait a minute: the change takes effect by itself.",
    },
  ),
  creation_key_reused: conflict("idempotency_key_reused", {
    message:
      "This Idempotency-Key was used for another request in the last 24 hours. Use a new key, or repeat the first body.",
    cause: "The `Idempotency-Key` was used for a different request within the last 24 hours.",
    fix: "Use a new key, or repeat the first body.",
  }),
  owner_erased_meanwhile: unavailable(
    1,
    "The owner's data was erased while this was being stored. Nothing was stored.",
    { cause: "The owner's data was erased while the object was being created.", fix: REPEAT },
  ),
  too_many_secrets: conflict<{ limit: number }>("too_many_secrets", {
    message: ({ limit }) =>
      `At most ${limit} secrets can be active. Wait for one to expire, or rotate with overlap_seconds 0.`,
    cause: "The object has as many active secrets as it may have.",
    fix: "Wait for a secret to expire, or rotate with `overlap_seconds: 0`.",
  }),
  employer_not_granted: notFound("employer_not_found", {
    message: "This owner has no grant for the employer.",
    details: () => ({ employer_id: "This owner has no grant for the employer." }),
    cause: "The employer does not exist, or is not granted to the connection's owner.",
    fix: "Check `employer_id`, or have the employer granted to the owner.",
  }),
  environment_required: required("environment"),
  api_key_erased: conflict("api_key_erased", {
    message:
      "The key's data is erased or scheduled for erasure, so the key cannot be enabled again. Create another key.",
    cause: "The key's data was erased or is scheduled for erasure.",
    fix: "Create another key.",
  }),

  // The portal: employers and files

  invalid_employer_id: invalid<{ problem: string }>({
    message: "Invalid employer id",
    details: ({ problem }) => ({ id: problem }),
    cause: "The id in the path has a character or a length that employer ids cannot have.",
    fix: "Use 1 to 64 characters of `A-Za-z0-9_-`.",
  }),
  import_empty: invalid({
    message: "The body is empty; send one employer per line.",
    cause: "The import has no body.",
    fix: "Send one employer per line as NDJSON.",
  }),
  fein_taken: conflict("fein_taken", {
    message: "Another employer has this FEIN.",
    details: () => ({ fein: "Another employer has this FEIN." }),
    cause: "Another employer has the same FEIN.",
    fix: "Correct the FEIN, or use the employer that has it.",
  }),
  employer_in_use: conflict<{
    /** Some of the connections, and how many there are. */
    ids: string[];
    count: number;
  }>("employer_in_use", {
    message: ({ count }) => {
      const those = count === 1 ? "One connection is" : `${count} connections are`;
      const it = count === 1 ? "it" : "them";
      return `${those} bound to this employer, and the owner that loses the grant could no longer report with ${it}. Bind ${it} to another employer or delete ${it} first, or set force.`;
    },
    details: ({ ids }) => ({ connections: ids }),
    cause: "Connections are bound to the employer, and their owner would lose its grant.",
    fix: "Bind the connections in `details.connections` to another employer or delete them, or set `force`.",
  }),
  file_not_settled: conflict("file_not_settled", {
    message: "The file is still being processed. Only a completed or failed file can be replayed.",
    cause: "The file is still queued or being processed.",
    fix: "Wait until the file is completed or failed, then replay it.",
  }),

  // The portal: events, webhooks and deliveries

  event_id_reused: conflict("event_id_reused", {
    message: "This id already names another event. Use a new id for a new event.",
    cause: "An event with the same id and other content was stored before.",
    fix: "Use a new id for a new event; repeat an event unchanged.",
  }),
  event_out_of_order: unavailable(
    5,
    "An earlier event of this file must be stored first, and is not stored yet.",
    { cause: "An earlier event of the same file is still being stored.", fix: REPEAT },
  ),
  event_unconfirmed: unavailable(
    5,
    "The gateway could not confirm that the event was stored. Send it again: an event counts once.",
    {
      cause: "A batch of events was interrupted before this event was confirmed.",
      fix: "Send the event again; it counts once.",
    },
  ),
  too_many_webhooks: conflict<{ limit: number }>("too_many_webhooks", {
    message: ({ limit }) =>
      `An owner has at most ${limit} webhooks in an environment, disabled ones included. Delete one first.`,
    cause: "The owner has as many webhooks in the environment as it may have.",
    fix: "Delete a webhook that is no longer needed.",
  }),
  webhook_disabled: conflict("webhook_disabled", {
    message: "The webhook is disabled. Set its status to active first.",
    cause: "The webhook was disabled, by request or after five days of failures.",
    fix: "Fix the endpoint, set the webhook's `status` to `active`, then repeat the request.",
  }),
  event_expired: conflict("event_expired", {
    message: "The event has expired.",
    cause: "The event is older than its retention of 90 days.",
    fix: "Send only events again that are at most 90 days old.",
  }),
  not_subscribed: conflict("not_subscribed", {
    message: "The webhook is not subscribed to events of this type. Add the type to its events first.",
    cause: "The webhook's `events` no longer include the event's type.",
    fix: "Add the type to the webhook's `events`, then retry.",
  }),
  replay_running: conflict<{ replayId: string }>("replay_running", {
    message:
      "A replay of this webhook is running. Wait until it is done, or end it with DELETE /webhooks/{id}/replays/{replay_id}.",
    details: ({ replayId }) => ({ replay_id: replayId }),
    cause: "A webhook has one replay at a time, and one is running.",
    fix: "Wait for it to finish, or end it with `DELETE /webhooks/{id}/replays/{replay_id}`.",
  }),
  job_running: conflict<{ jobId: string }>("job_running", {
    message:
      "A job that replays these files is running. Wait until it is done, or cancel it with DELETE /jobs/{id}.",
    details: ({ jobId }) => ({ job_id: jobId }),
    cause: "The files of a connection or key are replayed by one job at a time, and one is running.",
    fix: "Wait for it to finish, or cancel it with `DELETE /jobs/{id}`.",
  }),
  count_differs: conflict<{ count: number | string }>("count_differs", {
    message: ({ count }) =>
      `The filters match ${count} files. Send that number as count to confirm it; it must be exact, so narrow the range if it ends with +.`,
    details: ({ count }) => ({ count }),
    cause:
      "Completed files are replayed only with the `count` of a dry run, and the filters match another number now.",
    fix: "Look at what the filters match, then send the number in `details.count` as `count`. Narrow the range if it ends with `+`.",
  }),
  files_erased: conflict("files_erased", {
    message: "The data of this connection or key has been erased, so its files can never be read again.",
    cause:
      "The connection or key was erased: its data key is gone, and nothing sealed with it can be opened.",
    fix: "Nothing can be replayed. Ask the sender to send the reports again.",
  }),
  too_many_jobs: conflict<{ most: number }>("too_many_jobs", {
    message: ({ most }) => `The owner has ${most} running jobs. Wait until one is done, or cancel one.`,
    cause: "An owner may have ten jobs running at a time, and this one has ten.",
    fix: "Wait for one to finish, or cancel one with `DELETE /jobs/{id}`.",
  }),
  range_empty: invalid({
    message: "The range is empty: since must be before until, and in the past",
    details: () => ({ since: "The range is empty: since must be before until, and in the past" }),
    cause: "`since` is not before `until`, or lies in the future.",
    fix: "Send a `since` in the past and before `until`.",
  }),
};

function secondsUntil(resetAt: number, now: number): number {
  return Math.max(1, Math.ceil((resetAt - now) / 1_000));
}
