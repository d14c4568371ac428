import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { bounded } from "../../../src/bounded.ts";
import { newObjectId } from "../../../src/crypto/ids.ts";
import { BACKGROUND_LIMITS } from "../../../src/deadline.ts";
import { ConfigurationError, readSettings } from "../../../src/env.ts";
import { DISABLE_AFTER_MS } from "../../../src/outbound/auto-disable.ts";
import { GATEWAY } from "../../../src/watch/alert-kinds.ts";
import { AlertStore } from "../../../src/watch/alert-store.ts";
import { mailAlerts } from "../../../src/watch/mail-alerts.ts";
import { advance, catchWakeUps, deliver, runCron } from "../../support/forwarding.ts";
import { bindings, createApiKey, createConnection, type Json, portal, sign } from "../../support/gateway.ts";
import { hanging, outage, SHORT_MS, without } from "../../support/interception.ts";
import {
  type Call,
  catchEndpointWakeUps,
  catchMails,
  noticesOf,
  receiver,
  SECRET,
  type SentMail,
  storeWebhook,
  tell as tellEvent,
} from "../../support/outbound.ts";
import {
  afterMinutes,
  anotherDay,
  freshWatch,
  MINUTE_MS,
  operatorsWebhook,
  watch,
  whileCronRuns,
} from "../../support/watch.ts";

const OPERATORS = "operators@audit1.test";
const HOOK = "https://hooks.operators-audit.com/alerts";
const HOUR_MS = 60 * MINUTE_MS;

let mails: SentMail[];
let posts: Call[];

