/** Deliveries of a webhook: list them, read one with its attempts, send one again. */
import { Hono } from "hono";
import { type Delivery, getDelivery, listDeliveries, reopenDelivery } from "../../db/deliveries.ts";
import { getAnyWebhook, type Webhook } from "../../db/webhooks.ts";
import { type AppContext, type AppEnv, failureResponse } from "../../http/context.ts";
import type { Failure } from "../../http/failure.ts";
import { encodeCursor, pageOf } from "../../http/page.ts";
import { tryWakeEndpoints } from "../../messages.ts";
import { deliveryId, parseDeliveryId } from "../../outbound/delivery-id.ts";
import { isEventType, maySend } from "../../outbound/event-types.ts";
import { err, ok, type Result } from "../../result.ts";
import { findManaged } from "../change.ts";
import { mayActFor } from "../owner.ts";
import * as contract from "./delivery-contract.ts";
import { DELIVERY_LIST, DISABLED, NO_DELIVERY } from "./delivery-contract.ts";
import { type FoundDelivery, presentWithHistory } from "./delivery-history.ts";
import { presentDelivery } from "./delivery-presenter.ts";
import { ANY_WEBHOOK, auditRowOfWebhook, endpointOf } from "./webhook-presenter.ts";

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
    return c.json({ delivery: await presentWithHistory(c, found.value) });
  })
  .post("/deliveries/:delivery_id/retry", contract.retryDelivery, async (c) => {
    const found = await find(c);
    if (!found.ok) return failureResponse(c, found.error);
    const { webhook, delivery } = found.value;
    if (webhook.deleted_at !== null || webhook.status === "disabled") return failureResponse(c, DISABLED);
    if (delivery.event_id === null) return failureResponse(c, { kind: "event_expired" });
    if (!mayBeSent(webhook, delivery)) return failureResponse(c, { kind: "not_subscribed" });
    const key = { webhookId: webhook.id, eventSeq: delivery.event_seq };
    const auditRow = auditRowOfWebhook(c, webhook, "delivery_retried", { delivery: deliveryId(key) });
    await reopenDelivery(c.env.DB, key, auditRow, Date.now());
    c.executionCtx.waitUntil(tryWakeEndpoints(c.env, [endpointOf(webhook, Date.now())]));
    const now = (await getDelivery(c.env.DB, key)) ?? delivery;
    return c.json({ success: true, delivery: presentDelivery(now) }, 202);
  });

/** The delivery that the path names, within the client's scope. */
async function find(c: AppContext): Promise<Result<FoundDelivery, Failure>> {
  const key = parseDeliveryId(c.req.param("delivery_id") ?? "");
  const webhook = key && (await getAnyWebhook(c.env.DB, key.webhookId));
  if (!key || !webhook) return err(NO_DELIVERY);
  if (!mayActFor(c.get("client"), { type: webhook.owner_type, id: webhook.owner_id }))
    return err(NO_DELIVERY);
  const delivery = await getDelivery(c.env.DB, key);
  return delivery === null ? err(NO_DELIVERY) : ok({ webhook, delivery });
}

function mayBeSent(webhook: Webhook, { event_id: id, event_type: type }: Delivery): boolean {
  return id !== null && type !== null && isEventType(type) && maySend(webhook.events, { id, type });
}
