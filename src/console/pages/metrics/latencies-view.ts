/** How long things take, as percentiles of each period and of all together. */
import type { MeasureName } from "../../../portal/metrics/measures.ts";
import { MEASURES } from "../../../portal/metrics/measures.ts";
import type { LatencyValue } from "../../../portal/metrics/metric-contract.ts";
import { type Answer, type Asked, ask, asOfIn, failed } from "./ask-metric.ts";
import { periodsOf, timesOf, valuesIn } from "./metric-periods.ts";
import type { Part, View } from "./metrics-view.ts";

const LATENCIES = [
  { measure: "latency_accepted", title: "From a request to its answer", note: "Of accepted requests." },
  {
    measure: "latency_forwarded",
    title: "From the answer to the files-creator",
    note: "Until the files-creator has accepted the file.",
  },
  {
    measure: "latency_completed",
    title: "From the sender's timestamp to completed",
    note: "Of a report sent with a key, from its arrival.",
  },
  {
    measure: "latency_delivered",
    title: "From an event to its receiver",
    note: "Until the receiver has accepted the delivery. Replays and retries by hand are not timed.",
  },
] as const satisfies readonly { measure: MeasureName; title: string; note: string }[];

/** How the percentiles are drawn. Higher ones stand back. */
export const PERCENTILES = [
  { name: "p50", meaning: "accent", stroke: "solid" },
  { name: "p95", meaning: "accent", stroke: "thin" },
  { name: "p99", meaning: "off", stroke: "dashed" },
] as const;

export async function latenciesView(asked: Asked): Promise<View> {
  const { subject } = asked.query;
  const of = subject === null ? null : subject.kind === "webhook" ? "deliveries" : "reports";
  const shown = LATENCIES.filter(({ measure }) => of === null || MEASURES[measure].of === of);
  const answers = await Promise.all(shown.map(({ measure }) => ask<LatencyValue>(asked, measure)));
  return {
    asOf: asOfIn(answers),
    parts: shown.flatMap(({ title, note }, i) => {
      const answer = answers[i];
      return answer === undefined ? [] : [partOf(title, note, answer, asked.now)];
    }),
  };
}

function partOf(title: string, note: string, answer: Answer<LatencyValue>, now: number): Part {
  if (!answer.ok) return failed(title, answer);
  const periods = periodsOf(answer.body, now);
  const [series] = answer.body.series;
  return {
    kind: "chart",
    chart: {
      title,
      note,
      ...timesOf(periods),
      unit: "ms",
      lines: PERCENTILES.map(({ name, meaning, stroke }) => ({
        label: name,
        meaning,
        stroke,
        values: valuesIn(periods, series, (value) => value[name]),
        total: series?.total[name] ?? null,
      })),
    },
  };
}
