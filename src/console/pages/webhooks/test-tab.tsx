/** Sends a test of any event type to the webhook, and shows what its receiver answered. */
import type { ShownEventType } from "../../../portal/events/event-type-contract.ts";
import type { ShownDeliveryWithHistory } from "../../../portal/webhooks/delivery-contract.ts";
import type { ShownWebhook } from "../../../portal/webhooks/webhook-contract.ts";
import type { ApiError, ApiResult } from "../../api.ts";
import { duration } from "../../format.ts";
import { usePage } from "../../page-state.ts";
import { Badge } from "../../parts/badge.tsx";
import { ActionForm } from "../../parts/dialog.tsx";
import { Link } from "../../parts/link.tsx";
import { Code, Facts, Panel } from "../../parts/panels.tsx";
import { ScopeInputs } from "../../parts/scope-fields.tsx";
import { Failed, Refused } from "../../parts/states.tsx";
import { Instant } from "../../parts/values.tsx";
import { to } from "../../paths.ts";
import { mayManage, VIEW_ONLY } from "../../session.ts";
import { causeOf, outcomeMeaning, outcomeWords } from "../deliveries/delivery-words.ts";
import type { EventTypesBody } from "./webhook-fields.tsx";

export const TEST_TYPE = "webhook.test";

interface TestTabProps {
  webhook: ShownWebhook;
  types: ApiResult<EventTypesBody>;
  /** The delivery of the test that was sent last. */
  sent: ApiResult<{ delivery: ShownDeliveryWithHistory }> | null;
  refused: ApiError | null;
}

export function TestTab({ webhook, types, sent, refused }: TestTabProps) {
  const { url, session, now } = usePage();
  if (!types.ok) return <Failed error={types.error} what="The event types" />;
  const all = types.body.event_types;
  const wanted = url.searchParams.get("type") ?? TEST_TYPE;
  const chosen = all.find(({ type }) => type === wanted) ?? all.find(({ type }) => type === TEST_TYPE);
  if (chosen === undefined) return null;
  return (
    <div class="columns">
      <div class="stack">
        <p class="quiet">
          One request at once, whatever the webhook's state, signed as every delivery. Nobody else receives
          it, it is tried once, and it does not count for or against the webhook's health.
        </p>
        <ChooseType types={all} chosen={chosen.type} />
        {!asks(webhook, chosen.type) && (
          <p class="quiet small">
            The webhook does not ask for <code>{chosen.type}</code>. The test is sent all the same.
          </p>
        )}
        {refused !== null && <Refused error={refused} what="No test was sent." />}
        {mayManage(session) ? (
          <ActionForm
            hidden={{ act: "test", type: chosen.type }}
            submit="Send test"
            busy="Waiting for the answer…"
          />
        ) : (
          <p>
            <button type="button" aria-disabled="true" title={VIEW_ONLY}>
              Send test<span class="unseen"> (not available: {VIEW_ONLY})</span>
            </button>
          </p>
        )}
        <Code
          text={exampleOf(webhook, chosen, now)}
          what="body"
          label="What is sent. Its id and time are new each time."
        />
        <p class="quiet small">
          It has accents, an emoji, escapes and fractions: a receiver that checks the signature over anything
          but the bytes as they came fails here, and not on the first José.
        </p>
      </div>
      <Result sent={sent} />
    </div>
  );
}

function asks({ events }: ShownWebhook, type: string): boolean {
  const family = `${type.slice(0, type.indexOf("."))}.*`;
  return type === TEST_TYPE || [type, family, "*"].some((pattern) => events.includes(pattern));
}

function ChooseType({ types, chosen }: { types: readonly ShownEventType[]; chosen: string }) {
  const { url } = usePage();
  return (
    <form method="get" action={url.pathname} class="inline">
      <ScopeInputs />
      <input type="hidden" name="tab" value="test" />
      <p class="field">
        <label for="type">Event type</label>
        <select id="type" name="type">
          {types.map(({ type, summary }) => (
            <option value={type} selected={type === chosen}>
              {type}: {summary}
            </option>
          ))}
        </select>
      </p>
      <button type="submit">Show its body</button>
    </form>
  );
}

function exampleOf(
  { environment }: ShownWebhook,
  { type, test_data: data }: ShownEventType,
  now: number,
): string {
  const at = new Date(now).toISOString();
  const metadata = { source: "audit1-gateway", environment, sequence: now * 1_024 };
  return JSON.stringify({ id: "evt_test_…", type, timestamp: at, created_at: at, data, metadata }, null, 2);
}

function Result({ sent }: { sent: TestTabProps["sent"] }) {
  if (sent === null)
    return (
      <Panel title="Answer">
        <p class="quiet">What your receiver answers is shown here.</p>
      </Panel>
    );
  if (!sent.ok) return <Failed error={sent.error} what="The test" />;
  const { delivery } = sent.body;
  const attempt = delivery.history.at(-1);
  if (attempt === undefined) return null;
  return (
    <Panel title="Answer" aside={<Link href={to.delivery(delivery.id)}>The delivery</Link>}>
      <div role="status">
        <Badge meaning={outcomeMeaning(attempt)}>{outcomeWords(attempt)}</Badge> after {duration(attempt.ms)}
        <p>{causeOf(attempt)}</p>
      </div>
      <Facts
        facts={[
          ["Event", delivery.eventType],
          ["Sent", <Instant at={attempt.startedAt} />],
          ...Object.entries(attempt.headers ?? {}).map(([name, value]) => [name, value] as const),
        ]}
      />
      {attempt.answer !== null && attempt.answer !== "" && (
        <Code text={attempt.answer} what="answer" label="The first kilobyte of the answer" />
      )}
    </Panel>
  );
}
