import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { bounded } from "../../../src/bounded.ts";
import { BACKGROUND_LIMITS } from "../../../src/deadline.ts";
import { readSettings } from "../../../src/env.ts";
import { retain } from "../../../src/maintenance/retention.ts";
import { sendNotices } from "../../../src/outbound/email-notices.ts";
import { addFailureNotices } from "../../../src/outbound/failure-notices.ts";
import { runCron } from "../../support/forwarding.ts";
import { bindings } from "../../support/gateway.ts";
import { intercepted } from "../../support/interception.ts";
import {
  catchEndpointWakeUps,
  catchMails,
  deliveriesOf,
  handOver,
  meteredReceiver,
  noticesOf,
  receiver,
  type SentMail,
  stored,
  storeWebhook,
  tell,
  type WebhookRow,
  type Woken,
  wake,
} from "../../support/outbound.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const STARTED_AT = Date.parse("2026-05-04T09:00:00.000Z");
const settings = readSettings(bindings);

let owners = 0;
let woken: Woken;

beforeEach(async () => {
  woken = catchEndpointWakeUps();
  vi.useFakeTimers({ toFake: ["Date"] });
  vi.setSystemTime(STARTED_AT);
  await bindings.DB.batch(
    ["deliveries", "events", "webhooks", "notices"].map((table) =>
      bindings.DB.prepare(`DELETE FROM ${table}`),
    ),
  );
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

async function hookWith(fields: Parameters<typeof storeWebhook>[0] = {}) {
  const owner = { owner_type: "payroll_company" as const, owner_id: `health-${++owners}` };
  return {
    ...(await storeWebhook({ notification_email: "it@acme.example", ...owner, ...fields })),
    ...owner,
  };
}

const tellTo = (hook: WebhookRow, now = Date.now()) =>
  tell({ owner: { type: hook.owner_type, id: hook.owner_id } }, now);

const answering = (status: number) => receiver(() => new Response(null, { status }));

/** Subjects of the mails, by what they begin with. */
const subjectsOf = (mails: readonly SentMail[]) => mails.map(({ subject }) => subject.split(":")[0]);

/** An endpoint with one failed attempt, and whose deliveries are due only when they are woken. */
async function failingHook(status = 500) {
  const hook = await hookWith();
  const received = answering(status);
  await tellTo(hook);
  await wake(hook);
  return { hook, received };
}

const later = (ms: number) => vi.setSystemTime(STARTED_AT + ms);

async function cron() {
  await addFailureNotices(bindings.DB, Date.now());
  await sendNotices(bindings, settings, Date.now());
}

async function recover(hook: WebhookRow) {
  answering(200);
  await tellTo(hook);
  await wake(hook);
}

describe("people", () => {
  it("are notified after half an hour of failure, half-way, at 80 % and on recovery, each once", async () => {
    const mails = catchMails();
    const { hook } = await failingHook(403);
    later(30 * MINUTE_MS - 1);
    await cron();
    expect(mails).toEqual([]);
    for (const ms of [30 * MINUTE_MS, 31 * MINUTE_MS, 2.5 * DAY_MS, 3 * DAY_MS, 4 * DAY_MS, 4.9 * DAY_MS]) {
      later(ms);
      await cron();
    }
    expect(subjectsOf(mails)).toEqual([
      "Webhook failing",
      "Webhook half-way (50 %) to being disabled",
      "Webhook close (80 %) to being disabled",
    ]);
    expect(mails[0]).toMatchObject({ to: "it@acme.example", text: expect.stringContaining("HTTP 403") });
    await recover(hook);
    for (let i = 0; i < 3; i++) await cron();
    expect(subjectsOf(mails).slice(3)).toEqual(["Webhook recovered"]);
    expect(await noticesOf(hook)).toEqual([]);
    expect(await stored(hook)).toMatchObject({
      failure_level: 0,
      failure_mailed_at: null,
      last_failure: null,
    });
  });

  it("are notified by the minute cron", async () => {
    const mails = catchMails();
    const { hook } = await failingHook();
    later(30 * MINUTE_MS);
    await runCron(Date.now());
    expect(subjectsOf(mails)).toEqual(["Webhook failing"]);
    expect(await noticesOf(hook)).toEqual([]);
  });

  it("are shown our User-Agent if a bot filter answered", async () => {
    const mails = catchMails();
    const hook = await hookWith();
    receiver(() => new Response("<html>", { status: 403, headers: { "cf-mitigated": "challenge" } }));
    await tellTo(hook);
    await wake(hook);
    later(30 * MINUTE_MS);
    await cron();
    expect(mails[0]?.text).toContain("Audit1-Webhooks/1");
  });

  it("are not notified of a failure that ended before, nor of its recovery", async () => {
    const mails = catchMails();
    const { hook } = await failingHook();
    later(29 * MINUTE_MS);
    await recover(hook);
    later(60 * MINUTE_MS);
    await cron();
    expect(mails).toEqual([]);
  });

  it("are not notified of a failure whose mail could not be sent before it ended", async () => {
    const { hook } = await failingHook();
    later(30 * MINUTE_MS);
    catchMails(() => {
      throw new Error("the mail service is away");
    });
    await cron();
    expect(await noticesOf(hook)).toMatchObject([{ kind: "endpoint_failing", tries: 1 }]);
    await recover(hook);
    const mails = catchMails();
    later(2 * HOUR_MS);
    await cron();
    expect(mails).toEqual([]);
    expect(await noticesOf(hook)).toEqual([]);
  });

  it("are not advised about a deleted webhook, nor about events that no longer wait", async () => {
    const deleted = await hookWith({ failing_since: STARTED_AT - HOUR_MS, consecutive_failures: 3 });
    const resumed = await hookWith({ status: "paused" });
    await tellTo(resumed, STARTED_AT - 85 * DAY_MS);
    const mails = catchMails(() => {
      throw new Error("away");
    });
    await retain(bindings.DB, { from: "", to: "g" }, STARTED_AT);
    await cron();
    expect(await noticesOf(deleted)).toMatchObject([{ kind: "endpoint_failing" }]);
    expect(await noticesOf(resumed)).toMatchObject([{ kind: "events_expiring" }]);
    await bindings.DB.batch([
      bindings.DB.prepare("UPDATE webhooks SET deleted_at = 1 WHERE id = ?").bind(deleted.id),
      bindings.DB.prepare("UPDATE webhooks SET status = 'active' WHERE id = ?").bind(resumed.id),
    ]);
    vi.mocked(bindings.EMAIL.send).mockResolvedValue({ messageId: "1" });
    later(MINUTE_MS);
    await sendNotices(bindings, settings, Date.now());
    expect(bindings.EMAIL.send).toHaveBeenCalledTimes(2);
    expect(mails).toEqual([]);
    expect([...(await noticesOf(deleted)), ...(await noticesOf(resumed))]).toEqual([]);
  });

  it("are notified of a recovery that happened while they were notified of the failure", async () => {
    const { hook } = await failingHook();
    later(30 * MINUTE_MS);
    const mails = catchMails(async () => {
      if (mails.length === 0) await recover(hook);
    });
    await cron();
    await cron();
    expect(subjectsOf(mails)).toEqual(["Webhook failing", "Webhook recovered"]);
  });

  it("are notified of the current level if earlier mails could not be sent", async () => {
    const mails = catchMails();
    await failingHook();
    later(4.5 * DAY_MS);
    await cron();
    await cron();
    expect(subjectsOf(mails)).toEqual(["Webhook close (80 %) to being disabled"]);
  });

  it("are notified again when it fails again", async () => {
    const mails = catchMails();
    const { hook } = await failingHook();
    later(30 * MINUTE_MS);
    await cron();
    await recover(hook);
    answering(500);
    await tellTo(hook);
    await wake(hook);
    vi.setSystemTime(Date.now() + 30 * MINUTE_MS);
    await cron();
    expect(subjectsOf(mails).sort()).toEqual(["Webhook failing", "Webhook failing", "Webhook recovered"]);
  });

  it("are notified once by two concurrent crons", async () => {
    const mails = catchMails(() => scheduler.wait(5));
    await failingHook();
    later(30 * MINUTE_MS);
    await Promise.all([cron(), cron(), cron()]);
    await Promise.all([cron(), cron()]);
    expect(subjectsOf(mails)).toEqual(["Webhook failing"]);
  });

  it("are notified once by a cron that could not record the mail", async () => {
    const mails = catchMails();
    const { hook } = await failingHook();
    later(30 * MINUTE_MS);
    await addFailureNotices(bindings.DB, Date.now());
    let batches = 0;
    const using = intercepted((call, proceed) => {
      // The first one claims.
      if (call === "DB.batch" && ++batches > 1) return Promise.reject(new Error("D1 is away"));
      return proceed();
    });
    await sendNotices(using, settings, Date.now());
    expect(mails).toHaveLength(1);
    for (const hours of [1, 2, 3]) {
      later(hours * HOUR_MS);
      await cron();
    }
    expect(mails).toHaveLength(1);
    expect(await noticesOf(hook)).toEqual([]);
    expect(await stored(hook)).toMatchObject({ failure_mailed_at: expect.any(Number) });
  });

  it.each([
    ["the bindings", bindings],
    ["bindings with the same deadline", bounded(bindings, { ...BACKGROUND_LIMITS, mailMs: 5 })],
  ])("are not notified twice of a mail that was accepted late, by %s", async (_name, using) => {
    const taken = Promise.withResolvers<void>();
    const mails = catchMails(() => taken.promise);
    const { hook } = await failingHook();
    later(30 * MINUTE_MS);
    await addFailureNotices(bindings.DB, Date.now());
    await sendNotices(using, settings, Date.now(), 5);
    taken.resolve();
    await vi.waitFor(async () => expect(await noticesOf(hook)).toEqual([]));
    later(2 * HOUR_MS);
    await cron();
    expect(mails).toHaveLength(1);
  });
});

describe("an address that the mail service refuses for good", () => {
  const refused = () => Object.assign(new Error("not allowed"), { code: "E_RECIPIENT_NOT_ALLOWED" });

  it("is replaced by the operators' at once, and the log does not say which it was", async () => {
    const logged = vi.spyOn(console, "error");
    const mails = catchMails(({ to }) => {
      if (to === "it@acme.example") throw refused();
    });
    const { hook } = await failingHook();
    later(30 * MINUTE_MS);
    await cron();
    expect(mails).toMatchObject([
      { to: settings.operatorsEmail, text: expect.stringContaining("notification_email") },
    ]);
    expect(await noticesOf(hook)).toEqual([]);
    const lines = logged.mock.calls.flat().join();
    expect(lines).toContain("permanently rejects the recipient");
    expect(lines).not.toContain("it@acme.example");
  });

  it("that is the operators' own ends the mail with an error", async () => {
    const logged = vi.spyOn(console, "error");
    let tries = 0;
    catchMails(() => {
      tries++;
      throw refused();
    });
    const { hook } = await failingHook();
    later(30 * MINUTE_MS);
    await cron();
    await cron();
    expect(tries).toBe(2);
    expect(await noticesOf(hook)).toEqual([]);
    expect(logged.mock.calls.flat().join()).toContain("dropped a mail");
  });

  it("is not replaced for a failure that may pass", async () => {
    const mails = catchMails(({ to }) => {
      if (to === "it@acme.example") throw Object.assign(new Error("busy"), { code: "E_RATE_LIMIT_EXCEEDED" });
    });
    const { hook } = await failingHook();
    later(30 * MINUTE_MS);
    await cron();
    expect(mails).toEqual([]);
    expect(await noticesOf(hook)).toMatchObject([{ tries: 1, due_at: Date.now() + MINUTE_MS }]);
  });
});

describe("an endpoint that answers 410", () => {
  it("to several in flight is disabled once, with one mail, and skips pending deliveries", async () => {
    const mails = catchMails();
    const hook = await hookWith();
    for (let i = 0; i < 9; i++) await tellTo(hook);
    const all = Promise.withResolvers<void>();
    const { calls } = receiver(async () => {
      if (calls.length === 4) all.resolve();
      await all.promise;
      return new Response(null, { status: 410 });
    });
    await wake(hook);
    await wake(hook);
    expect(calls).toHaveLength(4);
    for (let i = 0; i < 3; i++) {
      vi.setSystemTime(Date.now() + HOUR_MS);
      await cron();
    }
    expect(subjectsOf(mails)).toEqual(["Webhook disabled"]);
    const audit = await bindings.DB.prepare("SELECT action FROM audit WHERE subject_id = ?")
      .bind(hook.id)
      .all();
    expect(audit.results).toEqual([{ action: "webhook.disabled" }]);
    const statuses = (await deliveriesOf(hook)).map(({ status }) => status);
    expect(statuses.filter((status) => status === "failed")).toHaveLength(4);
    expect(statuses.filter((status) => status === "skipped")).toHaveLength(5);
  });

  it("is reported as recovered once it is active again and accepts deliveries", async () => {
    const mails = catchMails();
    const { hook } = await failingHook(410);
    await cron();
    await bindings.DB.prepare("UPDATE webhooks SET status = 'active', disabled_reason = NULL WHERE id = ?")
      .bind(hook.id)
      .run();
    vi.setSystemTime(Date.now() + HOUR_MS);
    await recover(hook);
    await cron();
    expect(subjectsOf(mails)).toEqual(["Webhook disabled", "Webhook recovered"]);
  });
});

describe("a success after failures", () => {
  const longFailing = {
    failing_since: STARTED_AT - 6 * DAY_MS,
    consecutive_failures: 20,
    failure_level: 3,
    max_in_flight: 2,
  };

  it("clears what would have disabled it", async () => {
    const hook = await hookWith(longFailing);
    for (let i = 0; i < 2; i++) await tellTo(hook);
    const failed = Promise.withResolvers<void>();
    const { calls } = receiver(async () => {
      if (calls.length === 1) {
        failed.resolve();
        return new Response(null, { status: 500 });
      }
      await failed.promise;
      // The failure is judged, and not yet recorded.
      await scheduler.wait(20);
      return new Response();
    });
    await wake(hook);
    expect(await stored(hook)).toMatchObject({ status: "active", failing_since: null });
  });

  it("starts a new failure if the next attempt of the same turn fails", async () => {
    const hook = await hookWith({ ...longFailing, consecutive_failures: 1, last_success_at: STARTED_AT });
    for (let i = 0; i < 2; i++) await tellTo(hook);
    const { calls } = receiver(() => {
      vi.setSystemTime(Date.now() + 1);
      return new Response(null, { status: calls.length === 1 ? 200 : 503, headers: { "Retry-After": "60" } });
    });
    await bindings.DB.prepare("UPDATE webhooks SET max_in_flight = 1 WHERE id = ?").bind(hook.id).run();
    await wake(hook);
    expect(calls).toHaveLength(2);
    expect(await stored(hook)).toMatchObject({ consecutive_failures: 1, failure_level: 0 });
    expect((await stored(hook)).failing_since).toBeGreaterThan(STARTED_AT);
  });

  it("that another consumer recorded meanwhile keeps it from being disabled", async () => {
    const hook = await hookWith(longFailing);
    await tellTo(hook);
    receiver(async () => {
      await bindings.DB.prepare(
        "UPDATE webhooks SET holder = 'other', failing_since = NULL, consecutive_failures = 0 WHERE id = ?",
      )
        .bind(hook.id)
        .run();
      return new Response(null, { status: 500 });
    });
    await wake(hook);
    expect(await stored(hook)).toMatchObject({ status: "active", failing_since: null });
    expect(await noticesOf(hook)).toEqual([]);
  });
});

describe("a paused webhook", () => {
  it("is sent nothing, counts nothing, and is not woken", async () => {
    const hook = await hookWith({ status: "paused" });
    const { calls } = answering(200);
    await tellTo(hook);
    await runCron(Date.now());
    expect([...woken.quick, ...woken.slow, ...woken.new]).toEqual([]);
    await wake(hook);
    expect(calls).toEqual([]);
    expect(await deliveriesOf(hook)).toMatchObject([{ status: "pending", attempts: 0, last_error: null }]);
  });

  it("is not reported as failing, however long it has been paused", async () => {
    const mails = catchMails();
    const { hook } = await failingHook();
    await bindings.DB.prepare("UPDATE webhooks SET status = 'paused' WHERE id = ?").bind(hook.id).run();
    later(4.5 * DAY_MS);
    await cron();
    expect(mails).toEqual([]);
  });

  it("sends the oldest first once it is active", async () => {
    const hook = await hookWith({ status: "paused", max_in_flight: 1 });
    const { calls } = answering(200);
    for (let i = 0; i < 5; i++) {
      vi.setSystemTime(Date.now() + 1_000);
      await tellTo(hook);
    }
    await bindings.DB.prepare("UPDATE webhooks SET status = 'active' WHERE id = ?").bind(hook.id).run();
    await wake(hook);
    const order = (await deliveriesOf(hook)).map(({ event_id }) => event_id);
    expect(calls.map(({ body }) => body.id)).toEqual(order);
    expect(order).toHaveLength(5);
  });

  it("is reported a week before its held deliveries expire, at most once a day, and then skips them", async () => {
    const mails = catchMails();
    const hook = await hookWith({ status: "paused" });
    await tellTo(hook);
    later(30 * MINUTE_MS);
    await tellTo(hook);
    const hourly = async () => {
      await retain(bindings.DB, { from: "", to: "g" }, Date.now());
      await cron();
    };
    later(83 * DAY_MS - 2 * HOUR_MS);
    await hourly();
    expect(mails).toEqual([]);
    later(83 * DAY_MS + HOUR_MS);
    await hourly();
    await hourly();
    expect(subjectsOf(mails)).toEqual(["Events for a paused webhook expire in a week"]);
    expect(mails[0]?.text).toContain(new Date(STARTED_AT + 90 * DAY_MS).toISOString());
    later(89 * DAY_MS);
    await hourly();
    expect((await deliveriesOf(hook)).map(({ status }) => status)).toEqual(["pending", "pending"]);
    later(90 * DAY_MS + HOUR_MS);
    await hourly();
    expect(await deliveriesOf(hook)).toMatchObject(
      Array(2).fill({ status: "skipped", last_error: "event_expired", next_attempt_at: null }),
    );
    expect(mails).toHaveLength(1);
  });
});

describe("a pace", () => {
  const startsOf = async (hook: WebhookRow, minutes: number) => {
    const starts: number[] = [];
    receiver(() => {
      starts.push(Date.now());
      return new Response();
    });
    for (let second = 0; second < minutes * 60; second += 5) {
      later(second * 1_000);
      await Promise.all([wake(hook), wake(hook), wake(hook)]);
    }
    return starts;
  };

  it("is not exceeded in any minute, however many consumers there are, and counts no attempt", async () => {
    const hook = await hookWith({ max_per_minute: 3 });
    for (let i = 0; i < 12; i++) await tellTo(hook);
    const starts = await startsOf(hook, 3);
    expect(starts).toHaveLength(9);
    for (const start of starts)
      expect(starts.filter((each) => each >= start && each < start + MINUTE_MS).length).toBeLessThanOrEqual(
        3,
      );
    const left = (await deliveriesOf(hook)).filter(({ status }) => status === "pending");
    expect(left).toHaveLength(3);
    expect(left.every(({ attempts }) => attempts === 0)).toBe(true);
  });

  it("wakes the endpoint again when the next request may start, and no sweep wakes it before", async () => {
    const hook = await hookWith({ max_per_minute: 2 });
    for (let i = 0; i < 4; i++) await tellTo(hook);
    const { calls } = answering(200);
    await wake(hook);
    expect(calls).toHaveLength(2);
    const [messages] = vi.mocked(bindings.DELIVERIES.sendBatch).mock.lastCall ?? [];
    expect([...(messages ?? [])]).toEqual([
      { body: { webhook_ids: [hook.id] }, delaySeconds: expect.toSatisfy((s: number) => s >= 60 && s <= 63) },
    ]);
    woken.quick.length = 0;
    later(MINUTE_MS);
    await runCron(Date.now());
    expect(woken.quick).toEqual([]);
    later(2 * MINUTE_MS);
    await runCron(Date.now());
    expect(woken.quick).toEqual([hook.id]);
  });

  it("counts what a consumer that died may have sent", async () => {
    const hook = await hookWith({ max_per_minute: 2 });
    for (let i = 0; i < 4; i++) await tellTo(hook);
    const { calls } = answering(200);
    let batches = 0;
    const using = intercepted((call, proceed) => {
      if (call === "DB.batch" && ++batches > 1) return Promise.reject(new Error("D1 is away"));
      return proceed();
    });
    await handOver([{ webhook_ids: [hook.id] }], { using });
    expect(calls).toHaveLength(2);
    later(45_000);
    await wake(hook);
    expect(calls).toHaveLength(2);
    later(65_000);
    await wake(hook);
    expect(calls).toHaveLength(4);
  });
});

describe("a new endpoint", () => {
  const slowQueue = { queue: "audit1-deliveries-slow" };
  const hanging = () =>
    vi.spyOn(globalThis, "fetch").mockImplementation(
      (_input, init) =>
        new Promise((_resolve, reject) => {
          init?.signal?.addEventListener("abort", () => reject(new Error("aborted")));
        }),
    );

  it("has a lane of its own, and no other lane but the slow one tries it", async () => {
    const hook = await hookWith({ proven_at: null });
    const { calls } = answering(200);
    expect(await tellTo(hook)).toMatchObject({ endpoints: [{ id: hook.id, lane: "new" }] });
    await runCron(Date.now());
    expect(woken).toEqual({ quick: [], slow: [], new: [hook.id] });
    await handOver([{ webhook_ids: [hook.id] }]);
    expect(calls).toEqual([]);
    expect(woken.new).toEqual([hook.id, hook.id]);
    await handOver([{ webhook_ids: [hook.id] }], { queue: "audit1-deliveries-new" });
    expect(calls).toHaveLength(1);
  });

  it("leaves its lane once it answers in time, whatever it answers", async () => {
    const hook = await hookWith({ proven_at: null });
    answering(500);
    await tellTo(hook);
    await wake(hook);
    expect(await stored(hook)).toMatchObject({ proven_at: STARTED_AT });
    expect(await tellTo(hook)).toMatchObject({ endpoints: [{ lane: "quick" }] });
  });

  it("gets one request at a time until it has answered", async () => {
    const hook = await hookWith({ proven_at: null });
    for (let i = 0; i < 4; i++) await tellTo(hook);
    const { calls, most } = meteredReceiver(5, () => {
      throw new Error("Network connection lost.");
    });
    await wake(hook);
    expect(calls.length).toBeGreaterThan(1);
    expect(most()).toBe(1);
    expect(await stored(hook)).toMatchObject({ proven_at: null });
  });

  it("that is always slow gets as many at a time as any other, once it has accepted a delivery", async () => {
    const hook = await hookWith({ proven_at: null, slow_at: STARTED_AT, last_success_at: STARTED_AT });
    for (let i = 0; i < 4; i++) await tellTo(hook);
    const { most } = meteredReceiver(20);
    await handOver([{ webhook_ids: [hook.id] }], slowQueue);
    expect(most()).toBe(4);
  });

  it("that hangs does not keep a slow one beside it from its next deliveries", async () => {
    const hook = await hookWith({ slow_at: STARTED_AT, max_in_flight: 1 });
    const dead = await hookWith({ slow_at: STARTED_AT });
    for (let i = 0; i < 2; i++) await tellTo(hook);
    await tellTo(dead);
    const released = Promise.withResolvers<void>();
    receiver(async ({ webhook }) => {
      if (webhook === dead.id) await released.promise;
      // A turn is over.
      else vi.setSystemTime(Date.now() + 3_000);
      return new Response();
    });
    const handed = handOver([{ webhook_ids: [hook.id, dead.id] }], slowQueue);
    await vi.waitFor(() => expect(woken.slow).toEqual([hook.id]));
    released.resolve();
    expect(await handed).toEqual({ acked: [0], retried: [] });
  });

  it("stays proven by a test that it answered while a delivery to it failed", async () => {
    const hook = await hookWith({ proven_at: null });
    await tellTo(hook);
    receiver(async () => {
      await bindings.DB.prepare("UPDATE webhooks SET proven_at = 7 WHERE id = ?").bind(hook.id).run();
      throw new Error("Network connection lost.");
    });
    await wake(hook);
    expect(await stored(hook)).toMatchObject({ consecutive_failures: 2, proven_at: 7 });
  });

  it("is cut off after two seconds, no attempt is counted, and it is tried again with ten in the slow lane", async () => {
    vi.useRealTimers();
    const hook = await hookWith({ proven_at: null });
    const fetched = hanging();
    await tellTo(hook);
    const startedAt = Date.now();
    await handOver([{ webhook_ids: [hook.id] }], { queue: "audit1-deliveries-new" });
    const took = Date.now() - startedAt;
    expect(took).toBeGreaterThan(1_900);
    expect(took).toBeLessThan(5_000);
    expect(fetched).toHaveBeenCalledOnce();
    expect(await deliveriesOf(hook)).toMatchObject([{ status: "pending", attempts: 0, history: [] }]);
    expect(await stored(hook)).toMatchObject({ consecutive_failures: 0, proven_at: null, held_until: 0 });
    expect(woken.slow).toEqual([hook.id]);
    fetched.mockImplementation(async () => {
      await scheduler.wait(3_000);
      return new Response("late");
    });
    await handOver([{ webhook_ids: [hook.id] }], slowQueue);
    expect(await deliveriesOf(hook)).toMatchObject([{ status: "delivered", attempts: 1 }]);
    expect(await stored(hook)).toMatchObject({ proven_at: null });
    // One first try is cut off, not that of every event.
    await bindings.DB.prepare("UPDATE webhooks SET slow_at = 1 WHERE id = ?").bind(hook.id).run();
    expect(await tellTo(hook)).toMatchObject({ endpoints: [{ lane: "slow" }] });
  }, 20_000);
});
