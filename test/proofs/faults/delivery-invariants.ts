/** Invariants of deliveries, checked from what receivers received and answered, and from the stored attempts. Pure. */

import { FAILURE_KINDS } from "../../../src/outbound/attempt-result.ts";
import type { Check } from "./check.ts";
import { asksFor, type Endpoint } from "./endpoints.ts";
import type { DeliveryAtEnd } from "./orders.ts";
import type { OutboundEvidence } from "./outbound-evidence.ts";
import { RETRY_AFTER_S } from "./receivers.ts";
import { sha256 } from "./reports.ts";

/** As documented: the wait before each attempt after the first, counted from the previous failure. */
const WAITS_MS = [0, 1, 5, 30, 120, 360].map((minutes) => minutes * 60_000);
const ATTEMPTS = WAITS_MS.length + 1;
/** The longest time between reading due deliveries and sending them, in the gateway's time. */
const TURN_MS = 5_000;

export const DELIVERY_INVARIANTS: Record<string, Check<OutboundEvidence>> = {
  "each event has one delivery per subscribed webhook, and no other"(evidence) {
    const { kept, endpoints, deliveries } = evidence;
    const byWebhook = Map.groupBy(deliveries, ({ webhookId }) => webhookId);
    let checked = 0;
    const broken = endpoints.flatMap((endpoint) => {
      const rows = Map.groupBy(byWebhook.get(endpoint.webhookId) ?? [], ({ eventId }) => eventId);
      const wanted = kept.filter((event) => asksFor(endpoint, event));
      checked += wanted.length;
      const wrong = wanted.flatMap((event) => {
        const n = rows.get(event.id)?.length ?? 0;
        // A disabled webhook has deliveries too. They are skipped.
        return n === 1 ? [] : [`${event.id} has ${n} deliveries to ${endpoint.name}`];
      });
      const asked = new Set<string | null>(wanted.map(({ id }) => id));
      const others = [...rows.keys()].filter((id) => !asked.has(id));
      return [...wrong, ...others.map((id) => `${endpoint.name} has a delivery of ${id}`)];
    });
    return { checked, broken };
  },

  "every request belongs to a delivery, with the right bytes and valid signatures"(evidence) {
    const { kept, endpoints, deliveries, receivers } = evidence;
    const owed = new Set(deliveries.map(pairOf));
    const expected = new Map(
      endpoints.flatMap((endpoint) =>
        kept
          .filter((event) => asksFor(endpoint, event))
          .map((event) => [
            pairOf({ webhookId: endpoint.webhookId, eventId: event.id }),
            sha256(Buffer.from(event.json)),
          ]),
      ),
    );
    const broken = receivers.receptions.flatMap(({ endpoint, eventId, wrong, sha256: received }) => {
      const pair = pairOf({ webhookId: endpoint.webhookId, eventId });
      if (wrong !== null) return [`${endpoint.name} received ${eventId} with a wrong signature: ${wrong}`];
      if (!owed.has(pair) || !expected.has(pair))
        return [`${endpoint.name} received ${eventId} without a delivery`];
      return received === expected.get(pair) ? [] : [`${endpoint.name} received ${eventId} with other bytes`];
    });
    const astray = receivers.astray.map((where) => `a request went to ${where}`);
    return { checked: receivers.receptions.length, broken: [...broken, ...astray] };
  },

  "every delivered event was accepted by its receiver, and every recorded status was sent"(evidence) {
    const { endpoints, deliveries, receivers } = evidence;
    const received = Map.groupBy(receivers.receptions, ({ endpoint, eventId }) =>
      pairOf({ webhookId: endpoint.webhookId, eventId }),
    );
    const broken = deliveries.flatMap((delivery) => {
      const { history, status } = delivery;
      const last = history.at(-1)?.kind ?? "nothing";
      if ((status === "delivered") !== (last === "delivered"))
        return [`${about(delivery, endpoints)} is ${status} and ends in ${last}`];
      const given = (received.get(pairOf(delivery)) ?? []).map((reception) => reception.status);
      return history.flatMap((attempt) => {
        if (attempt.status === null) return [];
        const at = given.indexOf(attempt.status);
        if (at >= 0) given.splice(at, 1);
        return at >= 0
          ? []
          : [`${about(delivery, endpoints)} records the status ${attempt.status}, which was not sent`];
      });
    });
    return { checked: deliveries.length, broken };
  },

  "every failed delivery had seven attempts, and only deliveries of a disabled webhook were skipped"(
    evidence,
  ) {
    const { endpoints, deliveries, webhooks, receivers } = evidence;
    const gone = new Set([...receivers.goneSince.keys()].map(({ webhookId }) => webhookId));
    const failed = deliveries.filter(({ status }) => status === "failed");
    const broken = failed.flatMap((delivery) => {
      const { attempts, history, lastError, webhookId } = delivery;
      const full = attempts === ATTEMPTS && history.length === ATTEMPTS;
      const closed = gone.has(webhookId) && lastError === "HTTP 410";
      return full || closed
        ? []
        : [`${about(delivery, endpoints)} failed after ${attempts} attempts: ${lastError}`];
    });
    const wrong = webhooks.filter(({ id, status, disabledReason }) =>
      gone.has(id) ? disabledReason !== "gone" : status !== "active",
    );
    const skipped = deliveries.filter(({ status }) => status === "skipped");
    const lost = skipped.filter(
      ({ webhookId, lastError }) => !gone.has(webhookId) || lastError !== "webhook_disabled",
    );
    const states = wrong.map(({ id, status }) => `${nameOf(id, endpoints)} is ${status}`);
    const skips = lost.map((delivery) => `${about(delivery, endpoints)} was skipped: ${delivery.lastError}`);
    const checked = failed.length + skipped.length + webhooks.length;
    return { checked, broken: [...broken, ...skips, ...states] };
  },

  "each attempt is recorded once, and none was early"({ endpoints, deliveries, setBack }) {
    const broken = deliveries.flatMap((delivery) => {
      const { attempts, history } = delivery;
      const name = about(delivery, endpoints);
      const numbers = history.map(({ number }) => number).join();
      if (attempts > ATTEMPTS) return [`${name} has ${attempts} attempts`];
      if (numbers !== Array.from({ length: attempts }, (_, i) => i + 1).join())
        return [`${name} has ${attempts} attempts, with the numbers ${numbers}`];
      if (history.slice(0, -1).some(({ kind }) => kind === "delivered"))
        return [`${name} was retried after it was delivered`];
      return early(history, setBack).map((number) => `${name} was retried too early: attempt ${number}`);
    });
    return { checked: deliveries.reduce((sum, { history }) => sum + history.length, 0), broken };
  },

  "the counts of each webhook are those of its attempts"({ endpoints, deliveries, webhooks }) {
    const attempts = Map.groupBy(
      deliveries.flatMap(({ webhookId, history }) => history.map(({ kind }) => ({ webhookId, kind }))),
      ({ webhookId, kind }) => `${webhookId} ${kind}`,
    );
    const broken = webhooks.flatMap(({ id, counts }) =>
      ["delivered", ...FAILURE_KINDS].flatMap((kind) => {
        const recorded = attempts.get(`${id} ${kind}`)?.length ?? 0;
        const counted = counts[kind === "delivered" ? kind : `failed_attempts:${kind}`] ?? 0;
        return counted === recorded
          ? []
          : [`${nameOf(id, endpoints)} counts ${counted} attempts with ${kind}, and has ${recorded}`];
      }),
    );
    return { checked: attempts.size, broken };
  },

  "no delivery is left pending, no endpoint leased, no due delivery forgotten"(evidence) {
    const { endpoints, deliveries, webhooks, runOut } = evidence;
    const open = deliveries.filter(
      ({ status, nextAttemptAt }) =>
        nextAttemptAt !== null || !["delivered", "failed", "skipped"].includes(status),
    );
    const held = webhooks.filter((webhook) => webhook.held);
    return {
      checked: deliveries.length + webhooks.length,
      broken: [
        ...open.map((delivery) => `${about(delivery, endpoints)} is ${delivery.status}`),
        ...held.map(({ id }) => `${nameOf(id, endpoints)} is leased`),
        ...runOut.forgotten,
      ],
    };
  },

  "no endpoint had more requests in flight than its limit"({ receivers }) {
    return { checked: receivers.receptions.length, broken: receivers.inFlight.crowded };
  },
};

