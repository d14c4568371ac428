import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { storedAt } from "../../../src/db/events.ts";
import { type Attempt, unanswered } from "../../../src/outbound/attempt-result.ts";
import { deliveryUpdate, recordAttempts } from "../../../src/outbound/attempt-store.ts";
import { acquireLease, type EndpointLease } from "../../../src/outbound/endpoint-lease.ts";
import { type Counts, count } from "../../../src/usage/counts.ts";
import { bucketOf } from "../../../src/usage/histogram.ts";
import { HOUR_MS, hourOf } from "../../../src/usage/periods.ts";
import { runCron } from "../../support/forwarding.ts";
import { bindings, type Json, portal } from "../../support/gateway.ts";
import {
  catchEndpointWakeUps,
  deliveriesOf,
  receiver,
  storeWebhook,
  tell,
  type WebhookRow,
  wake,
} from "../../support/outbound.ts";
import { seeded } from "../../support/random.ts";
import { usageOf } from "../../support/usage.ts";

const { DB } = bindings;
const STARTED_AT = Date.parse("2026-05-04T09:20:00.000Z");

let owners = 0;
const hookWith = (fields: Partial<WebhookRow> = {}) =>
  storeWebhook({ owner_id: `counted-${++owners}`, ...fields });
const of = (hook: WebhookRow) => ({ owner: { type: hook.owner_type, id: hook.owner_id } });

