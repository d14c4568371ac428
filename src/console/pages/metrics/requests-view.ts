/** What was received, what was refused and why, and what became of the reports. */
import type { Answer, Asked } from "./ask-metric.ts";
import { ask, asOfIn, failed, firstFailure } from "./ask-metric.ts";
import { breakdownOf } from "./breakdown.ts";
import { lineOf, periodsOf, timesOf } from "./metric-periods.ts";
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
  return {
    kind: "chart",
    chart: {
      title,
      ...timesOf(periods),
      kind: "bars",
      lines: [
        { label: "Accepted", meaning: "good", ...lineOf(periods, accepted.body) },
        { label: "Repeated", meaning: "off", ...lineOf(periods, duplicate.body) },
        { label: "Refused", meaning: "bad", ...lineOf(periods, refused.body) },
      ],
    },
  };
}

function outcomesPart(accepted: Counted, completed: Counted, failedFiles: Counted, now: number): Part {
  const title = "Reports, by what became of them";
  if (!accepted.ok || !completed.ok || !failedFiles.ok)
    return firstFailure(title, [accepted, completed, failedFiles]);
  const periods = periodsOf(accepted.body, now);
  const all = lineOf(periods, accepted.body);
  const done = lineOf(periods, completed.body);
  const lost = lineOf(periods, failedFiles.body);
  const waits = (of: number, ...ended: (number | null)[]) =>
    Math.max(0, of - ended.reduce<number>((sum, n) => sum + (n ?? 0), 0));
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
          values: all.values.map((of, i) =>
            of === null ? null : waits(of, done.values[i] ?? null, lost.values[i] ?? null),
          ),
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
      lines: [{ label: "In all", meaning: "accent", ...lineOf(periods, bytes.body) }],
    },
  };
}
