/** `GET /metrics`: a measure over time, within the client's scope. */
import { Hono } from "hono";
import type { Bindings } from "../../bindings.ts";
import { type AppEnv, failureResponse } from "../../http/context.ts";
import { iso } from "../../http/iso.ts";
import { encodeCursor } from "../../http/page.ts";
import { millisecondsOf } from "../../http/time-parameter.ts";
import { gateName } from "../../model.ts";
import { adoptionOf } from "../../usage/adoption.ts";
import { automationOf } from "../../usage/automation.ts";
import { usageAsOf } from "../../usage/roll-up.ts";
import { namedCounts, readSeries } from "../../usage/usage-series.ts";
import { adoptionSeries, automationSeries } from "./business-series.ts";
import { MEASURES, type Measure } from "./measures.ts";
import { getMetrics, METRIC_LIST, type MetricQuery, type MetricSeries } from "./metric-contract.ts";
import { type Range, rangeOf } from "./metric-range.ts";
import { seriesOf } from "./metric-series.ts";
import { problemOf, scopesOf, type Target, targetOf } from "./metric-target.ts";

export const metrics = new Hono<AppEnv>().get("/metrics", getMetrics, async (c) => {
  const query = c.req.valid("query");
  const measure: Measure = MEASURES[query.measure];
  const now = Date.now();
  const times = { since: millisecondsOf(query.since), until: millisecondsOf(query.until) };
  const range = rangeOf(measure.kind, query.granularity, times, now);
  if (!range.ok) return failureResponse(c, { kind: "invalid_fields", details: range.error });
  const target = await targetOf(c, query);
  if (!target.ok) return failureResponse(c, target.error);
  const problem = problemOf(measure, query, target.value.of);
  if (problem !== null) return failureResponse(c, { kind: "invalid_fields", details: problem });
  const isByMinute = query.granularity === "minute";
  const asOf = isByMinute ? now : await usageAsOf(c.env.DB, now);
  const { series, next } = await answerOf(c.env, measure, query, target.value, range.value);
  const { by, granularity } = query;
  return c.json({
    measure: query.measure,
    by,
    granularity,
    since: iso(range.value.from),
    until: iso(range.value.to),
    as_of: iso(asOf),
    exact: measure.exact,
    series,
    next_cursor: next === null ? null : encodeCursor(METRIC_LIST, next),
  });
});

async function answerOf(
  { DB: db, CONNECTION_GATE }: Bindings,
  measure: Measure,
  query: MetricQuery,
  target: Target,
  range: Range,
): Promise<{ series: MetricSeries[]; next: string | null }> {
  const { by, granularity, environment = null } = query;
  if (granularity === "minute") {
    // The query has been checked: it is a count of one connection or key.
    if (target.of !== "object" || target.gate === null || measure.kind !== "count")
      throw new Error("minutes are counted of one gate");
    const minutes = await CONNECTION_GATE.getByName(gateName(target.gate)).minutes(range.from, range.to);
    const rows = minutes.map(({ at, counts }) => ({
      scope: target.scope,
      at,
      environment: "" as const,
      counts: namedCounts(counts, measure.names),
    }));
    return { series: seriesOf(measure, by, rows), next: null };
  }
  const owner = target.of === "owner" ? target.owner : null;
  if (measure.kind === "adoption")
    return { series: adoptionSeries(await adoptionOf(db, owner, environment, range), range), next: null };
  if (measure.kind === "automation") {
    const parts = await automationOf(db, owner, environment, { ...range, period: granularity });
    return { series: automationSeries(parts, by), next: null };
  }
  const { rows, next } = await readSeries(db, scopesOf(target, query), {
    period: granularity,
    ...range,
    environment,
    names: measure.names,
  });
  return { series: seriesOf(measure, by, rows), next };
}
