/** The developer guide's business metrics, by their names. */
import type {
  AdoptionValue,
  AutomationValue,
  ErrorBudgetValue,
  FreshnessValue,
} from "../../../portal/metrics/metric-contract.ts";
import { duration } from "../../format.ts";
import { FRESHNESS_GOAL_MS } from "../../goals.ts";
import type { Meaning } from "../../parts/badge.tsx";
import { type Answer, type Asked, ask, asOfIn, failed } from "./ask-metric.ts";
import { lineOf, periodsOf, timesOf, valuesIn } from "./metric-periods.ts";
import { DAY_MS } from "./metrics-query.ts";
import type { Part, View } from "./metrics-view.ts";

/** Events, which automation is read from, are kept for this long. */
const EVENTS_KEPT_MS = 90 * DAY_MS;

export async function goalsView(asked: Asked): Promise<View> {
  const { subject, since, until } = asked.query;
  const keptSince = (until ?? asked.now) - EVENTS_KEPT_MS;
  const [freshness, budget, ofOwner] = await Promise.all([
    ask<FreshnessValue>(asked, "freshness"),
    ask<ErrorBudgetValue>(asked, "error_budget", { step: "day", since: null }),
    // These are not counted for one object.
    subject !== null
      ? null
      : Promise.all([
          ask<AdoptionValue>(asked, "adoption", { step: "day", since: null }),
          ask<AutomationValue>(asked, "automation", { since: Math.max(since, keptSince) }),
          ask<number>(asked, "premium_moved"),
        ]),
  ]);
  const { now } = asked;
  const parts = [freshnessPart(freshness, now), budgetPart(budget, now)];
  if (ofOwner === null) return { asOf: asOfIn([freshness, budget]), parts };
  const [adoption, automation, premium] = ofOwner;
  return {
    asOf: asOfIn([freshness, budget, premium]),
    parts: [...parts, premiumPart(premium, now), adoptionPart(adoption), automationPart(automation, now)],
  };
}

function adoptionPart(answer: Answer<AdoptionValue>): Part {
  if (!answer.ok) return failed("Adoption", answer);
  const { share, connections, keys } = answer.body.series[0]?.total ?? NOBODY;
  return {
    kind: "goal",
    goal: {
      title: "Adoption",
      value: { label: "Share of reporters that report", value: share, unit: "share" },
      meaning: share === null ? "off" : share >= 0.9 ? "good" : "waiting",
      goal: "Every connection and key that is set up sends reports",
      means: "Of the active connections and keys, those through which a report was accepted in 30 days.",
      more: [
        { label: "Connections that report", value: connections.count, unit: "count" },
        { label: "Connections set up", value: connections.of, unit: "count" },
        { label: "Keys that report", value: keys.count, unit: "count" },
        { label: "Keys set up", value: keys.of, unit: "count" },
      ],
      chart: null,
    },
  };
}
const NOBODY = { share: null, connections: { count: 0, of: 0 }, keys: { count: 0, of: 0 } };

function automationPart(answer: Answer<AutomationValue>, now: number): Part {
  if (!answer.ok) return failed("Automation", answer);
  const periods = periodsOf(answer.body, now);
  const [series] = answer.body.series;
  const { share, count, of, unknown } = series?.total ?? { share: null, count: 0, of: 0, unknown: 0 };
  return {
    kind: "goal",
    goal: {
      title: "Automation",
      value: { label: "Share of automated audits", value: share, unit: "share" },
      meaning: share === null ? "off" : share >= 0.9 ? "good" : "waiting",
      goal: "Audits close on reports that came through the gateway",
      means:
        "Of the completed audits, those whose employer had reports through the gateway in the policy period.",
      more: [
        { label: "Audits with reports", value: count, unit: "count" },
        { label: "Completed audits", value: of, unit: "count" },
        { label: "Without employer or period", value: unknown, unit: "count" },
      ],
      chart:
        of === 0
          ? null
          : {
              title: "Automated audits",
              ...timesOf(periods),
              unit: "share",
              lines: [
                {
                  label: "Share",
                  meaning: "accent",
                  values: valuesIn(periods, series, (value) => value.share),
                  total: share,
                },
              ],
            },
    },
  };
}

