/**
 * The error budget: at most 0.1 % of the requests at the report endpoints may be answered with a failure of the gateway itself. Pure.
 */
import type { Counts } from "./counts.ts";

/** The share of requests that may fail. From the wire contract. */
const ALLOWED_SHARE = 0.001;
/** The codes of answers with status 500 or 503. */
export const FAILURE_CODES: readonly string[] = ["INTERNAL_ERROR", "SERVICE_UNAVAILABLE", "NOT_CONFIGURED"];

export interface ErrorBudget {
  requests: number;
  /** Answered 500 or 503. */
  failed: number;
  /** The part of the budget that is spent: 1 is all of it. 0 without requests. */
  spent: number;
}

/** From counts of any scope and time. */
export function errorBudgetOf(counts: Counts): ErrorBudget {
  let requests = 0;
  for (const [name, n] of Object.entries(counts))
    if (name === "accepted" || name === "duplicate" || name.startsWith("refused:")) requests += n;
  const failed = FAILURE_CODES.reduce((sum, code) => sum + (counts[`refused:${code}`] ?? 0), 0);
  return { requests, failed, spent: requests === 0 ? 0 : failed / (requests * ALLOWED_SHARE) };
}
