/** The periods of an answer, and the values of a series in each. Pure. */
import type { MetricsAnswer, MetricValue, SeriesOf } from "../../../portal/metrics/metric-contract.ts";
import { DAY_MS, HOUR_MS } from "./metrics-query.ts";

const LENGTH_MS = { minute: 60_000, hour: HOUR_MS, day: DAY_MS } as const;
/** Minutes and hours are kept for this long; days, as far as anybody asks for them. */
const KEPT_MS = { minute: 30 * DAY_MS, hour: 90 * DAY_MS, day: Number.POSITIVE_INFINITY } as const;

export interface Periods {
  step: keyof typeof LENGTH_MS;
  /** The beginning of each, oldest first. */
  times: readonly number[];
  /** Everything before is counted. */
  asOf: number;
  /** What is older is not kept any more. */
  keptSince: number;
}

type Answered = Pick<MetricsAnswer<MetricValue>, "granularity" | "since" | "until" | "as_of">;

export function periodsOf({ granularity: step, since, until, as_of: asOf }: Answered, now: number): Periods {
  const length = LENGTH_MS[step];
  const from = Date.parse(since);
  const count = Math.max(0, Math.round((Date.parse(until) - from) / length));
  return {
    step,
    times: Array.from({ length: count }, (_, i) => from + i * length),
    asOf: Date.parse(asOf),
    keptSince: Math.max(0, now - KEPT_MS[step]),
  };
}

/** Null for a period without a value, such as the median of nothing. */
export function valuesIn<Value extends MetricValue>(
  { times }: Periods,
  series: SeriesOf<Value> | undefined,
  show: (value: Value) => number | null,
): (number | null)[] {
  const points = new Map(series?.points.map(({ at, value }) => [Date.parse(at), value]));
  return times.map((at) => {
    const value = points.get(at);
    return value === undefined ? null : show(value);
  });
}

/** A period without counts has none, unless it is not counted yet or not kept any more. */
export function countsIn(periods: Periods, series: SeriesOf<number> | undefined): (number | null)[] {
  const { times, asOf, keptSince } = periods;
  return valuesIn(periods, series, (value) => value).map((value, i) => {
    const at = times[i] ?? 0;
    return value ?? (at < asOf && at >= keptSince ? 0 : null);
  });
}

/** Period by period; null where none has a value. */
export function sumOf(lists: readonly (readonly (number | null)[])[], length: number): (number | null)[] {
  return Array.from({ length }, (_, i) => {
    const values = lists.flatMap((list) => list[i] ?? []);
    return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0);
  });
}

/** The line of a chart that has all series of a count, whether or not they are split. */
export function lineOf(periods: Periods, { series }: Pick<MetricsAnswer<number>, "series">) {
  const [first, ...others] = series.map((each) => countsIn(periods, each));
  return {
    values:
      first === undefined ? countsIn(periods, undefined) : sumOf([first, ...others], periods.times.length),
    total: series.reduce((sum, { total }) => sum + total, 0),
  };
}

/** What a chart needs of the periods. */
export function timesOf({ times, step }: Periods) {
  return { times, step };
}
