/**
 * A route declares its contract beside its handler. The contract is a middleware that validates the request, and carries the
 * route's description under a symbol. The API document is built from these descriptions when it is first requested.
 */
import type { MiddlewareHandler } from "hono";
import type * as z from "zod";
import { type AppEnv, failureResponse } from "../http/context.ts";
import { repeatable } from "../http/repeat-promise.ts";
import { type BodyLimits, parseJsonBody, parseQuery } from "../http/validation.ts";
import type { Operation } from "./operation.ts";

/** The parts of a request that the contract validates. A handler that reads its own body, such as a report, leaves them out. */
export interface Checks<Body extends z.ZodType, Query extends z.ZodObject> {
  body?: Body;
  limits?: BodyLimits;
  query?: Query;
  /** The route creates an object, once per `Idempotency-Key`. */
  creates?: true;
}

/** Makes the description of the route at a path such as `/api/v1/connections/{connection_id}`. */
export type Describe = (path: string) => Operation;

const DESCRIBE = Symbol("contract");

/** The handler reads the validated body and query with `c.req.valid`. */
export type Contract<Body extends z.ZodType, Query extends z.ZodObject> = MiddlewareHandler<
  AppEnv,
  string,
  { in: object; out: { json: z.output<Body>; query: z.output<Query> } }
>;

export function contract<Body extends z.ZodType = never, Query extends z.ZodObject = never>(
  { body, limits, query, creates }: Checks<Body, Query>,
  describe: Describe,
): Contract<Body, Query> {
  const check: Contract<Body, Query> = async (c, next) => {
    if (body !== undefined) {
      const parsed = await parseJsonBody(c, body, limits);
      if (!parsed.ok) return failureResponse(c, parsed.error);
      c.req.addValidatedData("json", parsed.value as object);
    }
    if (query !== undefined) {
      const parsed = parseQuery(c, query);
      if (!parsed.ok) return failureResponse(c, parsed.error);
      c.req.addValidatedData("query", parsed.value as object);
    }
    return next();
  };
  return described(describe, creates ? repeatable("object", check) : check);
}

/** Attaches a description to a handler. For handlers that validate the request themselves, without the cost of a middleware. */
export function described<Handler extends object>(describe: Describe, handler: Handler): Handler {
  return Object.assign(handler, { [DESCRIBE]: describe });
}

export function descriptionOf(handler: object): Describe | undefined {
  return (handler as { [DESCRIBE]?: Describe })[DESCRIBE];
}
