import { expect, it } from "vitest";
import { ERRORS } from "../../../src/http/errors.ts";
import { errorBudgetOf, FAILURE_CODES } from "../../../src/usage/error-budget.ts";

it("counts every answer with status 500 or 503 as a failure, and no other", () => {
  const codes = Object.values(ERRORS).flatMap(({ status, code }) =>
    status === 500 || status === 503 ? [code] : [],
  );
  expect(new Set(FAILURE_CODES)).toEqual(new Set(codes));
});

it.each([
  [{}, { requests: 0, failed: 0, spent: 0 }],
  [
    { accepted: 999, "refused:INTERNAL_ERROR": 1 },
    { requests: 1_000, failed: 1, spent: 1 },
  ],
  [
    {
      accepted: 5_000,
      duplicate: 1_000,
      "refused:INVALID_SIGNATURE": 3_995,
      "refused:SERVICE_UNAVAILABLE": 4,
      "refused:NOT_CONFIGURED": 1,
      completed: 9,
      "latency_accepted:1": 5_000,
    },
    { requests: 10_000, failed: 5, spent: 0.5 },
  ],
])("of %j is %j", (counts, budget) => {
  expect(errorBudgetOf(counts)).toEqual(budget);
});
