import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { runCron } from "../../support/forwarding.ts";
import { createApiKey, type Json, portal, send } from "../../support/gateway.ts";
import { catchEndpointWakeUps, receiver, wake } from "../../support/outbound.ts";

let owners = 0;

beforeEach(() => {
  catchEndpointWakeUps();
});
afterEach(() => {
  vi.restoreAllMocks();
});

const freshOwner = () => ({ owner_type: "payroll_company", owner_id: `lists-${++owners}` });

async function register(owner: Json, fields: Json = {}): Promise<string> {
  const url = "https://hooks.receiver-audit.com/in?sig=secret-of-the-address";
  const { status, json } = await portal("POST", "/webhooks", {
    ...owner,
    url,
    events: ["policy.*"],
    ...fields,
  });
  if (status !== 201) throw new Error(`webhook: ${JSON.stringify(json)}`);
  return json.webhook.id;
}

async function tell(owner: Json, id: string, fields: Json = {}): Promise<void> {
  const event = { ...owner, id, type: "policy.created", data: { policyNumber: id }, ...fields };
  const { status, json } = await portal("POST", "/events", event);
  if (status !== 202) throw new Error(`event: ${JSON.stringify(json)}`);
}

function list(owner: Json, query: Json = {}): Promise<Json> {
  return portal("GET", `/events?${new URLSearchParams({ ...owner, ...query })}`).then(({ json }) => json);
}

const idsOf = ({ events }: Json) => events.map(({ id }: Json) => id);

describe("the list of events", () => {
  it("is read newest first or oldest first, page by page, with its count", async () => {
    const owner = freshOwner();
    for (const id of ["evt_1", "evt_2", "evt_3"]) await tell(owner, id);
    const newest = await list(owner, { order: "newest", limit: "2" });
    expect([idsOf(newest), newest.count]).toEqual([["evt_3", "evt_2"], 3]);
    const older = await list(owner, { order: "newest", limit: "2", cursor: newest.next_cursor });
    expect([idsOf(older), older.next_cursor, older.count]).toEqual([["evt_1"], null, null]);
    const oldest = await list(owner, { limit: "2" });
    expect([idsOf(oldest), oldest.count]).toEqual([["evt_1", "evt_2"], null]);
    expect(idsOf(await list(owner, { limit: "2", cursor: oldest.next_cursor }))).toEqual(["evt_3"]);
  });

  it("takes one type, and a range of time", async () => {
    const owner = freshOwner();
    await tell(owner, "evt_1");
    await tell(owner, "evt_2", { type: "payment.failed" });
    const [, second] = (await list(owner)).events;
    const failed = await list(owner, { type: "payment.failed", order: "newest" });
    expect([idsOf(failed), failed.next_cursor, failed.count]).toEqual([["evt_2"], null, 1]);
    expect(idsOf(await list(owner, { until: "2020-01-01T00:00:00Z" }))).toEqual([]);
    expect(idsOf(await list(owner, { since: second.received_at, order: "newest" }))).toContain("evt_2");
    expect(
      await portal("GET", `/events?${new URLSearchParams({ ...owner, type: "file.lost" })}`),
    ).toMatchObject({
      status: 400,
      json: { details: { type: 'Must be an event type such as file.processed; "file.lost" was given' } },
    });
  });

  it("says how many deliveries each event has, and that no webhook asked for it", async () => {
    const owner = freshOwner();
    const hooks = [await register(owner), await register(owner)];
    await tell(owner, "evt_1");
    await tell(owner, "evt_2", { type: "payment.failed" });
    receiver(({ url }) => new Response(null, { status: url.includes("x") ? 200 : 204 }));
    await wake({ id: hooks[0]?.slice(3) ?? "" });
    const { events } = await list(owner, { with_deliveries: "true", order: "newest" });
    expect(events.map(({ id, deliveries }: Json) => [id, deliveries])).toEqual([
      ["evt_2", { total: 0, delivered: 0, waiting: 0, failed: 0, skipped: 0 }],
      ["evt_1", { total: 2, delivered: 1, waiting: 1, failed: 0, skipped: 0 }],
    ]);
    expect((await list(owner)).events[0].deliveries).toBeUndefined();
  });
});

