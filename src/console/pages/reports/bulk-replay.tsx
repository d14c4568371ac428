/** Replaying all reports that the list's filters match: counted first, then begun as a job. */
import type { ShownJob } from "../../../portal/jobs/job-contract.ts";
import type { ApiError, ApiResult } from "../../api.ts";
import type { ConsoleContext } from "../../console-host.ts";
import { usePage } from "../../page-state.ts";
import { ActionForm, Dialog } from "../../parts/dialog.tsx";
import { Link, useChanged } from "../../parts/link.tsx";
import { Facts, Notice } from "../../parts/panels.tsx";
import { Refused } from "../../parts/states.tsx";
import { Instant, number } from "../../parts/values.tsx";
import { mayManage, VIEW_ONLY } from "../../session.ts";
import { type ReportQuery, selectionOf } from "./report-filters.ts";

/** The dialogs' names in the address: of failed reports alone, and of completed ones too. */
export const REPLAY = "replay";
const REPLAY_COMPLETED = "replay-completed";

export interface Counted {
  result: ApiResult<{ matched: number | string }>;
  /** The end of the range that was counted: what comes later is not replayed. */
  until: string;
}

/** Why the filters cannot be replayed; null if they can. */
export function whyNotReplayed(c: ConsoleContext, { sender, status }: ReportQuery): string | null {
  const isAnybodys = c.get("session").owner === null && c.get("scope").owner === null;
  if (isAnybodys && sender === null) return "Choose an owner or a sender first.";
  if (status === "queued" || status === "processing")
    return "Only failed and completed reports can be replayed.";
  if (status === "completed" && c.get("session").owner !== null)
    return "Completed reports are replayed one by one, or by Audit1.";
  return null;
}

/** Null while the dialog is not open. Nothing is queued. */
export async function countReplay(c: ConsoleContext, query: ReportQuery): Promise<Counted | null> {
  const dialog = new URL(c.req.url).searchParams.get("do");
  if ((dialog !== REPLAY && dialog !== REPLAY_COMPLETED) || !mayManage(c.get("session"))) return null;
  if (whyNotReplayed(c, query) !== null) return null;
  const until = query.until ?? new Date(c.env.startedAt).toISOString();
  const body = { ...bodyOf(c, query), until, dry_run: true };
  return { result: await c.get("api").send("POST", "/files/replay", { body }), until };
}

/** Begins the job that the dialog asked for. */
export async function beginReplay(
  c: ConsoleContext,
  query: ReportQuery,
  form: Record<string, string>,
): Promise<ApiResult<{ job: ShownJob }>> {
  const count = form.count === undefined ? {} : { count: Number(form.count) };
  const body = { ...bodyOf(c, query), until: form.until, ...count };
  return c.get("api").send("POST", "/files/replay", { body });
}

function bodyOf(c: ConsoleContext, query: ReportQuery) {
  const selected = Object.entries(selectionOf(query)).filter(([, value]) => value);
  return {
    ...Object.fromEntries(selected),
    ...(query.status === "completed" && { status: "completed" }),
    ...(takesCompleted(new URL(c.req.url), query) && { include_completed: true }),
  };
}

function takesCompleted({ searchParams }: URL, { status }: ReportQuery): boolean {
  return status === "completed" || searchParams.get("do") === REPLAY_COMPLETED;
}

interface ReplayDialogProps {
  query: ReportQuery;
  counted: Counted | null;
  /** Why the dialog cannot be used. */
  unavailable: string | null;
  refused: ApiError | null;
}

export function ReplayDialog({ query, counted, unavailable, refused }: ReplayDialogProps) {
  const { session, url } = usePage();
  const why = mayManage(session) ? unavailable : VIEW_ONLY;
  const withCompleted = takesCompleted(url, query);
  return (
    <Dialog
      name={url.searchParams.get("do") === REPLAY_COMPLETED ? REPLAY_COMPLETED : REPLAY}
      title={titleOf(query, withCompleted)}
    >
      {why !== null && <p>{why}</p>}
      {refused !== null && <Refused error={refused} what="Nothing was queued." />}
      {counted !== null && <Selection query={query} until={counted.until} />}
      {counted !== null && !counted.result.ok && (
        <Refused error={counted.result.error} what="They could not be counted." />
      )}
      {counted?.result.ok && (
        <Begin matched={counted.result.body.matched} until={counted.until} withCompleted={withCompleted} />
      )}
      {counted !== null && <CompletedChoice query={query} withCompleted={withCompleted} />}
    </Dialog>
  );
}

function titleOf({ status }: ReportQuery, withCompleted: boolean): string {
  if (status === "completed") return "Replay completed reports";
  return withCompleted ? "Replay failed and completed reports" : "Replay failed reports";
}

function Selection({ query: { sender, employer_id, since }, until }: { query: ReportQuery; until: string }) {
  const { session, scope } = usePage();
  const id = sender === null ? null : Object.values(sender).join();
  const owner = session.owner ?? scope.owner;
  return (
    <Facts
      facts={[
        [
          "Sender",
          id === null ? `All connections and keys of ${owner?.id}, in both environments` : <code>{id}</code>,
        ],
        ["Employer", employer_id],
        [
          "Received",
          <>
            {since !== null && <>Since {instantOr(since)}, until </>}
            {since === null && "Until "}
            {instantOr(until)}
          </>,
        ],
      ]}
    />
  );
}

const instantOr = (text: string) => (Number.isNaN(Date.parse(text)) ? text : <Instant at={text} />);

function Begin({
  matched,
  until,
  withCompleted,
}: {
  matched: number | string;
  until: string;
  withCompleted: boolean;
}) {
  const count = typeof matched === "number" ? number(matched) : matched;
  if (matched === 0) return <p>No report matches, so there is nothing to replay.</p>;
  if (withCompleted && typeof matched !== "number")
    return (
      <p>
        {count} reports match. With completed ones among them, at most 1,000 are replayed at a time: narrow
        the times.
      </p>
    );
  return (
    <>
      <p>
        <strong>{matched === 1 ? "One report matches." : `${count} reports match.`}</strong> Each is handed to
        the files-creator again, as a new generation. One that failed because of what it says fails again. The
        job can be cancelled; what it has queued by then is still handed over.
      </p>
      {withCompleted && (
        <Notice meaning="bad">
          <p>
            Completed reports are processed a second time: their payroll may be counted twice, and the premium
            doubled. Nothing here takes that back.
          </p>
        </Notice>
      )}
      <ActionForm
        hidden={{ act: REPLAY, until, ...(withCompleted && { count: `${matched}` }) }}
        submit={matched === 1 ? "Replay 1 report" : `Replay ${count} reports`}
        danger={withCompleted}
        busy="Beginning…"
      />
    </>
  );
}

/** Only staff may replay completed reports, of one sender at a time. */
function CompletedChoice({ query, withCompleted }: { query: ReportQuery; withCompleted: boolean }) {
  const { session } = usePage();
  const change = useChanged();
  if (session.owner !== null || query.status === "completed" || query.sender === null) return null;
  return (
    <p class="quiet">
      {withCompleted ? (
        <Link href={change({ do: REPLAY })}>Only the failed ones</Link>
      ) : (
        <Link href={change({ do: REPLAY_COMPLETED })}>Count completed ones too</Link>
      )}
    </p>
  );
}
