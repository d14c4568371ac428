/** `GET /deliveries` lists the deliveries of all webhooks of an owner. */
import { Hono } from "hono";
import { countDeliveriesOf, type DeliveryScope, listDeliveriesOf } from "../../db/delivery-list.ts";
import { getAnyWebhook } from "../../db/webhooks.ts";
import { type AppEnv, failureResponse } from "../../http/context.ts";
import { encodeCursor } from "../../http/page.ts";
import { parseWebhookId } from "../../model.ts";
import { deliveryFilterOf } from "../../outbound/delivery-filter.ts";
import { notFound } from "../change.ts";
import { DEFAULT_ENVIRONMENT, ownerOf } from "../owner.ts";
import { listDeliveriesOfOwner, OWNER_DELIVERY_LIST } from "./delivery-contract.ts";
import { presentDelivery } from "./delivery-presenter.ts";

export const deliveryLists = new Hono<AppEnv>().get("/deliveries", listDeliveriesOfOwner, async (c) => {
  const query = c.req.valid("query");
  const { limit, cursor = null, environment } = query;
  const owned = ownerOf(c.get("client"), query);
  if (!owned.ok) return failureResponse(c, owned.error);
  let scope: DeliveryScope = { owner: owned.value, environment: environment ?? DEFAULT_ENVIRONMENT };
  if (query.webhook_id !== undefined) {
    const webhook = await getAnyWebhook(c.env.DB, parseWebhookId(query.webhook_id) ?? "");
    if (webhook?.owner_type !== owned.value.type || webhook.owner_id !== owned.value.id)
      return failureResponse(c, notFound("webhook"));
    if (environment !== undefined && environment !== webhook.environment)
      return c.json({ deliveries: [], next_cursor: null, count: cursor === null ? 0 : null });
    scope = { webhookId: webhook.id };
  }
  const filter = deliveryFilterOf(query);
  const now = Date.now();
  const [page, count] = await Promise.all([
    listDeliveriesOf(c.env.DB, scope, filter, { after: cursor, limit, now }),
    cursor === null ? countDeliveriesOf(c.env.DB, scope, filter, now) : null,
  ]);
  return c.json({
    deliveries: page.rows.map(presentDelivery),
    next_cursor: page.next && encodeCursor(OWNER_DELIVERY_LIST, page.next),
    count,
  });
});
