/** How the portal finds, changes, audits and presents a webhook. */
import type { AuditRow } from "../../db/audit.ts";
import type { AuditedFields } from "../../db/schema.ts";
import {
  changeWebhook,
  getAnyWebhook,
  getWebhook,
  type Webhook,
  type WebhookChange,
} from "../../db/webhooks.ts";
import type { AppContext } from "../../http/context.ts";
import { iso } from "../../http/iso.ts";
import { type Endpoint, tryWakeEndpoints } from "../../messages.ts";
import { parseWebhookId } from "../../model.ts";
import { DISABLE_AFTER_MS } from "../../outbound/auto-disable.ts";
import { laneOf } from "../../outbound/lanes.ts";
import { maskedUrl, storedFingerprint } from "../../outbound/sealed-url.ts";
import { signingOrder } from "../../outbound/secret-rotation.ts";
import { settleAllUnsent } from "../../outbound/unsent-deliveries.ts";
import { actionRow } from "../audit-row.ts";
import type { ManagedKind } from "../change.ts";
import type { ListedWebhook } from "./webhook-contract.ts";

/** The row is read before each request to the endpoint, so a change takes effect once it is written. */
export const WEBHOOK: ManagedKind<Webhook, WebhookChange> = {
  kind: "webhook",
  find: async (db, id) => ifId(id, (bare) => getWebhook(db, bare)),
  write: changeWebhook,
  // Skips deliveries that wait for a disabled webhook. If there are too many for one call, the woken consumer skips the rest.
  propagate: async (row, env) => {
    const now = Date.now();
    if (row.status !== "disabled" && row.deleted_at === null) return;
    const reason = row.deleted_at === null ? "webhook_disabled" : "webhook_deleted";
    await settleAllUnsent(env.DB, row.id, reason, now);
    await tryWakeEndpoints(env, [endpointOf(row, now)]);
  },
  audited: (row): AuditedFields => ({
    url_masked: maskedUrl(row),
    // Reveals a change of the part that the masked address hides.
    url_fingerprint: storedFingerprint(row),
    events: row.events,
    environment: row.environment,
    description: row.description,
    status: row.status,
    disabled_reason: row.disabled_reason,
    notification_email: row.notification_email,
    signature_format: row.signature_format,
    headers: row.headers && { names: row.headers.names, set_at: row.headers.set_at },
    max_in_flight: row.max_in_flight,
    max_per_minute: row.max_per_minute,
    secrets: row.secrets.map(({ id, expires_at, activated }) => ({ id, expires_at, activated })),
    deleted_at: row.deleted_at,
  }),
};

/** A deletion may be repeated, and the deliveries of a deleted webhook can still be read. */
export const ANY_WEBHOOK: typeof WEBHOOK = {
  ...WEBHOOK,
  find: async (db, id) => ifId(id, (bare) => getAnyWebhook(db, bare)),
};

/** The form for lists: no secret, a masked address, and only the names of headers. */
export function presentWebhook(row: Webhook, now: number): ListedWebhook {
  const leading = signingOrder(row.secrets, now)[0]?.id;
  return {
    _id: row.id,
    id: `wh_${row.id}`,
    url_masked: maskedUrl(row),
    events: row.events,
    description: row.description,
    environment: row.environment,
    owner_id: row.owner_id,
    owner_type: row.owner_type,
    status: row.status,
    is_active: row.status === "active",
    disabled_reason: row.disabled_reason,
    notification_email: row.notification_email,
    signature_format: row.signature_format,
    headers: row.headers?.names ?? [],
    max_in_flight: row.max_in_flight,
    max_per_minute: row.max_per_minute,
    secrets: row.secrets
      .filter(({ expires_at }) => expires_at === null || expires_at > now)
      .map(({ id, created_at, expires_at }) => ({
        id,
        leading: id === leading,
        created_at: iso(created_at),
        expires_at: iso(expires_at),
      })),
    health: {
      consecutive_failures: row.consecutive_failures,
      failing_since: iso(row.failing_since),
      last_success_at: iso(row.last_success_at),
      last_failure: row.last_failure,
      disables_at: iso(disablesAt(row)),
    },
    paused_at: iso(row.paused_at),
    version: row.version,
    created_at: iso(row.created_at),
    updated_at: iso(row.updated_at),
    createdAt: iso(row.created_at),
  };
}

/** For what is done with a webhook's deliveries; changes of the webhook itself are audited with its fields. */
export function auditRowOfWebhook(
  c: AppContext,
  webhook: Webhook,
  what: string,
  after: Record<string, unknown>,
): AuditRow {
  return actionRow(c, {
    at: Date.now(),
    kind: "webhook",
    what,
    subjectId: webhook.id,
    owner: { type: webhook.owner_type, id: webhook.owner_id },
    after,
  });
}

/** When the gateway disables the webhook if nothing succeeds until then. A paused one is not tried, so it is not disabled either. */
function disablesAt({ status, failing_since }: Webhook): number | null {
  return status === "active" && failing_since !== null ? failing_since + DISABLE_AFTER_MS : null;
}

/** The webhook as a wake-up names it. */
export function endpointOf(row: Webhook, now: number): Endpoint {
  return { id: row.id, lane: laneOf({ slowAt: row.slow_at, provenAt: row.proven_at }, now) };
}

function ifId(text: string, find: (id: string) => Promise<Webhook | null>): Promise<Webhook | null> | null {
  const id = parseWebhookId(text);
  return id === null ? null : find(id);
}
