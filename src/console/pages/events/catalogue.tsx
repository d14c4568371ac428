/** The catalogue of events: what each means, what it carries, and which webhooks ask for it. */
import type { ShownEventType } from "../../../portal/events/event-type-contract.ts";
import type { ConsoleContext } from "../../console-host.ts";
import { page } from "../../page.tsx";
import { usePage } from "../../page-state.ts";
import { StateBadge, sentence } from "../../parts/badge.tsx";
import { Link } from "../../parts/link.tsx";
import { Code, Heading, Panel } from "../../parts/panels.tsx";
import { Failed } from "../../parts/states.tsx";
import { number } from "../../parts/values.tsx";
import { to } from "../../paths.ts";
import { EVENTS_PAGE, EventTabs } from "./event-tabs.tsx";

export async function showCatalogue(c: ConsoleContext): Promise<Response> {
  const environment = c.get("scope").environment;
  const found = await c.get("api").get<{ event_types: ShownEventType[] }>("/event-types", { environment });
  return page(
    c,
    EVENTS_PAGE,
    <>
      <Heading title="Events">
        Every event is one JSON object: <code>id</code>, <code>type</code>, <code>timestamp</code>,{" "}
        <code>created_at</code>, <code>data</code> and <code>metadata</code>. What differs is{" "}
        <code>data</code>.
      </Heading>
      <EventTabs />
      {found.ok ? (
        <Families types={found.body.event_types} />
      ) : (
        <Failed error={found.error} what="The catalogue" />
      )}
    </>,
  );
}

function Families({ types }: { types: readonly ShownEventType[] }) {
  const families = Map.groupBy(types, ({ type }) => type.slice(0, type.indexOf(".")));
  return (
    <>
      {[...families].map(([family, members]) => (
        <Panel title={sentence(family)} aside={<code class="quiet">{family}.*</code>}>
          <div class="event-types">
            {members.map((each) => (
              <EventType type={each} />
            ))}
          </div>
        </Panel>
      ))}
    </>
  );
}

const REPORTERS: Record<ShownEventType["reported_by"], string> = {
  gateway: "The gateway",
  "files-creator": "The files-creator",
  services: "Audit1's services",
};

function EventType({
  type: { type, summary, reported_by, example, schema, webhook_count, webhooks },
}: {
  type: ShownEventType;
}) {
  const { url } = usePage();
  return (
    <details id={type} open={url.searchParams.get("type") === type}>
      <summary>
        <code>{type}</code> <span>{summary}</span>{" "}
        <span class="small quiet asked">
          <Asked count={webhook_count} />
        </span>
      </summary>
      <div class="event-type">
        <p class="quiet small">
          {REPORTERS[reported_by]} {reported_by === "services" ? "report" : "reports"} it.{" "}
          {webhook_count !== null && <Link href={to.events({ type })}>Those that happened</Link>}
        </p>
        {webhooks.length > 0 && (
          <ul class="subscribers">
            {webhooks.map(({ id, url_masked, status, pattern }) => (
              <li>
                <Link href={to.webhook(id)}>{url_masked}</Link> <StateBadge state={status} />{" "}
                <span class="small quiet">
                  by <code>{pattern}</code>
                </span>
              </li>
            ))}
            {webhook_count !== null && webhook_count > webhooks.length && (
              <li class="quiet">and {number(webhook_count - webhooks.length)} more</li>
            )}
          </ul>
        )}
        <div class="columns">
          <Code text={JSON.stringify(example, null, 2)} what="example" label="Example of data" />
          <Code
            text={JSON.stringify(schema, null, 2)}
            what="schema"
            label="Its usual fields as JSON Schema. Others may be added, and any may be absent"
          />
        </div>
      </div>
    </details>
  );
}

function Asked({ count }: { count: number | null }) {
  if (count === null) return null;
  if (count === 0) return <>No webhook asks for it</>;
  return (
    <>
      {number(count)} {count === 1 ? "webhook asks" : "webhooks ask"} for it
    </>
  );
}
