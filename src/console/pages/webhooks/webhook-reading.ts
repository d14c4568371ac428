/** What the page of a webhook shows of it. */
import type { ShownReplay } from "../../../portal/webhooks/replay-contract.ts";
import type { ShownSkipped, ShownWebhook } from "../../../portal/webhooks/webhook-contract.ts";
import type { ApiQuery, ApiResult, RefusedCall } from "../../api.ts";
import type { ConsoleContext } from "../../console-host.ts";

export interface WebhookReading {
  webhook: ShownWebhook;
  skipped: ShownSkipped;
  etag: string;
  /** Of what is paused: how many deliveries are held. */
  held: ApiResult<{ count: number | string | null }> | null;
  /** The newest replay. */
  replays: ApiResult<{ replays: ShownReplay[] }>;
}

/** Names the webhook's owner to the API, whether or not the page's address does. */
export function ownerQuery({ owner_type, owner_id }: ShownWebhook): ApiQuery {
  return { owner_type, owner_id };
}

export async function readWebhook(
  c: ConsoleContext,
  id: string,
): Promise<{ ok: true; reading: WebhookReading } | RefusedCall> {
  const api = c.get("api");
  const found = await api.get<{ webhook: ShownWebhook; skipped: ShownSkipped }>(
    `/webhooks/${encodeURIComponent(id)}`,
  );
  if (!found.ok) return found;
  const { webhook, skipped } = found.body;
  const query = { ...ownerQuery(webhook), webhook_id: webhook.id, limit: 1 };
  const [replays, held] = await Promise.all([
    api.get<{ replays: ShownReplay[] }>("/replays", query),
    webhook.status === "paused"
      ? api.get<{ count: number | string | null }>("/deliveries", { ...query, status: "pending" })
      : null,
  ]);
  return { ok: true, reading: { webhook, skipped, etag: found.etag ?? "", held, replays } };
}
