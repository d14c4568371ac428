/** Makes the values of a metric from counts. Pure. */
import type { Counts } from "../../usage/counts.ts";
import { errorBudgetOf } from "../../usage/error-budget.ts";
import { EXACT_BOUND_BUCKET, histogramOf, percentilesOf } from "../../usage/histogram.ts";
import type { CountedMeasure } from "./measures.ts";
import type { MetricValue } from "./metric-contract.ts";

interface Share {
  /** Null if `of` is 0. */
  share: number | null;
  count: number;
  of: number;
}

export function metricValue(measure: CountedMeasure, counts: Counts): MetricValue {
  switch (measure.kind) {
    case "count":
      return sumOf(Object.values(counts));
    case "latency":
      return percentilesOf(histogramOf(counts, measure.latency));
    case "freshness": {
      const histogram = histogramOf(counts, measure.latency);
      const within = sumOf(
        [...histogram].flatMap(([bucket, n]) => (bucket <= EXACT_BOUND_BUCKET ? [n] : [])),
      );
      const percentiles = percentilesOf(histogram);
      return { ...percentiles, within_goal: shareOf(within, percentiles.count).share };
    }
    case "refused_share": {
      const requests = sumOf(Object.values(counts));
      const taken = (counts.accepted ?? 0) + (counts.duplicate ?? 0);
      return shareOf(requests - taken, requests);
    }
    case "error_budget": {
      const { failed, requests, spent } = errorBudgetOf(counts);
      return { ...shareOf(failed, requests), budget_left: rounded(1 - spent) };
    }
  }
}

export function shareOf(count: number, of: number): Share {
  return { share: of === 0 ? null : rounded(count / of), count, of };
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, n) => sum + n, 0);
}

function rounded(share: number): number {
  return Math.round(share * 1e6) / 1e6;
}
