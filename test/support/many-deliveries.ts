/** Fills D1 with many deliveries, in statements that make their rows themselves. */
import { EVENTS_PER_MS } from "../../src/db/events.ts";
import { bindings } from "./gateway.ts";
import { OWNER, storeWebhook, type WebhookRow } from "./outbound.ts";

/** Rows per statement, which D1 stores in well under its time limit. */
const ROWS_AT_A_TIME = 20_000;

export interface ManyDeliveries {
  webhooks: WebhookRow[];
  events: number;
  /** When the first event was stored, in milliseconds. The others follow one second apart. */
  from: number;
}

/**
 * Stores `webhooks` webhooks of an owner and `deliveries` deliveries to them. Each event goes to ten of the webhooks. Of 1 000
 * events, one has failed deliveries and one is still being retried (HTTP 503, once); the others were delivered.
 */
export async function storeManyDeliveries({
  webhooks,
  deliveries,
  from,
  owner = OWNER,
  environment = "production",
}: {
  webhooks: number;
  deliveries: number;
  from: number;
  owner?: typeof OWNER;
  environment?: WebhookRow["environment"];
}): Promise<ManyDeliveries> {
  const hooks: WebhookRow[] = [];
  for (let i = 0; i < webhooks; i++)
    hooks.push(await storeWebhook({ owner_type: owner.type, owner_id: owner.id, environment }));
  const perEvent = Math.min(10, webhooks);
  const events = Math.ceil(deliveries / perEvent);
  const ids = JSON.stringify(hooks.map(({ id }) => id));
  for (let first = 0; first < events; first += ROWS_AT_A_TIME / perEvent) {
    const last = Math.min(events, first + ROWS_AT_A_TIME / perEvent) - 1;
    const numbers = "WITH RECURSIVE n (i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2)";
    await bindings.DB.batch([
      bindings.DB.prepare(
        `INSERT INTO events (seq, id, owner_type, owner_id, environment, type, created_at, source, content_mac, size, data)
         ${numbers} SELECT (?3 + i * 1000) * ${EVENTS_PER_MS}, 'evt_many_' || i, ?4, ?5, ?6,
           iif(i % 2, 'policy.created', 'file.processed'), ?3 + i * 1000, 'audit1', '', 2, '' FROM n`,
      ).bind(first, last, from, owner.type, owner.id, environment),
      bindings.DB.prepare(
        `INSERT INTO deliveries (webhook_id, event_seq, status, attempts, round_start, next_attempt_at, response_code,
           last_error, created_at, updated_at, history)
         ${numbers} SELECT value, (?3 + i * 1000) * ${EVENTS_PER_MS},
           CASE i % 1000 WHEN 7 THEN 'failed' WHEN 8 THEN 'retrying' ELSE 'delivered' END, 1, 0,
           iif(i % 1000 = 8, ?3 + i * 1000, NULL), CASE i % 1000 WHEN 7 THEN NULL WHEN 8 THEN 503 ELSE 200 END,
           CASE i % 1000 WHEN 7 THEN 'timeout' WHEN 8 THEN 'HTTP 503' END, ?3 + i * 1000, ?3 + i * 1000, '[]'
         FROM n JOIN json_each(?4) ON (key + i) % (json_array_length(?4) / ?5) = 0`,
      ).bind(first, last, from, ids, perEvent),
    ]);
  }
  return { webhooks: hooks, events, from };
}
