/** Percentiles and spreads. Pure. */

/** The value below which the share `p` (0 to 1) of `values` lies; NaN without any. */
export function quantile(values: ArrayLike<number>, p: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))] ?? Number.NaN;
}

/** The median of a measurement's turns, and the range of their middle half. */
export interface Summary {
  median: number;
  low: number;
  high: number;
  turns: number;
}

export function summarize(values: readonly number[]): Summary {
  return {
    median: quantile(values, 0.5),
    low: quantile(values, 0.25),
    high: quantile(values, 0.75),
    turns: values.length,
  };
}
