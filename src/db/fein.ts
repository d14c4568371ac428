/** How a FEIN is written outside, and stored. Pure. */

/** Nine digits; null when `text` is no FEIN with or without its dash. */
export function normalizeFein(text: string): string | null {
  return /^\d{2}-?\d{7}$/.test(text) ? text.replace("-", "") : null;
}
