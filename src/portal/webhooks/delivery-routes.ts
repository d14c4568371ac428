/** Deliveries of a webhook: list them, read one with its attempts, send one again, replay a time range. */

import { Hono } from "hono";
import { newObjectId } from "../../crypto/ids.ts";
import { newAuditRow } from "../../db/audit.ts";
import {
  type Delivery,
  type DeliveryWithHistory,
  getDelivery,
  listDeliveries,
  reopenDelivery,
} from "../../db/deliveries.ts";
import { seqAt, storedAt } from "../../db/events.ts";
import { findOwnerKey } from "../../db/owner-keys.ts";
import { getAnyWebhook, type Webhook } from "../../db/webhooks.ts";
import { type AppContext, type AppEnv, failureResponse } from "../../http/context.ts";
import type { Failure } from "../../http/failure.ts";
import { iso } from "../../http/iso.ts";
import { encodeCursor, pageOf } from "../../http/page.ts";
import { tryWakeEndpoints } from "../../messages.ts";
import { deliveryId, parseDeliveryId } from "../../outbound/delivery-id.ts";
import { isEventType, maySend } from "../../outbound/event-types.ts";
import { beginReplay, endReplay, findReplay, type Replay } from "../../outbound/replay.ts";
import { unsealAnswer } from "../../outbound/sealed-attempt.ts";
import { err, ok, type Result } from "../../result.ts";
import { findManaged } from "../change.ts";
import { mayActFor } from "../owner.ts";
import * as contract from "./delivery-contract.ts";
import {
  DELIVERY_LIST,
  DISABLED,
  NO_DELIVERY,
  NO_REPLAY,
  type ShownAttempt,
  type ShownDeliveryWithHistory,
  type ShownReplay,
} from "./delivery-contract.ts";
import { presentDelivery } from "./delivery-presenter.ts";
import { ANY_WEBHOOK, endpointOf, WEBHOOK } from "./webhook-presenter.ts";

export const deliveries = new Hono<AppEnv>()
  .get("/webhooks/:webhook_id/deliveries", contract.listDeliveries, async (c) => {
    const found = await findManaged(c, ANY_WEBHOOK);
    if (!found.ok) return failureResponse(c, found.error);
    const { status, limit, cursor } = c.req.valid("query");
    const { rows, scannedTo } = await listDeliveries(c.env.DB, found.value.id, status, cursor ?? null, limit);
    const page = pageOf(DELIVERY_LIST, rows, limit, (row) => row.event_seq);
    return c.json({
      deliveries: page.rows.map(presentDelivery),
      next_cursor: page.next_cursor ?? (scannedTo === null ? null : encodeCursor(DELIVERY_LIST, scannedTo)),
    });
  })
  .get("/deliveries/:delivery_id", contract.getDelivery, async (c) => {
    const found = await find(c);
    if (!found.ok) return failureResponse(c, found.error);
    return c.json({ delivery: await withAttempts(c, found.value) });
  })
  .post("/deliveries/:delivery_id/retry", contract.retryDelivery, async (c) => {
    const found = await find(c);
    if (!found.ok) return failureResponse(c, found.error);
    const { webhook, delivery } = found.value;
    if (webhook.deleted_at !== null || webhook.status === "disabled") return failureResponse(c, DISABLED);
    if (delivery.event_id === null) return failureResponse(c, { kind: "event_expired" });
    if (!mayBeSent(webhook, delivery)) return failureResponse(c, { kind: "not_subscribed" });
    const key = { webhookId: webhook.id, eventSeq: delivery.event_seq };
    const auditRow = auditRowOf(c, webhook, "delivery_retried", { delivery: deliveryId(key) });
    await reopenDelivery(c.env.DB, key, auditRow, Date.now());
    c.executionCtx.waitUntil(tryWakeEndpoints(c.env, [endpointOf(webhook, Date.now())]));
    const now = (await getDelivery(c.env.DB, key)) ?? delivery;
    return c.json({ success: true, delivery: presentDelivery(now) }, 202);
  })
  .post("/webhooks/:webhook_id/replay", contract.replayWebhook, async (c) => {
    const body = c.req.valid("json");
    const found = await findManaged(c, WEBHOOK);
    if (!found.ok) return failureResponse(c, found.error);
    const now = Date.now();
    const since = Date.parse(body.since);
    const until = Math.min(now, body.until === undefined ? now : Date.parse(body.until));
    if (since >= until) return failureResponse(c, { kind: "range_empty" });
    const before = seqAt(Math.max(0, since)) - 1;
    const replay: Replay = {
      id: newObjectId(),
      webhook_id: found.value.id,
      only: body.only,
      from_seq: before,
      position: before,
      until: seqAt(until + 1),
      queued: 0,
      status: "running",
      created_at: now,
      updated_at: now,
    };
    const { since: from, until: to } = presentReplay(replay);
    const auditRow = auditRowOf(c, found.value, "replayed", {
      replay: replay.id,
      since: from,
      until: to,
      only: replay.only,
    });
    const begun = await beginReplay(c.env.DB, replay, auditRow);
    if (!begun.ok)
      return failureResponse(
        c,
        begun.error.reason === "disabled" ? DISABLED : { kind: "replay_running", replayId: begun.error.id },
      );
    return c.json({ success: true, replay: presentReplay(replay) }, 202);
  })
  .get("/webhooks/:webhook_id/replays/:replay_id", contract.getReplay, async (c) => {
    const found = await findManaged(c, ANY_WEBHOOK);
    if (!found.ok) return failureResponse(c, found.error);
    const replay = await findReplay(c.env.DB, found.value.id, c.req.param("replay_id").toLowerCase());
    return replay === null ? failureResponse(c, NO_REPLAY) : c.json({ replay: presentReplay(replay) });
  })
  .delete("/webhooks/:webhook_id/replays/:replay_id", contract.endReplay, async (c) => {
    const found = await findManaged(c, ANY_WEBHOOK);
    if (!found.ok) return failureResponse(c, found.error);
    const key = { webhookId: found.value.id, id: c.req.param("replay_id").toLowerCase() };
    const auditRow = auditRowOf(c, found.value, "replay_ended", { replay: key.id });
    await endReplay(c.env.DB, key, auditRow, Date.now());
    const replay = await findReplay(c.env.DB, key.webhookId, key.id);
    return replay === null
      ? failureResponse(c, NO_REPLAY)
      : c.json({ message: "replay_ended", replay: presentReplay(replay) });
  });

