/** The contract of `GET /metrics`. */
import * as z from "zod";
import { answerOf, once } from "../../contract/answer.ts";
import { EXAMPLE, like } from "../../contract/examples.ts";
import { moment, nextCursor } from "../../contract/fields.ts";
import { pageFields } from "../../http/page.ts";
import { timeParameter } from "../../http/time-parameter.ts";
import { ENVIRONMENTS } from "../../model.ts";
import { notFound } from "../change.ts";
import { ownerFields } from "../owner.ts";
import { portalContracts } from "../portal-contract.ts";
import { MEASURE_NAMES, MEASURES, type MeasureName, SPLITS } from "./measures.ts";
import { GRANULARITIES } from "./metric-range.ts";

/** The name of the list, in its cursors. */
export const METRIC_LIST = "metrics";

const oneOf = (names: readonly string[]) => ({ error: `Must be one of ${names.join(", ")}` });

const { limit, cursor } = pageFields(METRIC_LIST, z.string().max(160));

const metricQuery = z.strictObject({
  ...ownerFields,
  measure: z.enum(MEASURE_NAMES, oneOf(MEASURE_NAMES)),
  by: z.enum(SPLITS, oneOf(SPLITS)).default("none"),
  granularity: z.enum(GRANULARITIES, oneOf(GRANULARITIES)).default("day"),
  since: timeParameter.optional(),
  until: timeParameter.optional(),
  environment: z.enum(ENVIRONMENTS, oneOf(ENVIRONMENTS)).optional(),
  connection_id: z.string().max(64).optional(),
  connection_ids: z
    .string()
    .regex(
      /^[0-9a-f]{24}(?:,[0-9a-f]{24}){0,99}$/i,
      "Must be 1 to 100 ids of connections, separated by commas",
    )
    .optional()
    .meta({ description: "With `by=connection`: only these, at most 100, separated by commas." }),
  api_key_id: z.string().max(64).optional(),
  webhook_id: z.string().max(64).optional(),
  limit: limit.unwrap().default(100),
  cursor,
});
export type MetricQuery = z.infer<typeof metricQuery>;

const ms = () => z.int().nonnegative().nullable();
const share = () => z.number().min(0).max(1).nullable();
const counted = () => ({ share: share(), count: z.int(), of: z.int() });
const percentiles = () => ({ p50: ms(), p95: ms(), p99: ms(), count: z.int() });
const part = () => z.strictObject({ count: z.int(), of: z.int() });

const latency = () => z.strictObject(percentiles());
const refusedShare = () => z.strictObject(counted());
const freshness = () => z.strictObject({ ...percentiles(), within_goal: share() });
const errorBudget = () => z.strictObject({ ...counted(), budget_left: z.number() });
const automation = () => z.strictObject({ ...counted(), unknown: z.int() });
const adoption = () => z.strictObject({ ...counted(), connections: part(), keys: part() });

const value = once(() =>
  z
    .union([
      z.number().meta({ description: "Of a count." }),
      latency().meta({ description: "Of a latency, in milliseconds." }),
      refusedShare().meta({ description: "Of `refused_share`." }),
      freshness().meta({ description: "Of `freshness`." }),
      errorBudget().meta({ description: "Of `error_budget`." }),
      automation().meta({ description: "Of `automation`." }),
      adoption().meta({ description: "Of `adoption`." }),
    ])
    .meta({ id: "MetricValue" }),
);
export type LatencyValue = z.infer<ReturnType<typeof latency>>;
export type RefusedShareValue = z.infer<ReturnType<typeof refusedShare>>;
export type FreshnessValue = z.infer<ReturnType<typeof freshness>>;
export type ErrorBudgetValue = z.infer<ReturnType<typeof errorBudget>>;
export type AutomationValue = z.infer<ReturnType<typeof automation>>;
export type AdoptionValue = z.infer<ReturnType<typeof adoption>>;
export type MetricValue = z.infer<ReturnType<typeof value>>;

const EXAMPLE_VALUE = { p50: 3_712, p95: 14_849, p99: 25_244, count: 1_204 };

const series = once(() =>
  z
    .strictObject({
      key: like(z.record(z.string(), z.string().nullable()), { connection_id: EXAMPLE.connectionId }),
      points: z.array(
        z.strictObject({
          at: moment("2026-03-16T00:00:00.000Z").meta({ description: "The beginning of the period." }),
          value: like(value(), EXAMPLE_VALUE),
        }),
      ),
      total: like(value(), EXAMPLE_VALUE, "Of all points together, in one value of the same form."),
    })
    .meta({ id: "MetricSeries" }),
);
export type MetricSeries = z.infer<ReturnType<typeof series>>;

const metrics = once(() =>
  z.strictObject({
    measure: like(z.enum(MEASURE_NAMES), "latency_completed"),
    by: like(z.enum(SPLITS), "connection"),
    granularity: like(z.enum(GRANULARITIES), "day"),
    since: moment("2026-03-16T00:00:00.000Z"),
    until: moment("2026-03-17T00:00:00.000Z"),
    as_of: moment().meta({
      description:
        "Everything before this time is counted, unless a gate could not reach the database. Later counts may be missing.",
    }),
    exact: like(z.boolean(), true, "If false, the counts of a killed isolate's last second may be missing."),
    series: z.array(series()),
    next_cursor: nextCursor(),
  }),
);
/** The series of one measure, whose values are of one form. */
export type SeriesOf<Value extends MetricValue> = Pick<MetricSeries, "key"> & {
  points: { at: string; value: Value }[];
  total: Value;
};
export type MetricsAnswer<Value extends MetricValue> = Omit<z.infer<ReturnType<typeof metrics>>, "series"> & {
  series: SeriesOf<Value>[];
};

function described(name: MeasureName): string {
  const { splits, exact, means } = MEASURES[name];
  const by = splits.filter((split) => split !== "none");
  return `- \`${name}\`: ${means}${exact ? "" : " May miss the last second of a killed isolate."}${by.length === 0 ? "" : ` By ${by.join(", ")}.`}`;
}

export const getMetrics = portalContracts("Metrics")({ query: metricQuery }, () => ({
  id: "getMetrics",
  summary: "Read a measure over time",
  description: `Counts, latencies and the business metrics of the developer guide, of one connection, key or webhook, of an owner, or, for a client that is bound to no owner and names none, of everything. Both environments count, unless \`environment\` names one.

Counts of any two periods, or of all series of a split, add up to the whole: all are sums of the same hours. They are kept when a customer is erased. Latencies are histograms with eight buckets per octave: a percentile is at most 9 % too high.

A period without counts has no point. Days are those of UTC. By default a day per point and the last 30 days; hours cover at most 31 days and are kept for 90 days, days cover at most 400 and are kept for seven years. Minutes are those of \`accepted\`, \`duplicate\` and \`refused\` of one connection or key: they cover at most 6 hours, are kept for 30 days, and are counted when they are asked for. \`since\` and \`until\` are widened to whole periods, and a period that has not ended is included as far as it is counted: \`as_of\` says up to when. Split by connection, key, webhook or owner, an answer is a page of at most 100 series, in no special order.

${MEASURE_NAMES.map(described).join("\n")}`,
  answers: {
    200: answerOf("The series. One without a split has the empty key.", metrics()),
  },
  failures: [notFound("connection"), notFound("api_key"), notFound("webhook")],
}));
