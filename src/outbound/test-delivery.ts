/**
 * Sends a test event of any type at once to one webhook, whether or not it subscribes to the type. The event is stored, signed, sent
 * and kept like any other, but it is attempted only once, its result does not change the endpoint's health, and no other webhook and
 * no reader of events receives it, unless it is a `webhook.test`. An answer in time still proves a new endpoint.
 */

import { eventDataContext } from "../crypto/contexts.ts";
import { utf8 } from "../crypto/encoding.ts";
import { randomToken } from "../crypto/ids.ts";
import { sealText } from "../crypto/vault.ts";
import { EVENTS_PER_MS } from "../db/events.ts";
import { findOwnerKey } from "../db/owner-keys.ts";
import type { Webhook } from "../db/webhooks.ts";
import type { Settings } from "../env.ts";
import { TEST_ID_PREFIX } from "../model.ts";
import { countAttempts } from "./attempt-counts.ts";
import { type Attempt, endedAt, lastErrorOf } from "./attempt-result.ts";
import { deliveryId } from "./delivery-id.ts";
import { testDataOf } from "./event-examples.ts";
import { type EventType, GATEWAY_SOURCE } from "./event-types.ts";
import { contentMac } from "./fan-out.ts";
import { provesEndpoint } from "./lanes.ts";
import { sealAttempt } from "./sealed-attempt.ts";
import { sendDelivery, unsealEndpoint } from "./send-delivery.ts";

/** Null if the webhook's owner has been erased meanwhile, and the webhook with it. Rejects if D1 does not respond; safe to repeat. */
export async function sendTest(
  db: D1Database,
  webhook: Webhook,
  type: EventType,
  { keyRing, urlPolicy }: Pick<Settings, "keyRing" | "urlPolicy">,
): Promise<{ eventId: string; deliveryId: string; attempt: Attempt } | null> {
  const owner = { type: webhook.owner_type, id: webhook.owner_id };
  const found = await findOwnerKey(db, keyRing, owner);
  if (found === null) return null;
  const { key } = found;
  const now = Date.now();
  const id = `${TEST_ID_PREFIX}${randomToken(20)}`;
  const text = JSON.stringify(testDataOf(type));
  const data = await sealText(key, text, eventDataContext(webhook.environment, id));
  const mac = await contentMac(key, { type, data: text });
  const open = await unsealEndpoint(webhook, key, now);
  // Stored before it is sent: its sequence number is part of the body.
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
      type,
      now,
      GATEWAY_SOURCE,
      mac,
      utf8(text).byteLength,
      data,
      found.createdAt,
    )
    .first<number>("seq");
  if (seq === null) return null;
  const event = {
    event_seq: seq,
    id,
    type,
    created_at: now,
    source: GATEWAY_SOURCE,
    data,
  } as const;
  const attempt = await sendDelivery(open, event, urlPolicy);
  const deliveryKey = { webhookId: webhook.id, eventSeq: seq };
  const stored = await sealAttempt(key, deliveryKey, 1, attempt);
  const status = attempt.kind === "delivered" ? "delivered" : "failed";
  const update = { eventSeq: seq, attempt: stored, status } as const;
  const recordedAt = Date.now();
  const [inserted] = await db.batch([
    db
      .prepare(
        `INSERT INTO deliveries (webhook_id, event_seq, status, attempts, round_start, next_attempt_at, response_code,
           last_error, created_at, updated_at, history)
         SELECT ?1, ?2, ?3, 1, 0, NULL, ?4, ?5, ?6, ?6, ?7 WHERE EXISTS (SELECT 1 FROM events WHERE seq = ?2)`,
      )
      .bind(
        webhook.id,
        seq,
        status,
        attempt.status,
        lastErrorOf(attempt),
        recordedAt,
        JSON.stringify([stored]),
      ),
    // After the insert, so that only an attempt that was recorded counts.
    ...countAttempts(db, webhook, [update], "d.webhook_id = ?1 AND d.event_seq = o.seq", recordedAt),
  ]);
  if (inserted?.meta.changes === 0) return null;
  if (provesEndpoint(attempt)) await markProven(db, webhook, endedAt(attempt));
  return { eventId: id, deliveryId: deliveryId(deliveryKey), attempt };
}

async function markProven(db: D1Database, { id, version }: Webhook, at: number): Promise<void> {
  await db
    .prepare("UPDATE webhooks SET proven_at = ?3 WHERE id = ?1 AND version = ?2 AND proven_at IS NULL")
    .bind(id, version, at)
    .run();
}
