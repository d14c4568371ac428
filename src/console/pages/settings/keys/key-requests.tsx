/** The reports that were sent with an API key, accepted and refused. */
import type { ShownRequest } from "../../../../portal/requests/request-contract.ts";
import type { ApiResult } from "../../../api.ts";
import type { ConsoleContext } from "../../../console-host.ts";
import { usePage } from "../../../page-state.ts";
import { stateOf } from "../../../parts/badge.tsx";
import { clearedOf, type Filter, Filters, isFiltered } from "../../../parts/filters.tsx";
import { useChanged } from "../../../parts/link.tsx";
import { Live, Panel } from "../../../parts/panels.tsx";
import { Failed, NothingMatches, NothingYet } from "../../../parts/states.tsx";
import { Pager } from "../../../parts/table.tsx";
import { RequestCounts, type RequestsBody, RequestTable } from "../../requests/request-table.tsx";

const LIMIT = 25;
/** Requests are listed within three seconds. */
const REFRESH_S = 5;

const OUTCOMES: readonly ShownRequest["outcome"][] = ["accepted", "duplicate", "refused"];
const FILTERS: readonly Filter[] = [
  {
    name: "outcome",
    label: "Outcome",
    options: OUTCOMES.map((value) => ({ value, label: stateOf(value).word })),
  },
  { name: "code", label: "Code", placeholder: "RATE_LIMIT_EXCEEDED" },
];

export type ReadRequests = ApiResult<RequestsBody>;

/** `path`: of the key. */
export function keyRequestsOf(c: ConsoleContext, path: string): Promise<ReadRequests> {
  const query = new URL(c.req.url).searchParams;
  return c.get("api").get<RequestsBody>(`${path}/requests`, {
    outcome: query.get("outcome"),
    code: query.get("code"),
    cursor: query.get("cursor"),
    limit: LIMIT,
  });
}

export function KeyRequests({ read }: { read: ReadRequests }) {
  const { url } = usePage();
  const isFirst = !url.searchParams.has("cursor");
  return (
    <Panel title="Reports sent with it" aside={<span class="quiet">the last 30 days</span>}>
      <Filters filters={FILTERS} keep={["tab", "key"]} />
      <Live id="requests" seconds={isFirst ? REFRESH_S : null}>
        <Requests read={read} />
      </Live>
    </Panel>
  );
}

function Requests({ read }: { read: ReadRequests }) {
  const { url } = usePage();
  const change = useChanged();
  if (!read.ok) return <Failed error={read.error} what="The requests" />;
  const { requests, next_cursor: nextCursor, counts } = read.body;
  if (requests.length === 0 && nextCursor === null) {
    if (isFiltered(url, FILTERS)) return <NothingMatches clear={clearedOf(url, FILTERS)} what="requests" />;
    return (
      <NothingYet what="No report has been sent with this key.">
        <p>Reads with the key, such as of a file's status, are not listed.</p>
      </NothingYet>
    );
  }
  return (
    <div class="stack">
      <RequestCounts counts={counts} hrefOf={(code) => change({ code, outcome: null, cursor: null })} />
      <RequestTable requests={requests} caption="Requests with this key, newest first" />
      <Pager nextCursor={nextCursor} what="requests" shown={requests.length} />
    </div>
  );
}
