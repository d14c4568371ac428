/** Rows of a measure that is split, the largest first. */
import type { MetricsAnswer } from "../../../portal/metrics/metric-contract.ts";
import { failureWords } from "../../parts/failure-words.ts";
import { countsIn, periodsOf } from "./metric-periods.ts";
import type { Breakdown } from "./metrics-view.ts";

interface Wanted {
  title: string;
  of: string;
  /** The part of a series' key that names the row. */
  key: "code" | "cause";
  empty: string;
  now: number;
}

export function breakdownOf(
  answer: MetricsAnswer<number>,
  { title, of, key, empty, now }: Wanted,
): Breakdown {
  const periods = periodsOf(answer, now);
  const all = answer.series.reduce((sum, { total }) => sum + total, 0);
  const rows = answer.series
    .toSorted((a, b) => b.total - a.total)
    .map((series) => {
      const name = series.key[key] ?? "";
      return {
        // Codes are shown as the API answers them.
        name: key === "code" ? name : failureWords(name),
        isId: key === "code",
        href: null,
        figures: [
          { label: "Count", value: series.total, unit: "count" as const },
          { label: "Share", value: series.total / all, unit: "share" as const },
        ],
        spark: { values: countsIn(periods, series), unit: "count" as const, meaning: "bad" as const },
      };
    });
  return { title, of, rows, times: periods.times, empty, next: null };
}