beforeEach(async () => {
  anotherDay();
  catchWakeUps();
  catchEndpointWakeUps();
  mails = catchMails();
  posts = receiver().calls;
  await operatorsWebhook(() => ({ url: HOOK, secret: SECRET }));
  await bindings.DB.batch(
    ["attention", "deliveries", "events", "webhooks", "notices", "usage"].map((table) =>
      bindings.DB.prepare(`DELETE FROM ${table}`),
    ),
  );
  await freshWatch();
  await whileCronRuns();
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

async function alerts(query = "", client = "portal"): Promise<Json[]> {
  return (await portal("GET", `/alerts${query}`, undefined, client)).json.alerts;
}

const states = async () => (await alerts()).map(({ kind, status }) => [kind, status]).reverse();
const posted = () => posts.map(({ body }) => [body.type, body.data.alert.kind]);

/** What every alert does, from its opening to its end. */
async function expectOnce(kind: string, { to = OPERATORS as string | null } = {}) {
  expect(await states()).toEqual([[kind, "resolved"]]);
  expect(posted()).toEqual([
    ["gateway.alert.opened", kind],
    ["gateway.alert.resolved", kind],
  ]);
  expect(mails.map((mail) => mail.to)).toEqual(to === null ? [] : [to]);
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
    expect(await states()).toEqual([]);
    await afterMinutes(5);
    expect(await states()).toEqual([["cron_silent", "open"]]);
    await runCron(Date.now());
    await whileCronRuns(2);
    await expectOnce("cron_silent");
  });

  it("a delivery that is overdue by five minutes", async () => {
    const hook = await storeWebhook();
    await tellEvent();
    await whileCronRuns(10);
    expect(await states()).toEqual([["delivery_overdue", "open"]]);
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
    expect(await alerts()).toMatchObject([
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
    expect(await alerts()).toMatchObject([{ status: "open", subject: { kind: "ring_key", id: "test-9" } }]);
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
    expect(await states()).toEqual([]);
    await whileCronRuns(3);
    expect(await alerts("?owner_type=payroll_company&owner_id=acme")).toMatchObject([
      { kind: "report_waiting", status: "open", subject: { kind: "connection", id }, owner_id: "acme" },
    ]);
    await watch().clear("report_waiting", `connection:${id}`);
    await whileCronRuns();
    await expectOnce("report_waiting", { to: "payroll@acme.example" });
    expect(mails[0]?.text).toContain(id);
  });

  it("a refused share that jumped, of an API key's gate", async () => {
    const { id } = await createApiKey();
    await watch().raise({
      kind: "refused_share",
      subject: `key:${id}`,
      facts: { requests: 40, refused: 30 },
    });
    await whileCronRuns(3);
    expect(await alerts()).toMatchObject([
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
    expect(await states()).toEqual([]);
    await setUsage(month + 24 * HOUR_MS, {
      "refused:SERVICE_UNAVAILABLE": failed - 2,
      "refused:INTERNAL_ERROR": 1,
      "refused:NOT_CONFIGURED": 1,
    });
    await whileCronRuns(2);
    const open = (await states()).map(([each]) => each).sort();
    expect(open).toEqual(kind === "error_budget_half" ? [kind] : ["error_budget_half", kind]);
    advance(5 * 24 * HOUR_MS);
    await freshReading();
    await whileCronRuns(2);
    expect((await states()).map(([, status]) => status)).toEqual(open.map(() => "resolved"));
    expect(posts).toHaveLength(2 * open.length);
    expect(mails.map(({ to }) => to)).toEqual(open.map(() => OPERATORS));
  });
});

/** Lets the alarm ring as if it had been late. */
async function freshReading(): Promise<void> {
  await whileCronRuns();
}

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
    expect(await states()).toEqual([]);
    vi.setSystemTime(since + DISABLE_AFTER_MS * 0.5);
    await runCron(Date.now());
    await whileCronRuns(3);
    expect(await states()).toEqual([["webhook_half_way", "open"]]);
    vi.setSystemTime(since + DISABLE_AFTER_MS * 0.8);
    await runCron(Date.now());
    await whileCronRuns(2);
    expect(await states()).toEqual([
      ["webhook_half_way", "open"],
      ["webhook_most_of_the_way", "open"],
    ]);
    expect(await alerts("?owner_type=payroll_company&owner_id=acme")).toHaveLength(2);
    // The notices of failing endpoints are the only mails.
    expect(mails.map(({ subject }) => subject.split(":")[0])).toEqual([
      "Webhook half-way (50 %) to being disabled",
      "Webhook close (80 %) to being disabled",
    ]);
    await setHook(hook.id, { failing_since: null, last_success_at: Date.now() });
    await whileCronRuns(2);
    expect((await states()).slice(2)).toEqual([["webhook_recovered", "open"]]);
    await whileCronRuns(61);
    expect((await states()).map(([, status]) => status)).toEqual(["resolved", "resolved", "resolved"]);
    expect(posts).toHaveLength(6);
    expect(mails).toHaveLength(2);
    expect(await noticesOf(hook)).toEqual([]);
  });

  it.each(["gone", "failing"] as const)(
    "opens one when it is disabled as %s, until it is enabled",
    async (reason) => {
      const hook = await storeWebhook({ status: "disabled", disabled_reason: reason });
      await whileCronRuns(3);
      expect(await alerts()).toMatchObject([
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
    expect(await states()).toEqual([]);
  });
});

const ringKey = (id: string) => watch().raise({ kind: "ring_key_missing", subject: id, facts: {} });

describe("mails", () => {
  it("of one kind share a mail: the first goes at once, those of the next quarter of an hour together", async () => {
    await ringKey("test-1");
    await whileCronRuns();
    for (const id of ["test-2", "test-3"]) {
      await ringKey(id);
      await whileCronRuns(2);
    }
    expect(mails).toHaveLength(1);
    await whileCronRuns(12);
    expect(mails).toHaveLength(2);
    expect(mails[1]).toMatchObject({
      subject: "Alert: A key is missing in the key ring (2)",
      text: expect.stringMatching(/test-2[\s\S]*test-3[\s\S]*docs\/runbook\.md#ring-key-missing/),
    });
  });

  it("that wait for their quarter of an hour hold up no others", async () => {
    const connections = await Promise.all(
      Array.from({ length: 10 }, (_, i) =>
        createConnection({ notification_email: `payroll-${i}@acme.test` }),
      ),
    );
    const jump = () =>
      Promise.all(
        connections.map(({ id }) =>
          watch().raise({ kind: "refused_share", subject: `connection:${id}`, facts: {} }),
        ),
      );
    await jump();
    await whileCronRuns();
    await Promise.all(connections.map(({ id }) => watch().clear("refused_share", `connection:${id}`)));
    await whileCronRuns();
    expect(mails).toHaveLength(10);
    await jump();
    await whileCronRuns();
    await watch().raise({ kind: "dead_letters", subject: "files", facts: { messages: 1 } });
    await whileCronRuns();
    expect(mails.slice(10).map(({ to }) => to)).toEqual([OPERATORS]);
  });

  it("are sent again until the mail service accepts them, each once", async () => {
    const send = vi.spyOn(bindings.EMAIL, "send").mockRejectedValue(outage("the mail service is down"));
    await ringKey("test-1");
    await whileCronRuns(5);
    expect(send.mock.calls.length).toBeGreaterThan(1);
    send.mockRestore();
    mails = catchMails();
    await whileCronRuns(10);
    expect(mails).toHaveLength(1);
  });

  it("that the mail service accepts after the deadline are not sent again", async () => {
    let accept = () => {};
    vi.spyOn(bindings.EMAIL, "send").mockImplementation(
      () =>
        new Promise((resolve) => {
          accept = () => resolve({ messageId: "1" });
        }),
    );
    const due = await runInDurableObject(watch(), async (_watch, { storage }) => {
      const store = new AlertStore(storage.sql);
      const now = Date.now();
      const alert = { kind: "cron_silent", subject: GATEWAY, owner: null, facts: {} } as const;
      store.insert(alert, ["mail"], now);
      const env = bounded(bindings, { ...BACKGROUND_LIMITS, mailMs: SHORT_MS });
      await mailAlerts(store, env, readSettings(env), { now, startUntil: now });
      const left = () => store.dueNotifications(["mail"], 10, now + HOUR_MS).map(({ tries }) => tries);
      const before = left();
      accept();
      await scheduler.wait(0);
      return [before, left()];
    });
    expect(due).toEqual([[1], []]);
  });

  it("go to the operators if the mail service rejects a connection's address for good", async () => {
    mails = catchMails(({ to }) => {
      if (to !== OPERATORS) throw Object.assign(new Error("no"), { code: "E_RECIPIENT_NOT_ALLOWED" });
    });
    const { id } = await createConnection({ notification_email: "dead@acme.example" });
    await watch().raise({ kind: "refused_share", subject: `connection:${id}`, facts: {} });
    await whileCronRuns(3);
    expect(mails).toMatchObject([{ to: OPERATORS, text: expect.stringContaining("notification_email") }]);
  });

  it("wait while D1 does not say where to, five minutes at most", async () => {
    const { id } = await createConnection({ notification_email: "payroll@acme.example" });
    vi.spyOn(bindings.DB, "prepare").mockImplementation(() => {
      throw outage("D1 is down");
    });
    await watch().raise({ kind: "refused_share", subject: `connection:${id}`, facts: {} });
    await ringKey("test-1");
    await whileCronRuns(3);
    expect(mails.map(({ subject }) => subject)).toEqual(["Alert: A key is missing in the key ring"]);
    await whileCronRuns(4);
    expect(mails.map(({ to }) => to)).toEqual([OPERATORS, OPERATORS]);
    vi.mocked(bindings.DB.prepare).mockRestore();
    await whileCronRuns();
    expect((await alerts("?kind=refused_share"))[0]).toMatchObject({ owner_id: "acme" });
    expect(mails).toHaveLength(2);
  });
});

describe("the operators' webhook", () => {
  it("gets signed events of their own types, with the alert and no secret", async () => {
    await ringKey("test-1");
    await whileCronRuns();
    const [post] = posts;
    const timestamp = post?.headers.get("X-Webhook-Timestamp") ?? "";
    expect(post?.url).toBe(HOOK);
    expect(post?.headers.get("X-Webhook-Signature")).toBe(await sign(SECRET, timestamp, post?.text ?? ""));
    const [alert] = await alerts();
    expect(post?.body).toMatchObject({
      id: `evt_${alert?.id}_opened`,
      type: "gateway.alert.opened",
      data: { alert: { ...alert } },
      metadata: { source: "audit1-gateway" },
    });
  });

  it("is retried until it accepts, in the order of each alert, and raises no alert itself", async () => {
    let up = false;
    const { calls } = receiver(() => new Response(null, { status: up ? 200 : 503 }));
    await ringKey("test-1");
    await whileCronRuns(42);
    expect(await states()).toEqual([["ring_key_missing", "resolved"]]);
    expect(new Set(calls.map(({ body }) => body.type))).toEqual(new Set(["gateway.alert.opened"]));
    up = true;
    const refused = calls.length;
    await whileCronRuns(70);
    expect(calls.slice(refused).map(({ body }) => body.type)).toEqual([
      "gateway.alert.opened",
      "gateway.alert.resolved",
    ]);
    expect(new Set(calls.map(({ headers }) => headers.get("webhook-id"))).size).toBe(2);
    expect(await states()).toEqual([["ring_key_missing", "resolved"]]);
  });

  it("that leads to an address of our own is never called", async () => {
    await operatorsWebhook(() => ({ url: "https://portal.audit1.com/alerts", secret: SECRET }));
    await ringKey("test-1");
    await whileCronRuns(3);
    expect(posts).toEqual([]);
    expect(mails).toHaveLength(1);
  });

  it("that is not set is no trouble", async () => {
    await operatorsWebhook(() => null);
    await ringKey("test-1");
    await whileCronRuns(2);
    expect(posts).toEqual([]);
    expect(await states()).toEqual([["ring_key_missing", "open"]]);
  });

  it("whose setting is broken stops nothing else, and posts go out once the setting is right", async () => {
    await operatorsWebhook(() => {
      throw new ConfigurationError("operators_webhook", "OPERATORS_WEBHOOK_URL: must be an https address");
    });
    await ringKey("test-1");
    await whileCronRuns(3);
    expect(posts).toEqual([]);
    expect(mails).toHaveLength(1);
    await operatorsWebhook(() => ({ url: HOOK, secret: SECRET }));
    await whileCronRuns(5);
    expect(posted()).toEqual([["gateway.alert.opened", "ring_key_missing"]]);
  });

  it.each(["gateway.alert.opened", "gateway.*"])("cannot be had by a subscription to %s", async (pattern) => {
    const asked = {
      owner_type: "payroll_company",
      owner_id: "acme",
      url: "https://hooks.acme-audit.com/x",
      events: [pattern],
    };
    expect((await portal("POST", "/webhooks", asked)).status).toBe(400);
  });
});

describe("a run that is slow ends after the mail or post that it started last within 20 seconds", () => {
  const SLOW_MS = 9_000;

  it("so that posts to a slow endpoint do not delay the next check by minutes, and follow later", async () => {
    const { calls } = receiver(() => {
      advance(SLOW_MS);
      return new Response();
    });
    for (let i = 0; i < 8; i++) await ringKey(`test-${i}`);
    await whileCronRuns();
    expect(calls).toHaveLength(3);
    await whileCronRuns(2);
    expect(calls).toHaveLength(8);
    expect(new Set(calls.map(({ headers }) => headers.get("webhook-id"))).size).toBe(8);
  });

  it("and mails likewise", async () => {
    await operatorsWebhook(() => null);
    mails = catchMails(() => void advance(SLOW_MS));
    for (let i = 0; i < 5; i++) {
      const { id } = await createConnection({ notification_email: `payroll-${i}@acme.test` });
      await watch().raise({ kind: "refused_share", subject: `connection:${id}`, facts: {} });
    }
    await whileCronRuns();
    expect(mails).toHaveLength(3);
    await whileCronRuns();
    expect(new Set(mails.map(({ to }) => to)).size).toBe(5);
  });
});

describe("the watch", () => {
  it("that was restarted neither opens nor mails an alert again", async () => {
    await ringKey("test-1");
    await whileCronRuns();
    await evictDurableObject(watch());
    await whileCronRuns(3);
    expect(await states()).toEqual([["ring_key_missing", "open"]]);
    expect(mails).toHaveLength(1);
    expect(posts).toHaveLength(1);
  });

  it("neither opens nor resolves what it could not read", async () => {
    const hook = await storeWebhook({ status: "disabled", disabled_reason: "gone" });
    await whileCronRuns(2);
    vi.spyOn(bindings.DB, "batch").mockRejectedValue(outage("D1 is down"));
    await whileCronRuns(3);
    expect(await states()).toEqual([["webhook_disabled", "open"]]);
    vi.mocked(bindings.DB.batch).mockRestore();
    await bindings.DB.prepare("UPDATE webhooks SET deleted_at = 1 WHERE id = ?").bind(hook.id).run();
    await whileCronRuns();
    expect(await states()).toEqual([["webhook_disabled", "resolved"]]);
  });

  it("deletes alerts 90 days after they were resolved", async () => {
    await ringKey("test-1");
    await whileCronRuns(42);
    expect(await states()).toEqual([["ring_key_missing", "resolved"]]);
    advance(89 * 24 * HOUR_MS);
    await whileCronRuns();
    expect(await states()).toHaveLength(1);
    advance(24 * HOUR_MS);
    await whileCronRuns();
    expect(await states()).toEqual([]);
  });
});

describe("GET /alerts", () => {
  it("shows an owner its own alerts, and the portal all", async () => {
    const own = await createConnection();
    const theirs = await createConnection({ owner_type: "payroll_company", owner_id: "other" });
    for (const { id } of [own, theirs])
      await watch().raise({ kind: "refused_share", subject: `connection:${id}`, facts: {} });
    await ringKey("test-1");
    await whileCronRuns();
    expect((await alerts("", "bound")).map(({ subject }) => subject.id)).toEqual([own.id]);
    expect(await alerts()).toHaveLength(3);
    expect(await portal("GET", "/alerts?owner_id=other", undefined, "bound")).toMatchObject({ status: 404 });
  });

  it("filters by status and kind, and pages newest first", async () => {
    for (const id of ["a", "b", "c"]) await ringKey(id);
    await whileCronRuns();
    await deliver([{ file_ids: [] }], bindings, "audit1-files-dead");
    await whileCronRuns(45);
    expect((await alerts("?status=open")).map(({ kind }) => kind)).toEqual(["dead_letters"]);
    expect(await alerts("?status=resolved")).toHaveLength(3);
    expect(await alerts("?kind=dead_letters")).toHaveLength(1);
    expect((await portal("GET", "/alerts?kind=fire")).status).toBe(400);
    const ids: string[] = [];
    for (let cursor = ""; ; ) {
      const { json } = await portal("GET", `/alerts?limit=2${cursor}`);
      ids.push(...json.alerts.map(({ id }: Json) => id));
      if (json.next_cursor === null) break;
      cursor = `&cursor=${json.next_cursor}`;
    }
    expect(ids).toHaveLength(4);
    expect(ids).toEqual(ids.toSorted().reverse());
  });
});

describe("POST /alerts/{id}/acknowledge", () => {
  it("records who did so first, with an audit row, and changes nothing else; the operators replace an owner", async () => {
    const { id: connection } = await createConnection();
    await watch().raise({ kind: "refused_share", subject: `connection:${connection}`, facts: {} });
    await whileCronRuns();
    const [alert] = await alerts();
    const first = await portal("POST", `/alerts/${alert?.id}/acknowledge`, {}, "bound");
    expect(first).toMatchObject({
      status: 200,
      json: { alert: { status: "open", acknowledged_by: "owner:client:bound" } },
    });
    advance(MINUTE_MS);
    const acknowledge = async (scope = "", client = "portal") =>
      (await portal("POST", `/alerts/${alert?.id}/acknowledge${scope}`, {}, client)).json.alert;
    expect(await acknowledge("?owner_id=acme")).toEqual(first.json.alert);
    const operators = await acknowledge();
    expect(operators).toMatchObject({ acknowledged_by: "client:portal" });
    expect(operators.acknowledged_at > first.json.alert.acknowledged_at).toBe(true);
    advance(MINUTE_MS);
    expect(await acknowledge()).toEqual(operators);
    expect(await acknowledge("", "bound")).toEqual(operators);
    const { json } = await portal("GET", `/audit?subject=alert:${alert?.id}`);
    expect(json.audit).toMatchObject([
      { action: "alert.acknowledged", actor: "client:portal", owner_id: "acme" },
      { action: "alert.acknowledged", actor: "client:bound", owner_id: "acme" },
    ]);
    await whileCronRuns(22);
    expect(await alerts()).toMatchObject([{ status: "resolved", acknowledged_by: "client:portal" }]);
  });

  it("of which the answer was lost is a 503, and a repeat returns it", async () => {
    await ringKey("test-1");
    await whileCronRuns();
    const [alert] = await alerts();
    const acknowledge = (using = bindings) =>
      portal("POST", `/alerts/${alert?.id}/acknowledge`, {}, "portal", using);
    expect((await acknowledge(without("DB"))).status).toBe(503);
    expect((await acknowledge(without("WATCH.acknowledge"))).status).toBe(503);
    expect((await alerts())[0]).toMatchObject({ acknowledged_by: null });
    expect((await acknowledge(hanging("WATCH.acknowledge", { took: true }))).status).toBe(503);
    expect((await alerts())[0]).toMatchObject({ acknowledged_by: "client:portal" });
    expect((await acknowledge()).json.alert).toEqual((await alerts())[0]);
  });

  it("does not find alerts of others, of the whole gateway, or unknown ones for an owner", async () => {
    const { id } = await createConnection({ owner_type: "payroll_company", owner_id: "other" });
    await watch().raise({ kind: "refused_share", subject: `connection:${id}`, facts: {} });
    await ringKey("test-1");
    await whileCronRuns();
    const ids = (await alerts()).map((alert) => alert.id as string);
    for (const each of [...ids, `alt_${newObjectId().slice(0, 20).toUpperCase()}`, "x"])
      expect((await portal("POST", `/alerts/${each}/acknowledge`, {}, "bound")).status).toBe(404);
    expect((await alerts()).map((alert) => alert.acknowledged_at)).toEqual([null, null]);
  });
});
