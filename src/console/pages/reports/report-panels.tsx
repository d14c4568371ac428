/** What belongs to a report beside its way: warnings, its request, and its events with their deliveries. */
import { consolePathOf } from "../../../portal/lookup/console-path-of.ts";
import type { Link as Related } from "../../../portal/lookup/lookup-contract.ts";
import { type ApiResult, isTransient, type RefusedCall } from "../../api.ts";
import { StateBadge } from "../../parts/badge.tsx";
import { Link } from "../../parts/link.tsx";
import { Facts, Panel } from "../../parts/panels.tsx";
import { Failed } from "../../parts/states.tsx";
import { Table } from "../../parts/table.tsx";
import { duration, Id, Instant, Maybe, shortId, Time } from "../../parts/values.tsx";
import { to } from "../../paths.ts";
import type { FoundRequest } from "./report-steps.tsx";

export function WarningsPanel({ warnings }: { warnings: Record<string, string> }) {
  const rows = Object.entries(warnings);
  return (
    <Panel title="Warnings" aside={rows.length > 0 && <span class="quiet">{rows.length}</span>}>
      {rows.length === 0 ? (
        <p class="quiet">None: its sender was told of no problem with a field.</p>
      ) : (
        <Table
          caption="Warnings by field, as the sender was told them"
          columns={[
            { head: "Field", cell: ([field]) => <code>{field}</code> },
            { head: "Problem", isText: true, cell: ([, problem]) => problem },
          ]}
          rows={rows}
        />
      )}
    </Panel>
  );
}

export function RequestPanel({ request, id }: { request: ApiResult<FoundRequest> | null; id: string }) {
  if (request === null)
    return (
      <Panel title="Request">
        <p class="quiet">
          It came with the request <code>{id}</code>, of which no more is known.
        </p>
      </Panel>
    );
  return (
    <Panel title="Request" aside={<Link href={to.request(id)}>Show</Link>}>
      {request.ok ? <RequestFacts found={request.body} /> : <MissingRequest id={id} request={request} />}
    </Panel>
  );
}

function MissingRequest({ id, request }: { id: string; request: RefusedCall }) {
  if (isTransient(request)) return <Failed error={request.error} what="The request" />;
  return (
    <p class="quiet">
      Nothing more is known of the request <Id id={id} />.
    </p>
  );
}

function RequestFacts({ found: { id, summary } }: { found: FoundRequest }) {
  if (!("outcome" in summary)) return <Id id={id} />;
  return (
    <Facts
      facts={[
        ["Request", <Id id={id} />],
        ["Its sender's id", summary.caller_request_id],
        ["Arrived", <Instant at={summary.at} />],
        ["Accepted after", summary.ms === null ? null : duration(summary.ms)],
        ["Clock skew", summary.clock_skew_ms === null ? null : `${summary.clock_skew_ms} ms`],
        ["Client", summary.user_agent],
        ["Country", summary.country],
      ]}
    />
  );
}

/** Each event with the deliveries that it became. */
export function EventsPanel({ related }: { related: readonly Related[] }) {
  const events = related.filter(({ kind }) => kind === "event");
  const deliveries = Map.groupBy(
    related.filter(({ kind }) => kind === "delivery"),
    ({ event_id }) => event_id,
  );
  const rows = events.flatMap((event): { event: Related; delivery: Related | null }[] => {
    const sent = deliveries.get(event.id) ?? [];
    return sent.length === 0 ? [{ event, delivery: null }] : sent.map((delivery) => ({ event, delivery }));
  });
  return (
    <Panel title="Events and deliveries">
      {rows.length === 0 ? (
        <p class="quiet">
          None yet. A report's events are kept while an active webhook of its owner or employer asks for them.
        </p>
      ) : (
        <Table
          caption="Events of the report, and their deliveries"
          columns={[
            { head: "Event", cell: ({ event }) => <Link href={consolePathOf(event)}>{event.type}</Link> },
            { head: "Delivery", cell: ({ delivery }) => <Delivery delivery={delivery} /> },
            { head: "Webhook", cell: ({ delivery }) => <Webhook id={delivery?.webhook_id} /> },
            { head: "Happened", wide: true, cell: ({ event }) => <Time at={event.at} /> },
          ]}
          rows={rows}
        />
      )}
    </Panel>
  );
}

function Delivery({ delivery }: { delivery: Related | null }) {
  if (delivery === null) return <span class="quiet">No webhook asked for it</span>;
  return (
    <Link href={to.delivery(delivery.id)}>
      <StateBadge state={delivery.status ?? "pending"} />
    </Link>
  );
}

function Webhook({ id }: { id: string | undefined }) {
  if (id === undefined) return <Maybe value={null} />;
  return (
    <Link href={to.webhook(id)}>
      <code title={id}>{shortId(id)}</code>
    </Link>
  );
}
