/** `GET /deliveries` lists the deliveries of all webhooks of an owner. */
import { Hono } from "hono";
import { countDeliveriesOf, listDeliveriesOf } from "../../db/delivery-list.ts";
import { type AppEnv, failureResponse } from "../../http/context.ts";
import { encodeCursor } from "../../http/page.ts";
import { deliveryFilterOf } from "../../outbound/delivery-filter.ts";
import { notFound } from "../change.ts";
import { ownerOf } from "../owner.ts";
import { listDeliveriesOfOwner, OWNER_DELIVERY_LIST } from "./delivery-contract.ts";
import { presentDelivery } from "./delivery-presenter.ts";
import { deliveryScopeOf } from "./delivery-scope.ts";
import { ANY_WEBHOOK } from "./webhook-presenter.ts";

export const deliveryLists = new Hono<AppEnv>().get("/deliveries", listDeliveriesOfOwner, async (c) => {
  const query = c.req.valid("query");
  const { limit, cursor = null } = query;
  const owned = ownerOf(c.get("client"), query);
  if (!owned.ok) return failureResponse(c, owned.error);
  const owner = owned.value;
  const webhook = query.webhook_id === undefined ? null : await ANY_WEBHOOK.find(c.env.DB, query.webhook_id);
  if (query.webhook_id !== undefined && (webhook?.owner_type !== owner.type || webhook.owner_id !== owner.id))
    return failureResponse(c, notFound("webhook"));
  const scope = deliveryScopeOf(owner, webhook, query.environment);
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
