/** What the contracts of all developer routes share: a bearer key, and the rate limit of the key's plan. */
import type * as z from "zod";
import { KEY_REFUSED, RATE_LIMITED } from "../contract/common-failures.ts";
import { type Checks, type Contract, contract, type Describe } from "../contract/contract.ts";
import type { Operation } from "../contract/operation.ts";

type Details = Omit<Operation, "access" | "tag">;

export function developerContract<Body extends z.ZodType = never, Query extends z.ZodObject = never>(
  checks: Checks<Body, Query>,
  details: () => Details,
): Contract<Body, Query> {
  return contract(
    checks,
    developerDescription(() => ({ ...details(), ...(checks.query && { query: checks.query }) })),
  );
}

/** For a handler that validates the request itself. */
export function developerDescription(details: () => Details): Describe {
  return () => {
    const { failures = [], ...operation } = details();
    return {
      ...operation,
      tag: "Developer",
      access: "developer",
      failures: [...KEY_REFUSED, RATE_LIMITED, ...failures],
      failureHeaders: ["rate"],
    };
  };
}
