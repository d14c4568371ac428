/** The page of a bulk retry or a bulk replay. */
import type { ShownJob } from "../../../portal/jobs/job-contract.ts";
import type { RefusedCall } from "../../api.ts";
import type { ConsoleContext } from "../../console-host.ts";
import { sentence } from "../../parts/badge.tsx";
import { Link } from "../../parts/link.tsx";
import { Facts, Notice, Panel } from "../../parts/panels.tsx";
import { Progress } from "../../parts/progress.tsx";
import { duration, Instant, number, Time } from "../../parts/values.tsx";
import { to } from "../../paths.ts";
import { handled, KINDS, perMinute, progressWords, reasonWords } from "./job-words.ts";
import { workPage } from "./work-page.tsx";

const MINUTE_MS = 60_000;

export function showJob(c: ConsoleContext, job: ShownJob, refused: RefusedCall | null): Response {
  const { id, kind, status } = job;
  const ofDeliveries = kind === "deliveries.retry";
  const now = c.env.startedAt;
  return workPage(
    c,
    {
      id,
      title: KINDS[kind],
      section: ofDeliveries ? "deliveries" : "reports",
      status,
      list: { href: to.jobs(), label: "All jobs" },
      cancel: {
        title: "Cancel this job",
        consequence: `It queues nothing more. What it has queued by now is still ${ofDeliveries ? "sent" : "handed over"}. To go on later, begin another one: it takes what is left.`,
        submit: "Cancel the job",
      },
      refused,
    },
    <div class="stack wide-gap">
      <Panel title="Progress">
        <HowFar job={job} now={now} />
        <WaitsFor job={job} />
        <Rates job={job} now={now} />
      </Panel>
      <Panel
        title="What it takes"
        aside={<Link href={resultsOf(job)}>{ofDeliveries ? "Show these deliveries" : "Show reports"}</Link>}
      >
        <Facts
          facts={Object.entries(job.filters).map(([name, value]) => [sentence(name), filterValue(value)])}
        />
      </Panel>
    </div>,
  );
}

function HowFar({ job, now }: { job: ShownJob; now: number }) {
  const count = handled(job);
  const share =
    job.status === "done"
      ? 1
      : typeof job.matched === "number"
        ? job.matched === 0
          ? 1
          : count / job.matched
        : null;
  const words =
    job.status === "done"
      ? `${number(count)} found, all of them taken.`
      : `${progressWords(count, job.matched)}.`;
  return (
    <>
      {job.status === "running" || job.status === "done" ? (
        <Progress label={KINDS[job.kind]} share={share}>
          {words}
        </Progress>
      ) : (
        <p>{words}</p>
      )}
      <p class="quiet">{stateWords(job, now)}</p>
    </>
  );
}

function stateWords({ status, reason, updated_at, kind }: ShownJob, now: number): string {
  const what =
    kind === "deliveries.retry"
      ? "Whether each was delivered is in the list of deliveries"
      : "How each ends is in the list of reports";
  switch (status) {
    case "running":
      return `Last step ${duration(Math.max(0, now - Date.parse(updated_at)))} ago. It goes on at least once a minute, also when nobody looks.`;
    case "done":
      return `It queued all that it could. ${what}.`;
    case "cancelled":
      return `It was cancelled, and queues nothing more. ${what}.`;
    case "failed":
      return `It stopped. ${reason === null ? "" : reasonWords(reason)}`;
  }
}

function WaitsFor({ job: { waits_for } }: { job: ShownJob }) {
  if (waits_for.length === 0) return null;
  return (
    <Notice meaning="warning">
      <p>
        {waits_for.length === 1 ? "A webhook holds" : `${waits_for.length} webhooks hold`} it up: paused, or
        with 500 deliveries that wait already. The job comes back to{" "}
        {waits_for.length === 1 ? "it" : "each of them"}.
      </p>
      <ul class="plain-list">
        {waits_for.map((id) => (
          <li>
            <Link href={to.webhook(id)}>
              <code>{id}</code>
            </Link>
          </li>
        ))}
      </ul>
    </Notice>
  );
}

function Rates({ job, now }: { job: ShownJob; now: number }) {
  const isRunning = job.status === "running";
  const rate = perMinute(handled(job), job.created_at, isRunning ? now : Date.parse(job.updated_at));
  const left = typeof job.matched === "number" ? job.matched - handled(job) : null;
  const isHeld = job.waits_for.length > 0;
  return (
    <Facts
      facts={[
        ["Queued", number(job.done)],
        ["Skipped: could not be queued", number(job.skipped)],
        ["Per minute", rate === null ? "–" : number(rate)],
        [
          "Left",
          !isRunning || left === null || left <= 0
            ? null
            : `${number(left)}${!rate || isHeld ? "" : `, about ${duration((left / rate) * MINUTE_MS)} at this rate`}`,
        ],
        ["Began", <Instant at={job.created_at} />],
        [isRunning ? "Last step" : "Ended", <Time at={job.updated_at} />],
      ]}
    />
  );
}

function filterValue(value: unknown) {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return /^\d{4}-\d{2}-\d{2}T.*Z$/.test(text) ? <Instant at={text} /> : text;
}

/** Where what it takes is listed. Status, response code and last error change as it is sent again. */
function resultsOf({ kind, filters }: ShownJob): string {
  const given = (name: string) => (typeof filters[name] === "string" ? minuteOf(filters[name]) : null);
  if (kind === "files.replay")
    return to.reports({
      sender: given("connection_id") ?? given("api_key_id"),
      employer: given("employer_id"),
      since: given("since"),
      until: given("until"),
    });
  return to.deliveries({
    webhook_id: given("webhook_id"),
    environment: given("environment"),
    type: given("type"),
    since: given("since"),
    until: given("until"),
  });
}

/** An instant as the fields of filters take it; any other text as it is. */
function minuteOf(text: string): string {
  return /^\d{4}-\d{2}-\d{2}T.*Z$/.test(text) ? text.slice(0, -1) : text;
}
