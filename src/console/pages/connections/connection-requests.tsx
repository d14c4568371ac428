/** The tab of a connection's requests: everything that arrived, refused or not. */
import type { ShownConnection } from "../../../portal/connections/connection-contract.ts";
import type { ConsoleContext } from "../../console-host.ts";
import { RequestList, readRequests } from "../requests/request-list.tsx";

export async function requestsTab(c: ConsoleContext, { id, status }: ShownConnection) {
  return (
    <RequestList
      read={await readRequests(c, `/connections/${id}/requests`)}
      keep={["tab"]}
      nothing={
        status === "active"
          ? "Nothing has arrived in the last 30 days. A request appears here within three seconds, also one that is refused."
          : "Nothing has arrived in the last 30 days. The connection is inactive: a request would be refused, and appear here."
      }
    />
  );
}
