/** Brings the open alerts in line with the conditions that hold: each opens once, and resolves by itself. */
import type { Bindings } from "../bindings.ts";
import { ConfigurationError, type Settings } from "../env.ts";
import { logError, logLine } from "../log.ts";
import { isMailed } from "./alert-kinds.ts";
import type { Alert, AlertOwner, AlertStore, NewAlert } from "./alert-store.ts";
import type { Conditions } from "./conditions.ts";

/** `posts`: whether the operators have a webhook. Synchronous, so that no other call sees half of it. */
export function reconcile(
  store: AlertStore,
  { holding, uncertain }: Conditions,
  { posts }: { posts: boolean },
  now: number,
): void {
  const open = new Map(store.open().map((alert) => [nameOf(alert), alert]));
  const names = new Set(holding.map(nameOf));
  for (const condition of holding) {
    if (open.has(nameOf(condition))) continue;
    const { kind, subject } = condition;
    store.insert(
      condition,
      [...(isMailed(kind) ? ["mail" as const] : []), ...(posts ? ["opened" as const] : [])],
      now,
    );
    logError("opened an alert", { kind, subject_kind: subject.kind, subject_id: subject.id });
  }
  for (const [name, { id, kind }] of open) {
    if (names.has(name) || uncertain.has(kind)) continue;
    store.resolve(id, posts ? ["resolved"] : [], now);
    logLine("resolved an alert", { alert_id: id, kind });
  }
}

function nameOf({ kind, subject }: NewAlert | Alert): string {
  return `${kind} ${subject.kind} ${subject.id}`;
}

/** Whether alerts are posted. A broken setting may be corrected within the week that posts are retried. */
export function hasOperatorsWebhook(settings: Pick<Settings, "operatorsWebhook">): boolean {
  try {
    return settings.operatorsWebhook !== null;
  } catch (error) {
    if (error instanceof ConfigurationError) return true;
    throw error;
  }
}

const TABLES = { connection: "connections", api_key: "api_keys" } as const;
const OWNERS_PER_RUN = 500;

/** Gates do not know their owners, so they are looked up in D1, as soon as it answers. Never rejects. */
export async function nameOwners(store: AlertStore, env: Bindings): Promise<void> {
  for (const [kind, table] of Object.entries(TABLES)) {
    const nameless = store
      .open()
      .filter(({ subject, owner }) => owner === null && subject.kind === kind)
      .slice(0, OWNERS_PER_RUN);
    if (nameless.length === 0) continue;
    try {
      const { results } = await env.DB.prepare(
        `SELECT id AS gate, owner_type AS type, owner_id AS id FROM ${table} WHERE id IN (SELECT value FROM json_each(?))`,
      )
        .bind(JSON.stringify(nameless.map(({ subject }) => subject.id)))
        .all<AlertOwner & { gate: string }>();
      const owners = new Map(results.map(({ gate, type, id }) => [gate, { type, id }]));
      for (const { id, subject } of nameless) {
        const owner = owners.get(subject.id);
        if (owner !== undefined) store.setOwner(id, owner);
      }
    } catch (error) {
      logError("failed to look up the owners of alerts", { kind, alerts: nameless.length }, error);
    }
  }
}
