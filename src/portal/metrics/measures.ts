/**
 * The measures of `GET /metrics`: the counts that each is made of, its splits, and whether it is exact. `metric-values.ts` makes
 * values from counts. Pure.
 */
import type { Latency } from "../../usage/histogram.ts";
import type { Names } from "../../usage/usage-series.ts";

export const SPLITS = [
  "none",
  "connection",
  "key",
  "webhook",
  "owner",
  "environment",
  "code",
  "cause",
] as const;
export type Split = (typeof SPLITS)[number];

/** What a measure counts. */
export type Subject = "reports" | "deliveries" | "events";

interface Common {
  of: Subject;
  splits: readonly Split[];
  /** If false, the counts of a killed isolate's last second may be missing. */
  exact: boolean;
  /** For the API document. */
  means: string;
}

export type CountedMeasure = Common &
  (
    | { kind: "count" | "error_budget" | "refused_share"; names: Names }
    | { kind: "latency" | "freshness"; latency: Latency; names: Names }
  );
/** The last two are not made of counts. */
export type Measure = CountedMeasure | (Common & { kind: "adoption" }) | (Common & { kind: "automation" });

const OF_REPORTS: readonly Split[] = ["none", "connection", "key", "owner", "environment"];
const OF_DELIVERIES: readonly Split[] = ["none", "webhook", "owner", "environment"];
const OF_EVENTS: readonly Split[] = ["none", "owner", "environment"];

function ofReports(name: string, exact: boolean, means: string): Measure {
  return { kind: "count", of: "reports", splits: OF_REPORTS, names: { exact: [name] }, exact, means };
}

function ofDeliveries(name: string, means: string): Measure {
  return {
    kind: "count",
    of: "deliveries",
    splits: OF_DELIVERIES,
    names: { exact: [name] },
    exact: true,
    means,
  };
}

function latency(of: "reports" | "deliveries", name: Latency, exact: boolean, means: string): Measure {
  const splits = of === "reports" ? OF_REPORTS : OF_DELIVERIES;
  return { kind: "latency", latency: name, of, splits, names: { prefix: `${name}:` }, exact, means };
}

const REFUSED = "refused:";
const FAILED_ATTEMPTS = "failed_attempts:";

export const MEASURES = {
  accepted: ofReports("accepted", true, "Reports accepted, in the period in which they were received."),
  completed: ofReports(
    "completed",
    true,
    "Of the reports accepted in the period, those whose file is completed by now.",
  ),
  failed: ofReports(
    "failed",
    true,
    "Of the reports accepted in the period, those whose file has failed by now.",
  ),
  bytes: ofReports("bytes", true, "The size of the bodies of the accepted reports."),
  duplicate: ofReports("duplicate", false, "Requests that repeated an accepted report."),
  refused: {
    kind: "count",
    of: "reports",
    splits: [...OF_REPORTS, "code"],
    names: { prefix: REFUSED },
    exact: false,
    means: "Requests that were refused. `by=code` splits them by the answer's `code`.",
  },
  refused_share: {
    kind: "refused_share",
    of: "reports",
    splits: OF_REPORTS,
    names: { exact: ["accepted", "duplicate"], prefix: REFUSED },
    exact: false,
    means:
      "The share of requests at the report endpoints that were refused: `count` of them, of all `of` requests.",
  },
  delivered: ofDeliveries(
    "delivered",
    "Attempts that a receiver answered with success, tests and replays included.",
  ),
  failed_attempts: {
    kind: "count",
    of: "deliveries",
    splits: [...OF_DELIVERIES, "cause"],
    names: { prefix: FAILED_ATTEMPTS },
    exact: true,
    means:
      "Attempts that failed. `by=cause` splits them by the cause that the delivery's attempts show as `kind`.",
  },
  failed_deliveries: ofDeliveries("failed_deliveries", "Deliveries that failed with their last attempt."),
  premium_moved: {
    kind: "count",
    of: "events",
    splits: OF_EVENTS,
    names: { exact: ["premium_moved"] },
    exact: true,
    means:
      "The guide's *accuracy* as far as the gateway sees it: by how much `audit.adjusted` events moved premiums, in cents: `results.actualPremium` minus `results.estimatedPremium`, or else `results.adjustment`.",
  },
  latency_accepted: latency(
    "reports",
    "latency_accepted",
    false,
    "From a request's arrival until its report was accepted.",
  ),
  latency_forwarded: latency(
    "reports",
    "latency_forwarded",
    true,
    "From the 202 to the files-creator's first success.",
  ),
  latency_completed: latency(
    "reports",
    "latency_completed",
    true,
    "From the sender's timestamp to `completed`; of a report sent with a key, from its arrival.",
  ),
  latency_delivered: latency(
    "deliveries",
    "latency_delivered",
    true,
    "From the storing of an event to its receiver's success. Replays and retries by hand are not timed.",
  ),
  adoption: {
    kind: "adoption",
    of: "reports",
    splits: ["none"],
    exact: true,
    means:
      "The share of the connections and keys that are set up, and active, through which a report was accepted in the 30 days that end at `until`.",
  },
  automation: {
    kind: "automation",
    of: "events",
    splits: ["none", "environment"],
    exact: true,
    means:
      "The share of `audit.completed` events whose employer had reports through the gateway in a month of the policy period. For an owner, only its own reports count, or, if the owner is the employer, everybody's. `unknown` events name no usable employer or period, and count in neither number.",
  },
  freshness: {
    kind: "freshness",
    latency: "latency_completed",
    of: "reports",
    splits: OF_REPORTS,
    names: { prefix: "latency_completed:" },
    exact: true,
    means:
      "The time from the sender's timestamp to `completed`: `p50` is the median. The goal is under 15 minutes, and `within_goal` is the share of files that took 15 minutes at most. That bound is exact.",
  },
  error_budget: {
    kind: "error_budget",
    of: "reports",
    splits: OF_REPORTS,
    names: { exact: ["accepted", "duplicate"], prefix: REFUSED },
    exact: false,
    means:
      "The share of requests at the report endpoints that were answered 500 or 503, from the beginning of the month (UTC) to `until`, against the 0.1 % that 99.9 % allows. `budget_left` is the part of it that is left; negative once it is overspent.",
  },
} as const satisfies Record<string, Measure>;

export type MeasureName = keyof typeof MEASURES;
export const MEASURE_NAMES = Object.keys(MEASURES) as MeasureName[];

/** The part of a count's name that these splits name. */
export const PREFIXES = { code: REFUSED, cause: FAILED_ATTEMPTS } as const;
