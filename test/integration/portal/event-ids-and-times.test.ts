/** What senders say of an event's id and time, and the sequence that the gateway gives it. */
import { describe, expect, it, vi } from "vitest";
import {
  accepted,
  catchWakeUps,
  creatorThat,
  deliverFiles,
  resetCircuitBreaker,
} from "../../support/forwarding.ts";
import { bindings, createBoundConnection, type Json, portal } from "../../support/gateway.ts";
import { catchEndpointWakeUps, receiver, storeWebhook, tell, wake } from "../../support/outbound.ts";

const MINUTE = 60_000;
const DAY = 86_400_000;
let owners = 0;
const freshOwner = () => ({ owner_type: "payroll_company" as const, owner_id: `ids-and-times-${++owners}` });
const iso = (ms: number) => new Date(ms).toISOString();

const send = (fields: Json) =>
  portal("POST", "/events", { environment: "sandbox", type: "policy.renewed", data: {}, ...fields });

async function listed(owner: Json, environment = "sandbox"): Promise<Json[]> {
  const query = new URLSearchParams({ ...owner, environment });
  const { json } = await portal("GET", `/events?${query}`);
  return json.events;
}

describe("an event's id", () => {
  it.each([
    ["evt_payroll.2026", "without dots"],
    ["3f0c.9b", "without dots"],
    ["a b", "A-Za-z0-9_-"],
    ["x".repeat(129), "A-Za-z0-9_-"],
    ["evt_uploaded_1", "evt_uploaded_ are reserved"],
    ["evt_failed_FILE_0_1", "evt_failed_ are reserved"],
    ["evt_test_1", "evt_test_ are reserved"],
    ["evt_gateway_alert", "evt_gateway_ are reserved"],
  ])("%s is refused: %s", async (id, why) => {
    for (const body of [{ id }, { events: undefined, id }]) {
      const answer = await send({ ...freshOwner(), ...body });
      expect(answer).toMatchObject({ status: 400, json: { details: { id: expect.stringContaining(why) } } });
    }
    const batch = await portal("POST", "/events", {
      events: [{ ...freshOwner(), environment: "sandbox", id, type: "policy.renewed", data: {} }],
    });
    expect(batch).toMatchObject({
      status: 400,
      json: { details: { "events[0].id": expect.stringContaining(why) } },
    });
  });

  it.each(["evt_1", "evt_failedpayment", "evt_tested_1", "EVT_FAILED_1", "gateway_1", "a-b_c"])(
    "%s is the sender's to choose",
    async (id) => {
      expect((await send({ ...freshOwner(), id })).status).toBe(202);
    },
  );

  it("with a dot, stored before dots were refused, is still delivered", async () => {
    catchEndpointWakeUps();
    const hook = await storeWebhook({ owner_id: `dotted-${++owners}` });
    const { calls } = receiver();
    await tell({ owner: { type: hook.owner_type, id: hook.owner_id }, id: "evt_old.1" });
    await wake(hook);
    expect(calls.map(({ body }) => body.id)).toEqual(["evt_old.1"]);
    vi.restoreAllMocks();
  });
});

