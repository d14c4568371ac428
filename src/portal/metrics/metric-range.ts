/** The periods that a metric covers. Pure. */
import type { UsagePeriod } from "../../db/schema.ts";
import { err, ok, type Result } from "../../result.ts";
import { DAY_MS, dayOf, HOUR_MS, hourOf } from "../../usage/periods.ts";
import type { Measure } from "./measures.ts";

export interface Range {
  /** The beginning of the first period. */
  from: number;
  /** The end of the last one. */
  to: number;
}

/** How many days a query may cover. Events are deleted after 90. */
const MOST_DAYS = { hour: 31, day: 400, automation: 90 } as const;
/** The length of a query without `since`. */
const DEFAULT_DAYS = { hour: 2, day: 30 } as const satisfies Record<UsagePeriod, number>;
const ADOPTION_DAYS = 30;

/** `since` and `until` in milliseconds. The error maps fields to messages. */
export function rangeOf(
  kind: Measure["kind"],
  granularity: UsagePeriod,
  { since, until = Number.MAX_SAFE_INTEGER }: { since?: number | undefined; until?: number | undefined },
  now: number,
): Result<Range, Record<string, string>> {
  const [floor, length] = granularity === "hour" ? [hourOf, HOUR_MS] : [dayOf, DAY_MS];
  const end = Math.max(1, Math.min(until, now));
  const to = floor(end - 1) + length;
  if (kind === "adoption" || kind === "error_budget") {
    if (since !== undefined) return err({ since: `${kind} has a fixed beginning. Send only until` });
    if (kind === "adoption") return ok({ from: dayOf(end - 1) - (ADOPTION_DAYS - 1) * DAY_MS, to });
    const month = new Date(end - 1);
    return ok({ from: Date.UTC(month.getUTCFullYear(), month.getUTCMonth()), to });
  }
  const from = floor(Math.max(0, since ?? to - DEFAULT_DAYS[granularity] * DAY_MS));
  if (from >= to) return err({ since: "Must be before until, and not in the future" });
  const most = kind === "automation" ? MOST_DAYS.automation : MOST_DAYS[granularity];
  if (to - from > (most + 1) * DAY_MS)
    return err({
      since: `At most ${most} days before until, for ${kind === "automation" ? kind : `granularity=${granularity}`}`,
    });
  return ok({ from, to });
}