interface Found {
  webhook: Webhook;
  delivery: DeliveryWithHistory;
}

/** The delivery that the path names, within the client's scope. */
async function find(c: AppContext): Promise<Result<Found, Failure>> {
  const key = parseDeliveryId(c.req.param("delivery_id") ?? "");
  const webhook = key && (await getAnyWebhook(c.env.DB, key.webhookId));
  if (!key || !webhook) return err(NO_DELIVERY);
  if (!mayActFor(c.get("client"), { type: webhook.owner_type, id: webhook.owner_id }))
    return err(NO_DELIVERY);
  const delivery = await getDelivery(c.env.DB, key);
  return delivery === null ? err(NO_DELIVERY) : ok({ webhook, delivery });
}

function mayBeSent(webhook: Webhook, { event_type: type }: Delivery): boolean {
  return type !== null && isEventType(type) && maySend(webhook.events, type);
}

async function withAttempts(c: AppContext, { webhook, delivery }: Found): Promise<ShownDeliveryWithHistory> {
  const owner = { type: webhook.owner_type, id: webhook.owner_id };
  const found = await findOwnerKey(c.env.DB, c.get("settings").keyRing, owner);
  const opened = (attempt: DeliveryWithHistory["history"][number]) => {
    // An attempt from before the owner's key was created is sealed under a key that has been erased.
    if (found === null || attempt.started_at < found.createdAt) return { answer: null, headers: null };
    return unsealAnswer(found.key, { webhookId: webhook.id, eventSeq: delivery.event_seq }, attempt);
  };
  const history = await Promise.all(
    delivery.history.map(async (attempt) => ({
      number: attempt.number,
      startedAt: iso(attempt.started_at),
      ms: attempt.ms,
      // Delivery stored this value, so it is one of the outcomes.
      outcome: attempt.kind as ShownAttempt["outcome"],
      responseCode: attempt.status,
      tlsCause: (attempt.tls_cause ?? null) as ShownAttempt["tlsCause"],
      ...(await opened(attempt)),
    })),
  );
  return { ...presentDelivery(delivery), history };
}

function presentReplay(replay: Replay): ShownReplay {
  const { from_seq, position, until } = replay;
  return {
    id: replay.id,
    webhookId: `wh_${replay.webhook_id}`,
    status: replay.status,
    only: replay.only,
    since: iso(storedAt(from_seq + 1)),
    until: iso(storedAt(until) - 1),
    position: iso(storedAt(position + 1)),
    progress: Math.round(((position - from_seq) / (until - 1 - from_seq)) * 1_000) / 1_000,
    queued: replay.queued,
    createdAt: iso(replay.created_at),
    updatedAt: iso(replay.updated_at),
  };
}

function auditRowOf(c: AppContext, webhook: Webhook, what: string, after: Record<string, unknown>) {
  return newAuditRow({
    at: Date.now(),
    actor: c.get("client").actor,
    requestId: c.get("requestId"),
    kind: "webhook",
    what,
    subjectId: webhook.id,
    owner: { type: webhook.owner_type, id: webhook.owner_id },
    before: null,
    after,
  });
}
