/** Asks the API for measures as the page's address says. */

import type { MeasureName, Split } from "../../../portal/metrics/measures.ts";
import type { MetricsAnswer, MetricValue } from "../../../portal/metrics/metric-contract.ts";
import type { Api, ApiResult } from "../../api.ts";
import type { MetricsQuery } from "./metrics-query.ts";
import type { Part } from "./metrics-view.ts";

export interface Asked {
  api: Api;
  query: MetricsQuery;
  /** ms. */
  now: number;
}

interface Options {
  by?: Split;
  step?: "hour" | "day";
  /** ms; null for a measure with a fixed beginning. */
  since?: number | null;
  limit?: number;
  cursor?: string | null;
}

export type Answer<Value extends MetricValue> = ApiResult<MetricsAnswer<Value>>;

export function ask<Value extends MetricValue>(
  { api, query }: Asked,
  measure: MeasureName,
  { by, step = query.step, since = query.since, limit, cursor }: Options = {},
): Promise<Answer<Value>> {
  const { subject, until, environment } = query;
  return api.get<MetricsAnswer<Value>>("/metrics", {
    measure,
    by,
    granularity: step,
    since: since === null ? null : new Date(since).toISOString(),
    until: until === null ? null : new Date(until).toISOString(),
    environment,
    limit,
    cursor,
    ...(subject !== null && { [`${subject.kind}_id`]: subject.id }),
  });
}

export function failed(title: string, { error }: ApiResult<unknown> & { ok: false }): Part {
  return { kind: "failed", title, error };
}

/** Of answers of which one failed at least: the part that says so. */
export function firstFailure(title: string, answers: readonly ApiResult<unknown>[]): Part {
  const failure = answers.find((answer) => !answer.ok);
  if (failure === undefined) throw new Error(`${title}: nothing has failed`);
  return failed(title, failure);
}

/** The earliest time up to which everything is counted. */
export function asOfIn(answers: readonly Answer<MetricValue>[]): string | null {
  const times = answers.flatMap((answer) => (answer.ok ? [answer.body.as_of] : []));
  return times.toSorted()[0] ?? null;
}
