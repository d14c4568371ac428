/** The fields of a webhook's settings that most leave as they are: the signature, headers and pace. */
import { MAX_IN_FLIGHT, type ShownWebhook } from "../../../portal/webhooks/webhook-contract.ts";
import { Field } from "./webhook-field.tsx";
import { problemOf } from "./webhook-problems.tsx";
import type { HeaderChoice, WebhookValues } from "./webhook-values.ts";

interface AdvancedProps {
  values: WebhookValues;
  problems: Record<string, string>;
  webhook: ShownWebhook | null;
  compare: ShownWebhook | null;
  now: (shown: string, typed: string) => string | null;
}

export function AdvancedFields({ values, problems, webhook, compare, now }: AdvancedProps) {
  const perMinute = compare?.max_per_minute;
  return (
    <>
      <Field
        name="signature_format"
        label="Form of Audit1-Signature"
        problems={problems}
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
        problems={problems}
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
        problems={problems}
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

const ADVANCED = ["signature_format", "headers", "max_in_flight", "max_per_minute"];

/** Whether one of these fields has a problem. */
export function hasAdvanced(problems: Record<string, string>): boolean {
  return ADVANCED.some((name) => problemOf(problems, name) !== null);
}
