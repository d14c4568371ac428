import { evictDurableObject } from "cloudflare:test";
import { describe, expect, it, vi } from "vitest";
import { DISABLE_AFTER_MS } from "../../../src/outbound/auto-disable.ts";
import {
  alertStates,
  alertsOfEachTest,
  listAlerts,
  OPERATORS,
  postedTo,
  raiseRingKey,
} from "../../support/alerts.ts";
import { advance, deliver, runCron } from "../../support/forwarding.ts";
import { bindings, createApiKey, createConnection, type Json } from "../../support/gateway.ts";
import { outage } from "../../support/interception.ts";
import { noticesOf, storeWebhook, tell as tellEvent } from "../../support/outbound.ts";
import { afterMinutes, freshWatch, MINUTE_MS, watch, whileCronRuns } from "../../support/watch.ts";

const HOUR_MS = 60 * MINUTE_MS;
const caught = alertsOfEachTest();

/** What every alert does, from its opening to its end. */
async function expectOnce(kind: string, { to = OPERATORS as string | null } = {}) {
  expect(await alertStates()).toEqual([[kind, "resolved"]]);
  expect(postedTo(caught)).toEqual([
    ["gateway.alert.opened", kind],
    ["gateway.alert.resolved", kind],
  ]);
  expect(caught.mails.map((mail) => mail.to)).toEqual(to === null ? [] : [to]);
}

async function setUsage(at: number, counts: Record<string, number>) {
  await bindings.DB.prepare(
    "INSERT OR REPLACE INTO usage (scope, period, at, environment, owner, counts, version, updated_at) VALUES ('all', 'day', ?, 'production', NULL, ?, 1, 1)",
  )
    .bind(at, JSON.stringify(counts))
    .run();
}

describe("each condition opens one alert that resolves by itself, is mailed once and posted once each way", () => {
  it("a cron that is silent for five minutes: the watch's own alarm is the second clock", async () => {
    await afterMinutes(5);
    expect(await alertStates()).toEqual([]);
    await afterMinutes(5);
    expect(await alertStates()).toEqual([["cron_silent", "open"]]);
    await runCron(Date.now());
    await whileCronRuns(2);
    await expectOnce("cron_silent");
  });

  it("a delivery that is overdue by five minutes", async () => {
    const hook = await storeWebhook();
    await tellEvent();
    await whileCronRuns(10);
    expect(await alertStates()).toEqual([["delivery_overdue", "open"]]);
    await bindings.DB.prepare("UPDATE deliveries SET next_attempt_at = NULL WHERE webhook_id = ?")
      .bind(hook.id)
      .run();
    await whileCronRuns(2);
    await expectOnce("delivery_overdue");
  });

  it("dead letters, for an hour", async () => {
    await deliver([{ file_ids: [] }], bindings, "audit1-files-dead");
    await whileCronRuns(2);
    await deliver([{ file_ids: [] }], bindings, "audit1-files-dead");
    await whileCronRuns(2);
    expect(await listAlerts()).toMatchObject([
      {
        kind: "dead_letters",
        status: "open",
        subject: { kind: "queue", id: "files" },
        facts: { messages: 1 },
      },
    ]);
    await whileCronRuns(61);
    await expectOnce("dead_letters");
  });

  it("a missing ring key, until nothing needs it any more", async () => {
    const missing = { kind: "ring_key_missing", subject: "test-9", facts: {} } as const;
    await watch().raise(missing);
    await whileCronRuns(10);
    await watch().raise(missing);
    await whileCronRuns(35);
    expect(await listAlerts()).toMatchObject([
      { status: "open", subject: { kind: "ring_key", id: "test-9" } },
    ]);
    await whileCronRuns(7);
    await expectOnce("ring_key_missing");
  });

  it("a report that waits for 15 minutes, which its gate raised at ten", async () => {
    const { id } = await createConnection({ notification_email: "payroll@acme.example" });
    const waiting = {
      kind: "report_waiting",
      subject: `connection:${id}`,
      facts: { oldest_at: Date.now() - 10 * MINUTE_MS },
    } as const;
    await watch().raise(waiting);
    await whileCronRuns(5);
    expect(await alertStates()).toEqual([]);
    await whileCronRuns(3);
    expect(await listAlerts("?owner_type=payroll_company&owner_id=acme")).toMatchObject([
      { kind: "report_waiting", status: "open", subject: { kind: "connection", id }, owner_id: "acme" },
    ]);
    await watch().clear("report_waiting", `connection:${id}`);
    await whileCronRuns();
    await expectOnce("report_waiting", { to: "payroll@acme.example" });
    expect(caught.mails[0]?.text).toContain(id);
  });

  it("a refused share that jumped, of an API key's gate", async () => {
    const { id } = await createApiKey();
    await watch().raise({
      kind: "refused_share",
      subject: `key:${id}`,
      facts: { requests: 40, refused: 30 },
    });
    await whileCronRuns(3);
    expect(await listAlerts()).toMatchObject([
      {
        status: "open",
        subject: { kind: "api_key", id: `ak_${id}` },
        owner_id: "acme",
        facts: { refused: 30 },
      },
    ]);
    await whileCronRuns(20);
    await expectOnce("refused_share");
  });

  it.each([
    ["half of the error budget", "error_budget_half", 6],
    ["all of the error budget", "error_budget_spent", 11],
  ])("%s is spent, until the next month", async (_what, kind, failed) => {
    const month = Date.UTC(new Date().getUTCFullYear() + 1, 4, 1);
    vi.setSystemTime(month + 27 * 24 * HOUR_MS);
    await freshWatch();
    await setUsage(month - 24 * HOUR_MS, { accepted: 10, "refused:SERVICE_UNAVAILABLE": 10 });
    await setUsage(month, { accepted: 4_000, duplicate: 1_000, "refused:INVALID_SIGNATURE": 5_000 - 4 });
    await whileCronRuns(2);
    expect(await alertStates()).toEqual([]);
    await setUsage(month + 24 * HOUR_MS, {
      "refused:SERVICE_UNAVAILABLE": failed - 2,
      "refused:INTERNAL_ERROR": 1,
      "refused:NOT_CONFIGURED": 1,
    });
    await whileCronRuns(2);
    const open = (await alertStates()).map(([each]) => each).sort();
    expect(open).toEqual(kind === "error_budget_half" ? [kind] : ["error_budget_half", kind]);
    advance(5 * 24 * HOUR_MS);
    await whileCronRuns(3);
    expect((await alertStates()).map(([, status]) => status)).toEqual(open.map(() => "resolved"));
    expect(caught.posts).toHaveLength(2 * open.length);
    expect(caught.mails.map(({ to }) => to)).toEqual(open.map(() => OPERATORS));
  });
});