beforeEach(async () => {
  // Events are stored after all others, and each test begins at the same time.
  await DB.batch(
    ["events", "deliveries", "usage_changes"].map((table) => DB.prepare(`DELETE FROM ${table}`)),
  );
  catchEndpointWakeUps();
  vi.useFakeTimers({ toFake: ["Date"] });
  vi.setSystemTime(STARTED_AT);
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** By hour, without the latencies. */
async function countedOf(hook: WebhookRow): Promise<Record<number, Counts>> {
  const rows = await usageOf(`webhook:${hook.id}`, "hour");
  return Object.fromEntries(
    rows.map(({ at, counts }) => [
      at,
      Object.fromEntries(Object.entries(counts).filter(([name]) => !name.startsWith("latency_"))),
    ]),
  );
}

/** By hour, what the histories of all deliveries say. */
async function recordedOf(hook: WebhookRow): Promise<Record<number, Counts>> {
  const hours: Record<number, Counts> = {};
  for (const { history } of await deliveriesOf(hook))
    for (const { kind, started_at, ms } of history) {
      const hour = hourOf(started_at + ms);
      hours[hour] ??= {};
      count(hours[hour], kind === "delivered" ? "delivered" : `failed_attempts:${kind}`);
    }
  return hours;
}

function latenciesIn(counts: Counts | undefined): Counts {
  return Object.fromEntries(
    Object.entries(counts ?? {}).filter(([name]) => name.startsWith("latency_delivered:")),
  );
}

async function latenciesOf(hook: WebhookRow): Promise<Counts> {
  const [row] = await usageOf(`webhook:${hook.id}`, "hour");
  return latenciesIn(row?.counts);
}

async function leased(hook: WebhookRow): Promise<EndpointLease> {
  const acquired = await acquireLease(DB, hook.id, { lane: "quick", now: Date.now() });
  if (acquired.outcome !== "acquired") throw new Error("the endpoint was not leased");
  return acquired.lease;
}

/** The batch that records one attempt for each due delivery. */
function batchOf(lease: EndpointLease, attempt: Attempt): D1PreparedStatement[] {
  const updates = lease.due.map((due) =>
    deliveryUpdate(due, attempt, {
      number: due.attempts + 1,
      started_at: attempt.startedAt,
      ms: attempt.ms,
      kind: attempt.kind,
      status: attempt.status,
      answer: null,
    }),
  );
  return recordAttempts(DB, { lease, updates, health: null, disable: null, now: Date.now() });
}

describe("the hours of a webhook", () => {
  it("count each attempt once, in the hour in which it ended", async () => {
    const hook = await hookWith();
    let answers = 0;
    receiver(() => new Response(null, { status: [500, 301, 200][answers++] ?? 200 }));
    await tell(of(hook));
    await wake(hook);
    vi.setSystemTime(STARTED_AT + HOUR_MS);
    await runCron(Date.now());
    await wake(hook);
    expect(await countedOf(hook)).toEqual({
      [hourOf(STARTED_AT)]: { "failed_attempts:redirect": 1, "failed_attempts:status": 1 },
      [hourOf(STARTED_AT) + HOUR_MS]: { delivered: 1 },
    });
  });

  it("count a batch once that is recorded twice, and only the rest of one that overlaps it", async () => {
    const hook = await hookWith();
    for (let i = 0; i < 3; i++) await tell(of(hook));
    const lease = await leased(hook);
    const attempt = unanswered("dns", Date.now(), Date.now() + 5);
    const [first] = lease.due;
    if (first === undefined) throw new Error("nothing is due");
    await DB.batch(batchOf({ ...lease, due: [first] }, attempt));
    const all = batchOf(lease, attempt);
    await DB.batch(all);
    await DB.batch(all);
    expect(await countedOf(hook)).toEqual({ [hourOf(STARTED_AT)]: { "failed_attempts:dns": 3 } });
    expect(await recordedOf(hook)).toEqual(await countedOf(hook));
    const marks = await DB.prepare("SELECT at, taken_by FROM usage_changes").all();
    expect(marks.results).toEqual([{ at: hourOf(STARTED_AT), taken_by: "" }]);
  });

  it("count one attempt if two consumers made the same", async () => {
    const hook = await hookWith();
    await tell(of(hook));
    const lease = await leased(hook);
    const now = Date.now();
    await DB.batch(batchOf(lease, { ...unanswered("timeout", now, now + 10) }));
    await DB.batch(batchOf(lease, { ...unanswered("dns", now, now + 10), kind: "delivered", status: 200 }));
    expect(await countedOf(hook)).toEqual({ [hourOf(STARTED_AT)]: { "failed_attempts:timeout": 1 } });
  });

  it("count nothing that was not recorded", async () => {
    const hook = await hookWith();
    await tell(of(hook));
    const lease = await leased(hook);
    await DB.prepare("DELETE FROM deliveries WHERE webhook_id = ?").bind(hook.id).run();
    await DB.batch(batchOf(lease, unanswered("dns", Date.now(), Date.now())));
    expect(await countedOf(hook)).toEqual({});
  });

  it("count a delivery that fails for good", async () => {
    const hook = await hookWith();
    receiver(() => new Response(null, { status: 500 }));
    await tell(of(hook));
    await DB.prepare("UPDATE deliveries SET attempts = 6, round_start = 0 WHERE webhook_id = ?")
      .bind(hook.id)
      .run();
    await wake(hook);
    expect(await countedOf(hook)).toEqual({
      [hourOf(STARTED_AT)]: { failed_deliveries: 1, "failed_attempts:status": 1 },
    });
  });

  it("count a test, as the delivery log lists it", async () => {
    const hook = await hookWith();
    receiver(() => new Response(null, { status: 404 }));
    expect((await portal("POST", `/webhooks/${hook.id}/test`)).status).toBe(200);
    expect(await countedOf(hook)).toEqual({
      [hourOf(STARTED_AT)]: { failed_deliveries: 1, "failed_attempts:status": 1 },
    });
  });

  it("write one row for all attempts of a batch", async () => {
    const hook = await hookWith();
    for (let i = 0; i < 20; i++) await tell(of(hook));
    await DB.batch(batchOf(await leased(hook), unanswered("dns", Date.now(), Date.now())));
    const rows = await usageOf(`webhook:${hook.id}`, "hour");
    expect(rows).toMatchObject([{ counts: { "failed_attempts:dns": 20 } }]);
    expect(
      await DB.prepare("SELECT version FROM usage WHERE scope = ?").bind(`webhook:${hook.id}`).first(),
    ).toEqual({ version: 1 });
  });

  it("equal the histories after random answers, retries, tests and replays over hours", async () => {
    const random = seeded(13);
    const hook = await hookWith({ consecutive_failures: 0 });
    receiver(() => new Response(null, { status: random() < 0.4 ? 500 : random() < 0.1 ? 302 : 200 }));
    for (let step = 0; step < 25; step++) {
      const choice = random();
      if (choice < 0.5) await tell(of(hook));
      else if (choice < 0.6) await portal("POST", `/webhooks/${hook.id}/test`);
      else if (choice < 0.7) {
        const since = new Date(STARTED_AT - 1_000).toISOString();
        await portal("POST", `/webhooks/${hook.id}/replay`, { since, only: "all" });
      }
      vi.setSystemTime(Date.now() + Math.floor(random() * 40 * 60_000));
      await runCron(Date.now());
      await wake(hook);
    }
    const recorded = await recordedOf(hook);
    const counted = await countedOf(hook);
    for (const counts of Object.values(counted)) delete counts.failed_deliveries;
    expect(counted).toEqual(recorded);
    expect(Object.keys(counted).length).toBeGreaterThan(4);
  });
});

describe("the time from an event to its delivery", () => {
  it("runs from the storing of the event to the end of the successful attempt", async () => {
    const hook = await hookWith();
    receiver();
    await tell(of(hook));
    vi.setSystemTime(STARTED_AT + 20 * 60_000);
    await wake(hook);
    const [delivery] = (await deliveriesOf(hook)) as [Json];
    const [{ started_at, ms }] = delivery.history;
    const took = started_at + ms - storedAt(delivery.event_seq);
    expect(took).toBeGreaterThanOrEqual(20 * 60_000);
    expect(await latenciesOf(hook)).toEqual({ [`latency_delivered:${bucketOf(took)}`]: 1 });
  });

  it("is not that of a replay, which begins long after the event", async () => {
    const hook = await hookWith({ events: ["policy.*"] });
    receiver();
    await tell(of(hook));
    // No webhook was subscribed to this one when it came.
    await tell({ ...of(hook), type: "audit.started" });
    await wake(hook);
    await DB.prepare(`UPDATE webhooks SET events = '["*"]' WHERE id = ?`).bind(hook.id).run();
    vi.setSystemTime(STARTED_AT + 30 * 60_000);
    const since = new Date(STARTED_AT - 1_000).toISOString();
    await portal("POST", `/webhooks/${hook.id}/replay`, { since, only: "all" });
    await runCron(Date.now());
    await wake(hook);
    expect(await countedOf(hook)).toEqual({ [hourOf(STARTED_AT)]: { delivered: 3 } });
    const timed = Object.values(await latenciesOf(hook));
    expect(timed).toEqual([1]);
  });
});
