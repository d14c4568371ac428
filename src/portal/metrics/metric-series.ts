/** Makes the series of a metric from its rows. Pure. */
import { iso } from "../../http/iso.ts";
import { addCounts, type Counts } from "../../usage/counts.ts";
import type { SeriesRow } from "../../usage/usage-series.ts";
import { type CountedMeasure, PREFIXES, type Split } from "./measures.ts";
import type { MetricSeries } from "./metric-contract.ts";
import { metricValue } from "./metric-values.ts";

type Key = MetricSeries["key"];

interface Collected {
  key: Key;
  /** By the beginning of the period. */
  points: Map<number, Counts>;
}

/** `rows` are in the order of time within each scope, and so are the points. */
export function seriesOf(measure: CountedMeasure, by: Split, rows: readonly SeriesRow[]): MetricSeries[] {
  const all = new Map<string, Collected>();
  for (const row of rows)
    for (const [key, counts] of partsOf(by, row)) {
      if (Object.keys(counts).length === 0) continue;
      const name = JSON.stringify(key);
      const collected = all.get(name) ?? { key, points: new Map<number, Counts>() };
      all.set(name, collected);
      const point = collected.points.get(row.at) ?? {};
      collected.points.set(row.at, point);
      addCounts(point, counts);
    }
  return [...all.values()].map(({ key, points }) => {
    const total: Counts = {};
    for (const counts of points.values()) addCounts(total, counts);
    return {
      key,
      points: [...points].map(([at, counts]) => ({ at: iso(at), value: metricValue(measure, counts) })),
      total: metricValue(measure, total),
    };
  });
}

/** The counts of a row, by the key of the series that they belong to. */
function partsOf(by: Split, { scope, environment, counts }: SeriesRow): [Key, Counts][] {
  const [, id = "", ownerId = ""] = /^[^:]*:([^:]*):?(.*)$/s.exec(scope) ?? [];
  switch (by) {
    case "none":
      return [[{}, counts]];
    case "connection":
      return [[{ connection_id: id }, counts]];
    case "key":
      return [[{ api_key_id: `ak_${id}` }, counts]];
    case "webhook":
      return [[{ webhook_id: `wh_${id}` }, counts]];
    case "owner":
      return [[{ owner_type: id, owner_id: ownerId }, counts]];
    case "environment":
      return [[{ environment: environment === "" ? null : environment }, counts]];
    case "code":
    case "cause":
      return Object.entries(counts).map(([name, n]) => [
        { [by]: name.slice(PREFIXES[by].length) },
        { [name]: n },
      ]);
  }
}