describe("an event's time", () => {
  it.each(["created_at", "timestamp"])("is what its sender gives as %s", async (field) => {
    const owner = freshOwner();
    const at = iso(Date.now() - DAY);
    expect((await send({ ...owner, id: "evt_1", [field]: at })).status).toBe(202);
    expect(await listed(owner)).toMatchObject([{ timestamp: at, created_at: at }]);
    // It is listed by when it was stored.
    const { json } = await portal(
      "GET",
      `/events?${new URLSearchParams({ ...owner, environment: "sandbox", since: iso(Date.now() - MINUTE) })}`,
    );
    expect(json.events).toHaveLength(1);
  });

  it("that is slightly ahead counts as now", async () => {
    const owner = freshOwner();
    const before = Date.now();
    expect((await send({ ...owner, id: "evt_1", created_at: iso(before + 4 * MINUTE) })).status).toBe(202);
    const [event] = await listed(owner);
    expect(Date.parse(event?.created_at)).toBeGreaterThanOrEqual(before);
    expect(Date.parse(event?.created_at)).toBeLessThanOrEqual(Date.now());
  });

  it.each([
    ["created_at", 6 * MINUTE, "5 minutes ahead"],
    ["timestamp", -91 * DAY, "90 days back"],
  ])("%s %i ms from now is refused", async (field, offset, why) => {
    const owner = freshOwner();
    const answer = await send({ ...owner, id: "evt_1", [field]: iso(Date.now() + offset) });
    expect(answer).toMatchObject({
      status: 400,
      json: { details: { [field]: expect.stringContaining(why) } },
    });
    expect(await listed(owner)).toEqual([]);
  });

  it("does not reject a report on a file: the gateway's own time replaces a wrong one", async () => {
    catchWakeUps();
    catchEndpointWakeUps();
    await resetCircuitBreaker();
    const owner = freshOwner();
    const connection = await createBoundConnection(owner);
    await storeWebhook({ ...owner, environment: "production", events: ["file.*"] });
    const before = Date.now();
    const fileId = await accepted(connection);
    await deliverFiles([fileId], creatorThat().using);
    const given = Date.now();
    const report = (id: string, type: string, times: Json) =>
      portal("POST", "/events", { id, type, data: { fileId }, ...times });
    expect((await report("evt_v", "file.validated", { timestamp: iso(given) })).status).toBe(202);
    const wrong = { created_at: iso(given + DAY), timestamp: 17 };
    expect((await report("evt_p", "file.processed", wrong)).status).toBe(202);
    const events = await listed(owner, "production");
    expect(events.map(({ type }) => type)).toEqual(["file.uploaded", "file.validated", "file.processed"]);
    const [uploaded, validated, processed] = events.map(({ created_at }) => Date.parse(created_at));
    expect(iso(uploaded ?? 0)).toBe(events[0]?.data.receivedAt);
    expect(uploaded).toBeGreaterThanOrEqual(before);
    expect(validated).toBe(given);
    expect(processed).toBeGreaterThanOrEqual(given);
    expect(processed).toBeLessThanOrEqual(Date.now());
    vi.restoreAllMocks();
  });
});

describe("an event's sequence", () => {
  it("grows in storing order, and is the same in every delivery and in the list", async () => {
    catchEndpointWakeUps();
    const owner = freshOwner();
    const hooks = [await storeWebhook(owner), await storeWebhook(owner)];
    const { calls } = receiver(
      ({ webhook }) => new Response(null, { status: webhook === hooks[0]?.id ? 500 : 200 }),
    );
    for (const id of ["evt_a", "evt_b", "evt_c"]) await send({ ...owner, environment: "production", id });
    // Neither the same millisecond nor another order of the given times makes a difference.
    await send({ ...owner, environment: "production", id: "evt_d", created_at: iso(Date.now() - DAY) });
    await wake(...hooks);
    await portal("POST", `/webhooks/${hooks[1]?.id}/test`);
    const events = await listed(owner, "production");
    const sequences = events.map(({ metadata }) => metadata.sequence);
    expect(sequences).toEqual([...new Set(sequences)].sort((a, b) => a - b));
    expect(sequences.every((each) => Number.isSafeInteger(each) && each > 0)).toBe(true);
    expect(events.map(({ id }) => id)).toEqual([
      "evt_a",
      "evt_b",
      "evt_c",
      "evt_d",
      expect.stringMatching(/^evt_test_/),
    ]);
    const known = new Map(events.map(({ id, metadata }) => [id, metadata.sequence]));
    expect(calls.length).toBeGreaterThanOrEqual(12);
    for (const { body } of calls) expect(body.metadata.sequence).toBe(known.get(body.id));
    vi.restoreAllMocks();
  });

  it("of an event stored before sequences existed is its position in the order", async () => {
    const owner = freshOwner();
    await tell({ owner: { type: owner.owner_type, id: owner.owner_id }, id: "evt_old" });
    const row = await bindings.DB.prepare("SELECT seq FROM events WHERE owner_id = ?")
      .bind(owner.owner_id)
      .first();
    expect(await listed(owner, "production")).toMatchObject([{ metadata: { sequence: row?.seq } }]);
  });
});
