/** The page of an event: what it says, the file that it is about, and each of its deliveries. */
import type { ShownEventOfOwner } from "../../../portal/events/event-contract.ts";
import type { ShownDelivery } from "../../../portal/webhooks/delivery-contract.ts";
import type { ListedWebhook } from "../../../portal/webhooks/webhook-contract.ts";
import { isTransient } from "../../api.ts";
import type { ConsoleContext } from "../../console-host.ts";
import { noSuch } from "../../not-found.tsx";
import { page, statusOfRefused } from "../../page.tsx";
import { usePage } from "../../page-state.ts";
import { AskOwner } from "../../parts/ask-owner.tsx";
import { sentence } from "../../parts/badge.tsx";
import { ButtonLink, Link } from "../../parts/link.tsx";
import { Code, Facts, Heading, Live, Panel } from "../../parts/panels.tsx";
import { Done, Failed } from "../../parts/states.tsx";
import { Table } from "../../parts/table.tsx";
import { Id, Instant, number, shortId } from "../../parts/values.tsx";
import { to } from "../../paths.ts";
import { nameOf } from "../deliveries/delivery-filters.ts";
import { ATTEMPTS, NEXT_ATTEMPT, RESULT, STATE } from "../deliveries/delivery-table.tsx";
import { FanOut } from "./fan-out.tsx";

const REFRESH_S = 3;
/** Webhooks beyond these are shown by their ids. */
const MOST_NAMES = 100;

interface EventBody {
  event: ShownEventOfOwner;
  deliveries: ShownDelivery[];
}

export async function showEvent(c: ConsoleContext): Promise<Response> {
  const id = c.req.param("event_id") ?? "";
  const shell = { title: "Event", section: "events" } as const;
  // An event's id is unique within its owner only.
  if (c.get("session").owner === null && c.get("scope").owner === null)
    return page(
      c,
      shell,
      <>
        <Heading title="Event" aside={<Id id={id} />} />
        <AskOwner what="event" />
      </>,
    );
  const { environment } = c.get("scope");
  const [found, hooks] = await Promise.all([
    c.get("api").get<EventBody>(`/events/${encodeURIComponent(id)}`, { environment }),
    c.get("api").get<{ webhooks: ListedWebhook[] }>("/webhooks", { environment, limit: MOST_NAMES }),
  ]);
  if (found.ok) {
    const names = new Map((hooks.ok ? hooks.body.webhooks : []).map((each) => [each.id, nameOf(each)]));
    const { event, deliveries } = found.body;
    return page(
      c,
      { ...shell, title: event.type },
      <EventPage event={event} deliveries={deliveries} names={names} />,
    );
  }
  if (isTransient(found))
    return page(
      c,
      { ...shell, status: statusOfRefused(found) },
      <Failed error={found.error} what="The event" />,
    );
  return noSuch(c, {
    noun: "event",
    section: "events",
    list: { href: to.events(), label: "Show events" },
  });
}

interface EventPageProps extends EventBody {
  /** What people call the webhooks, by id. */
  names: ReadonlyMap<string, string>;
}

function EventPage({ event, deliveries, names }: EventPageProps) {
  const { session, url } = usePage();
  const { metadata, file_id: fileId } = event;
  return (
    <>
      <Heading
        title={<code>{event.type}</code>}
        aside={<Id id={event.id} />}
        actions={
          <ButtonLink href={to.events({ tab: "catalogue", type: event.type })}>What it means</ButtonLink>
        }
      />
      {url.searchParams.get("done") === "sent" && (
        <Done>The event is stored. Its deliveries appear below as they are made.</Done>
      )}
      <Facts
        facts={[
          ["Happened", <Instant at={event.created_at} />],
          ["Stored", <Instant at={event.received_at} />],
          ["Environment", sentence(metadata.environment)],
          ["Owner", session.owner === null ? `${event.owner_type}/${event.owner_id}` : null],
          ["Source", metadata.source],
          ["Sequence", <code>{metadata.sequence}</code>],
          [
            "Report",
            fileId === null ? null : (
              <Link href={to.report(fileId)}>
                <code title={fileId}>{shortId(fileId)}</code>
              </Link>
            ),
          ],
        ]}
      />
      <Live id="event-deliveries" seconds={event.deliveries.waiting > 0 ? REFRESH_S : null}>
        <Panel title="Deliveries" aside={<FanOut counts={event.deliveries} />}>
          <Deliveries event={event} deliveries={deliveries} names={names} />
        </Panel>
      </Live>
      <Panel title="Data">
        <details>
          <summary>Show what was sent. It may hold personal data</summary>
          <Code text={JSON.stringify(event.data, null, 2)} what="data" />
        </details>
      </Panel>
    </>
  );
}

function Deliveries({ event, deliveries, names }: EventPageProps) {
  if (event.deliveries.total === 0)
    return (
      <p class="quiet">
        No webhook asked for <code>{event.type}</code> in {event.metadata.environment} when it was stored. A
        webhook that asks for it now gets it by a replay of that time.{" "}
        <Link href={to.events({ tab: "catalogue", type: event.type })}>Who asks for it now</Link>
      </p>
    );
  return (
    <>
      <Table
        caption="Deliveries of the event"
        columns={[
          { head: "Delivery", cell: ({ id }: ShownDelivery) => <Id id={id} /> },
          STATE,
          RESULT,
          ATTEMPTS,
          {
            head: "Webhook",
            cell: ({ webhookId }: ShownDelivery) => (
              <Link href={to.webhook(webhookId)} class="clipped" title={webhookId}>
                {names.get(webhookId) ?? shortId(webhookId)}
              </Link>
            ),
          },
          NEXT_ATTEMPT,
        ]}
        rows={deliveries}
        href={({ id }) => to.delivery(id)}
        keyOf={({ id }) => id}
      />
      {event.deliveries.total > deliveries.length && (
        <p class="quiet">
          {number(deliveries.length)} of {number(event.deliveries.total)} are shown.
        </p>
      )}
    </>
  );
}
