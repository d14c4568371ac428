/** The plan of a run of a given length. */
import type { TrialPlan } from "./trial.ts";

/** Including building, draining and checking, the short run takes less than a minute on two free cores. */
export const QUICK_STORM_S = 22;

/** A storm of at least this length has more connections and fewer kills per minute. */
const LONG_STORM_MS = 60_000;

export function planOf(seed: number, stormMs: number): TrialPlan {
  const long = stormMs >= LONG_STORM_MS;
  return {
    seed,
    stormMs,
    connections: long ? 12 : 8,
    thinkMs: long ? 1_200 : 450,
    killEveryMs: long ? [6_000, 24_000] : [3_500, 8_000],
    leastKills: Math.max(2, Math.floor(stormMs / (long ? 28_000 : 12_000))),
    leastAccepted: Math.floor(stormMs / 1_000),
    tellMs: long ? 1_600 : 500,
    leastDelivered: Math.floor(stormMs / 1_000),
  };
}
