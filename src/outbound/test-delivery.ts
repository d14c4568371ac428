/**
 * `webhook.test`, sent at once and to one webhook, whatever it asked for: made, stored, signed, sent and kept like any other
 * event, but tried only once, and neither held against the endpoint nor to its credit. Only that a new endpoint
 * answers it in time ends its lane.
 */

import { eventDataContext } from "../crypto/contexts.ts";
import { utf8 } from "../crypto/encoding.ts";
import { randomToken } from "../crypto/ids.ts";
import { fingerprint, sealText } from "../crypto/vault.ts";
import { EVENTS_PER_MS } from "../db/events.ts";
import { findOwnerKey } from "../db/owner-keys.ts";
import type { Webhook } from "../db/webhooks.ts";
import type { Settings } from "../env.ts";
import { attemptOf, errorOf } from "./attempt-result.ts";
import { provesEndpoint } from "./auto-disable.ts";
import { deliveryId } from "./delivery-id.ts";
import { TEST_DATA, TEST_EVENT } from "./event-types.ts";
import { sealAnswer } from "./kept-answer.ts";
import type { Outcome } from "./outcome.ts";
import { openEndpoint, sendDelivery } from "./send.ts";

const SOURCE = "audit1-gateway";

/** Null where the webhook's owner has been erased meanwhile, and the webhook with it. Rejects when D1 does not answer: before anything is sent, or, then safe to repeat, after it. */
export async function sendTest(
  db: D1Database,
  webhook: Webhook,
  { keyRing, urlPolicy }: Pick<Settings, "keyRing" | "urlPolicy">,
): Promise<{ eventId: string; deliveryId: string; outcome: Outcome } | null> {
  const owner = { type: webhook.owner_type, id: webhook.owner_id };
  const found = await findOwnerKey(db, keyRing, owner);
  if (found === null) return null;
  const { key } = found;
  const now = Date.now();
  const id = `evt_test_${randomToken(20)}`;
  const text = JSON.stringify(TEST_DATA);
  const data = await sealText(key, text, eventDataContext(webhook.environment, id));
  const mac = await fingerprint(key, utf8(`${TEST_EVENT}\n${text}`));
  const open = await openEndpoint(webhook, key, now);
  // Stored before it is sent: its place in the order travels with it.
  const seq = await db
    .prepare(
      `INSERT INTO events (seq, id, owner_type, owner_id, environment, type, created_at, source, content_mac, size, data)
       SELECT max(?1, coalesce((SELECT max(seq) FROM events), 0) + 1), ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11
       WHERE EXISTS (SELECT 1 FROM owner_keys WHERE owner_type = ?3 AND owner_id = ?4 AND created_at = ?12)
       RETURNING seq`,
    )
    .bind(
      now * EVENTS_PER_MS,
      id,
      webhook.owner_type,
      webhook.owner_id,
      webhook.environment,
      TEST_EVENT,
      now,
      SOURCE,
      mac,
      utf8(text).byteLength,
      data,
      found.createdAt,
    )
    .first<number>("seq");
  if (seq === null) return null;
  const event = { event_seq: seq, id, type: TEST_EVENT, created_at: now, source: SOURCE, data } as const;
  const { startedAt, outcome } = await sendDelivery(open, event, key, urlPolicy);
  const { kind, status } = outcome;
  const kept = await sealAnswer(key, { webhookId: webhook.id, eventSeq: seq, attempt: 1 }, outcome);
  const { meta } = await db
    .prepare(
      `INSERT INTO deliveries (webhook_id, event_seq, status, attempts, round_start, next_attempt_at, response_code,
         last_error, created_at, updated_at, history)
       SELECT ?1, ?2, ?3, 1, 0, NULL, ?4, ?5, ?6, ?6, ?7 WHERE EXISTS (SELECT 1 FROM events WHERE seq = ?2)`,
    )
    .bind(
      webhook.id,
      seq,
      kind === "delivered" ? "delivered" : "failed",
      status,
      kind === "delivered" ? null : errorOf(kind, status),
      Date.now(),
      JSON.stringify([attemptOf(1, startedAt, outcome, kept)]),
    )
    .run();
  if (meta.changes === 0) return null;
  if (provesEndpoint(outcome)) await markProven(db, webhook, startedAt + outcome.ms);
  return { eventId: id, deliveryId: deliveryId({ webhookId: webhook.id, eventSeq: seq }), outcome };
}

async function markProven(db: D1Database, { id, version }: Webhook, at: number): Promise<void> {
  await db
    .prepare("UPDATE webhooks SET proven_at = ?3 WHERE id = ?1 AND version = ?2 AND proven_at IS NULL")
    .bind(id, version, at)
    .run();
}
