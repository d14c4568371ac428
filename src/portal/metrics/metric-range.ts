/** The periods that a metric covers. Pure. */
import { USAGE_PERIODS } from "../../db/schema.ts";
import { err, ok, type Result } from "../../result.ts";
import { DAY_MS, dayOf, HOUR_MS, MINUTE_MS } from "../../usage/periods.ts";
import type { Measure } from "./measures.ts";

export const GRANULARITIES = ["minute", ...USAGE_PERIODS] as const;
export type Granularity = (typeof GRANULARITIES)[number];

const PERIOD_MS = { minute: MINUTE_MS, hour: HOUR_MS, day: DAY_MS } as const satisfies Record<
  Granularity,
  number
>;

export interface Range {
  /** The beginning of the first period. */
  from: number;
  /** The end of the last one. */
  to: number;
}

/** How much a query may cover. Events are deleted after 90 days. */
const MOST = {
  minute: { ms: 6 * HOUR_MS, text: "6 hours" },
  hour: { ms: 31 * DAY_MS, text: "31 days" },
  day: { ms: 400 * DAY_MS, text: "400 days" },
  automation: { ms: 90 * DAY_MS, text: "90 days" },
} as const;
/** The length of a query without `since`. */
const DEFAULT_MS = { minute: HOUR_MS, hour: 2 * DAY_MS, day: 30 * DAY_MS } as const satisfies Record<
  Granularity,
  number
>;
const ADOPTION_DAYS = 30;

/** `since` and `until` in milliseconds. The error maps fields to messages. */
export function rangeOf(
  kind: Measure["kind"],
  granularity: Granularity,
  { since, until = Number.MAX_SAFE_INTEGER }: { since?: number | undefined; until?: number | undefined },
  now: number,
): Result<Range, Record<string, string>> {
  const length = PERIOD_MS[granularity];
  const floor = (ms: number) => ms - (ms % length);
  const end = Math.max(1, Math.min(until, now));
  const to = floor(end - 1) + length;
  if (kind === "adoption" || kind === "error_budget") {
    if (since !== undefined) return err({ since: `${kind} has a fixed beginning. Send only until` });
    if (kind === "adoption") return ok({ from: dayOf(end - 1) - (ADOPTION_DAYS - 1) * DAY_MS, to });
    const month = new Date(end - 1);
    return ok({ from: Date.UTC(month.getUTCFullYear(), month.getUTCMonth()), to });
  }
  const from = floor(Math.max(0, since ?? to - DEFAULT_MS[granularity]));
  if (from >= to) return err({ since: "Must be before until, and not in the future" });
  const most = kind === "automation" ? MOST.automation : MOST[granularity];
  // Both ends are widened to whole periods.
  if (to - from > most.ms + (granularity === "minute" ? HOUR_MS : DAY_MS))
    return err({
      since: `At most ${most.text} before until, for ${kind === "automation" ? kind : `granularity=${granularity}`}`,
    });
  return ok({ from, to });
}
