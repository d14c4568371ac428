/**
 * The contract of a route, declared beside its handler. It checks the request before the handler, in the words that all
 * routes share, and carries the route's description, from which the document is made when somebody asks for it.
 */
import type { MiddlewareHandler } from "hono";
import type * as z from "zod";
import { type AppEnv, failureResponse } from "../http/context.ts";
import { type BodyLimits, parseJsonBody, parseQuery } from "../http/validation.ts";
import type { Operation } from "./operation.ts";

/** What is checked of a request. What a handler reads itself, such as a report, is described and not checked here. */
export interface Checks<Body extends z.ZodType, Query extends z.ZodObject> {
  body?: Body;
  limits?: BodyLimits;
  query?: Query;
}

/** Answers what the document says of the route at a path, such as `/api/v1/connections/{connection_id}`. */
export type Describe = (path: string) => Operation;

const DESCRIBE = Symbol("contract");

/** What has been checked, for the handler to take from `c.req.valid`. */
export type Contract<Body extends z.ZodType, Query extends z.ZodObject> = MiddlewareHandler<
  AppEnv,
  string,
  { in: object; out: { json: z.output<Body>; query: z.output<Query> } }
>;

export function contract<Body extends z.ZodType = never, Query extends z.ZodObject = never>(
  { body, limits, query }: Checks<Body, Query>,
  describe: Describe,
): Contract<Body, Query> {
  const check: Contract<Body, Query> = async (c, next) => {
    if (body !== undefined) {
      const parsed = await parseJsonBody(c, body, limits);
      if ("failure" in parsed) return failureResponse(c, parsed.failure);
      c.req.addValidatedData("json", parsed.value as object);
    }
    if (query !== undefined) {
      const parsed = parseQuery(c, query);
      if ("failure" in parsed) return failureResponse(c, parsed.failure);
      c.req.addValidatedData("query", parsed.value as object);
    }
    return next();
  };
  return described(describe, check);
}

/** The handler itself, with its description: for routes where a call more would be felt, or that check by themselves. */
export function described<Handler extends object>(describe: Describe, handler: Handler): Handler {
  return Object.assign(handler, { [DESCRIBE]: describe });
}

export function descriptionOf(handler: object): Describe | undefined {
  return (handler as { [DESCRIBE]?: Describe })[DESCRIBE];
}