describe("a webhook's way to being disabled", () => {
  const setHook = (id: string, fields: Json) =>
    bindings.DB.prepare(
      `UPDATE webhooks SET ${Object.keys(fields)
        .map((name) => `${name} = ?`)
        .join(", ")} WHERE id = ?`,
    )
      .bind(...Object.values(fields), id)
      .run();

  it("opens alerts half-way and at 80 %, and one about its recovery, without a second mail", async () => {
    const since = Date.now();
    const hook = await storeWebhook({ failing_since: since, consecutive_failures: 12 });
    await whileCronRuns(2);
    expect(await alertStates()).toEqual([]);
    vi.setSystemTime(since + DISABLE_AFTER_MS * 0.5);
    await runCron(Date.now());
    await whileCronRuns(3);
    expect(await alertStates()).toEqual([["webhook_half_way", "open"]]);
    vi.setSystemTime(since + DISABLE_AFTER_MS * 0.8);
    await runCron(Date.now());
    await whileCronRuns(2);
    expect(await alertStates()).toEqual([
      ["webhook_half_way", "open"],
      ["webhook_most_of_the_way", "open"],
    ]);
    expect(await listAlerts("?owner_type=payroll_company&owner_id=acme")).toHaveLength(2);
    // The notices of failing endpoints are the only mails.
    expect(caught.mails.map(({ subject }) => subject.split(":")[0])).toEqual([
      "Webhook half-way (50 %) to being disabled",
      "Webhook close (80 %) to being disabled",
    ]);
    await setHook(hook.id, { failing_since: null, last_success_at: Date.now() });
    await whileCronRuns(2);
    expect((await alertStates()).slice(2)).toEqual([["webhook_recovered", "open"]]);
    await whileCronRuns(61);
    expect((await alertStates()).map(([, status]) => status)).toEqual(["resolved", "resolved", "resolved"]);
    expect(caught.posts).toHaveLength(6);
    expect(caught.mails).toHaveLength(2);
    expect(await noticesOf(hook)).toEqual([]);
  });

  it.each(["gone", "failing"] as const)(
    "opens one when it is disabled as %s, until it is enabled",
    async (reason) => {
      const hook = await storeWebhook({ status: "disabled", disabled_reason: reason });
      await whileCronRuns(3);
      expect(await listAlerts()).toMatchObject([
        { kind: "webhook_disabled", status: "open", subject: { id: `wh_${hook.id}` }, facts: { reason } },
      ]);
      await setHook(hook.id, { status: "active", disabled_reason: null });
      await whileCronRuns(2);
      await expectOnce("webhook_disabled", { to: null });
    },
  );

  it("opens none for a webhook that a person disabled or deleted", async () => {
    await storeWebhook({ status: "disabled", disabled_reason: "requested" });
    await storeWebhook({ status: "disabled", disabled_reason: "gone", deleted_at: 1 });
    await whileCronRuns(2);
    expect(await alertStates()).toEqual([]);
  });
});

describe("the watch", () => {
  it("that was restarted neither opens nor mails an alert again", async () => {
    await raiseRingKey("test-1");
    await whileCronRuns();
    await evictDurableObject(watch());
    await whileCronRuns(3);
    expect(await alertStates()).toEqual([["ring_key_missing", "open"]]);
    expect(caught.mails).toHaveLength(1);
    expect(caught.posts).toHaveLength(1);
  });

  it("neither opens nor resolves what it could not read", async () => {
    const hook = await storeWebhook({ status: "disabled", disabled_reason: "gone" });
    await whileCronRuns(2);
    vi.spyOn(bindings.DB, "batch").mockRejectedValue(outage("D1 is down"));
    await whileCronRuns(3);
    expect(await alertStates()).toEqual([["webhook_disabled", "open"]]);
    vi.mocked(bindings.DB.batch).mockRestore();
    await bindings.DB.prepare("UPDATE webhooks SET deleted_at = 1 WHERE id = ?").bind(hook.id).run();
    await whileCronRuns();
    expect(await alertStates()).toEqual([["webhook_disabled", "resolved"]]);
  });

  it("deletes alerts 90 days after they were resolved", async () => {
    await raiseRingKey("test-1");
    await whileCronRuns(42);
    expect(await alertStates()).toEqual([["ring_key_missing", "resolved"]]);
    advance(89 * 24 * HOUR_MS);
    await whileCronRuns();
    expect(await alertStates()).toHaveLength(1);
    advance(24 * HOUR_MS);
    await whileCronRuns();
    expect(await alertStates()).toEqual([]);
  });
});
