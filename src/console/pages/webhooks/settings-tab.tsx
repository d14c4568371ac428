/** Every setting of a webhook that can be changed, with its consequence, and deleting it. */
import type { ShownWebhook } from "../../../portal/webhooks/webhook-contract.ts";
import type { ApiError, ApiResult } from "../../api.ts";
import { usePage } from "../../page-state.ts";
import { sentence } from "../../parts/badge.tsx";
import { Action, ActionForm } from "../../parts/dialog.tsx";
import { Facts, Notice, Panel } from "../../parts/panels.tsx";
import { mayManage } from "../../session.ts";
import { type EventTypesBody, WebhookFields } from "./webhook-fields.tsx";
import { NotSaved, problemsOf } from "./webhook-problems.tsx";
import type { WebhookReading } from "./webhook-reading.ts";
import { valuesOfWebhook, type WebhookValues } from "./webhook-values.ts";

/** A form that was not saved: what was typed, and why. */
export interface Unsaved {
  values: WebhookValues;
  problems: Record<string, string>;
  error: ApiError | null;
}

interface SettingsTabProps {
  reading: WebhookReading;
  types: ApiResult<EventTypesBody>;
  unsaved: Unsaved | null;
}

export function SettingsTab({ reading, types, unsaved }: SettingsTabProps) {
  const { session } = usePage();
  const { webhook, etag } = reading;
  if (!mayManage(session)) return <Settings webhook={webhook} />;
  const isStale = unsaved?.error?.code === "PRECONDITION_FAILED";
  const values = unsaved?.values ?? valuesOfWebhook(webhook);
  const problems = unsaved?.problems ?? {};
  return (
    <>
      {isStale && (
        <Notice meaning="warning">
          <p role="alert">
            <strong>Nothing was saved: somebody changed the webhook after you opened this form.</strong> What
            you typed stands below, and beside each field that differs what is in force now. Save to put yours
            in its place.
          </p>
        </Notice>
      )}
      {unsaved !== null && !isStale && (unsaved.error !== null || Object.keys(problems).length > 0) && (
        <NotSaved
          what="Nothing was saved."
          error={unsaved.error ?? { error: "", message: "", code: "", request_id: "", details: problems }}
        />
      )}
      <div class="fields">
        <ActionForm hidden={{ act: "settings", etag }} submit="Save settings" busy="Saving…">
          <div class="fields">
            <WebhookFields
              values={values}
              types={types}
              problems={isStale ? {} : { ...problems, ...problemsOf(unsaved?.error ?? null) }}
              webhook={webhook}
              compare={isStale ? webhook : null}
            />
          </div>
        </ActionForm>
      </div>
      <Panel title="Delete the webhook">
        <p class="quiet">Nothing more is sent. Its deliveries can still be read for a month.</p>
        <p>
          <Action name="delete" danger>
            Delete webhook
          </Action>
        </p>
      </Panel>
    </>
  );
}

/** For those who may look. The address may hold a credential, so it stays masked. */
function Settings({ webhook }: { webhook: ShownWebhook }) {
  return (
    <Facts
      facts={[
        ["Address", webhook.url_masked],
        ["Events", <code>{webhook.events.join(", ")}</code>],
        ["Description", webhook.description],
        ["Environment", sentence(webhook.environment)],
        ["Mail address for failures", webhook.notification_email ?? "Audit1's operators"],
        ["Form of Audit1-Signature", webhook.signature_format === "sha256" ? "sha256=…" : "t=…,v1=…"],
        ["Custom headers", webhook.headers.length === 0 ? "None" : webhook.headers.join(", ")],
        ["Requests at a time", String(webhook.max_in_flight)],
        ["Requests a minute", webhook.max_per_minute === null ? "No limit" : String(webhook.max_per_minute)],
      ]}
    />
  );
}
