/** What the page Now asks the API, all at once. */
import type { AlertAnswer } from "../../../portal/alerts/alert-contract.ts";
import type { ListedFile } from "../../../portal/files/file-list-contract.ts";
import type { ShownStuckFile } from "../../../portal/files/stuck-file-contract.ts";
import type { HealthAnswer } from "../../../portal/health-routes.ts";
import type {
  ErrorBudgetValue,
  FreshnessValue,
  MetricsAnswer,
  RefusedShareValue,
} from "../../../portal/metrics/metric-contract.ts";
import type { ListedWebhook } from "../../../portal/webhooks/webhook-contract.ts";
import type { ApiResult } from "../../api.ts";
import type { ConsoleContext } from "../../console-host.ts";

export const HOUR_MS = 3_600_000;
/** Sparklines show this many hours. */
const HOURS_SHOWN = 24;
const ALERTS_SHOWN = 20;
/** Of stuck files and failing webhooks. */
export const ROWS_SHOWN = 6;

interface Listed {
  next_cursor: string | null;
  /** `1000+` stands for at least as many. */
  count: number | string | null;
}
export type StuckFiles = Listed & { stuck_files: ShownStuckFile[] };
export type OwnFiles = Listed & { files: ListedFile[] };
export type FailingWebhooks = Listed & { failing_webhooks: ListedWebhook[] };

export interface Readings {
  health: ApiResult<HealthAnswer>;
  alerts: ApiResult<{ alerts: AlertAnswer[]; next_cursor: string | null }>;
  failing: ApiResult<FailingWebhooks>;
  /** Of all owners. Null if one owner is looked at. */
  stuck: ApiResult<StuckFiles> | null;
  /** The files of one owner that wait or have failed, of each environment that is looked at. */
  files: ApiResult<OwnFiles>[];
  refusedShare: ApiResult<MetricsAnswer<RefusedShareValue>>;
  freshness: ApiResult<MetricsAnswer<FreshnessValue>>;
  errorBudget: ApiResult<MetricsAnswer<ErrorBudgetValue>>;
}

export async function readNow(c: ConsoleContext): Promise<Readings> {
  const api = c.get("api");
  const { owner, environment } = c.get("scope");
  const isOfAll = c.get("session").owner === null && owner === null;
  const since = new Date(hourOf(c.env.startedAt) - (HOURS_SHOWN - 1) * HOUR_MS).toISOString();
  const hours = { granularity: "hour", since, environment };
  const environments = environment === null ? ["production", "sandbox"] : [environment];
  const [health, alerts, failing, stuck, files, refusedShare, freshness, errorBudget] = await Promise.all([
    api.send<HealthAnswer>("GET", "/health", { scoped: false }),
    api.get<{ alerts: AlertAnswer[]; next_cursor: string | null }>("/alerts", {
      status: "open",
      limit: ALERTS_SHOWN,
    }),
    api.get<FailingWebhooks>("/failing-webhooks", { environment, limit: ROWS_SHOWN }),
    isOfAll ? api.get<StuckFiles>("/stuck-files", { limit: ROWS_SHOWN }) : null,
    isOfAll
      ? []
      : Promise.all(
          environments.map((each) => api.get<OwnFiles>("/files", { environment: each, limit: ROWS_SHOWN })),
        ),
    api.get<MetricsAnswer<RefusedShareValue>>("/metrics", { measure: "refused_share", ...hours }),
    api.get<MetricsAnswer<FreshnessValue>>("/metrics", { measure: "freshness", ...hours }),
    api.get<MetricsAnswer<ErrorBudgetValue>>("/metrics", { measure: "error_budget", environment }),
  ]);
  return { health, alerts, failing, stuck, files, refusedShare, freshness, errorBudget };
}

export function hourOf(ms: number): number {
  return ms - (ms % HOUR_MS);
}

/** The values of the hours that sparklines show, oldest first. Null for an hour without any. */
export function byHour<Value, Shown>(
  points: readonly { at: string; value: Value }[],
  now: number,
  show: (value: Value) => Shown | null,
): (Shown | null)[] {
  const values = new Map(points.map(({ at, value }) => [Date.parse(at), value]));
  return Array.from({ length: HOURS_SHOWN }, (_, i) => {
    const value = values.get(hourOf(now) - (HOURS_SHOWN - 1 - i) * HOUR_MS);
    return value === undefined ? null : show(value);
  });
}
