/** Numbers in words, for pages and for their scripts. Pure. */

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** A length of time in its largest unit: `840 ms`, `12 s`, `7 min`, `3 h`, `5 d`. */
export function duration(ms: number): string {
  if (ms < SECOND_MS) return `${Math.round(ms)} ms`;
  if (ms < 10 * SECOND_MS) return `${Number((ms / SECOND_MS).toFixed(1))} s`;
  if (ms < 2 * MINUTE_MS) return `${Math.round(ms / SECOND_MS)} s`;
  if (ms < 2 * HOUR_MS) return `${Math.round(ms / MINUTE_MS)} min`;
  if (ms < 2 * DAY_MS) return `${Math.round(ms / HOUR_MS)} h`;
  return `${Math.round(ms / DAY_MS)} d`;
}

const JUST_NOW_MS = 5 * SECOND_MS;

/** `ms` before (negative) or after now, in one unit. */
export function relative(ms: number): string {
  const size = Math.abs(ms);
  if (size < JUST_NOW_MS) return "just now";
  const words = duration(Math.round(size / SECOND_MS) * SECOND_MS);
  return ms < 0 ? `${words} ago` : `in ${words}`;
}

export function bytes(size: number): string {
  if (size < 1_000) return `${size} B`;
  if (size < 1_000_000) return `${(size / 1_000).toFixed(1)} KB`;
  if (size < 1_000_000_000) return `${(size / 1_000_000).toFixed(1)} MB`;
  return `${(size / 1_000_000_000).toFixed(1)} GB`;
}

const grouped = new Intl.NumberFormat("en-US");

/** `12,345`. */
export function number(value: number): string {
  return grouped.format(value);
}

/** A share between 0 and 1 as `4.2 %`. */
export function percent(share: number): string {
  return `${(share * 100).toFixed(share !== 0 && Math.abs(share) < 0.1 ? 2 : 1)} %`;
}

const dollars = new Intl.NumberFormat("en-US", { style: "currency", currency: "USD" });

/** Cents as `$1,234.50`. */
function money(cents: number): string {
  return dollars.format(cents / 100);
}

/** What the numbers of a series are. Counts are of things: `reports`. */
export type Unit = "ms" | "bytes" | "share" | "cents" | "count";

export function inUnit(value: number, unit: Unit): string {
  switch (unit) {
    case "ms":
      return duration(value);
    case "bytes":
      return bytes(value);
    case "share":
      return percent(value);
    case "cents":
      return money(value);
    case "count":
      return number(value);
  }
}
