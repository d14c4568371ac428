/** The page of one report: its way so far and what is next, its warnings, its request, its events, and replaying it. */
import { consolePathOf } from "../../../portal/lookup/console-path-of.ts";
import type { Found, Link as Related } from "../../../portal/lookup/lookup-contract.ts";
import { type ApiError, type ApiResult, isTransient, type RefusedCall } from "../../api.ts";
import type { ConsoleContext } from "../../console-host.ts";
import { formOf } from "../../form.ts";
import { noSuch } from "../../not-found.tsx";
import { page, statusOfRefused } from "../../page.tsx";
import { withScope } from "../../page-scope.ts";
import { usePage } from "../../page-state.ts";
import { StateBadge, sentence } from "../../parts/badge.tsx";
import { Action, ActionForm, Dialog } from "../../parts/dialog.tsx";
import { Lifecycle } from "../../parts/lifecycle.tsx";
import { Link } from "../../parts/link.tsx";
import { Facts, Heading, Live, Notice, Panel } from "../../parts/panels.tsx";
import { Done, Failed, Refused } from "../../parts/states.tsx";
import { bytes, Id, number, shortId } from "../../parts/values.tsx";
import { to } from "../../paths.ts";
import { EventsPanel, RequestPanel, WarningsPanel } from "./report-panels.tsx";
import { type FoundReport, type FoundRequest, type ShownReport, stepsOf } from "./report-steps.tsx";

const REPLAY = "replay";
const UNSETTLED_S = 3;
const UNDELIVERED_S = 15;

export async function showReport(c: ConsoleContext, refused: RefusedCall | null): Promise<Response> {
  const api = c.get("api");
  const found = await api.get<Found>(`/lookup/${encodeURIComponent(c.req.param("file_id") ?? "")}`);
  if (!found.ok && isTransient(found)) return failed(c, found);
  if (!found.ok || found.body.kind !== "file")
    return noSuch(c, {
      noun: "report",
      section: "reports",
      list: { href: to.reports(), label: "Show reports" },
    });
  const file = found.body;
  const asked = file.related.find(({ kind }) => kind === "request");
  const request = asked === undefined ? null : await api.get<FoundRequest>(`/lookup/${asked.id}`);
  return page(
    c,
    {
      title: `Report ${file.id}`,
      section: "reports",
      status: refused === null ? 200 : statusOfRefused(refused),
    },
    <ReportPage file={file} request={request} refused={refused?.error ?? null} />,
  );
}

/** Replays the report, and leads back to its page. */
export async function replayOne(c: ConsoleContext): Promise<Response> {
  const id = c.req.param("file_id") ?? "";
  const { act } = await formOf(c);
  if (act !== REPLAY) return showReport(c, null);
  const replayed = await c
    .get("api")
    .send<{ generation: number }>("POST", `/files/${encodeURIComponent(id)}/replay`);
  if (!replayed.ok) return showReport(c, replayed);
  return c.redirect(withScope(to.report(id, { done: replayed.body.generation }), c.get("scope")), 303);
}

function failed(c: ConsoleContext, refused: RefusedCall): Response {
  return page(
    c,
    { title: "Report", section: "reports", status: statusOfRefused(refused) },
    <Failed error={refused.error} what="The report" />,
  );
}

interface ReportPageProps {
  file: FoundReport;
  /** Null if the report's request is not known. */
  request: ApiResult<FoundRequest> | null;
  refused: ApiError | null;
}

function ReportPage({ file, request, refused }: ReportPageProps) {
  const { url } = usePage();
  const { summary, related } = file;
  const done = url.searchParams.get("done");
  const seconds = refreshOf(file);
  return (
    <>
      <Live id="report-head" seconds={seconds}>
        <Heading
          title="Report"
          aside={
            <>
              <StateBadge state={summary.status} />
              <Id id={file.id} />
            </>
          }
          actions={
            <Action
              name={REPLAY}
              danger={summary.status === "completed"}
              unavailable={whyNotReplayed(summary)}
            >
              Replay report
            </Action>
          }
        />
      </Live>
      {done !== null && /^\d+$/.test(done) && (
        <Done>Replayed: it was queued again, as generation {done}.</Done>
      )}
      <ReplayDialog report={summary} refused={refused} />
      <Live id="report" seconds={seconds}>
        <div class="stack">
          <About report={summary} related={related} />
          <div class="columns">
            <Panel title="What happened">
              <Lifecycle steps={stepsOf(summary)} />
            </Panel>
            <div class="stack">
              <WarningsPanel warnings={summary.warnings} />
              <RequestPanel request={request} id={summary.request_id} />
            </div>
          </div>
          <EventsPanel related={related} />
        </div>
      </Live>
    </>
  );
}

/** Null once nothing changes any more. */
function refreshOf({ summary: { status }, related }: FoundReport): number | null {
  if (status === "queued" || status === "processing") return UNSETTLED_S;
  const isUndelivered = related.some((each) => each.status === "pending" || each.status === "retrying");
  return isUndelivered ? UNDELIVERED_S : null;
}

function whyNotReplayed({ status }: ShownReport): string | null {
  return status === "queued" || status === "processing"
    ? "It is on its way. It can be replayed once it is completed or has failed."
    : null;
}

function About({ report, related }: { report: ShownReport; related: readonly Related[] }) {
  const { session } = usePage();
  const sender = related.find(({ kind }) => kind === "connection" || kind === "api_key");
  const same = related.find(({ kind }) => kind === "file");
  return (
    <Facts
      facts={[
        ["Owner", session.owner === null ? `${report.owner_type}/${report.owner_id}` : null],
        ["Environment", report.environment],
        [
          sender?.kind === "api_key" ? "API key" : "Connection",
          sender === undefined ? null : <RelatedId link={sender} />,
        ],
        ["Employer", <Link href={to.find({ q: report.employer_id })}>{report.employer_id}</Link>],
        ["Kind", sentence(report.kind)],
        ["Size", bytes(report.size)],
        ["Records", report.records_total === null ? null : number(report.records_total)],
        ["Generation", report.generation === 1 ? null : number(report.generation)],
        ["Same body as", same === undefined ? null : <RelatedId link={same} />],
      ]}
    />
  );
}

function RelatedId({ link }: { link: Related }) {
  return (
    <Link href={consolePathOf(link)}>
      <code title={link.id}>{shortId(link.id)}</code>
    </Link>
  );
}

function ReplayDialog({ report, refused }: { report: ShownReport; refused: ApiError | null }) {
  const why = whyNotReplayed(report);
  const isCompleted = report.status === "completed";
  return (
    <Dialog name={REPLAY} title={isCompleted ? "Replay a completed report" : "Replay this report"}>
      {refused !== null && <Refused error={refused} what="Nothing was queued." />}
      {why !== null && <p>{why}</p>}
      {why === null && (
        <>
          {isCompleted && (
            <Notice meaning="bad">
              <p>
                This report was completed. Processed a second time, its payroll may be counted twice, and the
                premium doubled. Nothing here takes that back.
              </p>
            </Notice>
          )}
          <p>
            The same bytes are handed to the files-creator again, as generation {report.generation + 1}, with
            an idempotency key of its own.{" "}
            {isCompleted
              ? "Replay it if the files-creator lost its result."
              : "It fails again if what made it fail has not changed."}{" "}
            The audit trail keeps who replayed it.
          </p>
          <ActionForm
            hidden={{ act: REPLAY }}
            submit={isCompleted ? "Replay it all the same" : "Replay report"}
            danger={isCompleted}
            busy="Queuing…"
          />
        </>
      )}
    </Dialog>
  );
}
