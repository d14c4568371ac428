/** Minutes, hours and UTC days. Pure. */

export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;
export const DAY_MS = 86_400_000;

/** In Unix minutes. */
export function minuteOf(ms: number): number {
  return Math.floor(ms / MINUTE_MS);
}

export function hourOf(ms: number): number {
  return ms - (ms % HOUR_MS);
}

export function dayOf(ms: number): number {
  return ms - (ms % DAY_MS);
}

/** As `yyyy-mm`. */
export function monthOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 7);
}
