/** Which alert conditions hold, from the watch's readings and the raised conditions. They rest on age and share, never on a single error. Pure. */
import { parseGateName } from "../model.ts";
import { FAILURE_LEVELS } from "../outbound/auto-disable.ts";
import { errorBudgetOf } from "../usage/error-budget.ts";
import { type AlertKind, type AlertSubject, GATEWAY } from "./alert-kinds.ts";
import type { Alert, NewAlert } from "./alert-store.ts";
import { DELIVERY_OVERDUE_MS, isCronSilent, type Observations, REPORT_WAITING_MS } from "./health-report.ts";
import type { AlertReading, WebhookState } from "./readings.ts";
import type { RaisedRow } from "./watch-store.ts";

const HOUR_MS = 3_600_000;
/** How long people are shown that a webhook has recovered. */
const RECOVERED_SHOWN_MS = HOUR_MS;
/** A month's budget of fewer requests would be spent by a single failure. */
const LEAST_REQUESTS = 1_000;

export interface Evidence {
  observed: Observations;
  raised: readonly RaisedRow[];
  /** Null if D1 did not answer. */
  read: AlertReading | null;
  /** The open alerts. */
  open: readonly Alert[];
}

export interface Conditions {
  holding: NewAlert[];
  /** Kinds that could not be read: it is unknown whether their conditions have ended. */
  uncertain: ReadonlySet<AlertKind>;
}

const FROM_WEBHOOKS: readonly AlertKind[] = [
  "webhook_half_way",
  "webhook_most_of_the_way",
  "webhook_disabled",
  "webhook_recovered",
];

export function conditionsOf(evidence: Evidence, now: number): Conditions {
  const { observed, raised, read } = evidence;
  const uncertain = new Set<AlertKind>();
  if (observed.reading?.database == null) uncertain.add("delivery_overdue");
  if (read === null)
    for (const kind of ["error_budget_half", "error_budget_spent"] as const) uncertain.add(kind);
  if (read === null || !read.complete) for (const kind of FROM_WEBHOOKS) uncertain.add(kind);
  return {
    holding: [
      ...(isCronSilent(observed, now) ? [ofGateway("cron_silent", lastRunOf(observed))] : []),
      ...overdue(observed),
      ...raised.flatMap((row) => ofRaised(row, now)),
      ...(read === null ? [] : [...ofWebhooks(read, evidence.open, now), ...ofBudget(read)]),
    ],
    uncertain,
  };
}

function ofGateway(kind: AlertKind, facts: NewAlert["facts"]): NewAlert {
  return { kind, subject: GATEWAY, owner: null, facts };
}

function lastRunOf({ cronRanAt }: Observations): NewAlert["facts"] {
  return cronRanAt === null ? {} : { last_run_at: iso(cronRanAt) };
}

function overdue({ reading }: Observations): NewAlert[] {
  const dueAt = reading?.database?.oldestDueAt ?? null;
  if (reading === null || dueAt === null || reading.at - dueAt <= DELIVERY_OVERDUE_MS) return [];
  return [ofGateway("delivery_overdue", { due_at: iso(dueAt) })];
}

function ofRaised({ kind, subject, facts, firstAt }: RaisedRow, now: number): NewAlert[] {
  switch (kind) {
    case "report_waiting": {
      const oldestAt = Number(facts.oldest_at ?? firstAt);
      if (now - oldestAt <= REPORT_WAITING_MS) return [];
      return ofGate(kind, subject, { received_at: iso(oldestAt) });
    }
    case "refused_share":
      return ofGate(kind, subject, facts);
    case "dead_letters":
      return [{ kind, subject: { kind: "queue", id: subject }, owner: null, facts }];
    case "ring_key_missing":
      return [{ kind, subject: { kind: "ring_key", id: subject }, owner: null, facts }];
  }
}

/** The owner is looked up once the alert is open. */
function ofGate(kind: AlertKind, name: string, facts: NewAlert["facts"]): NewAlert[] {
  const gate = parseGateName(name);
  if (gate === null) return [];
  const subject = { kind: gate.kind === "key" ? "api_key" : "connection", id: gate.id } as const;
  return [{ kind, subject, owner: null, facts }];
}

function ofWebhooks({ troubled, asked }: AlertReading, open: readonly Alert[], now: number): NewAlert[] {
  const [, halfWay, mostOfTheWay] = FAILURE_LEVELS;
  const states = [...new Map([...asked, ...troubled].map((state) => [state.id, state])).values()];
  const alertsOf = Map.groupBy(
    open.filter(({ subject }) => subject.kind === "webhook"),
    ({ subject }) => subject.id,
  );
  return states.flatMap((state) => {
    const of = (kind: AlertKind, facts: NewAlert["facts"]): NewAlert => ({
      kind,
      subject: subjectOf(state),
      owner: { type: state.owner_type, id: state.owner_id },
      facts,
    });
    const { failing_since: since } = state;
    if (state.status === "disabled" && state.disabled_reason !== "requested")
      return [of("webhook_disabled", { reason: state.disabled_reason ?? "failing" })];
    if (state.status === "active" && since !== null) {
      const facts = { failing_since: iso(since) };
      return [
        ...(now - since >= halfWay.afterMs ? [of("webhook_half_way", facts)] : []),
        ...(now - since >= mostOfTheWay.afterMs ? [of("webhook_most_of_the_way", facts)] : []),
      ];
    }
    return hasRecovered(state, alertsOf.get(state.id) ?? [], now) ? [of("webhook_recovered", {})] : [];
  });
}

/** Whether a delivery succeeded after one of the webhook's open alerts had opened. Holds for an hour. */
function hasRecovered(state: WebhookState, alerts: readonly Alert[], now: number): boolean {
  const shown = alerts.find(({ kind }) => kind === "webhook_recovered");
  if (shown !== undefined) return now - shown.openedAt < RECOVERED_SHOWN_MS;
  const { status, failing_since: since, last_success_at: succeededAt } = state;
  return (
    status === "active" &&
    since === null &&
    succeededAt !== null &&
    alerts.some(({ openedAt }) => succeededAt >= openedAt)
  );
}

function subjectOf({ id }: WebhookState): AlertSubject {
  return { kind: "webhook", id };
}

function ofBudget({ month }: AlertReading): NewAlert[] {
  const { requests, failed, spent } = errorBudgetOf(month);
  if (requests < LEAST_REQUESTS) return [];
  const facts = { requests, failed };
  return [
    ...(spent >= 0.5 ? [ofGateway("error_budget_half", facts)] : []),
    ...(spent >= 1 ? [ofGateway("error_budget_spent", facts)] : []),
  ];
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
