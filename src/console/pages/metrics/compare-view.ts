/** One measure, split by connection, key, webhook, owner or environment. */
import { MEASURE_NAMES, MEASURES, type MeasureName, type Split } from "../../../portal/metrics/measures.ts";
import type { MetricValue, SeriesOf } from "../../../portal/metrics/metric-contract.ts";
import type { Unit } from "../../format.ts";
import { to } from "../../paths.ts";
import { type Asked, ask, failed } from "./ask-metric.ts";
import { countsIn, type Periods, periodsOf, valuesIn } from "./metric-periods.ts";
import type { MetricsQuery } from "./metrics-query.ts";
import type { BreakdownRow, Figure, View } from "./metrics-view.ts";

/** A page of the split. More would take longer to draw than to read. */
const ROWS = 50;

const LABELS: Partial<Record<MeasureName, string>> = {
  accepted: "Accepted reports",
  completed: "Completed reports",
  failed: "Failed reports",
  bytes: "Size of reports",
  duplicate: "Repeated requests",
  refused: "Refused requests",
  refused_share: "Refused share",
  freshness: "Freshness",
  error_budget: "Error budget",
  latency_accepted: "Time to the answer",
  latency_forwarded: "Time to the files-creator",
  latency_completed: "Time to completed",
  delivered: "Delivered",
  failed_attempts: "Failed attempts",
  failed_deliveries: "Failed deliveries",
  latency_delivered: "Time to the receiver",
  premium_moved: "Premium moved",
};
const SPLIT_LABELS: Partial<Record<Split, string>> = {
  connection: "Connection",
  key: "API key",
  webhook: "Webhook",
  owner: "Owner",
  environment: "Environment",
};
const BAD: readonly MeasureName[] = [
  "failed",
  "refused",
  "refused_share",
  "failed_attempts",
  "failed_deliveries",
  "error_budget",
];

export const COMPARED = MEASURE_NAMES.flatMap((value) => {
  const label = LABELS[value];
  return label === undefined ? [] : [{ value, label }];
});

/** The splits of a measure. Only of everything there are owners. */
export function splitsOf(measure: MeasureName, isOfAll: boolean): { value: Split; label: string }[] {
  const splits: readonly Split[] = MEASURES[measure].splits;
  return splits.flatMap((value) => {
    const label = SPLIT_LABELS[value];
    return label === undefined || (value === "owner" && !isOfAll) ? [] : [{ value, label }];
  });
}

export interface Choice {
  measure: MeasureName;
  by: Split;
}

/** What the address asks to compare, or what comes next to it. */
export function choiceOf(asked: { measure: string; by: string }, isOfAll: boolean): Choice {
  const measure = COMPARED.find(({ value }) => value === asked.measure)?.value ?? "accepted";
  const splits = splitsOf(measure, isOfAll);
  const by = splits.find(({ value }) => value === asked.by) ?? splits[0];
  return { measure, by: by?.value ?? "none" };
}

export async function compareView(asked: Asked, { measure, by }: Choice): Promise<View> {
  const answer = await ask<MetricValue>(asked, measure, {
    by,
    since: measure === "error_budget" ? null : asked.query.since,
    step: measure === "error_budget" ? "day" : asked.query.step,
    limit: ROWS,
    cursor: asked.query.cursor,
  });
  const title = `${LABELS[measure] ?? measure} by ${(SPLIT_LABELS[by] ?? by).toLowerCase()}`;
  if (!answer.ok) return { asOf: null, parts: [failed(title, answer)] };
  const { series, next_cursor: next, as_of: asOf } = answer.body;
  const periods = periodsOf(answer.body, asked.now);
  const rows = series
    .map((each) => ({ each, figures: figuresOf(measure, each.total) }))
    .toSorted((a, b) => (b.figures[0]?.value ?? -1) - (a.figures[0]?.value ?? -1))
    .map(({ each, figures }) => rowOf(periods, each, { measure, by }, figures, asked.query.time));
  const empty = "Nothing was counted in this time.";
  const { times } = periods;
  return {
    asOf,
    parts: [
      { kind: "breakdown", breakdown: { title, of: SPLIT_LABELS[by] ?? by, rows, times, empty, next } },
    ],
  };
}

function figuresOf(measure: MeasureName, value: MetricValue): Figure[] {
  if (typeof value === "number") return [{ label: "Total", value, unit: unitOf(measure) }];
  if ("p50" in value)
    return [
      ...(["p50", "p95", "p99"] as const).map((name) => ({
        label: name,
        value: value[name],
        unit: "ms" as const,
      })),
      ...("within_goal" in value
        ? [{ label: "Within goal", value: value.within_goal, unit: "share" as const }]
        : []),
      { label: "Count", value: value.count, unit: "count" },
    ];
  const first: Figure =
    "budget_left" in value
      ? { label: "Left", value: value.budget_left, unit: "share" }
      : { label: "Share", value: value.share, unit: "share" };
  return [
    first,
    { label: "Count", value: value.count, unit: "count" },
    { label: "Of", value: value.of, unit: "count" },
  ];
}

function unitOf(measure: MeasureName): Unit {
  return measure === "bytes" ? "bytes" : measure === "premium_moved" ? "cents" : "count";
}

function rowOf(
  periods: Periods,
  series: SeriesOf<MetricValue>,
  { measure, by }: Choice,
  figures: Figure[],
  time: MetricsQuery["time"],
): BreakdownRow {
  const values =
    typeof series.total === "number"
      ? countsIn(periods, series as SeriesOf<number>)
      : valuesIn(periods, series, (value) =>
          typeof value === "number" ? value : "p50" in value ? value.p50 : value.share,
        );
  const first = figures[0]?.unit ?? "count";
  return {
    ...nameOf(series.key, by, time),
    figures,
    spark: { values, unit: first, meaning: BAD.includes(measure) ? "bad" : "accent" },
  };
}

/** What a row is called, and the address of its own numbers. */
function nameOf(
  key: SeriesOf<MetricValue>["key"],
  by: Split,
  time: MetricsQuery["time"],
): Pick<BreakdownRow, "name" | "isId" | "href"> {
  const { connection_id: connection, api_key_id: apiKey, webhook_id: webhook } = key;
  const id = connection ?? apiKey ?? webhook;
  if (id != null)
    return {
      name: id,
      isId: true,
      href: to.metrics({ of: id, tab: by === "webhook" ? "deliveries" : "requests", ...time }),
    };
  if (by === "owner") {
    const owner = `${key.owner_type}/${key.owner_id}`;
    return { name: owner, isId: false, href: to.metrics({ owner, tab: "requests", ...time }) };
  }
  const { environment } = key;
  if (environment == null) return { name: "Unknown connections", isId: false, href: null };
  return { name: environment, isId: false, href: to.metrics({ environment, tab: "requests", ...time }) };
}