describe("an event", () => {
  it("is shown with its deliveries, to its owner alone", async () => {
    const owner = freshOwner();
    const id = await register(owner);
    await tell(owner, "evt_1");
    const { json } = await portal("GET", `/events/evt_1?${new URLSearchParams(owner)}`);
    expect(json).toMatchObject({
      event: {
        id: "evt_1",
        ...owner,
        file_id: null,
        data: { policyNumber: "evt_1" },
        deliveries: { total: 1 },
      },
      deliveries: [{ webhookId: id, status: "pending", eventId: "evt_1" }],
    });
    const other = await portal("GET", `/events/evt_1?${new URLSearchParams(freshOwner())}`);
    expect(other).toMatchObject({ status: 404, json: { error: "event_not_found" } });
    const sandbox = await portal("GET", `/events/evt_1?environment=sandbox&${new URLSearchParams(owner)}`);
    expect(sandbox.status).toBe(404);
    expect((await portal("GET", "/events/evt_1")).json.error).toBe("owner_id_required");
  });
});

describe("the catalogue of event types", () => {
  it("has an example and a schema of each, and the webhooks that subscribe to it", async () => {
    const owner = freshOwner();
    const id = await register(owner);
    await portal("PATCH", `/webhooks/${id}`, { status: "paused" });
    await register(owner, { environment: "sandbox" });
    const { json } = await portal("GET", `/event-types?${new URLSearchParams(owner)}`);
    const of = (type: string) => json.event_types.find((each: Json) => each.type === type);
    expect(of("policy.created")).toMatchObject({
      reported_by: "services",
      example: { policyNumber: "WC1025561" },
      schema: { properties: { policyNumber: { type: "string" } } },
      webhook_count: 1,
      webhooks: [{ id, status: "paused", pattern: "policy.*" }],
    });
    expect(of("file.failed").schema.properties.error.properties.details).toEqual({ type: "array" });
    expect(of("payment.failed")).toMatchObject({ webhook_count: 0, webhooks: [] });
    expect(JSON.stringify(json)).not.toContain("secret-of-the-address");
    const { json: all } = await portal("GET", "/event-types");
    expect(all.event_types[0]).toMatchObject({ webhook_count: null, webhooks: [] });
  });
});

describe("a test of another type", () => {
  it("goes to its webhook alone, with values that receivers get wrong, and is no news to readers", async () => {
    const owner = freshOwner();
    const [id, other] = [await register(owner, { events: ["payment.failed"] }), await register(owner)];
    const { calls } = receiver();
    const { json } = await portal("POST", `/webhooks/${id}/test?type=policy.created`);
    expect(calls).toHaveLength(1);
    expect(calls[0]?.body).toMatchObject({
      id: json.event_id,
      type: "policy.created",
      data: { policyNumber: "WC1025561", test: { emoji: "✅ 🧾", share: 0.1 } },
    });
    expect(idsOf(await list(owner))).toEqual([]);
    expect((await list(owner, { order: "newest" })).count).toBe(0);
    const since = new Date(Date.now() - 60_000).toISOString();
    await portal("POST", `/webhooks/${other}/replay`, { since, only: "all" });
    await runCron();
    expect((await portal("GET", `/webhooks/${other}/deliveries`)).json.deliveries).toEqual([]);
    expect((await portal("POST", `/deliveries/${json.delivery_id}/retry`)).status).toBe(202);
    await wake({ id: id.slice(3) });
    expect(calls).toHaveLength(2);
    const shown = await portal("GET", `/events/${json.event_id}?${new URLSearchParams(owner)}`);
    expect(shown.json.deliveries).toMatchObject([{ webhookId: id, status: "delivered" }]);
    const { token } = await createApiKey(owner);
    const read = await send("/api/v1/events", { headers: { Authorization: `Bearer ${token}` } });
    expect(read.json.events).toEqual([]);
    const unknown = await portal("POST", `/webhooks/${id}/test?type=file.lost`);
    expect(unknown.json.details).toEqual({
      type: 'Must be an event type such as file.processed; "file.lost" was given',
    });
  });
});

describe("a failing webhook", () => {
  it("says why it fails and when that disables it, and not while it is paused", async () => {
    const owner = freshOwner();
    const id = await register(owner);
    await tell(owner, "evt_1");
    receiver(() => new Response(null, { status: 503 }));
    await wake({ id: id.slice(3) });
    const { health } = (await portal("GET", `/webhooks/${id}`)).json.webhook;
    expect(health.last_failure).toEqual({ kind: "status", status: 503, bot_wall: false });
    expect(Date.parse(health.disables_at) - Date.parse(health.failing_since)).toBe(5 * 86_400_000);
    const paused = (await portal("PATCH", `/webhooks/${id}`, { status: "paused" })).json.webhook;
    expect([paused.health.disables_at, paused.paused_at]).toEqual([null, expect.any(String)]);
  });
});
