/** The list of an owner's connections. */
import type { ShownConnection } from "../../../portal/connections/connection-contract.ts";
import type { ConsoleContext } from "../../console-host.ts";
import { page } from "../../page.tsx";
import { AskOwner } from "../../parts/ask-owner.tsx";
import { sentence } from "../../parts/badge.tsx";
import { clearedOf, type Filter, Filters, isFiltered } from "../../parts/filters.tsx";
import { ButtonLink, Link } from "../../parts/link.tsx";
import { Heading } from "../../parts/panels.tsx";
import { Failed, NothingMatches, NothingYet } from "../../parts/states.tsx";
import { Pager, Table } from "../../parts/table.tsx";
import { Time } from "../../parts/values.tsx";
import { to } from "../../paths.ts";
import { mayManage } from "../../session.ts";
import { columnsOf } from "./connection-columns.tsx";
import { lastDayOf } from "./connection-usage.ts";

interface ConnectionsBody {
  connections: ShownConnection[];
  next_cursor: string | null;
  count: number | string | null;
}

const ROWS = 25;

const FILTERS: readonly Filter[] = [
  {
    name: "status",
    label: "Status",
    options: ["active", "inactive"].map((value) => ({ value, label: sentence(value) })),
  },
  { name: "employer_id", label: "Employer", placeholder: "EMP_1042" },
];

export async function showList(c: ConsoleContext): Promise<Response> {
  const { owner } = c.get("session");
  if (owner === null && c.get("scope").owner === null)
    return page(
      c,
      { title: "Connections", section: "connections" },
      <>
        <ListHeading mayAdd={false} />
        <AskOwner what="connections" />
        <p>
          <Link href={to.unknownRequests()}>Requests to connections and keys that do not exist</Link>
        </p>
      </>,
    );
  return page(c, { title: "Connections", section: "connections" }, await listOf(c));
}

function ListHeading({ mayAdd }: { mayAdd: boolean }) {
  return (
    <Heading
      title="Connections"
      actions={
        mayAdd ? (
          <ButtonLink href={to.newConnection()} class="primary">
            Set up connection
          </ButtonLink>
        ) : undefined
      }
    >
      Each is an address with a secret, to which one payroll system sends its reports.
    </Heading>
  );
}

async function listOf(c: ConsoleContext) {
  const url = new URL(c.req.url);
  const query = url.searchParams;
  const api = c.get("api");
  const found = await api.get<ConnectionsBody>("/connections", {
    status: query.get("status"),
    employer_id: query.get("employer_id"),
    environment: c.get("scope").environment,
    cursor: query.get("cursor"),
    include: "activity",
    limit: ROWS,
  });
  const heading = <ListHeading mayAdd={mayManage(c.get("session"))} />;
  if (!found.ok)
    return (
      <>
        {heading}
        <Filters filters={FILTERS} />
        <Failed error={found.error} what="The connections" />
      </>
    );
  const { connections, next_cursor, count } = found.body;
  const isAny = connections.length > 0;
  const { environment } = c.get("scope");
  if (!isAny && !isFiltered(url, FILTERS) && !query.has("cursor"))
    return (
      <>
        {heading}
        <NothingYet
          what={`No system is connected${environment === null ? "" : ` in ${environment}`} yet. Setting one up takes a few minutes: you get an address and a secret, and see the first report arrive.`}
        >
          {mayManage(c.get("session")) && (
            <ButtonLink href={to.newConnection()} class="primary">
              Set up connection
            </ButtonLink>
          )}
        </NothingYet>
      </>
    );
  const day = isAny
    ? await lastDayOf(
        api,
        connections.map(({ id }) => id),
        c.env.startedAt,
      )
    : null;
  const failed = day === null ? null : !day.accepted.ok ? day.accepted : !day.refused.ok ? day.refused : null;
  return (
    <>
      {heading}
      <Filters filters={FILTERS} />
      {isAny ? (
        <Table
          caption="Connections, newest first"
          columns={columnsOf(failed === null && day !== null ? day.of : null)}
          rows={connections}
          href={({ id }) => to.connection(id)}
        />
      ) : (
        <NothingMatches clear={clearedOf(url, FILTERS)} what="connections" />
      )}
      {failed !== null && !failed.ok && (
        <Failed error={failed.error} what="The counts of the last 24 hours" />
      )}
      {(isAny || next_cursor !== null) && (
        <Pager
          nextCursor={next_cursor}
          count={count === null ? undefined : String(count)}
          what={count === 1 ? "connection" : "connections"}
          shown={connections.length}
        />
      )}
      {day?.accepted.ok && (
        <p class="quiet small">
          Accepted and refused requests are those of the last 24 hours, by the hour, counted up to{" "}
          <Time at={day.accepted.body.as_of} />.
        </p>
      )}
    </>
  );
}
