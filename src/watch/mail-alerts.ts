/**
 * Mails about alerts that have opened: to the operators, or to a connection's own address if it has one. Alerts of one kind share a mail,
 * so that an outage does not fill a mailbox: the first is mailed at once, those of the next quarter of an hour together.
 */
import type { Bindings } from "../bindings.ts";
import { limitsOf, unbounded } from "../bounded.ts";
import { DeadlineExceeded, withDeadline } from "../deadline.ts";
import type { Settings } from "../env.ts";
import { logError } from "../log.ts";
import { isRefusedForGood } from "../outbound/email-notices.ts";
import { alertMailOf } from "./alert-mail.ts";
import {
  type Alert,
  type AlertStore,
  FIRST_RETRY_MS,
  type Notification,
  type NotifyRun,
} from "./alert-store.ts";

/** How long alerts of a kind are collected for the next mail to the same recipient. */
export const MAIL_INTERVAL_MS = 15 * 60_000;
const MAILS_PER_RUN = 10;
const ALERTS_PER_RUN = 1_000;

/** After so many failed look-ups of a connection's address, its mail goes to the operators. */
const ADDRESS_TRIES = 5;

type MailSettings = Pick<Settings, "emailFrom" | "operatorsEmail">;
type Group = [Notification, ...Notification[]];

/** Never rejects. Stops at the first mail that is not accepted: the others would wait as long. */
export async function mailAlerts(
  store: AlertStore,
  env: Bindings,
  settings: MailSettings,
  { now, startUntil }: NotifyRun,
): Promise<void> {
  const due = store.dueNotifications(["mail"], ALERTS_PER_RUN, now);
  if (due.length === 0) return;
  try {
    const addressed = await withAddresses(store, env.DB, due, settings.operatorsEmail, now);
    const ready = addressed.filter(({ notification: { alert }, recipient }) => {
      const mailedAt = store.mailedAt(alert.kind, recipient);
      return mailedAt === null || now - mailedAt >= MAIL_INTERVAL_MS;
    });
    const groups = Map.groupBy(ready, ({ notification, recipient }) =>
      JSON.stringify([notification.alert.kind, recipient]),
    );
    for (const group of [...groups.values()].slice(0, MAILS_PER_RUN)) {
      if (Date.now() > startUntil) return;
      const recipient = group[0]?.recipient ?? settings.operatorsEmail;
      const notifications = group.map(({ notification }) => notification) as Group;
      if (!(await mail(store, env, settings, notifications, recipient, now))) return;
    }
  } catch (error) {
    logError("failed to mail alerts", { alerts: due.length }, error);
    for (const notification of due) store.postpone(notification, now);
  }
}

/** While D1 does not answer, alerts of connections wait for their address, but not for long. */
async function withAddresses(
  store: AlertStore,
  db: D1Database,
  due: readonly Notification[],
  operators: string,
  now: number,
): Promise<{ notification: Notification; recipient: string }[]> {
  let addresses: Map<string, string> | null = null;
  try {
    addresses = await ownAddresses(
      db,
      due.map(({ alert }) => alert),
    );
  } catch (error) {
    logError("failed to look up the addresses of connections", { alerts: due.length }, error);
  }
  return due.flatMap((notification) => {
    const { alert, tries } = notification;
    const waits = addresses === null && alert.subject.kind === "connection" && tries < ADDRESS_TRIES;
    if (waits) store.postpone(notification, now, FIRST_RETRY_MS);
    return waits ? [] : [{ notification, recipient: addresses?.get(alert.id) ?? operators }];
  });
}

/** Returns false if the mail service did not answer. */
async function mail(
  store: AlertStore,
  env: Bindings,
  { emailFrom, operatorsEmail }: MailSettings,
  group: Group,
  recipient: string,
  now: number,
): Promise<boolean> {
  const [{ alert }] = group;
  const { kind } = alert;
  const alerts = group.map((each) => each.alert) as [Alert, ...Alert[]];
  for (const to of recipient === operatorsEmail ? [recipient] : [recipient, operatorsEmail]) {
    const { subject, text } = alertMailOf(alerts, { redirected: to !== recipient });
    const sent = () => {
      store.setMailed(kind, recipient, now);
      for (const notification of group) store.removeNotification(notification);
    };
    // The deadline is here and not in the binding, so that a mail accepted late is noticed.
    const sending = (async () => unbounded(env).EMAIL.send({ from: emailFrom, to, subject, text }))();
    try {
      await withDeadline("EMAIL.send", limitsOf(env).mailMs, () => sending);
      sent();
      return true;
    } catch (error) {
      const fields = {
        kind,
        alerts: group.length,
        address: to === operatorsEmail ? "operators" : "connection",
      };
      if (!isRefusedForGood(error)) {
        logError("failed to send a mail about alerts", fields, error);
        for (const notification of group) store.postpone(notification, now);
        if (error instanceof DeadlineExceeded)
          sending.then(sent).catch((late: unknown) => logError("failed to send a late mail", fields, late));
        return false;
      }
      logError(
        "failed to send a mail about alerts: the mail service permanently rejects the recipient",
        fields,
        error,
      );
    }
  }
  for (const notification of group) store.removeNotification(notification);
  return true;
}

/** By alert, the address of the connection that it is about. Alerts about anything else have none. Rejects if D1 does not answer. */
async function ownAddresses(db: D1Database, alerts: readonly Alert[]): Promise<Map<string, string>> {
  const ids = alerts.flatMap(({ subject }) => (subject.kind === "connection" ? [subject.id] : []));
  if (ids.length === 0) return new Map();
  const { results } = await db
    .prepare(
      `SELECT id, notification_email AS address FROM connections
       WHERE id IN (SELECT value FROM json_each(?)) AND deleted_at IS NULL AND notification_email IS NOT NULL`,
    )
    .bind(JSON.stringify(ids))
    .all<{ id: string; address: string }>();
  const byConnection = new Map(results.map(({ id, address }) => [id, address]));
  return new Map(
    alerts.flatMap(({ id, subject }) => {
      const address = subject.kind === "connection" ? byConnection.get(subject.id) : undefined;
      return address === undefined ? [] : [[id, address] as const];
    }),
  );
}
