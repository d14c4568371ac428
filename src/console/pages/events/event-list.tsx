/** What happened to an owner, newest first, and how far each event got. */
import type { ShownEvent } from "../../../portal/events/event-contract.ts";
import { DELIVERY_CHOICES } from "../../../portal/webhooks/delivery-contract.ts";
import type { ApiResult } from "../../api.ts";
import type { ConsoleContext } from "../../console-host.ts";
import { type PageStatus, page } from "../../page.tsx";
import { usePage } from "../../page-state.ts";
import { AskOwner } from "../../parts/ask-owner.tsx";
import { Action } from "../../parts/dialog.tsx";
import { clearedOf, type Filter, Filters, instantOf, isFiltered } from "../../parts/filters.tsx";
import { ButtonLink, Link, useChanged } from "../../parts/link.tsx";
import { Heading, Live } from "../../parts/panels.tsx";
import { Failed, LookFurther, NothingMatches, NothingYet } from "../../parts/states.tsx";
import { Pager, Table } from "../../parts/table.tsx";
import { Id, Time } from "../../parts/values.tsx";
import { to } from "../../paths.ts";
import { EVENTS_PAGE, EventTabs } from "./event-tabs.tsx";
import { FanOut } from "./fan-out.tsx";
import { readSendForm, SendDialog, type Unsent } from "./send-event.tsx";

const ROWS = 50;
const REFRESH_S = 10;

const FILTERS: readonly Filter[] = [
  {
    name: "type",
    label: "Type",
    options: DELIVERY_CHOICES.types.map((value) => ({ value, label: value })),
  },
  { name: "since", label: "Stored since (UTC)", type: "datetime-local" },
  { name: "until", label: "Until (UTC)", type: "datetime-local" },
];

interface EventsBody {
  events: ShownEvent[];
  next_cursor: string | null;
  count: number | string | null;
}

/** `unsent`: a form whose event was refused. */
export async function showEvents(c: ConsoleContext, unsent: Unsent | null): Promise<Response> {
  const status: PageStatus = unsent?.status ?? 200;
  if (c.get("session").owner === null && c.get("scope").owner === null)
    return page(
      c,
      { ...EVENTS_PAGE, status },
      <>
        <Heading title="Events" />
        <EventTabs />
        <AskOwner what="events" />
      </>,
    );
  const query = new URL(c.req.url).searchParams;
  const [found, send] = await Promise.all([
    c.get("api").get<EventsBody>("/events", {
      environment: c.get("scope").environment,
      type: query.get("type"),
      since: instantOf(query.get("since")),
      until: instantOf(query.get("until")),
      cursor: query.get("cursor"),
      order: "newest",
      with_deliveries: true,
      limit: ROWS,
    }),
    readSendForm(c),
  ]);
  return page(
    c,
    { ...EVENTS_PAGE, status },
    <>
      <Heading title="Events" actions={<Action name="send">Send an event to the sandbox</Action>}>
        <Lead />
      </Heading>
      <EventTabs />
      <SendDialog form={send} unsent={unsent} />
      <Filters filters={FILTERS} />
      <Live id="events" seconds={query.has("cursor") ? null : REFRESH_S}>
        <Listed found={found} />
      </Live>
    </>,
  );
}

function Lead() {
  const { scope } = usePage();
  const change = useChanged();
  const environment = scope.environment ?? "production";
  return (
    <>
      What happened in {environment} in the last 90 days, whether or not a webhook asked for it. Events of
      files are kept only if a webhook of the owner asks for some.{" "}
      {scope.environment === null && (
        <Link href={change({ environment: "sandbox", cursor: null })}>Show the sandbox</Link>
      )}
    </>
  );
}

function Listed({ found }: { found: ApiResult<EventsBody> }) {
  const { url } = usePage();
  if (!found.ok) return <Failed error={found.error} what="The events" />;
  const { events, next_cursor, count } = found.body;
  if (events.length === 0 && next_cursor !== null) return <LookFurther what="events" cursor={next_cursor} />;
  if (events.length === 0 && isFiltered(url, FILTERS))
    return <NothingMatches clear={clearedOf(url, FILTERS)} what="events" />;
  if (events.length === 0)
    return (
      <NothingYet what="Nothing has happened yet. Audits, policies, payments and employees come from Audit1; files come from your reports, once a webhook asks for them.">
        <ButtonLink href={to.events({ tab: "catalogue" })}>See what can happen</ButtonLink>
      </NothingYet>
    );
  return (
    <>
      <Table
        caption="Events, newest first"
        columns={[
          { head: "Type", cell: ({ type }: ShownEvent) => <code>{type}</code> },
          {
            head: "Deliveries",
            cell: ({ deliveries }: ShownEvent) => deliveries && <FanOut counts={deliveries} />,
          },
          { head: "Happened", cell: ({ created_at }: ShownEvent) => <Time at={created_at} /> },
          { head: "Stored", wide: true, cell: ({ received_at }: ShownEvent) => <Time at={received_at} /> },
          { head: "Source", wide: true, cell: ({ metadata }: ShownEvent) => metadata.source },
          { head: "Event", wide: true, cell: ({ id }: ShownEvent) => <Id id={id} /> },
        ]}
        rows={events}
        href={({ id, metadata }) => to.event(id, { environment: metadata.environment })}
        keyOf={({ id }) => id}
      />
      <Pager
        nextCursor={next_cursor}
        count={count === null ? undefined : String(count)}
        what={count === 1 ? "event" : "events"}
        shown={events.length}
      />
    </>
  );
}
