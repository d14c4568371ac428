/** Reports: their lists, the page of each, and replaying them. */
import { Hono } from "hono";
import type { Child } from "hono/jsx";
import type { ListedFile } from "../../../portal/files/file-list-contract.ts";
import type { ShownStuckFile } from "../../../portal/files/stuck-file-contract.ts";
import type { ApiResult, RefusedCall } from "../../api.ts";
import type { ConsoleContext, ConsoleEnv } from "../../console-host.ts";
import { formOf } from "../../form.ts";
import { page, statusOfRefused } from "../../page.tsx";
import { withScope } from "../../page-scope.ts";
import { usePage } from "../../page-state.ts";
import { Action } from "../../parts/dialog.tsx";
import { type Filter, Filters } from "../../parts/filters.tsx";
import { Link, useChanged } from "../../parts/link.tsx";
import { Heading, Live } from "../../parts/panels.tsx";
import { to } from "../../paths.ts";
import { beginReplay, countReplay, REPLAY, ReplayDialog, whyNotReplayed } from "./bulk-replay.tsx";
import { replayOne, showReport } from "./report.tsx";
import { filtersOf, type ReportQuery, reportQueryOf, selectionOf } from "./report-filters.ts";
import { FileList, type Listed, NothingListed, StuckList, Unlisted } from "./report-list.tsx";

const LIMIT = 50;
/** An owner's list is refreshed this often: what is stuck there may go on at any time. */
const REFRESH_S = 15;

export const reports = new Hono<ConsoleEnv>()
  .get("/console/reports", (c) => showList(c, null))
  .post("/console/reports", async (c) => {
    const form = await formOf(c);
    if (form.act !== REPLAY) return showList(c, null);
    const begun = await beginReplay(c, reportQueryOf(new URL(c.req.url)), form);
    if (!begun.ok) return showList(c, begun);
    return c.redirect(withScope(to.job(begun.body.job.id), c.get("scope")), 303);
  })
  .get("/console/reports/:file_id", (c) => showReport(c, null))
  .post("/console/reports/:file_id", replayOne);

async function showList(c: ConsoleContext, refused: RefusedCall | null): Promise<Response> {
  const query = reportQueryOf(new URL(c.req.url));
  const isEverybodys =
    c.get("session").owner === null && c.get("scope").owner === null && query.sender === null;
  const [filters, list, counted] = await Promise.all([
    filtersOf(c, query, isEverybodys),
    isEverybodys ? stuckOfEverybody(c, query) : files(c, query),
    countReplay(c, query),
  ]);
  const unavailable = whyNotReplayed(c, query);
  return page(
    c,
    { title: "Reports", section: "reports", status: refused === null ? 200 : statusOfRefused(refused) },
    <>
      <Heading
        title="Reports"
        actions={
          <Action name={REPLAY} unavailable={unavailable}>
            Replay failed reports
          </Action>
        }
      >
        <Lead query={query} isEverybodys={isEverybodys} />
      </Heading>
      <ReplayDialog
        query={query}
        counted={counted}
        unavailable={unavailable}
        refused={refused?.error ?? null}
      />
      <Filters filters={filters} />
      <Live id="reports" seconds={query.cursor === null ? REFRESH_S : null}>
        {list(filters)}
      </Live>
    </>,
  );
}

/** A list that was read, or why it was not. */
type ShowList = (filters: readonly Filter[]) => Child;

async function files(c: ConsoleContext, query: ReportQuery): Promise<ShowList> {
  type Body = { files: ListedFile[] } & Omit<Listed<ListedFile>, "rows">;
  const result = await c.get("api").get<Body>("/files", {
    ...selectionOf(query),
    status: query.status,
    environment: c.get("scope").environment,
    cursor: query.cursor,
    limit: LIMIT,
  });
  const ofOne = query.sender !== null;
  return shown(
    result,
    (body) => ({ ...body, rows: body.files }),
    ofOne,
    (list) => <FileList list={list} ofOne={ofOne} />,
  );
}

async function stuckOfEverybody(c: ConsoleContext, query: ReportQuery): Promise<ShowList> {
  type Body = { stuck_files: ShownStuckFile[] } & Omit<Listed<ShownStuckFile>, "rows">;
  const { reason, since, until, cursor } = query;
  const asked = { reason, since, until, cursor, limit: LIMIT };
  const result = await c.get("api").get<Body>("/stuck-files", asked);
  return shown(
    result,
    (body) => ({ ...body, rows: body.stuck_files }),
    false,
    (list) => <StuckList list={list} />,
  );
}

function shown<Body, Row>(
  result: ApiResult<Body>,
  listOf: (body: Body) => Listed<Row>,
  ofOne: boolean,
  table: (list: Listed<Row>) => Child,
): ShowList {
  return (filters) => {
    if (!result.ok) return <Unlisted refused={result} filters={filters} />;
    const list = listOf(result.body);
    const isEmpty = list.rows.length === 0 && list.next_cursor === null;
    return isEmpty ? <NothingListed filters={filters} ofOne={ofOne} /> : table(list);
  };
}

/** Says what is listed: without a sender, only what is stuck or has failed, of one environment. */
function Lead({ query, isEverybodys }: { query: ReportQuery; isEverybodys: boolean }) {
  const { scope } = usePage();
  const change = useChanged();
  if (query.sender !== null) return <>All reports of one sender in the last 90 days, newest first.</>;
  if (isEverybodys) return <>Reports of all owners that are stuck or have failed, in both environments.</>;
  return (
    <>
      Queued and failed reports in {scope.environment ?? "production"}. Choose a sender to see all of its
      reports.{" "}
      {scope.environment === null && (
        <Link href={change({ environment: "sandbox", cursor: null })}>Show the sandbox</Link>
      )}
    </>
  );
}
