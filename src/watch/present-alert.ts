/** An alert as the portal, the operators' webhook and mails show it. Pure. */
import { API_KEY_PREFIX } from "../model.ts";
import { runbookOf, TITLES } from "./alert-kinds.ts";
import type { Alert } from "./alert-store.ts";

const ID_PREFIXES: Partial<Record<Alert["subject"]["kind"], string>> = {
  webhook: "wh_",
  api_key: API_KEY_PREFIX,
};

export function presentAlert(alert: Alert) {
  const { id, kind, subject, owner, facts, openedAt, resolvedAt, acknowledgedAt, acknowledgedBy } = alert;
  return {
    id,
    kind,
    title: TITLES[kind],
    status: resolvedAt === null ? ("open" as const) : ("resolved" as const),
    subject: { kind: subject.kind, id: `${ID_PREFIXES[subject.kind] ?? ""}${subject.id}` },
    owner_type: owner?.type ?? null,
    owner_id: owner?.id ?? null,
    facts,
    runbook: runbookOf(kind),
    opened_at: new Date(openedAt).toISOString(),
    resolved_at: orNull(resolvedAt),
    acknowledged_at: orNull(acknowledgedAt),
    acknowledged_by: acknowledgedBy,
  };
}

function orNull(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
