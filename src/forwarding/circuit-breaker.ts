/**
 * The circuit breaker in front of the files-creator: one small object for the whole gateway, asked once per consumer batch.
 * It stores nothing: after a restart it is closed, and the next failures open it again.
 *
 * It only saves effort. When the object cannot be reached, every file is posted.
 */
import { DurableObject } from "cloudflare:workers";
import type { Bindings } from "../bindings.ts";
import { logError } from "../log.ts";
import { type BreakerState, CLOSED, grant, record } from "./circuit-breaker-policy.ts";

/** The name of the one object. */
export const CIRCUIT_BREAKER_NAME = "files-creator";

export interface Permit {
  granted: number;
  /** How long the files that were not granted wait. */
  retryAfterMs: number;
  /** The breaker is closed and no failure was recorded lately: recording a success would change nothing. */
  healthy: boolean;
}

/** The class name is stored: a renamed class would lose its object. */
export class ForwardingGovernor extends DurableObject<Bindings> {
  #state: BreakerState = CLOSED;

  permit(wanted: number): Permit {
    const { granted, retryAfterMs, state } = grant(this.#state, wanted, Date.now());
    this.#state = state;
    return { granted, retryAfterMs, healthy: state.limit === null && state.consecutiveFailures === 0 };
  }

  observe(answered: number, unanswered: number): void {
    this.#state = record(this.#state, answered, unanswered, Date.now());
  }
}

/** How many of `wanted` files may be posted. Never rejects. */
export async function requestPermit(wanted: number, env: Bindings): Promise<Permit> {
  try {
    return await env.FORWARDING_GOVERNOR.getByName(CIRCUIT_BREAKER_NAME).permit(wanted);
  } catch (error) {
    logError("failed to ask the circuit breaker", { wanted }, error);
    return { granted: wanted, retryAfterMs: 0, healthy: false };
  }
}

/** Records how many posts the files-creator answered, and how many it did not. Never rejects. */
export async function recordPosts(answered: number, unanswered: number, env: Bindings): Promise<void> {
  if (answered + unanswered === 0) return;
  try {
    await env.FORWARDING_GOVERNOR.getByName(CIRCUIT_BREAKER_NAME).observe(answered, unanswered);
  } catch (error) {
    logError("failed to update the circuit breaker", { answered, unanswered }, error);
  }
}
