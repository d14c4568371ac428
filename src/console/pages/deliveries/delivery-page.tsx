/** A delivery: its way so far, each attempt with what was sent and what came back, and how to send it again. */
import { Hono } from "hono";
import type { ShownDeliveryWithHistory } from "../../../portal/webhooks/delivery-contract.ts";
import type { ListedWebhook } from "../../../portal/webhooks/webhook-contract.ts";
import type { ApiError, ApiResult } from "../../api.ts";
import type { ConsoleContext, ConsoleEnv } from "../../console-host.ts";
import { formOf } from "../../form.ts";
import { noSuch } from "../../not-found.tsx";
import { type PageStatus, page, statusOfRefused } from "../../page.tsx";
import { withScope } from "../../page-scope.ts";
import { StateBadge } from "../../parts/badge.tsx";
import { Action, ActionForm, Dialog } from "../../parts/dialog.tsx";
import { Lifecycle } from "../../parts/lifecycle.tsx";
import { Link } from "../../parts/link.tsx";
import { Facts, Heading, Live, Notice, Panel } from "../../parts/panels.tsx";
import { Done, Failed, Refused } from "../../parts/states.tsx";
import { Id, Instant, shortId } from "../../parts/values.tsx";
import { to } from "../../paths.ts";
import { AttemptExchange } from "./attempt-exchange.tsx";
import { nameOf } from "./delivery-filters.ts";
import { stepsOf } from "./delivery-steps.ts";
import { isFinal } from "./delivery-words.ts";
import {
  RecoverDialog,
  type Recovery,
  recoveryOf,
  runRecovery,
  statusOfRun,
  type Target,
} from "./recover.tsx";

const REFRESHED_EVERY_S = 3;

interface DeliveryBody {
  delivery: ShownDeliveryWithHistory;
}

interface WebhookBody {
  webhook: ListedWebhook;
}

export const deliveryPage = new Hono<ConsoleEnv>()
  .get("/console/deliveries/:delivery_id", async (c) => {
    const found = await find(c);
    if (found instanceof Response) return found;
    return show(c, found, { recovery: await recoveryOf(c, targetOf(found.delivery)) });
  })
  .post("/console/deliveries/:delivery_id", async (c) => {
    const found = await find(c);
    if (found instanceof Response) return found;
    const form = await formOf(c);
    const { id } = found.delivery;
    if (form.do === "recover") {
      const run = await runRecovery(c, targetOf(found.delivery), form);
      return run instanceof Response ? run : show(c, found, { recovery: run, status: statusOfRun(run) });
    }
    if (form.do !== "retry") return c.redirect(withScope(to.delivery(id), c.get("scope")), 303);
    const sent = await c.get("api").send("POST", `/deliveries/${id}/retry`);
    if (sent.ok) return c.redirect(withScope(to.delivery(id, { done: "retry" }), c.get("scope")), 303);
    return show(c, found, { refused: sent.error, status: statusOfRefused(sent) });
  });

interface Found {
  delivery: ShownDeliveryWithHistory;
  webhook: ApiResult<WebhookBody>;
}

async function find(c: ConsoleContext): Promise<Found | Response> {
  const api = c.get("api");
  const id = c.req.param("delivery_id") ?? "";
  const found = await api.get<DeliveryBody>(`/deliveries/${encodeURIComponent(id)}`);
  if (found.ok) {
    const { delivery } = found.body;
    return { delivery, webhook: await api.get<WebhookBody>(`/webhooks/${delivery.webhookId}`) };
  }
  if (found.status === 404)
    return noSuch(c, {
      noun: "delivery",
      section: "deliveries",
      list: { href: to.deliveries(), label: "All deliveries" },
    });
  return page(
    c,
    { title: "Delivery", section: "deliveries", status: statusOfRefused(found) },
    <>
      <Heading title="Delivery" />
      <Failed error={found.error} what="The delivery" />
    </>,
  );
}

/** Everything of the webhook from this delivery's event on. */
function targetOf({ webhookId, storedAt }: ShownDeliveryWithHistory): Target {
  return { webhookId, narrow: {}, environment: null, since: storedAt, until: null };
}

interface Shown {
  recovery?: Recovery | null;
  refused?: ApiError;
  status?: PageStatus;
}

