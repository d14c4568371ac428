/** The first tab of a connection: what it is, how it does, what arrived last. */
import type { ShownConnection } from "../../../portal/connections/connection-contract.ts";
import type { Granularity } from "../../../portal/metrics/metric-range.ts";
import type { ApiResult } from "../../api.ts";
import type { ConsoleContext } from "../../console-host.ts";
import { usePage } from "../../page-state.ts";
import { Chart, type Line } from "../../parts/charts.tsx";
import { Link } from "../../parts/link.tsx";
import { Code, Facts, Live, Panel } from "../../parts/panels.tsx";
import { PLAN_WORDS } from "../../parts/plan-words.ts";
import { Failed, NothingYet } from "../../parts/states.tsx";
import { Id, Instant, Time } from "../../parts/values.tsx";
import { changed, to } from "../../paths.ts";
import { countsIn, lineOf, periodsOf, sumOf } from "../metrics/metric-periods.ts";
import { type RequestsBody, RequestTable } from "../requests/request-table.tsx";
import { LastReport } from "./connection-columns.tsx";
import type { Metrics } from "./connection-usage.ts";

const NEWEST = 10;
const REFRESHED_EVERY_S = 5;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

interface Range {
  label: string;
  ms: number;
  granularity: Granularity;
}

const DEFAULT_RANGE = "24h";
const DEFAULT: Range = { label: "24 h", ms: DAY_MS, granularity: "hour" };
const RANGES: ReadonlyMap<string, Range> = new Map([
  ["1h", { label: "1 h", ms: HOUR_MS, granularity: "minute" }],
  [DEFAULT_RANGE, DEFAULT],
  ["7d", { label: "7 d", ms: 7 * DAY_MS, granularity: "hour" }],
  ["30d", { label: "30 d", ms: 30 * DAY_MS, granularity: "day" }],
]);
const PERIOD_MS: Record<Granularity, number> = { minute: MINUTE_MS, hour: HOUR_MS, day: DAY_MS };
/** Codes that have a bar of their own. The rarer ones share one. */
const CODES = 4;

export async function overviewTab(c: ConsoleContext, connection: ShownConnection) {
  const { id } = connection;
  const api = c.get("api");
  const now = c.env.startedAt;
  const range = RANGES.get(c.req.query("range") ?? "") ?? DEFAULT;
  const { granularity } = range;
  // The period that has just begun is one of them.
  const since = new Date(now - range.ms + PERIOD_MS[granularity]).toISOString();
  const query = { connection_id: id, granularity, since };
  const [accepted, duplicate, refused, newest] = await Promise.all([
    api.get<Metrics>("/metrics", { ...query, measure: "accepted" }),
    api.get<Metrics>("/metrics", { ...query, measure: "duplicate" }),
    api.get<Metrics>("/metrics", { ...query, measure: "refused", by: "code" }),
    api.get<RequestsBody>(`/connections/${id}/requests`, { limit: NEWEST }),
  ]);
  return (
    <>
      <AboutConnection connection={connection} />
      <Panel title="Requests over time" aside={<Ranges chosen={range} />}>
        <Charts answers={{ accepted, duplicate, refused }} now={now} />
      </Panel>
      <Panel
        title="Newest requests"
        aside={<Link href={to.connection(id, { tab: "requests" })}>All requests</Link>}
      >
        <Live id="newest" seconds={REFRESHED_EVERY_S}>
          <Newest newest={newest} />
        </Live>
      </Panel>
    </>
  );
}

function AboutConnection({ connection }: { connection: ShownConnection }) {
  const { id, url, employer_id, plan, environment, owner_type, owner_id, secrets, created_at } = connection;
  const { session } = usePage();
  return (
    <Panel title="Where its reports go">
      <Code text={url} what="address" wraps />
      <Facts
        facts={[
          ["Id", <Id id={id} whole />],
          ["Last report", <LastReport at={connection.last_report_at} />],
          [
            "Employer",
            employer_id === null ? (
              "Named by each report"
            ) : (
              <Link href={to.find({ q: employer_id })}>{employer_id}</Link>
            ),
          ],
          ["Plan", PLAN_WORDS[plan]],
          ["Environment", environment === "sandbox" ? "Sandbox" : "Production"],
          ["Owner", session.owner === null ? `${owner_type}/${owner_id}` : null],
          ["Secrets in force", String(secrets.length)],
          ["Created", <Instant at={created_at} />],
        ]}
      />
    </Panel>
  );
}

function Ranges({ chosen }: { chosen: Range }) {
  const { url } = usePage();
  return (
    <nav class="ranges" aria-label="Time shown">
      {[...RANGES].map(([name, range]) => (
        <Link href={changed(url, { range: name === DEFAULT_RANGE ? null : name })} current={range === chosen}>
          {range.label}
        </Link>
      ))}
    </nav>
  );
}

interface Answers {
  accepted: ApiResult<Metrics>;
  duplicate: ApiResult<Metrics>;
  refused: ApiResult<Metrics>;
}

function Charts({ answers: { accepted, duplicate, refused }, now }: { answers: Answers; now: number }) {
  if (!accepted.ok) return <Failed error={accepted.error} what="The counts" />;
  if (!duplicate.ok) return <Failed error={duplicate.error} what="The counts" />;
  if (!refused.ok) return <Failed error={refused.error} what="The counts" />;
  const periods = periodsOf(accepted.body, now);
  const { times, step } = periods;
  const byCode = refused.body.series.toSorted((a, b) => b.total - a.total);
  const refusals = byCode.map((series) => countsIn(periods, series));
  return (
    <>
      <div class="charts">
        <Chart
          title="By outcome"
          kind="bars"
          times={times}
          step={step}
          lines={[
            { label: "Accepted", meaning: "good", ...lineOf(periods, accepted.body) },
            { label: "Repeated", meaning: "off", ...lineOf(periods, duplicate.body) },
            { label: "Refused", meaning: "bad", ...lineOf(periods, refused.body) },
          ]}
        />
        <Chart
          title="Refused, by code"
          kind="bars"
          times={times}
          step={step}
          lines={codeLines(byCode, refusals)}
        />
      </div>
      {step !== "minute" && (
        <p class="quiet small">
          Counted up to <Time at={accepted.body.as_of} />. The last hour is counted to the second: choose 1 h.
        </p>
      )}
    </>
  );
}

const totalOf = (series: Metrics["series"]) => series.reduce((sum, { total }) => sum + total, 0);

const MEANINGS = ["bad", "warning", "waiting", "accent"] as const;

/** `values` are those of each series. */
function codeLines(series: Metrics["series"], values: readonly (number | null)[][]): Line[] {
  const lines: Line[] = series.slice(0, CODES).map(({ key, total }, i) => ({
    label: key.code ?? "",
    meaning: MEANINGS[i] ?? "off",
    values: values[i] ?? [],
    total,
  }));
  const others = series.slice(CODES);
  if (others.length > 0)
    lines.push({
      label: others.length === 1 ? "1 other code" : `${others.length} other codes`,
      meaning: "off",
      values: sumOf(values.slice(CODES), values[0]?.length ?? 0),
      total: totalOf(others),
    });
  return lines;
}

function Newest({ newest }: { newest: ApiResult<RequestsBody> }) {
  if (!newest.ok) return <Failed error={newest.error} what="The newest requests" />;
  const { requests } = newest.body;
  if (requests.length === 0)
    return (
      <NothingYet what="Nothing has arrived in the last 30 days. A request appears here within seconds, also one that is refused." />
    );
  return <RequestTable caption="Newest requests" requests={requests} />;
}