function freshnessPart(answer: Answer<FreshnessValue>, now: number): Part {
  if (!answer.ok) return failed("Freshness", answer);
  const periods = periodsOf(answer.body, now);
  const [series] = answer.body.series;
  const { p50, p95, p99, count, within_goal: within } = series?.total ?? NOTHING_TIMED;
  return {
    kind: "goal",
    goal: {
      title: "Freshness",
      value: { label: "Median", value: p50, unit: "ms" },
      meaning: p50 === null ? "off" : p50 < FRESHNESS_GOAL_MS ? "good" : "bad",
      goal: `Half of the reports within ${duration(FRESHNESS_GOAL_MS)}`,
      means: "From the sender's timestamp until the report is completed.",
      more: [
        { label: "p95", value: p95, unit: "ms" },
        { label: "p99", value: p99, unit: "ms" },
        { label: `Within ${duration(FRESHNESS_GOAL_MS)}`, value: within, unit: "share" },
        { label: "Reports completed", value: count, unit: "count" },
      ],
      chart: {
        title: "Median",
        ...timesOf(periods),
        unit: "ms",
        goal: FRESHNESS_GOAL_MS,
        lines: [
          {
            label: "p50",
            meaning: "accent",
            values: valuesIn(periods, series, (value) => value.p50),
            total: p50,
          },
        ],
      },
    },
  };
}
const NOTHING_TIMED = { p50: null, p95: null, p99: null, count: 0, within_goal: null };

function budgetPart(answer: Answer<ErrorBudgetValue>, now: number): Part {
  if (!answer.ok) return failed("Error budget", answer);
  const periods = periodsOf(answer.body, now);
  const [series] = answer.body.series;
  const { share, count, of, budget_left: left } = series?.total ?? NO_REQUESTS;
  const meaning: Meaning = left > 0.5 ? "good" : left > 0 ? "warning" : "bad";
  return {
    kind: "goal",
    goal: {
      title: "Error budget",
      value: { label: "Left this month", value: left, unit: "share" },
      meaning: of === 0 ? "off" : meaning,
      goal: "99.9 % of the month's requests are not answered 500 or 503",
      means: "What is left of the 0.1 % of requests at the report endpoints that may fail in a month (UTC).",
      more: [
        { label: "Failed", value: count, unit: "count" },
        { label: "Requests", value: of, unit: "count" },
        { label: "Share that failed", value: share, unit: "share" },
      ],
      chart: {
        title: "Answered 500 or 503",
        ...timesOf(periods),
        kind: "bars",
        lines: [
          {
            label: "Requests",
            meaning: "bad",
            values: valuesIn(periods, series, (value) => value.count).map((value, i) =>
              value === null && (periods.times[i] ?? 0) < periods.asOf ? 0 : value,
            ),
            total: count,
          },
        ],
      },
    },
  };
}
const NO_REQUESTS = { share: null, count: 0, of: 0, budget_left: 1 };

function premiumPart(answer: Answer<number>, now: number): Part {
  if (!answer.ok) return failed("Premium moved", answer);
  const periods = periodsOf(answer.body, now);
  const net = lineOf(periods, answer.body);
  return {
    kind: "goal",
    goal: {
      title: "Premium moved",
      value: { label: "By adjusted audits", value: net.total, unit: "cents" },
      meaning: "off",
      goal: "Accuracy has no number here: it needs more than the gateway sees",
      means: "By how much audit.adjusted events moved premiums, up and down together.",
      more: [],
      chart: {
        title: "Premium moved",
        ...timesOf(periods),
        unit: "cents",
        kind: "bars",
        lines: [{ label: "Net", meaning: "accent", ...net }],
      },
    },
  };
}
