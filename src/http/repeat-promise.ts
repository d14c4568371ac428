/**
 * What a 503 says about repeating the request. A route declares it on its handler; the response is asked for it by the
 * routes that match the request.
 */
import type { Context } from "hono";
import { matchedRoutes } from "hono/route";

/** `file`: at most one file results from a report. `object`: at most one object from a creation under an `Idempotency-Key`. */
export type Repeatable = "file" | "object";

export const REPEAT_PROMISES: Readonly<Record<Repeatable, string>> = {
  file: "Repeat the same request; at most one file results from it.",
  object: "Repeat the same request with the same Idempotency-Key; at most one object results from it.",
};

const REPEATABLE = Symbol("repeatable");

/** Declares that the handler's requests may be repeated. */
export function repeatable<Handler extends object>(repeats: Repeatable, handler: Handler): Handler {
  return Object.assign(handler, { [REPEATABLE]: repeats });
}

export function repeatableOf(handler: object): Repeatable | undefined {
  return (handler as { [REPEATABLE]?: Repeatable })[REPEATABLE];
}

/** Null if the gateway guarantees nothing of a repeat. */
export function repeatPromise(c: Context): string | null {
  for (const { handler } of matchedRoutes(c)) {
    const repeats = repeatableOf(handler);
    if (repeats === undefined || (repeats === "object" && !c.req.header("Idempotency-Key"))) continue;
    return REPEAT_PROMISES[repeats];
  }
  return null;
}
