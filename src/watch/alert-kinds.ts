/** The conditions that people are alerted to. Each has a section of its name in docs/runbook.md. */

export const ALERT_KINDS = [
  "report_waiting",
  "delivery_overdue",
  "cron_silent",
  "dead_letters",
  "ring_key_missing",
  "refused_share",
  "webhook_half_way",
  "webhook_most_of_the_way",
  "webhook_disabled",
  "webhook_recovered",
  "error_budget_half",
  "error_budget_spent",
] as const;
export type AlertKind = (typeof ALERT_KINDS)[number];

/** How mails about alerts of the kind begin. */
export const TITLES: Record<AlertKind, string> = {
  report_waiting: "A report has waited for over 15 minutes",
  delivery_overdue: "A webhook delivery is overdue by more than five minutes",
  cron_silent: "The minute cron has been silent for over five minutes",
  dead_letters: "Messages reached a dead-letter queue",
  ring_key_missing: "A key is missing in the key ring",
  refused_share: "A sender's reports are suddenly refused",
  webhook_half_way: "A webhook is half-way to being disabled",
  webhook_most_of_the_way: "A webhook is close to being disabled",
  webhook_disabled: "A webhook was disabled",
  webhook_recovered: "A webhook has recovered",
  error_budget_half: "Half of the month's error budget is spent",
  error_budget_spent: "The month's error budget is spent",
};

/** Owners get mails about their webhooks already (src/outbound/failure-notices.ts), so these alerts send none. */
const MAILED_AS_NOTICES: ReadonlySet<AlertKind> = new Set<AlertKind>([
  "webhook_half_way",
  "webhook_most_of_the_way",
  "webhook_disabled",
  "webhook_recovered",
]);

export function isMailed(kind: AlertKind): boolean {
  return !MAILED_AS_NOTICES.has(kind);
}

/** The runbook's section about the kind. */
export function runbookOf(kind: AlertKind): string {
  return `docs/runbook.md#${kind.replaceAll("_", "-")}`;
}

export const ALERT_SUBJECTS = ["gateway", "connection", "api_key", "webhook", "queue", "ring_key"] as const;

/** The object that an alert is about. The id of `gateway` is empty. */
export interface AlertSubject {
  kind: (typeof ALERT_SUBJECTS)[number];
  /** Bare, without a prefix. */
  id: string;
}

export const GATEWAY: AlertSubject = { kind: "gateway", id: "" };

/** Numbers and words as they were when the alert opened. */
export type AlertFacts = Record<string, number | string>;
