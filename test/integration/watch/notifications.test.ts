import { runInDurableObject } from "cloudflare:test";
import { describe, expect, it, vi } from "vitest";
import { bounded } from "../../../src/bounded.ts";
import { BACKGROUND_LIMITS } from "../../../src/deadline.ts";
import { ConfigurationError, readSettings } from "../../../src/env.ts";
import { GATEWAY } from "../../../src/watch/alert-kinds.ts";
import { AlertStore } from "../../../src/watch/alert-store.ts";
import { mailAlerts } from "../../../src/watch/mail-alerts.ts";
import {
  alertStates,
  alertsOfEachTest,
  HOOK,
  listAlerts,
  OPERATORS,
  postedTo,
  raiseRingKey,
} from "../../support/alerts.ts";
import { advance } from "../../support/forwarding.ts";
import { bindings, createConnection, portal, sign } from "../../support/gateway.ts";
import { outage, SHORT_MS } from "../../support/interception.ts";
import { catchMails, receiver, SECRET } from "../../support/outbound.ts";
import { MINUTE_MS, operatorsWebhook, watch, whileCronRuns } from "../../support/watch.ts";

const HOUR_MS = 60 * MINUTE_MS;
const caught = alertsOfEachTest();

describe("mails", () => {
  it("of one kind share a mail: the first goes at once, those of the next quarter of an hour together", async () => {
    await raiseRingKey("test-1");
    await whileCronRuns();
    for (const id of ["test-2", "test-3"]) {
      await raiseRingKey(id);
      await whileCronRuns(2);
    }
    expect(caught.mails).toHaveLength(1);
    await whileCronRuns(12);
    expect(caught.mails).toHaveLength(2);
    expect(caught.mails[1]).toMatchObject({
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
    expect(caught.mails).toHaveLength(10);
    await jump();
    await whileCronRuns();
    await watch().raise({ kind: "dead_letters", subject: "files", facts: { messages: 1 } });
    await whileCronRuns();
    expect(caught.mails.slice(10).map(({ to }) => to)).toEqual([OPERATORS]);
  });

  it("are sent again until the mail service accepts them, each once", async () => {
    const send = vi.spyOn(bindings.EMAIL, "send").mockRejectedValue(outage("the mail service is down"));
    await raiseRingKey("test-1");
    await whileCronRuns(5);
    expect(send.mock.calls.length).toBeGreaterThan(1);
    send.mockRestore();
    caught.mails = catchMails();
    await whileCronRuns(10);
    expect(caught.mails).toHaveLength(1);
  });

  it("that the mail service accepts after the deadline are not sent again", async () => {
    const { promise, resolve: accept } = Promise.withResolvers<EmailSendResult>();
    vi.spyOn(bindings.EMAIL, "send").mockReturnValue(promise);
    const due = await runInDurableObject(watch(), async (_watch, { storage }) => {
      const store = new AlertStore(storage.sql);
      const now = Date.now();
      const alert = { kind: "cron_silent", subject: GATEWAY, owner: null, facts: {} } as const;
      store.insert(alert, ["mail"], now);
      const env = bounded(bindings, { ...BACKGROUND_LIMITS, mailMs: SHORT_MS });
      await mailAlerts(store, env, readSettings(env), { now, startUntil: now });
      const left = () => store.dueNotifications(["mail"], 10, now + HOUR_MS).map(({ tries }) => tries);
      const before = left();
      accept({ messageId: "1" });
      await scheduler.wait(0);
      return [before, left()];
    });
    expect(due).toEqual([[1], []]);
  });

  it("go to the operators if the mail service rejects a connection's address for good", async () => {
    caught.mails = catchMails(({ to }) => {
      if (to !== OPERATORS) throw Object.assign(new Error("no"), { code: "E_RECIPIENT_NOT_ALLOWED" });
    });
    const { id } = await createConnection({ notification_email: "dead@acme.example" });
    await watch().raise({ kind: "refused_share", subject: `connection:${id}`, facts: {} });
    await whileCronRuns(3);
    expect(caught.mails).toMatchObject([
      { to: OPERATORS, text: expect.stringContaining("notification_email") },
    ]);
  });

  it("wait while D1 does not say where to, five minutes at most", async () => {
    const { id } = await createConnection({ notification_email: "payroll@acme.example" });
    vi.spyOn(bindings.DB, "prepare").mockImplementation(() => {
      throw outage("D1 is down");
    });
    await watch().raise({ kind: "refused_share", subject: `connection:${id}`, facts: {} });
    await raiseRingKey("test-1");
    await whileCronRuns(3);
    expect(caught.mails.map(({ subject }) => subject)).toEqual(["Alert: A key is missing in the key ring"]);
    await whileCronRuns(4);
    expect(caught.mails.map(({ to }) => to)).toEqual([OPERATORS, OPERATORS]);
    vi.mocked(bindings.DB.prepare).mockRestore();
    await whileCronRuns();
    expect((await listAlerts("?kind=refused_share"))[0]).toMatchObject({ owner_id: "acme" });
    expect(caught.mails).toHaveLength(2);
  });
});

describe("the operators' webhook", () => {
  it("gets signed events of their own types, with the alert and no secret", async () => {
    await raiseRingKey("test-1");
    await whileCronRuns();
    const [post] = caught.posts;
    const timestamp = post?.headers.get("X-Webhook-Timestamp") ?? "";
    expect(post?.url).toBe(HOOK);
    expect(post?.headers.get("X-Webhook-Signature")).toBe(await sign(SECRET, timestamp, post?.text ?? ""));
    const [alert] = await listAlerts();
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
    await raiseRingKey("test-1");
    await whileCronRuns(42);
    expect(await alertStates()).toEqual([["ring_key_missing", "resolved"]]);
    expect(new Set(calls.map(({ body }) => body.type))).toEqual(new Set(["gateway.alert.opened"]));
    up = true;
    const refused = calls.length;
    await whileCronRuns(70);
    expect(calls.slice(refused).map(({ body }) => body.type)).toEqual([
      "gateway.alert.opened",
      "gateway.alert.resolved",
    ]);
    expect(new Set(calls.map(({ headers }) => headers.get("webhook-id"))).size).toBe(2);
    expect(await alertStates()).toEqual([["ring_key_missing", "resolved"]]);
  });

  it("that leads to an address of our own is never called", async () => {
    await operatorsWebhook(() => ({ url: "https://portal.audit1.com/alerts", secret: SECRET }));
    await raiseRingKey("test-1");
    await whileCronRuns(3);
    expect(caught.posts).toEqual([]);
    expect(caught.mails).toHaveLength(1);
  });

  it("that is not set is no trouble", async () => {
    await operatorsWebhook(() => null);
    await raiseRingKey("test-1");
    await whileCronRuns(2);
    expect(caught.posts).toEqual([]);
    expect(await alertStates()).toEqual([["ring_key_missing", "open"]]);
  });

  it("whose setting is broken stops nothing else, and posts go out once the setting is right", async () => {
    await operatorsWebhook(() => {
      throw new ConfigurationError("operators_webhook", "OPERATORS_WEBHOOK_URL: must be an https address");
    });
    await raiseRingKey("test-1");
    await whileCronRuns(3);
    expect(caught.posts).toEqual([]);
    expect(caught.mails).toHaveLength(1);
    await operatorsWebhook(() => ({ url: HOOK, secret: SECRET }));
    await whileCronRuns(5);
    expect(postedTo(caught)).toEqual([["gateway.alert.opened", "ring_key_missing"]]);
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
    for (let i = 0; i < 8; i++) await raiseRingKey(`test-${i}`);
    await whileCronRuns();
    expect(calls).toHaveLength(3);
    await whileCronRuns(2);
    expect(calls).toHaveLength(8);
    expect(new Set(calls.map(({ headers }) => headers.get("webhook-id"))).size).toBe(8);
  });

  it("and mails likewise", async () => {
    await operatorsWebhook(() => null);
    caught.mails = catchMails(() => void advance(SLOW_MS));
    for (let i = 0; i < 5; i++) {
      const { id } = await createConnection({ notification_email: `payroll-${i}@acme.test` });
      await watch().raise({ kind: "refused_share", subject: `connection:${id}`, facts: {} });
    }
    await whileCronRuns();
    expect(caught.mails).toHaveLength(3);
    await whileCronRuns();
    expect(new Set(caught.mails.map(({ to }) => to)).size).toBe(5);
  });
});
