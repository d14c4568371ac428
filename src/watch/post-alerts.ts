/**
 * Posts `gateway.alert.opened` and `gateway.alert.resolved` to the operators' webhook, signed like every other delivery. Posts are retried
 * until they are accepted, for a week at most. A failed post raises no alert.
 */
import { utf8 } from "../crypto/encoding.ts";
import type { Settings } from "../env.ts";
import { logError, logLine } from "../log.ts";
import { attemptDelivery } from "../outbound/attempt.ts";
import { eventBody, GATEWAY_SOURCE } from "../outbound/event-types.ts";
import { accepts } from "../outbound/probe.ts";
import { signDelivery, signersOf } from "../outbound/signing.ts";
import type { AlertStore, Notification, NotifyRun } from "./alert-store.ts";
import { presentAlert } from "./present-alert.ts";

const POSTS_PER_RUN = 20;

/** Never rejects. Stops at the first post that is not accepted: the others go to the same endpoint. */
export async function postAlerts(
  store: AlertStore,
  settings: Pick<Settings, "operatorsWebhook" | "urlPolicy">,
  { now, startUntil }: NotifyRun,
): Promise<void> {
  for (const notification of store.dueNotifications(["opened", "resolved"], POSTS_PER_RUN, now)) {
    if (Date.now() > startUntil) return;
    if (await isDone(notification, settings)) {
      store.removeNotification(notification);
      continue;
    }
    store.postpone(notification, now);
    return;
  }
}

/** Whether the endpoint accepted the event, or there is no endpoint any more. */
async function isDone(
  { kind, id: sequence, createdAt, alert }: Notification,
  settings: Pick<Settings, "operatorsWebhook" | "urlPolicy">,
): Promise<boolean> {
  const type = kind === "opened" ? "gateway.alert.opened" : "gateway.alert.resolved";
  const fields = { alert_id: alert.id, event_type: type };
  try {
    const { operatorsWebhook: target, urlPolicy: policy } = settings;
    if (target === null) return true;
    const id = `evt_${alert.id}_${kind}`;
    const event = {
      id,
      type,
      createdAt,
      source: GATEWAY_SOURCE,
      environment: "production",
      sequence,
    } as const;
    const shown = presentAlert(kind === "opened" ? { ...alert, resolvedAt: null } : alert);
    const body = utf8(eventBody(event, JSON.stringify({ alert: shown })));
    const signers = await signersOf([target.secret]);
    const headers = await signDelivery({
      id,
      body,
      signers,
      rotating: false,
      format: "timestamped",
      now: Date.now(),
    });
    const attempt = await attemptDelivery(
      { url: target.url, headers, body, policy },
      { fetch: (url, init) => fetch(url, init), now: () => Date.now(), accepts },
    );
    logLine("posted an alert", { ...fields, kind: attempt.kind, status: attempt.status, ms: attempt.ms });
    return attempt.kind === "delivered";
  } catch (error) {
    logError("failed to post an alert", fields, error);
    return false;
  }
}
