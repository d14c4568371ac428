/** Webhooks: their list, adding one, and the page of each. */
import { Hono } from "hono";
import type { ConsoleEnv } from "../../console-host.ts";
import { createNew, showNew } from "./new-webhook.tsx";
import { actOnWebhook } from "./webhook-acts.ts";
import { showWebhooks } from "./webhook-list.tsx";
import { showWebhook } from "./webhook-page.tsx";

export const webhooks = new Hono<ConsoleEnv>()
  .get("/console/webhooks", showWebhooks)
  .get("/console/webhooks/new", showNew)
  .post("/console/webhooks/new", createNew)
  .get("/console/webhooks/:webhook_id", (c) => showWebhook(c))
  .post("/console/webhooks/:webhook_id", actOnWebhook);
