/** The texts of the mails about webhooks. Pure. */

import { KEEP_EVENTS_MS, storedAt } from "../db/events.ts";
import type { LastFailure, NoticeKind } from "../db/schema.ts";
import { USER_AGENT } from "./attempt.ts";
import { describeAttempt, FAILURE_KINDS } from "./attempt-result.ts";
import { DISABLE_AFTER_FAILURES, DISABLE_AFTER_MS } from "./auto-disable.ts";
import { deliveryId } from "./delivery-id.ts";

/** Deliveries listed in one mail; the portal lists all of them. */
const NAMED_PER_MAIL = 20;

export interface Mail {
  subject: string;
  text: string;
}

/** The notices of one webhook and kind, oldest first, and the webhook as it is when they are mailed. */
export interface MailSubject {
  webhookId: string;
  host: string;
  /** Its URL, masked. */
  masked: string;
  kind: NoticeKind;
  failingSince: number | null;
  lastFailure: LastFailure | null;
  notices: readonly { event_seq: number | null; reason: string }[];
}

export function mailOf(about: MailSubject): Mail {
  switch (about.kind) {
    case "delivery_failed":
      return deliveryFailed(about);
    case "endpoint_failing":
      return endpointFailing(about);
    case "endpoint_recovered":
      return {
        subject: `Webhook recovered: ${about.host}`,
        text: `${endpointOf(about)} accepts deliveries again.

Deliveries that failed in the meantime are not sent again automatically. Retry single deliveries, or replay the time range.
`,
      };
    case "events_expiring":
      return eventsExpiring(about);
    case "webhook_disabled":
      return webhookDisabled(about);
  }
}

function endpointOf({ webhookId, masked }: MailSubject): string {
  return `Webhook wh_${webhookId} (${masked})`;
}

function deliveryFailed(about: MailSubject): Mail {
  const ids = about.notices.flatMap(({ event_seq: eventSeq, reason }) =>
    eventSeq === null ? [] : [`${deliveryId({ webhookId: about.webhookId, eventSeq })}  ${reason}`],
  );
  const named = ids.slice(0, NAMED_PER_MAIL);
  const others = ids.length - named.length;
  return {
    subject: `${ids.length === 1 ? "A delivery" : `${ids.length} deliveries`} failed: ${about.host}`,
    text: `${endpointOf(about)} did not receive ${ids.length === 1 ? "an event" : `${ids.length} events`}. The last retry has failed:

${named.join("\n")}${others > 0 ? `\n… and ${others} more` : ""}

No event is lost. Once the endpoint works, retry single deliveries or replay a time range.
`,
  };
}

const FAILING_SUBJECTS: Record<string, string> = {
  half_an_hour: "Webhook failing",
  half_way: "Webhook half-way (50 %) to being disabled",
  most_of_the_way: "Webhook close (80 %) to being disabled",
};

function endpointFailing(about: MailSubject): Mail {
  const { failingSince, host } = about;
  const level = about.notices.at(-1)?.reason ?? "";
  const since = failingSince === null ? "" : ` since ${utc(failingSince)}`;
  const end = failingSince === null ? "" : ` after ${utc(failingSince + DISABLE_AFTER_MS)}`;
  return {
    subject: `${FAILING_SUBJECTS[level] ?? "Webhook failing"}: ${host}`,
    text: `${endpointOf(about)} is failing: every attempt${since} has failed${causeOf(about)}.
${adviceOn(about)}
Retries continue. If none succeeds, the webhook is disabled at the first failure${end}, once at least ${DISABLE_AFTER_FAILURES} attempts have failed. Events are kept for 90 days and can be replayed.
`,
  };
}

const DISABLED_BECAUSE: Record<string, string> = {
  gone: "it answered 410 Gone",
  failing: "every attempt has failed for five days",
};

function webhookDisabled(about: MailSubject): Mail {
  const reason = about.notices.at(-1)?.reason ?? "";
  const cause = reason === "failing" ? causeOf(about) : "";
  return {
    subject: `Webhook disabled: ${about.host}`,
    text: `${endpointOf(about)} was disabled because ${DISABLED_BECAUSE[reason] ?? reason}${cause}.
${reason === "failing" ? adviceOn(about) : ""}
Waiting events, and those that arrive while the webhook is disabled, are skipped. Events are kept for 90 days. Fix the endpoint, set the webhook's status to active, then replay the time range it missed. GET /api/v1/webhooks/wh_${about.webhookId} shows that range.
`,
  };
}

function eventsExpiring(about: MailSubject): Mail {
  const first = about.notices.find(({ event_seq }) => event_seq !== null)?.event_seq ?? null;
  const when = first === null ? "in a week" : `at ${utc(storedAt(first) + KEEP_EVENTS_MS)}`;
  return {
    subject: `Events for a paused webhook expire in a week: ${about.host}`,
    text: `${endpointOf(about)} is paused, and events are waiting for it. Events are kept for 90 days: the oldest one expires ${when} and is then skipped.

To have them sent, the oldest first, set the webhook's status to active.
`,
  };
}

/** The cause of the latest failure, and its status if there was one. */
function causeOf({ lastFailure }: MailSubject): string {
  if (lastFailure === null) return "";
  const kind = FAILURE_KINDS.find((each) => each === lastFailure.kind);
  const cause = kind === undefined ? lastFailure.kind : describeAttempt({ kind, status: lastFailure.status });
  const status = lastFailure.status === null || kind === "status" ? "" : ` (HTTP ${lastFailure.status})`;
  return `, most recently with: ${cause}${status}`;
}

function adviceOn({ lastFailure }: MailSubject): string {
  if (lastFailure?.bot_wall !== true) return "";
  return `
The answer seems to come from bot protection in front of the endpoint. Let requests through whose User-Agent is ${USER_AGENT}; their signature proves their origin.
`;
}

function utc(ms: number): string {
  return new Date(ms).toISOString();
}
