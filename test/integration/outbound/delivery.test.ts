import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { readSettings } from "../../../src/env.ts";
import { sendNotices } from "../../../src/outbound/email-notices.ts";
import { advance, runCron } from "../../support/forwarding.ts";
import { bindings, portal } from "../../support/gateway.ts";
import { intercepted, without } from "../../support/interception.ts";
import {
  catchEndpointWakeUps,
  catchMails,
  deliveriesOf,
  handOver,
  meteredReceiver,
  noticesOf,
  receiver,
  stored,
  storeWebhook,
  tell,
  type Woken,
  wake,
} from "../../support/outbound.ts";

const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const STARTED_AT = Date.parse("2026-05-04T09:00:00.000Z");

let owners = 0;
/** Each test has an owner of its own. */
const ownerOf = () => ({ owner_type: "payroll_company" as const, owner_id: `owner-${++owners}` });
const of = (hook: { owner_type: "payroll_company"; owner_id: string }) => ({
  owner: { type: hook.owner_type, id: hook.owner_id },
});

let woken: Woken;

beforeEach(() => {
  woken = catchEndpointWakeUps();
  vi.useFakeTimers({ toFake: ["Date"] });
  vi.setSystemTime(STARTED_AT);
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

async function hookWith(fields: Parameters<typeof storeWebhook>[0] = {}) {
  const owner = ownerOf();
  const hook = await storeWebhook({ ...owner, ...fields });
  return { ...hook, ...owner };
}

describe("a delivery", () => {
  it("is sent once, and its answer is stored sealed", async () => {
    const hook = await hookWith();
    const { calls } = receiver(() => new Response("thank you"));
    await tell(of(hook));
    await wake(hook);
    await wake(hook);
    expect(calls).toHaveLength(1);
    const [delivery] = await deliveriesOf(hook);
    expect(delivery).toMatchObject({
      status: "delivered",
      attempts: 1,
      response_code: 200,
      next_attempt_at: null,
    });
    expect(delivery?.history).toMatchObject([{ number: 1, started_at: STARTED_AT, status: 200 }]);
    expect(JSON.stringify(delivery)).not.toContain("thank you");
  });

  it("reads no rows of other deliveries that wait for its webhook", async () => {
    const hook = await hookWith();
    await bindings.DB.prepare(
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
       INSERT INTO deliveries
         (webhook_id, event_seq, status, attempts, round_start, next_attempt_at, created_at, updated_at, history)
       SELECT ?1, i, 'retrying', 1, 0, ?2 + 3600000, ?2, ?2, '[]' FROM n`,
    )
      .bind(hook.id, STARTED_AT)
      .run();
    const { calls } = receiver();
    await tell(of(hook));
    let read = 0;
    const using = intercepted(async (call, proceed) => {
      const answer = await proceed();
      if (call === "DB.batch") for (const { meta } of answer as D1Result[]) read += meta.rows_read;
      return answer;
    });
    await handOver([{ webhook_ids: [hook.id] }], { using });
    expect(calls).toHaveLength(1);
    expect(read).toBeLessThan(100);
  });

  it("is recorded together with those that end at the same time, when the endpoint is released", async () => {
    const hook = await hookWith();
    for (let i = 0; i < 12; i++) await tell(of(hook));
    receiver();
    vi.spyOn(scheduler, "wait").mockReturnValue(new Promise(() => undefined));
    let batches = 0;
    const using = intercepted((call, proceed) => {
      if (call === "DB.batch") batches++;
      return proceed();
    });
    await handOver([{ webhook_ids: [hook.id] }], { using });
    expect((await deliveriesOf(hook)).map(({ status }) => status)).toEqual(Array(12).fill("delivered"));
    // Acquired; then recorded and released.
    expect(batches).toBe(2);
  });

  it("is recorded while another still waits for its answer", async () => {
    const hook = await hookWith();
    for (let i = 0; i < 2; i++) await tell(of(hook));
    const late = Promise.withResolvers<Response>();
    const { calls } = receiver(() => (calls.length === 1 ? new Response("ok") : late.promise));
    const woken = wake(hook);
    await vi.waitFor(async () => {
      expect(await deliveriesOf(hook)).toMatchObject([{ status: "delivered" }, { status: "pending" }]);
    });
    late.resolve(new Response("ok"));
    await woken;
  });

  it("is retried at once, after 1, 5 and 30 minutes, 2 and 6 hours, then fails and is reported by mail", async () => {
    const hook = await hookWith({ notification_email: "ops@acme.example" });
    const { calls } = receiver(() => new Response("no", { status: 500 }));
    await tell(of(hook));
    await wake(hook);
    // The first retry needs no cron.
    expect(calls).toHaveLength(2);
    for (const [i, delay] of [MINUTE_MS, 5 * MINUTE_MS, 30 * MINUTE_MS, 2 * HOUR_MS, 6 * HOUR_MS].entries()) {
      const [waiting] = await deliveriesOf(hook);
      expect(waiting).toMatchObject({ status: "retrying", attempts: i + 2 });
      expect(waiting?.next_attempt_at).toBe(Date.now() + delay);
      woken.quick.length = 0;
      vi.setSystemTime(Date.now() + delay - SECOND_MS);
      await runCron(Date.now());
      expect(woken.quick).not.toContain(hook.id);
      vi.setSystemTime(Date.now() + SECOND_MS);
      await runCron(Date.now());
      expect(woken.quick).toContain(hook.id);
      await wake(hook);
      expect(calls).toHaveLength(i + 3);
    }
    const [failed] = await deliveriesOf(hook);
    expect(failed).toMatchObject({
      status: "failed",
      attempts: 7,
      last_error: "HTTP 500",
      response_code: 500,
      next_attempt_at: null,
    });
    expect(failed?.history.map(({ number }: { number: number }) => number)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    const mails = catchMails();
    await runCron(Date.now());
    expect(mails).toMatchObject([{ to: "ops@acme.example" }]);
    expect(await noticesOf(hook)).toEqual([]);
  });

  it("waits longer if Retry-After asks for it, never shorter", async () => {
    const hook = await hookWith();
    receiver(() => new Response(null, { status: 503, headers: { "Retry-After": "120" } }));
    await tell(of(hook));
    await wake(hook);
    expect((await deliveriesOf(hook))[0]).toMatchObject({
      attempts: 1,
      next_attempt_at: Date.now() + 120_000,
    });
  });

  it("is sent again if its outcome could not be recorded, and recorded once", async () => {
    const hook = await hookWith();
    const { calls } = receiver();
    await tell(of(hook));
    let batches = 0;
    const DB = new Proxy(bindings.DB, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        return (...args: unknown[]) => {
          if (name === "batch" && ++batches > 1) throw new Error("D1 is away");
          return Reflect.apply(value, target, args);
        };
      },
    });
    const handed = await handOver([{ webhook_ids: [hook.id] }], { using: { ...bindings, DB } });
    expect(handed).toEqual({ acked: [], retried: [0] });
    expect(calls).toHaveLength(1);
    // The lease holder died: no other consumer acquires the lease before it expires.
    await wake(hook);
    expect(calls).toHaveLength(1);
    vi.setSystemTime(Date.now() + 31 * SECOND_MS);
    await runCron(Date.now());
    expect(woken.quick).toContain(hook.id);
    await wake(hook);
    expect(calls).toHaveLength(2);
    expect((await deliveriesOf(hook))[0]).toMatchObject({ status: "delivered", attempts: 1 });
  });

  it("counts once if two consumers make the same attempt", async () => {
    const hook = await hookWith();
    const { calls } = receiver(async () => {
      if (calls.length === 1) {
        // The first consumer stalls past its lease; another acquires the endpoint's next lease.
        vi.setSystemTime(Date.now() + 31 * SECOND_MS);
        await wake(hook);
      }
      return new Response(null, { status: calls.length === 1 ? 500 : 200 });
    });
    await tell(of(hook));
    await wake(hook);
    expect(calls.length).toBeGreaterThanOrEqual(2);
    const [delivery] = await deliveriesOf(hook);
    expect(delivery).toMatchObject({ status: "delivered", attempts: 1 });
    expect(delivery?.history).toHaveLength(1);
  });

  it("is closed, visible and not mailed if its webhook was disabled while it waited", async () => {
    const hook = await hookWith();
    const { calls } = receiver(() => new Response(null, { status: 500 }));
    await tell(of(hook));
    await wake(hook);
    await bindings.DB.prepare("UPDATE webhooks SET status = 'disabled' WHERE id = ?").bind(hook.id).run();
    const before = calls.length;
    await runCron(Date.now());
    expect(woken.quick).toContain(hook.id);
    await wake(hook);
    expect(calls).toHaveLength(before);
    expect((await deliveriesOf(hook))[0]).toMatchObject({
      status: "skipped",
      last_error: "webhook_disabled",
      next_attempt_at: null,
      attempts: before,
    });
    expect(await noticesOf(hook)).toEqual([]);
  });

  it("that cannot be unsealed fails on schedule, and holds up no other", async () => {
    const hook = await hookWith();
    const { calls } = receiver();
    await tell(of(hook));
    await bindings.DB.prepare("UPDATE events SET data = 'AAAA' WHERE owner_id = ?").bind(hook.owner_id).run();
    await tell(of(hook));
    await wake(hook);
    expect(calls).toHaveLength(1);
    expect(await deliveriesOf(hook)).toMatchObject([
      { status: "retrying", last_error: "internal", response_code: null },
      { status: "delivered" },
    ]);
  });

  it.each([
    ["event", "UPDATE events SET data = 'AAAA' WHERE owner_id = ?"],
    [
      "webhook's secret",
      "UPDATE webhooks SET secrets = json_set(secrets, '$[0].sealed', 'AAAA') WHERE owner_id = ?",
    ],
    ["owner's key", "UPDATE owner_keys SET data_key = 'test-1.AAAA' WHERE owner_id = ?"],
  ])(
    "is retried and fails for our own reason, not held against its endpoint, where the %s does not open",
    async (_what, broken) => {
      const hook = await hookWith();
      const { calls } = receiver();
      const logged = vi.spyOn(console, "error");
      for (let i = 0; i < 6; i++) await tell(of(hook));
      await bindings.DB.prepare(broken).bind(hook.owner_id).run();
      await wake(hook);
      for (let i = 0; i < 5; i++) {
        vi.setSystemTime(Date.now() + DAY_MS);
        await wake(hook);
      }
      expect(calls).toHaveLength(0);
      const deliveries = await deliveriesOf(hook);
      for (const delivery of deliveries)
        expect(delivery).toMatchObject({ status: "failed", attempts: 7, last_error: "internal" });
      expect(deliveries[0]?.history[0]).toMatchObject({ kind: "internal", status: null, answer: null });
      expect(await stored(hook)).toMatchObject({
        status: "active",
        consecutive_failures: 0,
        failing_since: null,
        held_until: 0,
      });
      expect(await noticesOf(hook)).toHaveLength(6);
      expect(logged.mock.calls.flat().join()).toContain(hook.id);
    },
  );

  it("whose event has expired is closed", async () => {
    const hook = await hookWith();
    receiver();
    await tell(of(hook));
    await bindings.DB.prepare("DELETE FROM events WHERE owner_id = ?").bind(hook.owner_id).run();
    await wake(hook);
    expect(await deliveriesOf(hook)).toMatchObject([{ status: "failed", last_error: "event_expired" }]);
  });

  it("can be unsealed after its owner's key was rewrapped", async () => {
    const hook = await hookWith();
    const { calls } = receiver();
    await tell(of(hook));
    const ring = `new:${btoa("x".repeat(32))},${bindings.VAULT_KEYS}`;
    const using = { ...bindings, VAULT_KEYS: ring };
    let cursor = "";
    for (let step = 0; step < 100; step++) {
      const answer = await portal("POST", "/vault/rewrap", cursor ? { cursor } : {}, "portal", using);
      expect(answer.status).toBe(200);
      cursor = answer.json.next_cursor ?? "";
      if (cursor === "") break;
    }
    const row = await bindings.DB.prepare("SELECT data_key FROM owner_keys WHERE owner_id = ?")
      .bind(hook.owner_id)
      .first<string>("data_key");
    expect(row).toMatch(/^new\./);
    await handOver([{ webhook_ids: [hook.id] }], { using });
    expect(calls).toHaveLength(1);
  });

  it("whose type its webhook no longer subscribes to is closed when it is due, and no other", async () => {
    const hook = await hookWith({ events: ["policy.*", "payment.failed"] });
    const { calls } = receiver();
    await tell(of(hook));
    await tell({ ...of(hook), type: "payment.failed" });
    await bindings.DB.prepare(`UPDATE webhooks SET events = '["payment.*"]' WHERE id = ?`)
      .bind(hook.id)
      .run();
    await wake(hook);
    expect(calls.map(({ body }) => body.type)).toEqual(["payment.failed"]);
    expect(await deliveriesOf(hook)).toMatchObject([
      { status: "failed", last_error: "not_subscribed", next_attempt_at: null, attempts: 0 },
      { status: "delivered" },
    ]);
    expect(await noticesOf(hook)).toEqual([]);
    expect(await stored(hook)).toMatchObject({ consecutive_failures: 0 });
  });

  it("goes to the address its webhook has when it is sent", async () => {
    const hook = await hookWith();
    const { calls } = receiver();
    await tell(of(hook));
    await bindings.DB.prepare(
      "UPDATE webhooks SET url = 'https://elsewhere.receiver-audit.com/', target = NULL WHERE id = ?",
    )
      .bind(hook.id)
      .run();
    await wake(hook);
    expect(calls.map(({ webhook }) => webhook)).toEqual(["elsewhere"]);
  });
});

describe("an endpoint", () => {
  it("that answers 410 is disabled at once, with an audit row and a notice", async () => {
    const hook = await hookWith();
    const { calls } = receiver(() => new Response(null, { status: 410 }));
    await tell(of(hook));
    await tell(of(hook));
    await bindings.DB.prepare("UPDATE webhooks SET max_in_flight = 1 WHERE id = ?").bind(hook.id).run();
    await wake(hook);
    expect(calls).toHaveLength(1);
    expect(await stored(hook)).toMatchObject({ status: "disabled", disabled_reason: "gone" });
    const statuses = (await deliveriesOf(hook)).map(({ status, last_error }) => [status, last_error]);
    expect(statuses).toEqual([
      ["failed", "HTTP 410"],
      ["skipped", "webhook_disabled"],
    ]);
    const trail = await bindings.DB.prepare("SELECT actor, action FROM audit WHERE subject_id = ?")
      .bind(hook.id)
      .all();
    expect(trail.results).toEqual([{ actor: "system:delivery", action: "webhook.disabled" }]);
    expect((await noticesOf(hook)).map(({ kind }) => kind)).toEqual(["webhook_disabled"]);
  });

  it("that has been changed since it was tried is not disabled by the old address's 410", async () => {
    const hook = await hookWith();
    receiver(async () => {
      await bindings.DB.prepare("UPDATE webhooks SET version = version + 1 WHERE id = ?").bind(hook.id).run();
      return new Response(null, { status: 410 });
    });
    await tell(of(hook));
    await wake(hook);
    expect(await stored(hook)).toMatchObject({ status: "active" });
  });

  it("that does nothing but fail is disabled after five days, not before", async () => {
    const hook = await hookWith();
    receiver(() => new Response(null, { status: 500 }));
    // Two attempts of each: the first retry comes at once.
    for (let i = 0; i < 5; i++) await tell(of(hook));
    await wake(hook);
    vi.setSystemTime(STARTED_AT + 5 * DAY_MS - 1);
    await tell(of(hook));
    await bindings.DB.prepare("UPDATE deliveries SET next_attempt_at = NULL WHERE attempts > 0").run();
    await wake(hook);
    expect(await stored(hook)).toMatchObject({ status: "active", failing_since: STARTED_AT });
    vi.setSystemTime(STARTED_AT + 5 * DAY_MS);
    await tell(of(hook));
    await wake(hook);
    expect(await stored(hook)).toMatchObject({ status: "disabled", disabled_reason: "failing" });
  });

  it("is trusted again after one success", async () => {
    const hook = await hookWith();
    const { calls } = receiver(() => new Response(null, { status: calls.length === 1 ? 500 : 200 }));
    await tell(of(hook));
    await wake(hook);
    expect(await stored(hook)).toMatchObject({ consecutive_failures: 0, failing_since: null });
  });

  it("never has more requests in flight than it allows, at any number of consumers", async () => {
    const hook = await hookWith({ max_in_flight: 2 });
    const { most } = meteredReceiver(5);
    for (let i = 0; i < 12; i++) await tell(of(hook));
    await Promise.all([wake(hook), wake(hook), wake(hook)]);
    expect(most()).toBe(2);
    expect((await deliveriesOf(hook)).every(({ status }) => status === "delivered")).toBe(true);
  });

  it("that answered too late is woken through the slow queue, and left alone by the other", async () => {
    const hook = await hookWith();
    const { calls } = receiver(() => {
      if (calls.length === 1) vi.setSystemTime(Date.now() + 4_000);
      return new Response(null, { status: 500 });
    });
    await tell(of(hook));
    await wake(hook);
    expect(calls).toHaveLength(1);
    expect(woken.slow).toEqual([hook.id]);
    expect(await stored(hook)).toMatchObject({ slow_at: Date.now() });
    await wake(hook);
    expect(calls).toHaveLength(1);
    await handOver([{ webhook_ids: [hook.id] }], { queue: "audit1-deliveries-slow" });
    expect(calls).toHaveLength(2);
  });
});

describe("mail", () => {
  it("about an endpoint that stays dead is sent once an hour, and includes all failed deliveries", async () => {
    const hook = await hookWith({ notification_email: "dead@acme.example" });
    receiver(() => new Response(null, { status: 500 }));
    const mails = catchMails();
    for (let minute = 0; minute <= 60; minute++) {
      await tell(of(hook));
      // The last attempt of its round.
      await bindings.DB.prepare(
        "UPDATE deliveries SET round_start = -6 WHERE webhook_id = ? AND attempts = 0",
      )
        .bind(hook.id)
        .run();
      await wake(hook);
      await sendNotices(bindings, readSettings(bindings), Date.now());
      vi.setSystemTime(Date.now() + MINUTE_MS);
    }
    const texts = mails.filter(({ to }) => to === "dead@acme.example").map(({ text }) => text);
    expect(texts).toHaveLength(2);
    expect(texts[0]).toContain("did not receive an event.");
    expect(texts[1]).toContain("did not receive 60 events.");
    expect(await noticesOf(hook)).toEqual([]);
  });
});

describe("a message", () => {
  it("that is not a wake-up is dropped", async () => {
    expect(await handOver([{ nonsense: true }])).toEqual({ acked: [0], retried: [] });
  });

  it("with an endpoint that cannot be leased is retried, and no other", async () => {
    const hook = await hookWith();
    expect(
      await handOver([{ webhook_ids: [hook.id] }, { nonsense: true }], { using: without("DB.batch") }),
    ).toEqual({ acked: [1], retried: [0] });
  });
});

it("does nothing for an endpoint that has nothing due", async () => {
  const hook = await hookWith();
  const before = await stored(hook);
  await wake(hook);
  expect(await stored(hook)).toEqual(before);
  advance(0);
});
