/** A list of requests with its filters, its counts by code and its pages. The newest page refreshes itself. */
import type { ApiResult } from "../../api.ts";
import type { ConsoleContext } from "../../console-host.ts";
import { usePage } from "../../page-state.ts";
import { sentence } from "../../parts/badge.tsx";
import { clearedOf, type Filter, Filters, instantOf, isFiltered } from "../../parts/filters.tsx";
import { useChanged } from "../../parts/link.tsx";
import { Live } from "../../parts/panels.tsx";
import { Failed, NothingMatches, NothingYet } from "../../parts/states.tsx";
import { Pager } from "../../parts/table.tsx";
import { RequestCounts, type RequestsBody, RequestTable } from "./request-table.tsx";

const ROWS = 50;
const REFRESHED_EVERY_S = 3;

const OUTCOME: Filter = {
  name: "outcome",
  label: "Outcome",
  options: ["accepted", "duplicate", "refused"].map((value) => ({ value, label: sentence(value) })),
};

/** Reads the requests that the page's address asks for. */
export function readRequests(
  c: ConsoleContext,
  path: string,
  query: { unknown?: true } = {},
): Promise<ApiResult<RequestsBody>> {
  const { searchParams: asked } = new URL(c.req.url);
  return c.get("api").get<RequestsBody>(path, {
    ...query,
    outcome: asked.get("outcome"),
    code: asked.get("code"),
    since: instantOf(asked.get("since")),
    until: instantOf(asked.get("until")),
    cursor: asked.get("cursor"),
    limit: ROWS,
  });
}

interface RequestListProps {
  read: ApiResult<RequestsBody>;
  /** What an empty list means. */
  nothing: string;
  /** All of them were refused, so no outcome is to be chosen. */
  areRefused?: boolean;
  /** Parameters of the address that the filters keep. */
  keep?: readonly string[];
}

export function RequestList({ read, nothing, areRefused = false, keep = [] }: RequestListProps) {
  const { url } = usePage();
  const query = url.searchParams;
  const code = codeFilter(read.ok ? read.body.counts : {}, query.get("code"));
  const filters: Filter[] = [
    ...(areRefused ? [] : [OUTCOME]),
    code,
    { name: "since", label: "Since (UTC)", type: "datetime-local" },
    { name: "until", label: "Until (UTC)", type: "datetime-local" },
  ];
  const isNewest = !query.has("cursor") && query.get("until") === null;
  return (
    <>
      <Filters filters={filters} keep={keep} />
      {read.ok ? (
        <Live id="requests" seconds={isNewest ? REFRESHED_EVERY_S : null}>
          <Listed body={read.body} filters={filters} nothing={nothing} />
        </Live>
      ) : (
        <Failed error={read.error} what="The requests" />
      )}
    </>
  );
}

function codeFilter(counts: Record<string, number>, chosen: string | null): Filter {
  const codes = [...new Set([...Object.keys(counts), ...(chosen === null ? [] : [chosen])])].sort();
  return { name: "code", label: "Code", options: codes.map((value) => ({ value, label: value })) };
}

interface ListedProps {
  body: RequestsBody;
  filters: readonly Filter[];
  nothing: string;
}

function Listed({ body: { requests, next_cursor, counts }, filters, nothing }: ListedProps) {
  const { url } = usePage();
  const change = useChanged();
  return (
    <div class="stack">
      <RequestCounts counts={counts} hrefOf={(code) => change({ code, outcome: null, cursor: null })} />
      {requests.length > 0 ? (
        <RequestTable caption="Requests, newest first" requests={requests} />
      ) : next_cursor !== null ? (
        <p class="quiet">No request on this page matches. There may be older ones.</p>
      ) : isFiltered(url, filters) || url.searchParams.has("cursor") ? (
        <NothingMatches clear={clearedOf(url, filters)} what="requests" />
      ) : (
        <NothingYet what={nothing} />
      )}
      {(requests.length > 0 || next_cursor !== null) && (
        <Pager nextCursor={next_cursor} what="requests" shown={requests.length} />
      )}
      <p class="quiet small">
        Every request is counted, for 30 days. Of refused and repeated ones, the first ten and the newest ten
        of each minute are listed.
      </p>
    </div>
  );
}
