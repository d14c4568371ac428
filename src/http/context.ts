/** The types of Hono's context in this Worker, and the responses that all routes share. */
import type { Context } from "hono";
import type { Bindings } from "../bindings.ts";
import type { ApiKey } from "../db/api-keys.ts";
import type { Settings } from "../env.ts";
import type { RequestTrace } from "../evidence/request-trace.ts";
import type { LogFields } from "../log.ts";
import type { Capability, OwnerType, RateStatus } from "../model.ts";
import type { Result } from "../result.ts";
import { describeFailure, type Failure } from "./failure.ts";
import { repeatPromise } from "./repeat-promise.ts";

/** The caller of a management endpoint: a client pair, a person who signed in through Access, or a person's session. */
export interface Client {
  /** For the audit trail only: it may be an e-mail address, which must not appear in logs. */
  actor: string;
  /** The only owner that the client may act for; undefined for the portal itself. */
  owner?: { type: OwnerType; id: string } | undefined;
  /** The owner that this request names, which restricts the request to that owner's objects. */
  named?: Named | undefined;
  /** Undefined for everything that the endpoints offer. With `view`, the client may only read. */
  capability?: Capability | undefined;
  /** The id of the session that the request belongs to. Sessions create neither links nor sessions. */
  session?: string | undefined;
}

/** At least one of the two is set. */
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
    /** When the request arrived, ms. */
    startedAt: number;
    /** The hash of the bearer token, at the intakes for reports with a bearer key. Null without a well-formed token. */
    tokenSha256: string | null;
    /** Set at the intakes for reports, for the evidence of the request. */
    trace: RequestTrace | undefined;
    settings: Settings;
    /** Fields of the request's log line besides route, status and time. */
    log: LogFields;
    /** Set by the portal's authentication. */
    client: Client;
    /** Set on routes whose path names an object: the body without its owner fields. */
    objectBody: JsonBody | undefined;
    /** Releases the body's share of the isolate's budget; set after the body was read. */
    releaseBody: (() => void) | undefined;
    /** Set by the developer API's authentication. */
    apiKey: ApiKey;
  };
};
export type AppContext = Context<AppEnv>;

/** The response to a failure: the wire contract's error body, with the failure's headers. `also` adds fields to the body. */
export function failureResponse(
  c: AppContext,
  failure: Failure,
  rate: RateStatus | null = null,
  also: object = {},
): Response {
  const { status, error, code, message, details, headers } = describeFailure(failure);
  const requestId = c.get("requestId");
  const promise = code === "SERVICE_UNAVAILABLE" ? repeatPromise(c) : null;
  addLogFields(c, { outcome: failure.kind });
  const trace = c.get("trace");
  if (trace !== undefined) trace.code = code;
  const body = {
    error,
    message: promise === null ? message : `${message} ${promise}`,
    code,
    ...(details && { details }),
    request_id: requestId,
    timestamp: new Date().toISOString(),
    ...also,
  };
  return c.json(body, status, { ...headers, ...(rate && rateHeaders(rate)) });
}

/** Describes the window that would block first. The reset time is in Unix seconds, rounded up. */
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
