/** The numbers that are counted: refused share, freshness and the error budget, of everything or of one owner. */
import type { ErrorBudgetValue, SeriesOf } from "../../../portal/metrics/metric-contract.ts";
import type { ApiResult } from "../../api.ts";
import { ALLOWED_FAILURES, FRESHNESS_GOAL_MS } from "../../goals.ts";
import { usePage } from "../../page-state.ts";
import type { Meaning } from "../../parts/badge.tsx";
import { duration, number, percent } from "../../parts/values.tsx";
import { to } from "../../paths.ts";
import { byHour, HOUR_MS, hourOf, type Readings } from "./now-readings.ts";
import { Tile } from "./tile.tsx";

/** Shares of fewer requests say little. */
const LEAST_REQUESTS = 20;

export function RefusedShareTile({ read }: { read: Readings["refusedShare"] }) {
  const { now } = usePage();
  const label = "Refused, this hour";
  const href = to.metrics({ tab: "senders", measure: "refused_share", range: "24h" });
  if (!read.ok) return <Unread label={label} href={href} error={read} />;
  const points = read.body.series[0]?.points ?? [];
  const last = points.findLast(({ at }) => Date.parse(at) === hourOf(now));
  // Counts come up to a quarter of an hour late, so a young hour may have none yet.
  const before = points.findLast(({ at }) => Date.parse(at) === hourOf(now) - HOUR_MS);
  const value = (last ?? before)?.value;
  const share = value?.share ?? null;
  const meaning: Meaning =
    value === undefined || share === null || value.of < LEAST_REQUESTS || share < 0.1
      ? "off"
      : share < 0.5
        ? "warning"
        : "bad";
  return (
    <Tile
      label={last === undefined && before !== undefined ? "Refused, last hour" : label}
      value={share === null ? "–" : percent(share)}
      meaning={meaning}
      note={value === undefined ? "No requests" : `${number(value.count)} of ${number(value.of)} requests`}
      href={href}
      spark={{
        values: byHour(points, now, ({ share }) => share),
        label: "Refused share by hour",
        unit: "share",
      }}
    />
  );
}

export function FreshnessTile({ read }: { read: Readings["freshness"] }) {
  const { now } = usePage();
  const label = "Freshness p50 · p95";
  const href = to.metrics({ tab: "senders", measure: "freshness", range: "24h" });
  if (!read.ok) return <Unread label={label} href={href} error={read} />;
  const [series] = read.body.series;
  const { p50 = null, p95 = null, count = 0 } = series?.total ?? {};
  const meaning: Meaning =
    p50 === null || p95 === null
      ? "off"
      : p50 > FRESHNESS_GOAL_MS
        ? "bad"
        : p95 > FRESHNESS_GOAL_MS
          ? "warning"
          : "off";
  return (
    <Tile
      label={label}
      value={p50 === null || p95 === null ? "–" : `${duration(p50)} · ${duration(p95)}`}
      meaning={meaning}
      note={
        count === 0
          ? "No report completed in 24 h"
          : `${number(count)} reports in 24 h, goal ${duration(FRESHNESS_GOAL_MS)}`
      }
      href={href}
      spark={{
        values: byHour(series?.points ?? [], now, ({ p50 }) => p50),
        label: "Median by hour",
        unit: "ms",
      }}
    />
  );
}

export function ErrorBudgetTile({ read }: { read: Readings["errorBudget"] }) {
  const label = "Error budget left";
  const href = to.metrics({ tab: "requests" });
  if (!read.ok) return <Unread label={label} href={href} error={read} />;
  const [series] = read.body.series;
  const total = series?.total;
  const left = total?.budget_left ?? 1;
  return (
    <Tile
      label={label}
      value={percent(left)}
      meaning={left <= 0 ? "bad" : left <= 0.5 ? "warning" : "off"}
      note={
        total === undefined || total.of === 0
          ? "No requests this month"
          : `${number(total.count)} of ${number(total.of)} failed this month`
      }
      href={href}
      spark={{ values: budgetByDay(series?.points ?? []), label: "What was left by day", unit: "share" }}
    />
  );
}

/** What was left of the month's budget at the end of each day. */
function budgetByDay(points: SeriesOf<ErrorBudgetValue>["points"]): number[] {
  let [failed, requests] = [0, 0];
  return points.map(({ value }) => {
    failed += value.count;
    requests += value.of;
    return requests === 0 ? 1 : Math.max(0, 1 - failed / (requests * ALLOWED_FAILURES));
  });
}

function Unread({
  label,
  href,
  error,
}: {
  label: string;
  href: string;
  error: ApiResult<unknown> & { ok: false };
}) {
  return (
    <Tile
      label={label}
      value="Unknown"
      meaning="warning"
      note={`${error.error.message} (${error.error.request_id})`}
      href={href}
    />
  );
}
