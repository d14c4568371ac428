/** The log of all deliveries of an owner. */
import { Hono } from "hono";
import type { ShownDelivery } from "../../../portal/webhooks/delivery-contract.ts";
import type { ListedWebhook } from "../../../portal/webhooks/webhook-contract.ts";
import type { ConsoleContext, ConsoleEnv } from "../../console-host.ts";
import { formOf } from "../../form.ts";
import { page } from "../../page.tsx";
import { AskOwner } from "../../parts/ask-owner.tsx";
import { Action } from "../../parts/dialog.tsx";
import { Filters, instantOf } from "../../parts/filters.tsx";
import { ButtonLink, Link } from "../../parts/link.tsx";
import { Heading, Live } from "../../parts/panels.tsx";
import { Failed, NothingYet } from "../../parts/states.tsx";
import type { Column } from "../../parts/table.tsx";
import { Id, Time } from "../../parts/values.tsx";
import { to } from "../../paths.ts";
import { filterQuery, filtersOf, nameOf } from "./delivery-filters.ts";
import {
  ATTEMPTS,
  type DeliveriesBody,
  DeliveryTable,
  EVENT_TYPE,
  NEXT_ATTEMPT,
  RESULT,
  STATE,
} from "./delivery-table.tsx";
import {
  RecoverDialog,
  type Recovery,
  recoveryOf,
  runRecovery,
  statusOfRun,
  type Target,
} from "./recover.tsx";

const ROWS = 50;
const REFRESHED_EVERY_S = 5;
/** More webhooks are not offered as choices: their ids are typed. */
const MAX_CHOICES = 100;

interface WebhooksBody {
  webhooks: ListedWebhook[];
  next_cursor: string | null;
}

const PAGE = { title: "Deliveries", section: "deliveries" } as const;

export const deliveryList = new Hono<ConsoleEnv>()
  .get("/console/deliveries", async (c) => {
    if (c.get("session").owner === null && c.get("scope").owner === null)
      return page(
        c,
        PAGE,
        <>
          <Heading title="Deliveries" />
          <AskOwner what="deliveries" />
        </>,
      );
    return page(c, PAGE, await listOf(c, await recoveryOf(c, targetOf(c))));
  })
  .post("/console/deliveries", async (c) => {
    const run = await runRecovery(c, targetOf(c), await formOf(c));
    return run instanceof Response
      ? run
      : page(c, { ...PAGE, status: statusOfRun(run) }, await listOf(c, run));
  });

/** What the list's filters select can be recovered, whatever their status. */
function targetOf(c: ConsoleContext): Target {
  const query = new URL(c.req.url).searchParams;
  return {
    webhookId: query.get("webhook_id") || null,
    narrow: { type: query.get("type"), response_code: query.get("response_code"), error: query.get("error") },
    environment: c.get("scope").environment,
    since: instantOf(query.get("since")) || null,
    until: instantOf(query.get("until")) || null,
  };
}

async function listOf(c: ConsoleContext, recovery: Recovery | null) {
  const query = new URL(c.req.url).searchParams;
  const api = c.get("api");
  const environment = c.get("scope").environment ?? undefined;
  const cursor = query.get("cursor");
  const [found, hooks] = await Promise.all([
    api.get<DeliveriesBody>("/deliveries", { ...filterQuery(query), environment, cursor, limit: ROWS }),
    api.get<WebhooksBody>("/webhooks", { environment, limit: MAX_CHOICES }),
  ]);
  const webhooks = hooks.ok ? hooks.body.webhooks : [];
  const areAll = hooks.ok && hooks.body.next_cursor === null;
  const chosen = query.get("webhook_id");
  // A deleted webhook is not listed, but its deliveries are.
  const isListed = chosen === null || webhooks.some(({ id }) => id === chosen);
  const filters = filtersOf(areAll && isListed ? webhooks : null);
  return (
    <>
      <Heading
        title="Deliveries"
        actions={
          <>
            <ButtonLink href={to.jobs()}>Jobs</ButtonLink>
            <Action name="recover">Send many again</Action>
          </>
        }
      >
        {environment === undefined
          ? "Every event that was sent to a webhook, or was to be, in production. Sandbox has a list of its own: choose it above."
          : "Every event that was sent to a webhook, or was to be."}
      </Heading>
      {recovery !== null && (
        <RecoverDialog recovery={recovery} keep={["webhook_id", "status", "type", "response_code", "error"]}>
          <RangeFields since={query.get("since")} until={query.get("until")} />
        </RecoverDialog>
      )}
      <Filters filters={filters} />
      {found.ok ? (
        <Live id="deliveries" seconds={cursor === null ? REFRESHED_EVERY_S : null}>
          <DeliveryTable body={found.body} filters={filters} columns={columnsOf(namesOf(webhooks))}>
            <NothingYet what="Nothing was delivered yet. A delivery is made for each event that a webhook asks for.">
              <ButtonLink href={to.webhooks()}>Go to webhooks</ButtonLink>
            </NothingYet>
          </DeliveryTable>
        </Live>
      ) : (
        <Failed error={found.error} what="The deliveries" />
      )}
    </>
  );
}

function RangeFields({ since, until }: { since: string | null; until: string | null }) {
  return (
    <>
      <p class="field">
        <label for="recover-since">Events stored since (UTC)</label>
        <input id="recover-since" type="datetime-local" name="since" value={fieldOf(since)} />
        <span class="hint">Empty for as far back as events are kept: 90 days.</span>
      </p>
      <p class="field">
        <label for="recover-until">Until (UTC)</label>
        <input id="recover-until" type="datetime-local" name="until" value={fieldOf(until)} />
        <span class="hint">Empty for now.</span>
      </p>
    </>
  );
}

/** As a field for a date and a time takes it. */
function fieldOf(text: string | null): string {
  const ms = Date.parse(instantOf(text) ?? "");
  return Number.isNaN(ms) ? "" : new Date(ms).toISOString().slice(0, 16);
}

function namesOf(webhooks: readonly ListedWebhook[]): Map<string, string> {
  return new Map(webhooks.map((webhook) => [webhook.id, nameOf(webhook)]));
}

function columnsOf(names: Map<string, string>): Column<ShownDelivery>[] {
  return [
    EVENT_TYPE,
    STATE,
    { ...RESULT, wide: true },
    {
      head: "Webhook",
      wide: true,
      cell: ({ webhookId }) => (
        <Link href={to.webhook(webhookId)} class="clipped">
          {names.get(webhookId) ?? <Id id={webhookId} />}
        </Link>
      ),
    },
    { head: "Stored", cell: ({ storedAt }) => <Time at={storedAt} /> },
    NEXT_ATTEMPT,
    ATTEMPTS,
  ];
}