/** Numbers of the attempts that were made too early by the gateway's clock. Spans that the clock showed twice are allowed for. Pure. */
export function early(
  history: DeliveryAtEnd["history"],
  setBack: readonly { from: number; to: number }[],
): number[] {
  return history.slice(1).flatMap(({ number, started_at: startedAt }, i) => {
    const before = history[i];
    if (before === undefined) return [];
    const asked = before.status === 429 ? RETRY_AFTER_S * 1_000 : 0;
    const dueAt = before.started_at + before.ms + Math.max(WAITS_MS[i] ?? 0, asked);
    const twice = setBack.some(({ from, to }) => startedAt >= to && startedAt <= from + TURN_MS);
    return startedAt < dueAt && !twice ? [number] : [];
  });
}

function pairOf({ webhookId, eventId }: Pick<DeliveryAtEnd, "webhookId" | "eventId">): string {
  return `${webhookId} ${eventId}`;
}

function about({ eventId, webhookId }: DeliveryAtEnd, endpoints: readonly Endpoint[]): string {
  return `${eventId} to ${nameOf(webhookId, endpoints)}`;
}

function nameOf(id: string, endpoints: readonly Endpoint[]): string {
  return endpoints.find(({ webhookId }) => webhookId === id)?.name ?? id;
}
