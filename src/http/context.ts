/** Hono's view of a request in this Worker, and the answers every route gives in the same way. */
import type { Context } from "hono";
import type { Bindings } from "../bindings.ts";
import type { ApiKey } from "../db/api-keys.ts";
import type { Settings } from "../env.ts";
import type { LogFields } from "../log.ts";
import type { OwnerType, RateStatus } from "../model.ts";
import type { Result } from "../result.ts";
import { describeFailure, type Failure } from "./failure.ts";

/** Who manages: a client pair, or a person who signed in. */
export interface Client {
  /** For the audit trail alone: it may be an e-mail address, which no log line carries. */
  actor: string;
  /** The one owner that it may act for; undefined for the portal itself. */
  owner?: { type: OwnerType; id: string } | undefined;
  /** The owner that this request names: it reaches that owner's objects alone. */
  named?: Named | undefined;
}

/** Either field may stand alone. */
export interface Named {
  type: OwnerType | undefined;
  id: string | undefined;
}

/** A request's JSON body. `undefined` for a body of no bytes. */
export type JsonBody = Result<unknown, Failure>;

export type AppEnv = {
  Bindings: Bindings;
  Variables: {
    requestId: string;
    settings: Settings;
    /** What the request's log line says beyond route, status and time. */
    log: LogFields;
    /** Set by the portal's authentication, for its routes. */
    client: Client;
    /** Set on routes whose path names an object: the body, without the owner that it names. */
    objectBody: JsonBody | undefined;
    /** Gives back what the request's body holds of the isolate's budget; set once it was read. */
    releaseBody: (() => void) | undefined;
    /** Set by the developer API's authentication, for its routes. */
    apiKey: ApiKey;
  };
};
export type AppContext = Context<AppEnv>;

/** The answer to a failure: the error form of the wire contract, with the failure's own headers. `also` adds fields to it. */
export function failureResponse(
  c: AppContext,
  failure: Failure,
  rate: RateStatus | null = null,
  also: object = {},
): Response {
  const { status, error, code, message, details, headers } = describeFailure(failure);
  const requestId = c.get("requestId");
  addLogFields(c, { outcome: failure.kind });
  const body = {
    error,
    message: code === "SERVICE_UNAVAILABLE" ? withPromise(message, c.req.raw) : message,
    code,
    ...(details && { details }),
    request_id: requestId,
    timestamp: new Date().toISOString(),
    ...also,
  };
  return c.json(body, status, { ...headers, ...(rate && rateHeaders(rate)) });
}

/** Describes the window that would block first. Reset is in Unix seconds, rounded up. */
export function rateHeaders(rate: RateStatus): Record<string, string> {
  return {
    "X-RateLimit-Limit": String(rate.limit),
    "X-RateLimit-Remaining": String(rate.remaining),
    "X-RateLimit-Reset": String(Math.ceil(rate.resetAt / 1_000)),
  };
}

/** Adds to the request's log line. */
export function addLogFields(c: AppContext, fields: LogFields): void {
  Object.assign(c.get("log"), fields);
}

const REPORTS = /^\/api\/v1\/(?:webhook\/inbound\/[^/]+|payroll\/reports|employees\/sync)\/?$/;
const CREATIONS = /^\/api\/v1\/(?:connections|webhooks|api-keys)\/?$/;

const ONE_FILE = "Repeat the same request; at most one file will come of it.";
const ONE_OBJECT =
  "Repeat the same request with the same Idempotency-Key; at most one object will come of it.";

/** A message about a missing answer, followed by what holds of a repeat of its request. */
function withPromise(message: string, request: Request): string {
  const promise = repeatPromise(request);
  return promise === null ? message : `${message} ${promise}`;
}

/** Null if nothing can be promised. */
function repeatPromise({ method, url, headers }: Request): string | null {
  if (method !== "POST") return null;
  const { pathname } = new URL(url);
  if (REPORTS.test(pathname)) return ONE_FILE;
  return CREATIONS.test(pathname) && headers.has("Idempotency-Key") ? ONE_OBJECT : null;
}
