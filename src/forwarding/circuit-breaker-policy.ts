/**
 * How many files may be posted while the files-creator is down for everyone: single probes with growing pauses, then a ramp
 * once it answers again. Pure.
 */

export interface BreakerState {
  /** Failures in a row, across all batches. */
  consecutiveFailures: number;
  /** Files granted per interval; null while the breaker is closed, when every file is granted. */
  limit: number | null;
  /** Files left to grant in the current interval. */
  remaining: number;
  /** When the next interval begins, ms. */
  renewsAt: number;
  intervalMs: number;
  /** Whether a file was granted since the last failure. If not, another failure adds no information. */
  probed: boolean;
}

export const CLOSED: BreakerState = {
  consecutiveFailures: 0,
  limit: null,
  remaining: 0,
  renewsAt: 0,
  intervalMs: 0,
  probed: false,
};

/** Fewer failures in a row may be the reports' own fault. */
const OPENS_AFTER_FAILURES = 5;
const FIRST_INTERVAL_MS = 1_000;
const LONGEST_INTERVAL_MS = 30_000;
const RAMP_INTERVAL_MS = 1_000;
/** The breaker closes when its limit reaches this many files per interval. */
const CLOSES_AT_LIMIT = 256;

/** How many of `wanted` files may be posted at `now`, and how long the rest wait. */
export function grant(
  state: BreakerState,
  wanted: number,
  now: number,
): { granted: number; retryAfterMs: number; state: BreakerState } {
  if (state.limit === null) return { granted: wanted, retryAfterMs: 0, state };
  const renewed =
    now < state.renewsAt ? state : { ...state, remaining: state.limit, renewsAt: now + state.intervalMs };
  const granted = Math.min(wanted, renewed.remaining);
  const retryAfterMs = Math.max(RAMP_INTERVAL_MS, renewed.renewsAt - now);
  return {
    granted,
    retryAfterMs,
    state: {
      ...renewed,
      remaining: renewed.remaining - granted,
      probed: renewed.probed || granted > 0,
    },
  };
}

/** The state after a batch in which the files-creator answered `answered` posts and failed to answer `unanswered`. */
export function record(state: BreakerState, answered: number, unanswered: number, now: number): BreakerState {
  if (answered > 0) {
    const limit = state.limit === null ? CLOSES_AT_LIMIT : state.limit * 2;
    if (limit >= CLOSES_AT_LIMIT) return CLOSED;
    return {
      consecutiveFailures: 0,
      limit,
      remaining: state.remaining,
      renewsAt: Math.min(state.renewsAt, now + RAMP_INTERVAL_MS),
      intervalMs: RAMP_INTERVAL_MS,
      probed: false,
    };
  }
  if (unanswered === 0) return state;
  const consecutiveFailures = state.consecutiveFailures + unanswered;
  if (consecutiveFailures < OPENS_AFTER_FAILURES && state.limit === null)
    return { ...state, consecutiveFailures };
  // Batches that were in flight when the outage began fail too. Their failures do not lengthen the pause.
  if (state.limit === 1 && !state.probed) return { ...state, consecutiveFailures };
  const intervalMs = Math.min(LONGEST_INTERVAL_MS, Math.max(FIRST_INTERVAL_MS, state.intervalMs * 2));
  return {
    consecutiveFailures,
    limit: 1,
    remaining: 0,
    renewsAt: now + intervalMs,
    intervalMs,
    probed: false,
  };
}
