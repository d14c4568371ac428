/** The tab of a connection's requests: everything that arrived, refused or not. */
import type { ShownConnection } from "../../../portal/connections/connection-contract.ts";
import type { ConsoleContext } from "../../console-host.ts";
import { sentence } from "../../parts/badge.tsx";
import { clearedOf, type Filter, Filters, instantOf, isFiltered } from "../../parts/filters.tsx";
import { Live } from "../../parts/panels.tsx";
import { Failed, NothingMatches, NothingYet } from "../../parts/states.tsx";
import { Pager } from "../../parts/table.tsx";
import { changed } from "../../paths.ts";
import { RequestCounts, type RequestsBody, RequestTable } from "../requests/request-table.tsx";

const ROWS = 50;
const REFRESHED_EVERY_S = 3;

function filtersOf(counts: Record<string, number>, chosen: string | null): Filter[] {
  const codes = [...new Set([...Object.keys(counts), ...(chosen === null ? [] : [chosen])])].sort();
  return [
    {
      name: "outcome",
      label: "Outcome",
      options: ["accepted", "duplicate", "refused"].map((value) => ({ value, label: sentence(value) })),
    },
    { name: "code", label: "Code", options: codes.map((value) => ({ value, label: value })) },
    { name: "since", label: "Since (UTC)", type: "datetime-local" },
    { name: "until", label: "Until (UTC)", type: "datetime-local" },
  ];
}

export async function requestsTab(c: ConsoleContext, { id, status }: ShownConnection) {
  const url = new URL(c.req.url);
  const query = url.searchParams;
  const found = await c.get("api").get<RequestsBody>(`/connections/${id}/requests`, {
    outcome: query.get("outcome"),
    code: query.get("code"),
    since: instantOf(query.get("since")),
    until: instantOf(query.get("until")),
    cursor: query.get("cursor"),
    limit: ROWS,
  });
  const counts = found.ok ? found.body.counts : {};
  const filters = filtersOf(counts, query.get("code"));
  const bar = <Filters filters={filters} keep={["tab"]} />;
  if (!found.ok)
    return (
      <>
        {bar}
        <Failed error={found.error} what="The requests" />
      </>
    );
  const { requests, next_cursor } = found.body;
  const isFirst = !query.has("cursor");
  return (
    <>
      {bar}
      <Live id="requests" seconds={isFirst && query.get("until") === null ? REFRESHED_EVERY_S : null}>
        <div class="stack">
          <RequestCounts
            counts={counts}
            hrefOf={(code) => changed(url, { code, outcome: null, cursor: null })}
          />
          {requests.length > 0 ? (
            <RequestTable caption="Requests, newest first" requests={requests} />
          ) : isFiltered(url, filters) || !isFirst ? (
            <NothingMatches clear={clearedOf(url, filters)} what="requests" />
          ) : (
            <NothingYet
              what={
                status === "active"
                  ? "Nothing has arrived in the last 30 days. A request appears here within three seconds, also one that is refused."
                  : "Nothing has arrived in the last 30 days. The connection is inactive: a request would be refused, and appear here."
              }
            />
          )}
          {(requests.length > 0 || next_cursor !== null) && (
            <Pager nextCursor={next_cursor} what="requests" shown={requests.length} />
          )}
          <p class="quiet small">
            All requests of the last 30 days are counted. Of refused and repeated ones, the first ten and the
            newest ten of each minute are listed.
          </p>
        </div>
      </Live>
    </>
  );
}
