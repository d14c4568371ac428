/** Failures that many operations can end in, for the document. */
import type { Failure } from "../http/failure.ts";

/** Of any operation. */
export const ANYWHERE: readonly Failure[] = [
  { kind: "https_required", over: "HTTP" },
  { kind: "internal" },
  { kind: "binding_unanswered" },
  { kind: "not_configured", part: "key_ring" },
];

/** The bearer key is missing, malformed, unknown or inactive. */
export const KEY_REFUSED: readonly Failure[] = [
  { kind: "authorization_missing" },
  { kind: "api_key_malformed", problem: "" },
  { kind: "api_key_unknown" },
  { kind: "api_key_inactive" },
];

/** The request exceeded the rate limit of a plan. */
export const RATE_LIMITED: Failure = {
  kind: "rate_limited",
  rate: { limit: 500, window: "1 minute", resetAt: 37_000 },
  now: 0,
};
