/** How a FEIN is written outside, and stored. Pure. */

const FEIN_DIGITS = 9;
/** Whatever stands around nine digits is shorter. */
const LONGEST_FEIN_CHARS = 64;
export const NOT_A_FEIN = "Must be a FEIN of nine digits, such as 12-3456789";

/** Nine digits; null when `text` is no FEIN with or without its dash. For the portal, where people enter it. */
export function normalizeFein(text: string): string | null {
  return /^\d{2}-?\d{7}$/.test(text) ? text.replace("-", "") : null;
}

/**
 * A FEIN as senders write it: the nine digits of a string or an integer, whatever stands between or around them. Otherwise
 * what is wrong with it. Nothing of the value is repeated.
 */
export function readFein(value: unknown): { fein: string } | { problem: string } {
  const text = typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? String(value) : value;
  if (typeof text !== "string" || text.length > LONGEST_FEIN_CHARS) return { problem: NOT_A_FEIN };
  const digits = text.replace(/\D/g, "");
  if (digits.length === FEIN_DIGITS) return { fein: digits };
  if (digits === "") return { problem: NOT_A_FEIN };
  if (digits.length === FEIN_DIGITS - 1)
    return {
      problem: "Has 8 digits: a leading zero was lost. Send all nine as a string, such as 01-2345678",
    };
  return {
    problem: `Has ${digits.length} digit${digits.length === 1 ? "" : "s"}; a FEIN has nine, such as 12-3456789`,
  };
}
