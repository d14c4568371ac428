/**
 * The clock of the gateway under test. It runs faster than ours, so that minutes of backing off pass in seconds, and it
 * can be set forwards and back. Pure, and the same arithmetic inside the Worker and outside.
 */
export interface ClockSetting {
  /** Our time at which both clocks stood together, ms. */
  epochMs: number;
  /** Its milliseconds per millisecond of ours. */
  speed: number;
  /** How far it was set forwards since, in its own milliseconds. */
  offsetMs: number;
}

/** What the gateway's clock shows at `realMs` of ours. */
export function shownAt({ epochMs, speed, offsetMs }: ClockSetting, realMs: number): number {
  return Math.floor(epochMs + (realMs - epochMs) * speed + offsetMs);
}

/** When, by our clock, the gateway's shows `shownMs`. */
export function realAt({ epochMs, speed, offsetMs }: ClockSetting, shownMs: number): number {
  return Math.ceil(epochMs + (shownMs - offsetMs - epochMs) / speed);
}
