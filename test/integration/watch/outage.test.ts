/** An outage of the files-creator from its first failure to its end: the parts are real, and only the clock is the test's. */
import { evictDurableObject } from "cloudflare:test";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import {
  ACCEPTED,
  accepted,
  catchWakeUps,
  creatorThat,
  deliver,
  recordOf,
  resetCircuitBreaker,
} from "../../support/forwarding.ts";
import { bindings, createBoundConnection, gateOf, portal } from "../../support/gateway.ts";
import { catchMails, receiver, SECRET } from "../../support/outbound.ts";
import {
  anotherDay,
  freshWatch,
  gateMinutes,
  health,
  operatorsWebhook,
  watch,
  whileCronRuns,
} from "../../support/watch.ts";

beforeEach(async () => {
  anotherDay();
  await resetCircuitBreaker();
  await bindings.DB.prepare("DELETE FROM attention").run();
  await freshWatch();
  await whileCronRuns();
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

it("opens one alert, which outlives restarts of the gate and the watch, and resolves once the report is forwarded", async () => {
  const wakeUps = catchWakeUps();
  const mails = catchMails();
  const { calls: posts } = receiver();
  const hasWebhook = () =>
    operatorsWebhook(() => ({ url: "https://hooks.operators-audit.com/alerts", secret: SECRET }));
  await hasWebhook();
  let isUp = false;
  const creator = creatorThat(() => (isUp ? ACCEPTED() : new Response(null, { status: 503 })));
  const connection = await createBoundConnection();
  const gate = gateOf(connection);
  const fileId = await accepted(connection);
  const minutes = (n: number) =>
    gateMinutes(gate, n, async () => {
      if (wakeUps.length > 0) await deliver(wakeUps.splice(0), creator.using);
    });
  const alerts = async () => (await portal("GET", "/alerts")).json.alerts;

  await minutes(20);
  expect(creator.received.length).toBeGreaterThan(1);
  expect(await alerts()).toMatchObject([
    { kind: "report_waiting", status: "open", subject: { kind: "connection", id: connection.id } },
  ]);
  expect(await health()).toMatchObject({ http: 503, late: ["files"] });
  expect((await portal("GET", "/stuck-files")).json.stuck_files).toMatchObject([
    { file_id: fileId, reason: "deferred", response_status: 503 },
  ]);

  await evictDurableObject(gate);
  await evictDurableObject(watch());
  await hasWebhook();
  await minutes(30);
  expect(await alerts()).toMatchObject([{ status: "open" }]);
  expect((await health()).late).toContain("files");

  isUp = true;
  for (let i = 0; i < 75 && (await recordOf(fileId)).status === "queued"; i++) await minutes(1);
  expect((await recordOf(fileId)).status).toBe("processing");
  await evictDurableObject(gate);
  await minutes(3);
  expect(await alerts()).toMatchObject([{ kind: "report_waiting", status: "resolved" }]);
  expect(await health()).toEqual({ http: 200, status: "ok", late: [] });
  expect((await portal("GET", "/stuck-files")).json.stuck_files).toEqual([]);
  expect(posts.map(({ body }) => body.type)).toEqual(["gateway.alert.opened", "gateway.alert.resolved"]);
  expect(mails).toHaveLength(1);
});
