/** `GET /failing-webhooks`: the webhooks whose endpoint fails, and when each is disabled. */
import { Hono } from "hono";
import { countFailingWebhooks, listFailingWebhooks } from "../../db/failing-webhooks.ts";
import { type AppEnv, failureResponse } from "../../http/context.ts";
import { pageOf } from "../../http/page.ts";
import { ownerOrAll } from "../owner.ts";
import { failingWebhooks as contract, FAILING_WEBHOOK_LIST } from "./failing-webhook-contract.ts";
import { presentWebhook } from "./webhook-presenter.ts";

export const failingWebhooks = new Hono<AppEnv>().get("/failing-webhooks", contract, async (c) => {
  const { owner_type, owner_id, environment = null, limit, cursor = null } = c.req.valid("query");
  const owned = ownerOrAll(c.get("client"), { owner_type, owner_id });
  if (!owned.ok) return failureResponse(c, owned.error);
  const filter = { owner: owned.value, environment };
  const [found, count] = await Promise.all([
    listFailingWebhooks(c.env.DB, filter, cursor, limit),
    cursor === null ? countFailingWebhooks(c.env.DB, filter) : null,
  ]);
  const page = pageOf(FAILING_WEBHOOK_LIST, found, limit, ({ failing_since, id }) => [failing_since, id]);
  const now = Date.now();
  return c.json({
    failing_webhooks: page.rows.map((row) => presentWebhook(row, now)),
    next_cursor: page.next_cursor,
    count,
  });
});
