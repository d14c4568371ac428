/** `GET /event-types`: the catalogue of events, with an example of each and the webhooks that subscribe to it. */
import { Hono } from "hono";
import { type Subscriber, subscribersOf } from "../../db/subscriptions.ts";
import { type AppEnv, failureResponse } from "../../http/context.ts";
import { EVENT_EXAMPLES, testDataOf } from "../../outbound/event-examples.ts";
import { EVENT_TYPES, type EventType, patternsOf, TEST_EVENT } from "../../outbound/event-types.ts";
import { maskedUrl } from "../../outbound/sealed-url.ts";
import { actsForEverybody, ownerOf } from "../owner.ts";
import { isFileReport } from "./event-contract.ts";
import { listEventTypes, MAX_SHOWN, type ShownEventType } from "./event-type-contract.ts";
import { schemaOf } from "./schema-of-example.ts";

export const eventTypes = new Hono<AppEnv>().get("/event-types", listEventTypes, async (c) => {
  const { environment, ...named } = c.req.valid("query");
  const client = c.get("client");
  if (actsForEverybody(client))
    return c.json({ event_types: EVENT_TYPES.map((type) => present(type, null)) });
  const owned = ownerOf(client, named);
  if (!owned.ok) return failureResponse(c, owned.error);
  const subscribers = await subscribersOf(c.env.DB, owned.value, environment);
  return c.json({ event_types: EVENT_TYPES.map((type) => present(type, subscribers)) });
});

function present(type: EventType, subscribers: readonly Subscriber[] | null): ShownEventType {
  const { summary, data } = EVENT_EXAMPLES[type];
  const matching = (subscribers ?? []).flatMap((webhook) => {
    const pattern = patternsOf(type).find((each) => webhook.events.includes(each));
    return pattern === undefined ? [] : [{ webhook, pattern }];
  });
  return {
    type,
    summary,
    reported_by: reporterOf(type),
    example: data,
    test_data: testDataOf(type),
    schema: schemaOf(data),
    webhook_count: subscribers === null ? null : matching.length,
    webhooks: matching.slice(0, MAX_SHOWN).map(({ webhook, pattern }) => ({
      id: `wh_${webhook.id}`,
      url_masked: maskedUrl(webhook),
      status: webhook.status,
      pattern,
    })),
  };
}

function reporterOf(type: EventType): ShownEventType["reported_by"] {
  if (type === TEST_EVENT || type === "file.uploaded") return "gateway";
  return isFileReport(type) ? "files-creator" : "services";
}
