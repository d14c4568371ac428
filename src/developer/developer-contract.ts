/** What the contracts of the developer API's routes have in common: a bearer key, counted against the plan of the key. */
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

/** For a handler that checks by itself. */
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
