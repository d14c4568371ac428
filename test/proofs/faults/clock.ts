/**
 * The clock of the gateway under test. It runs faster than real time, so that minutes of backoff pass in seconds, and it can be
 * set forwards and back. Pure: the Worker and the test use the same arithmetic.
 */
export interface ClockSetting {
  /** The real time at which both clocks agreed, ms. */
  epochMs: number;
  /** Gateway milliseconds per real millisecond. */
  speed: number;
  /** How far it was set forwards since then, in gateway milliseconds. */
  offsetMs: number;
}

/** The gateway's time at the real time `realMs`. */
export function shownAt({ epochMs, speed, offsetMs }: ClockSetting, realMs: number): number {
  return Math.floor(epochMs + (realMs - epochMs) * speed + offsetMs);
}

/** The real time at which the gateway's clock shows `shownMs`. */
export function realAt({ epochMs, speed, offsetMs }: ClockSetting, shownMs: number): number {
  return Math.ceil(epochMs + (shownMs - offsetMs - epochMs) / speed);
}
