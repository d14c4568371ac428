/** The fields of a webhook's settings, each with its consequence, for the form that creates one and the one that changes it. */
import type { ShownEventType } from "../../../portal/events/event-type-contract.ts";
import type { ShownWebhook } from "../../../portal/webhooks/webhook-contract.ts";
import type { ApiResult } from "../../api.ts";
import { Failed } from "../../parts/states.tsx";
import { AdvancedFields, hasAdvanced } from "./advanced-fields.tsx";
import { EventsField } from "./events-field.tsx";
import { Field } from "./webhook-field.tsx";
import { problemOf } from "./webhook-problems.tsx";
import type { WebhookValues } from "./webhook-values.ts";

export interface EventTypesBody {
  event_types: ShownEventType[];
}

interface FieldsProps {
  values: WebhookValues;
  types: ApiResult<EventTypesBody>;
  /** By the API's names of fields. */
  problems: Record<string, string>;
  /** The webhook that the form changes; null for a new one. */
  webhook: ShownWebhook | null;
  /** Somebody else's values, shown beside those that differ. */
  compare?: ShownWebhook | null;
}

export function WebhookFields({ values, types, problems, webhook, compare = null }: FieldsProps) {
  const isNew = webhook === null;
  const now = (shown: string, typed: string) => (compare !== null && shown !== typed ? shown : null);
  return (
    <>
      <Field
        name="url"
        label="Address"
        problems={problems}
        now={now(compare?.url ?? "", values.url)}
        hint={
          isNew
            ? "An https address with a public host name, on port 443 or from 1024 up. It is stored sealed: lists, mails and the audit trail show only its beginning."
            : "The next attempts go to the new address, those of waiting deliveries too. A new address starts without its history of failures."
        }
      >
        <input
          id="url"
          type="text"
          inputmode="url"
          name="url"
          value={values.url}
          placeholder="https://hooks.example.com/audit1"
          required
          autocomplete="off"
          spellcheck={false}
        />
      </Field>
      {types.ok ? (
        <EventsField
          types={types.body.event_types}
          chosen={values.events}
          problem={problemOf(problems, "events")}
          now={now(compare?.events.join(", ") ?? "", values.events.join(", "))}
          isNew={isNew}
        />
      ) : (
        <Failed error={types.error} what="The event types" />
      )}
      <Field
        name="description"
        label="Description"
        problems={problems}
        now={now(compare?.description ?? "", values.description)}
        hint="What lists and mails call the webhook."
      >
        <input
          id="description"
          type="text"
          name="description"
          value={values.description}
          maxlength={500}
          autocomplete="off"
        />
      </Field>
      <Field
        name="notification_email"
        label="Mail address for failures"
        problems={problems}
        now={now(compare?.notification_email ?? "", values.email)}
        hint="Is told when the endpoint has failed for half an hour, half way and at 80 % to being disabled, and when it has recovered. Empty: Audit1's operators are told."
      >
        <input
          id="notification_email"
          type="email"
          name="notification_email"
          value={values.email}
          autocomplete="off"
        />
      </Field>
      <details open={!isNew || hasAdvanced(problems)}>
        <summary>Signature, headers and pace</summary>
        <div class="fields">
          <AdvancedFields values={values} problems={problems} webhook={webhook} now={now} compare={compare} />
        </div>
      </details>
    </>
  );
}
