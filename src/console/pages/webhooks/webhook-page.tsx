/** The page of a webhook: its state, its tabs, and the answers to its forms. */
import type { ShownDeliveryWithHistory } from "../../../portal/webhooks/delivery-contract.ts";
import { type ApiError, isTransient } from "../../api.ts";
import type { ConsoleContext } from "../../console-host.ts";
import { noSuch } from "../../not-found.tsx";
import { type PageStatus, page, statusOfRefused } from "../../page.tsx";
import { usePage } from "../../page-state.ts";
import { sentence } from "../../parts/badge.tsx";
import { History, readHistory } from "../../parts/history.tsx";
import { Facts, Heading, Live, Tabs } from "../../parts/panels.tsx";
import { DoneAsNamed, Failed, Refused } from "../../parts/states.tsx";
import { Id, Time } from "../../parts/values.tsx";
import { to } from "../../paths.ts";
import { nameOf } from "../deliveries/delivery-filters.ts";
import { DeliveriesTab, readDeliveries } from "./deliveries-tab.tsx";
import { SecretsTab } from "./secrets-tab.tsx";
import { SettingsTab, type Unsaved } from "./settings-tab.tsx";
import { TestTab } from "./test-tab.tsx";
import { DIALOGS, WebhookActions, WebhookDialogs } from "./webhook-dialogs.tsx";
import type { EventTypesBody } from "./webhook-fields.tsx";
import { ownerQuery, readWebhook, type WebhookReading } from "./webhook-reading.ts";
import { WebhookState } from "./webhook-state.tsx";
import { eventsWords, HealthBadge } from "./webhook-words.tsx";

const TABS = [
  { value: "deliveries", label: "Deliveries" },
  { value: "test", label: "Test" },
  { value: "secrets", label: "Secrets" },
  { value: "settings", label: "Settings" },
  { value: "history", label: "History" },
] as const;
const REFRESH_S = 5;

/** What a posted form led to, other than to another address. */
export interface Outcome {
  status?: PageStatus;
  refused?: ApiError;
  /** Shown once. */
  secret?: string;
  unsaved?: Unsaved;
}

export async function showWebhook(c: ConsoleContext, outcome: Outcome = {}): Promise<Response> {
  const read = await readWebhook(c, c.req.param("webhook_id") ?? "");
  if (!read.ok && isTransient(read))
    return page(
      c,
      { title: "Webhook", section: "webhooks", status: statusOfRefused(read) },
      <Failed error={read.error} what="The webhook" />,
    );
  if (!read.ok)
    return noSuch(c, {
      noun: "webhook",
      section: "webhooks",
      list: { href: to.webhooks(), label: "Show webhooks" },
    });
  const { reading } = read;
  const content = await contentOf(c, reading, outcome);
  return page(
    c,
    { title: nameOf(reading.webhook), section: "webhooks", status: outcome.status ?? 200 },
    <>
      <Head reading={reading} />
      <DoneAsNamed words={DONE} />
      <Live id="webhook-state" seconds={REFRESH_S}>
        <div class="stack">
          <WebhookState reading={reading} />
        </div>
      </Live>
      <Tabs tabs={TABS} />
      {outcome.refused !== undefined && !isDialogOpen(c) && tabOf(c) !== "test" && (
        <Refused error={outcome.refused} what="Nothing was done." />
      )}
      <WebhookDialogs reading={reading} refused={outcome.refused ?? null} />
      <div class="stack">{content}</div>
    </>,
  );
}

function isDialogOpen(c: ConsoleContext): boolean {
  return DIALOGS.some((name) => name === new URL(c.req.url).searchParams.get("do"));
}

function tabOf(c: ConsoleContext): (typeof TABS)[number]["value"] {
  const wanted = new URL(c.req.url).searchParams.get("tab");
  return TABS.find(({ value }) => value === wanted)?.value ?? "deliveries";
}

async function contentOf(c: ConsoleContext, reading: WebhookReading, outcome: Outcome) {
  const { webhook } = reading;
  const api = c.get("api");
  const refused = outcome.refused ?? null;
  switch (tabOf(c)) {
    case "deliveries":
      return <DeliveriesTab found={await readDeliveries(c, reading)} reading={reading} />;
    case "test": {
      const sent = new URL(c.req.url).searchParams.get("sent");
      const [types, delivery] = await Promise.all([
        api.get<EventTypesBody>("/event-types"),
        sent === null
          ? null
          : api.get<{ delivery: ShownDeliveryWithHistory }>(`/deliveries/${encodeURIComponent(sent)}`),
      ]);
      return <TestTab webhook={webhook} types={types} sent={delivery} refused={refused} />;
    }
    case "secrets":
      return <SecretsTab reading={reading} secret={outcome.secret ?? null} refused={refused} />;
    case "settings": {
      const types = await api.get<EventTypesBody>("/event-types");
      return <SettingsTab reading={reading} types={types} unsaved={outcome.unsaved ?? null} />;
    }
    case "history":
      return <History found={await readHistory(c, `webhook:${webhook.id}`, ownerQuery(webhook))} />;
  }
}

function Head({ reading }: { reading: WebhookReading }) {
  const { session } = usePage();
  const { webhook } = reading;
  return (
    <>
      <Heading
        title={nameOf(webhook)}
        aside={
          <>
            <HealthBadge webhook={webhook} />
            <Id id={webhook.id} />
          </>
        }
        actions={<WebhookActions reading={reading} />}
      />
      <Facts
        facts={[
          ["Address", <span class="target">{webhook.url_masked}</span>],
          ["Events", <code title={webhook.events.join(", ")}>{eventsWords(webhook.events)}</code>],
          ["Environment", sentence(webhook.environment)],
          ["Owner", session.owner === null ? `${webhook.owner_type}/${webhook.owner_id}` : null],
          ["Last success", <Time at={webhook.health.last_success_at} />],
        ]}
      />
    </>
  );
}

const DONE: Record<string, string> = {
  paused: "The webhook is paused. What comes is held.",
  resumed: "The webhook is active again. What was held is being sent.",
  enabled: "The webhook is active again.",
  disabled: "The webhook is disabled. What comes is skipped.",
  saved: "The settings are saved and in force.",
  activated: "The newest secret leads from the next attempt on.",
  replaying: "The replay has begun.",
  "not-replayed":
    "The webhook is active again, but a replay of what it missed could not begin. Begin it below.",
  "replay-ended": "The replay was cancelled.",
};
