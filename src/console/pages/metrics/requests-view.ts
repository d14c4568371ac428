/** What was received, what was refused and why, and what became of the reports. */
import { sentence } from "../../parts/badge.tsx";
import type { Answer, Asked } from "./ask-metric.ts";
import { ask, asOfIn, failed, failureIn } from "./ask-metric.ts";
import { breakdownOf } from "./breakdown.ts";
import { countsIn, type Periods, periodsOf, sumOf } from "./metric-periods.ts";
import type { Part, View } from "./metrics-view.ts";

type Counted = Answer<number>;

export async function requestsView(asked: Asked): Promise<View> {
  const [accepted, duplicate, refused, completed, failedFiles, bytes] = await Promise.all([
    ask<number>(asked, "accepted"),
    ask<number>(asked, "duplicate"),
    ask<number>(asked, "refused", { by: "code" }),
    ask<number>(asked, "completed"),
    ask<number>(asked, "failed"),
    ask<number>(asked, "bytes"),
  ]);
  return {
    asOf: asOfIn([accepted, duplicate, refused, completed, failedFiles, bytes]),
    parts: [
      requestsPart(accepted, duplicate, refused, asked.now),
      outcomesPart(accepted, completed, failedFiles, asked.now),
      bytesPart(bytes, asked.now),
      refused.ok
        ? {
            kind: "breakdown",
            breakdown: breakdownOf(refused.body, {
              title: "Refused, by the answer's code",
              of: "Code",
              key: "code",
              empty: "No request was refused in this time.",
              now: asked.now,
            }),
          }
        : failed("Refused, by the answer's code", refused),
    ],
  };
}

function requestsPart(accepted: Counted, duplicate: Counted, refused: Counted, now: number): Part {
  const title = "Requests";
  if (!accepted.ok || !duplicate.ok || !refused.ok)
    return firstFailure(title, [accepted, duplicate, refused]);
  const periods = periodsOf(accepted.body, now);
  const refusals = refused.body.series.map((series) => countsIn(periods, series));
  return {
    kind: "chart",
    chart: {
      title,
      ...timesOf(periods),
      kind: "bars",
      lines: [
        { label: "Accepted", meaning: "good", ...lineOf(periods, accepted) },
        { label: "Repeated", meaning: "off", ...lineOf(periods, duplicate) },
        {
          label: "Refused",
          meaning: "bad",
          values:
            refusals.length === 0 ? countsIn(periods, undefined) : sumOf(refusals, periods.times.length),
          total: refused.body.series.reduce((sum, { total }) => sum + total, 0),
        },
      ],
    },
  };
}

function outcomesPart(accepted: Counted, completed: Counted, failedFiles: Counted, now: number): Part {
  const title = "Reports, by what became of them";
  if (!accepted.ok || !completed.ok || !failedFiles.ok)
    return firstFailure(title, [accepted, completed, failedFiles]);
  const periods = periodsOf(accepted.body, now);
  const [all, done, lost] = [accepted, completed, failedFiles].map((each) => lineOf(periods, each));
  if (all === undefined || done === undefined || lost === undefined) throw new Error("three were asked for");
  const waits = (of: number | null, ...ended: (number | null)[]) =>
    of === null ? null : Math.max(0, of - ended.reduce<number>((sum, n) => sum + (n ?? 0), 0));
  return {
    kind: "chart",
    chart: {
      title,
      note: "In the period in which each report was received.",
      ...timesOf(periods),
      kind: "bars",
      lines: [
        { label: "Completed", meaning: "good", ...done },
        {
          label: "Under way",
          meaning: "waiting",
          values: all.values.map((of, i) => waits(of, done.values[i] ?? null, lost.values[i] ?? null)),
          total: waits(all.total, done.total, lost.total),
        },
        { label: "Failed", meaning: "bad", ...lost },
      ],
    },
  };
}

function bytesPart(bytes: Counted, now: number): Part {
  const title = "Size of accepted reports";
  if (!bytes.ok) return failed(title, bytes);
  const periods = periodsOf(bytes.body, now);
  return {
    kind: "chart",
    chart: {
      title,
      ...timesOf(periods),
      unit: "bytes",
      kind: "bars",
      lines: [{ label: "In all", meaning: "accent", ...lineOf(periods, bytes) }],
    },
  };
}

export function lineOf(periods: Periods, answer: Counted & { ok: true }) {
  const [series] = answer.body.series;
  return { values: countsIn(periods, series), total: series?.total ?? 0 };
}

export function timesOf({ times, step }: Periods) {
  return { times, step };
}

export function firstFailure(title: string, answers: readonly Counted[]): Part {
  const failure = failureIn(answers);
  if (failure === null) throw new Error(`${sentence(title)}: nothing has failed`);
  return failed(title, failure);
}
