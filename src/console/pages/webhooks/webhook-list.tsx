/** The webhooks of an owner, with how well each does; for staff without an owner, those that fail. */
import type { ListedWebhook } from "../../../portal/webhooks/webhook-contract.ts";
import type { ApiResult } from "../../api.ts";
import type { ConsoleContext } from "../../console-host.ts";
import { page } from "../../page.tsx";
import { usePage } from "../../page-state.ts";
import { AskOwner } from "../../parts/ask-owner.tsx";
import { clearedOf, type Filter, Filters, isFiltered } from "../../parts/filters.tsx";
import { ButtonLink } from "../../parts/link.tsx";
import { Heading, Live, Panel } from "../../parts/panels.tsx";
import { Done, Failed, NothingMatches, NothingYet } from "../../parts/states.tsx";
import { type Column, Pager, Table } from "../../parts/table.tsx";
import { Time } from "../../parts/values.tsx";
import { to } from "../../paths.ts";
import { mayManage, VIEW_ONLY } from "../../session.ts";
import { nameOf } from "../deliveries/delivery-filters.ts";
import { eventsWords, HealthBadge, Trouble } from "./webhook-words.tsx";

const ROWS = 50;
const REFRESH_S = 15;
const FILTERS: readonly Filter[] = [
  {
    name: "status",
    label: "Status",
    options: [
      { value: "active", label: "Active" },
      { value: "paused", label: "Paused" },
      { value: "disabled", label: "Disabled" },
    ],
  },
];
const PAGE = { title: "Webhooks", section: "webhooks" } as const;

interface WebhooksBody {
  webhooks: ListedWebhook[];
  next_cursor: string | null;
}

interface FailingBody {
  failing_webhooks: ListedWebhook[];
  next_cursor: string | null;
  count: number | string | null;
}

export async function showWebhooks(c: ConsoleContext): Promise<Response> {
  const query = new URL(c.req.url).searchParams;
  const { environment, owner } = c.get("scope");
  if (c.get("session").owner === null && owner === null) return showFailing(c);
  const found = await c.get("api").get<WebhooksBody>("/webhooks", {
    environment: environment ?? "all",
    status: query.get("status"),
    cursor: query.get("cursor"),
    limit: ROWS,
  });
  return page(
    c,
    PAGE,
    <>
      <Heading title="Webhooks" actions={<AddWebhook />}>
        Where events are sent: one signed request for each event that a webhook asks for.
      </Heading>
      {query.get("done") === "deleted" && (
        <Done>The webhook is deleted. Nothing more is sent; its deliveries can still be read.</Done>
      )}
      <Filters filters={FILTERS} />
      <Live id="webhooks" seconds={REFRESH_S} quiet>
        <Listed found={found} />
      </Live>
    </>,
  );
}

function AddWebhook() {
  const { session } = usePage();
  const why = VIEW_ONLY;
  if (mayManage(session))
    return (
      <ButtonLink href={to.newWebhook()} class="primary">
        Add webhook
      </ButtonLink>
    );
  return (
    <button type="button" aria-disabled="true" title={why}>
      Add webhook<span class="unseen"> (not available: {why})</span>
    </button>
  );
}

function Listed({ found }: { found: ApiResult<WebhooksBody> }) {
  const { url, scope } = usePage();
  if (!found.ok) return <Failed error={found.error} what="The webhooks" />;
  const { webhooks, next_cursor } = found.body;
  if (webhooks.length === 0 && isFiltered(url, FILTERS))
    return <NothingMatches clear={clearedOf(url, FILTERS)} what="webhooks" />;
  if (webhooks.length === 0)
    return (
      <NothingYet
        what={`There is no webhook${scope.environment === null ? "" : ` in ${scope.environment}`} yet. Add one to be told when a report was processed, an audit ended or a policy changed.`}
      >
        <AddWebhook />
      </NothingYet>
    );
  return (
    <>
      <Table
        caption="Webhooks, newest first"
        columns={columnsOf(scope.environment === null)}
        rows={webhooks}
        href={({ id }) => to.webhook(id)}
        keyOf={({ id }) => id}
      />
      <Pager
        nextCursor={next_cursor}
        count={next_cursor === null && !url.searchParams.has("cursor") ? String(webhooks.length) : undefined}
        what={webhooks.length === 1 ? "webhook" : "webhooks"}
        shown={webhooks.length}
      />
    </>
  );
}

function columnsOf(withEnvironment: boolean): Column<ListedWebhook>[] {
  return [
    {
      head: "Webhook",
      cell: (webhook) => (
        <span class="clipped" title={webhook.url_masked}>
          {nameOf(webhook)}
        </span>
      ),
    },
    { head: "Health", cell: (webhook) => <HealthBadge webhook={webhook} /> },
    { head: "Trouble", isText: true, cell: (webhook) => <Trouble webhook={webhook} /> },
    { head: "Last success", cell: ({ health }) => <Time at={health.last_success_at} /> },
    {
      head: "Events",
      wide: true,
      cell: ({ events }) => <code title={events.join(", ")}>{eventsWords(events, 1)}</code>,
    },
    ...(withEnvironment
      ? [{ head: "Environment", wide: true, cell: ({ environment }: ListedWebhook) => environment }]
      : []),
  ];
}

/** Webhooks are listed for one owner at a time, failing ones for all. */
async function showFailing(c: ConsoleContext): Promise<Response> {
  const found = await c.get("api").get<FailingBody>("/failing-webhooks", {
    environment: c.get("scope").environment,
    cursor: new URL(c.req.url).searchParams.get("cursor"),
    limit: ROWS,
  });
  return page(
    c,
    PAGE,
    <>
      <Heading title="Webhooks" />
      <AskOwner what="webhooks" />
      <Panel title="Failing now, of all owners">
        <Failing found={found} />
      </Panel>
    </>,
  );
}

function Failing({ found }: { found: ApiResult<FailingBody> }) {
  if (!found.ok) return <Failed error={found.error} what="The failing webhooks" />;
  const { failing_webhooks: webhooks, next_cursor, count } = found.body;
  if (webhooks.length === 0) return <p class="quiet">No webhook of any owner fails.</p>;
  return (
    <>
      <Table
        caption="Failing webhooks, the one that has failed for the longest time first"
        columns={[
          ...columnsOf(true).slice(0, 4),
          { head: "Owner", cell: ({ owner_type, owner_id }) => `${owner_type}/${owner_id}` },
        ]}
        rows={webhooks}
        href={({ id }) => to.webhook(id)}
      />
      <Pager
        nextCursor={next_cursor}
        count={count === null ? undefined : String(count)}
        what={count === 1 ? "webhook" : "webhooks"}
        shown={webhooks.length}
      />
    </>
  );
}
