/** The fields of a webhook's settings, each with its consequence, for the form that creates one and the one that changes it. */
import type { Child } from "hono/jsx";
import type { ShownEventType } from "../../../portal/events/event-type-contract.ts";
import { MAX_IN_FLIGHT, type ShownWebhook } from "../../../portal/webhooks/webhook-contract.ts";
import type { ApiError, ApiResult } from "../../api.ts";
import { Notice } from "../../parts/panels.tsx";
import { Failed } from "../../parts/states.tsx";
import { EventsField } from "./events-field.tsx";
import { NowBeside } from "./now-beside.tsx";
import type { HeaderChoice, WebhookValues } from "./webhook-values.ts";

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
        problem={problemOf(problems, "url")}
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
        problem={problemOf(problems, "description")}
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
        problem={problemOf(problems, "notification_email")}
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
          <Advanced values={values} problems={problems} webhook={webhook} now={now} compare={compare} />
        </div>
      </details>
    </>
  );
}

interface AdvancedProps {
  values: WebhookValues;
  problems: Record<string, string>;
  webhook: ShownWebhook | null;
  compare: ShownWebhook | null;
  now: (shown: string, typed: string) => string | null;
}

function Advanced({ values, problems, webhook, compare, now }: AdvancedProps) {
  const perMinute = compare?.max_per_minute;
  return (
    <>
      <Field
        name="signature_format"
        label="Form of Audit1-Signature"
        problem={problemOf(problems, "signature_format")}
        now={now(compare?.signature_format ?? "", values.format)}
        hint="Takes effect with the next attempt: a receiver that reads this header must change at the same time. The other signatures do not depend on it."
      >
        <select id="signature_format" name="signature_format">
          <option value="timestamped" selected={values.format === "timestamped"}>
            With the time: t=…,v1=…
          </option>
          <option value="sha256" selected={values.format === "sha256"}>
            Of the body alone: sha256=…
          </option>
        </select>
      </Field>
      <HeadersField values={values} problem={problemOf(problems, "headers")} webhook={webhook} />
      <Field
        name="max_in_flight"
        label="Requests at a time"
        problem={problemOf(problems, "max_in_flight")}
        now={now(String(compare?.max_in_flight ?? ""), values.inFlight)}
        hint={`From 1 to ${MAX_IN_FLIGHT}. So many requests may wait for an answer at once; the others queue.`}
      >
        <input
          id="max_in_flight"
          type="number"
          name="max_in_flight"
          value={values.inFlight}
          min={1}
          max={MAX_IN_FLIGHT}
          required
        />
      </Field>
      <Field
        name="max_per_minute"
        label="Requests a minute"
        problem={problemOf(problems, "max_per_minute")}
        now={now(perMinute === null || perMinute === undefined ? "" : String(perMinute), values.perMinute)}
        hint="The others wait their turn, the oldest first; nothing is lost. Empty: no limit."
      >
        <input
          id="max_per_minute"
          type="number"
          name="max_per_minute"
          value={values.perMinute}
          min={1}
          placeholder="No limit"
        />
      </Field>
    </>
  );
}

function HeadersField({
  values,
  problem,
  webhook,
}: {
  values: WebhookValues;
  problem: string | null;
  webhook: ShownWebhook | null;
}) {
  const names = webhook?.headers ?? [];
  const choice = (value: HeaderChoice, label: string) => (
    <label class="choice">
      <input type="radio" name="header_choice" value={value} checked={values.headerChoice === value} />
      <span>{label}</span>
    </label>
  );
  return (
    <fieldset>
      <legend>Custom headers</legend>
      {webhook !== null && (
        <>
          {choice(
            "keep",
            names.length === 0 ? "None, as now" : `Keep those that are set: ${names.join(", ")}`,
          )}
          {names.length > 0 && choice("none", "Send none any more")}
          {choice("replace", names.length === 0 ? "Send these" : "Send these in their place")}
        </>
      )}
      <label class="field">
        <span class={webhook === null ? "unseen" : "small quiet"}>A name, a colon and a value a line</span>
        <textarea
          name="headers"
          rows={2}
          placeholder="X-Api-Key: …"
          autocomplete="off"
          spellcheck={false}
          aria-label="Custom headers"
        >
          {values.headers}
        </textarea>
        {problem !== null && <span class="problem">{problem}</span>}
        <span class="hint">
          Sent with every delivery, tests too. Their values are stored sealed and never shown again.
        </span>
      </label>
    </fieldset>
  );
}

interface FieldProps {
  name: string;
  label: string;
  hint: string;
  problem: string | null;
  /** What somebody else has set meanwhile. */
  now: string | null;
  children: Child;
}

function Field({ name, label, hint, problem, now, children }: FieldProps) {
  return (
    <p class="field">
      <label for={name}>{label}</label>
      {children}
      {problem !== null && <span class="problem">{problem}</span>}
      <NowBeside now={now} />
      <span class="hint">{hint}</span>
    </p>
  );
}

const ADVANCED = ["signature_format", "headers", "max_in_flight", "max_per_minute"];

function hasAdvanced(problems: Record<string, string>): boolean {
  return ADVANCED.some((name) => problemOf(problems, name) !== null);
}

/** Of a field and of what is in it: `events[0]`, `headers.X-Key`. */
function problemOf(problems: Record<string, string>, field: string): string | null {
  const found = Object.entries(problems)
    .filter(([name]) => name === field || name.startsWith(`${field}.`) || name.startsWith(`${field}[`))
    .map(([name, problem]) =>
      name.startsWith(`${field}.`) ? `${name.slice(field.length + 1)}: ${problem}` : problem,
    );
  return found.length === 0 ? null : found.join(" ");
}

/** The API's problems with fields, as the form shows them beside each. */
export function problemsOf(error: ApiError | null): Record<string, string> {
  return Object.fromEntries(
    Object.entries(error?.details ?? {}).flatMap(([field, problem]) =>
      typeof problem === "string" ? [[field, problem]] : [],
    ),
  );
}

/** Beside the fields that name it. */
export function NotSaved({ error, what }: { error: ApiError; what: string }) {
  const named = Object.keys(problemsOf(error)).length;
  return (
    <Notice meaning="bad">
      <p role="alert">
        <strong>{what}</strong> {named > 0 ? "The fields below say what to change." : error.message}
      </p>
      <p class="quiet small">
        Request <code>{error.request_id}</code>
      </p>
    </Notice>
  );
}