function show(c: ConsoleContext, found: Found, { recovery = null, refused, status = 200 }: Shown): Response {
  const { delivery } = found;
  const webhook = found.webhook.ok ? found.webhook.body.webhook : null;
  const done = new URL(c.req.url).searchParams.get("done");
  return page(
    c,
    { title: delivery.eventType ?? "Delivery", section: "deliveries", status },
    <>
      <Heading
        title={delivery.eventType ?? "Delivery"}
        aside={
          <>
            <Live id="state" seconds={refreshOf(delivery)}>
              <StateBadge state={delivery.status} />
            </Live>
            <Id id={delivery.id} whole />
          </>
        }
        actions={
          <>
            <Action name="retry" unavailable={whyNotRetried(found, webhook)}>
              Send again
            </Action>
            <Action name="recover" unavailable={whyOff(found, webhook)}>
              Send many again
            </Action>
          </>
        }
      />
      {done === "retry" && <Done>Queued. It is sent in a moment, with a new schedule of retries.</Done>}
      {refused !== undefined && <Refused error={refused} what="Nothing was sent." />}
      <Dialog name="retry" title="Send this delivery again">
        <p>
          The same event is sent at once, with the same id, and retried on the usual schedule if that fails. A
          receiver that has it already must drop it by its id.
        </p>
        <ActionForm hidden={{ do: "retry" }} submit="Send again" busy="Queuing…" />
      </Dialog>
      {recovery !== null && <RecoverDialog recovery={recovery} keep={[]} from=", from this one on" />}
      {webhook?.status === "paused" && !isFinal(delivery) && (
        <Notice meaning="warning">
          <p>
            <Link href={to.webhook(delivery.webhookId)}>The webhook</Link> is paused: nothing is sent until it
            is resumed.
          </p>
        </Notice>
      )}
      <Live id="delivery" seconds={refreshOf(delivery)}>
        <div class="stack wide-gap">
          <div class="columns">
            <Panel title="Progress">
              <Lifecycle steps={stepsOf(delivery, webhook, c.env.startedAt)} />
            </Panel>
            <Panel title="Related">
              <Related found={found} webhook={webhook} isStaff={c.get("session").owner === null} />
            </Panel>
          </div>
          <Panel title="Attempts">
            {delivery.history.length === 0 && <p class="quiet">Nothing was sent yet.</p>}
            {delivery.history.toReversed().map((attempt) => (
              <AttemptExchange attempt={attempt} webhook={webhook} />
            ))}
          </Panel>
        </div>
      </Live>
    </>,
  );
}

function refreshOf(delivery: ShownDeliveryWithHistory): number | null {
  return isFinal(delivery) ? null : REFRESHED_EVERY_S;
}

/** A webhook that could not be read may still exist. */
function isDeleted({ webhook }: Found): boolean {
  return !webhook.ok && webhook.status === 404;
}

function whyOff(found: Found, webhook: ListedWebhook | null): string | null {
  if (webhook === null)
    return isDeleted(found) ? "The webhook was deleted." : "The webhook could not be read.";
  return webhook.status === "disabled" ? "The webhook is disabled. Enable it first." : null;
}

function whyNotRetried(found: Found, webhook: ListedWebhook | null): string | null {
  if (found.delivery.eventId === null) return "The event is no longer stored.";
  return whyOff(found, webhook);
}

function Related({
  found,
  webhook,
  isStaff,
}: {
  found: Found;
  webhook: ListedWebhook | null;
  isStaff: boolean;
}) {
  const { webhookId, eventId, fileId, createdAt, updatedAt, attempts } = found.delivery;
  const owner = webhook !== null && isStaff ? `${webhook.owner_type}/${webhook.owner_id}` : undefined;
  return (
    <>
      <Facts
        facts={[
          [
            "Webhook",
            <>
              <Link href={to.webhook(webhookId, { owner })}>
                {webhook === null ? webhookId : nameOf(webhook)}
              </Link>{" "}
              {webhook !== null && <StateBadge state={webhook.status} />}
              {isDeleted(found) && <span class="quiet">deleted</span>}
            </>,
          ],
          [
            "Event",
            eventId === null ? (
              <span class="quiet">No longer stored</span>
            ) : (
              <Link href={to.event(eventId, { owner, environment: webhook?.environment })}>
                <code title={eventId}>{shortId(eventId)}</code>
              </Link>
            ),
          ],
          [
            "File",
            fileId === null ? null : (
              <Link href={to.report(fileId, { owner })}>
                <code title={fileId}>{shortId(fileId)}</code>
              </Link>
            ),
          ],
          ["Attempts", String(attempts)],
          ["Made", <Instant at={createdAt} />],
          ["Last change", <Instant at={updatedAt} />],
        ]}
      />
      {!found.webhook.ok && !isDeleted(found) && <Failed error={found.webhook.error} what="The webhook" />}
    </>
  );
}
