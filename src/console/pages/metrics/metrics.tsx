/** The numbers over time: the business metrics with their goals, and technical series of everything, of one owner or of one object. */
import { Hono } from "hono";
import type { ConsoleContext, ConsoleEnv } from "../../console-host.ts";
import { noSuch } from "../../not-found.tsx";
import { page } from "../../page.tsx";
import { Link } from "../../parts/link.tsx";
import { Heading, Notice, Tabs } from "../../parts/panels.tsx";
import { Id, Instant, Time } from "../../parts/values.tsx";
import { changed, to } from "../../paths.ts";
import type { Asked } from "./ask-metric.ts";
import { choiceOf, compareView } from "./compare-view.ts";
import { deliveriesView } from "./deliveries-view.ts";
import { goalsView } from "./goals-view.ts";
import { latenciesView } from "./latencies-view.ts";
import { csvOf } from "./metrics-csv.ts";
import { CompareForm, MetricFilters } from "./metrics-forms.tsx";
import { Parts } from "./metrics-parts.tsx";
import { type MetricsQuery, queryOf, type Subject, TIME_PARAMETERS, tabsFor } from "./metrics-query.ts";
import type { View } from "./metrics-view.ts";
import { requestsView } from "./requests-view.ts";

const NOUNS = { connection: "connection", api_key: "API key", webhook: "webhook" } as const;

export const metrics = new Hono<ConsoleEnv>().get("/console/metrics", async (c) => {
  const url = new URL(c.req.url);
  const now = c.env.startedAt;
  const query = queryOf(url.searchParams, c.get("scope"), now);
  const isOfAll = c.get("session").owner === null && c.get("scope").owner === null;
  const view = await viewOf({ api: c.get("api"), query, now }, isOfAll);
  const failed = view.parts.find((part) => part.kind === "failed");
  if (failed !== undefined && failed.error.code === "NOT_FOUND" && query.subject !== null)
    return noSuch(c, {
      noun: NOUNS[query.subject.kind],
      section: "metrics",
      list: { href: to.metrics(), label: "All metrics" },
    });
  // A file with a part missing would pass for a whole one: the page says what could not be read.
  if (url.searchParams.get("format") === "csv" && failed === undefined) return csv(c, query, view);
  return shownPage(c, query, view, isOfAll);
});

function viewOf(asked: Asked, isOfAll: boolean): Promise<View> {
  switch (asked.query.tab) {
    case "goals":
      return goalsView(asked);
    case "requests":
      return requestsView(asked);
    case "deliveries":
      return deliveriesView(asked);
    case "latencies":
      return latenciesView(asked);
    case "senders":
      return compareView(asked, choiceOf(asked.query, isOfAll));
  }
}

function csv(c: ConsoleContext, { tab, since }: MetricsQuery, { parts }: View): Response {
  const name = `audit1-${tab}-since-${new Date(since).toISOString().slice(0, 10)}.csv`;
  return c.body(csvOf(parts), 200, {
    "Content-Type": "text/csv; charset=utf-8",
    "Content-Disposition": `attachment; filename="${name}"`,
  });
}

function shownPage(c: ConsoleContext, query: MetricsQuery, view: View, isOfAll: boolean): Response {
  const { subject, notices, tab, since, until, step } = query;
  const url = new URL(c.req.url);
  return page(
    c,
    { title: "Metrics", section: "metrics", charts: tab !== "senders", status: statusOf(view) },
    <>
      <Heading
        title="Metrics"
        aside={subject !== null && <SubjectLink subject={subject} />}
        actions={
          <Link href={changed(url, { format: "csv" })} class="button">
            Export as CSV
          </Link>
        }
      >
        {step === "hour" ? "Hours from " : "Days of UTC from "}
        <Begin at={since} step={step} />
        {until !== null && (
          <>
            {" "}
            to <Begin at={until} step={step} />
          </>
        )}
        .{" "}
        {view.asOf !== null && (
          <>
            Counted up to <Time at={view.asOf} />.
          </>
        )}
      </Heading>
      <Tabs tabs={tabsFor(subject)} keep={[...TIME_PARAMETERS, "of"]} />
      <MetricFilters />
      {tab === "senders" && <CompareForm choice={choiceOf(query, isOfAll)} isOfAll={isOfAll} />}
      {notices.map((notice) => (
        <Notice meaning="warning">{notice}</Notice>
      ))}
      <Parts parts={view.parts} />
    </>,
  );
}

/** That of the API if it answered nothing. */
function statusOf({ parts }: View): 200 | 400 | 503 {
  if (!parts.every((part) => part.kind === "failed")) return 200;
  return parts.some((part) => part.kind === "failed" && part.error.code === "VALIDATION_ERROR") ? 400 : 503;
}

/** Days are those of UTC, wherever the reader is. */
function Begin({ at, step }: { at: number; step: MetricsQuery["step"] }) {
  return step === "hour" ? <Instant at={at} /> : <span>{new Date(at).toISOString().slice(0, 10)}</span>;
}

function SubjectLink({ subject: { kind, id } }: { subject: Subject }) {
  const href =
    kind === "connection"
      ? to.connection(id)
      : kind === "webhook"
        ? to.webhook(id)
        : to.settings({ tab: "keys", key: id });
  return (
    <span>
      of <Link href={href}>{NOUNS[kind]}</Link> <Id id={id} />
    </span>
  );
}
