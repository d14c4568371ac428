/** Bindings that hang at endpoints that read and manage, and in what runs in the background. */
import { runDurableObjectAlarm } from "cloudflare:test";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Bindings } from "../../../src/bindings.ts";
import { boundedForRequests } from "../../../src/bounded.ts";
import { mintFileId } from "../../../src/gate/file-id.ts";
import { mintRequestId } from "../../../src/http/request-id.ts";
import { advance, runCron } from "../../support/forwarding.ts";
import {
  bindings,
  createApiKey,
  createBoundConnection,
  createConnection,
  gateOf,
  portal,
  post,
  send,
} from "../../support/gateway.ts";
import { hanging, shortenBackgroundDeadlines } from "../../support/interception.ts";

const OWNER = "owner_type=payroll_company&owner_id=acme";

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

describe("a call that hangs is a 503", () => {
  it.each([
    ["/files", "DB"],
    ["/files", "CONNECTION_GATE.read"],
    ["/files", "CONNECTION_GATE.list"],
    ["/events", "DB"],
    ["/files/status/{id}", "CONNECTION_GATE.status"],
  ])("at a bearer read of %s: %s", async (path, binding) => {
    const key = await createApiKey();
    const { id } = await createConnection();
    const fileId = mintFileId({ kind: "connection", id }, Date.now());
    const headers = { Authorization: `Bearer ${key.token}` };
    const answer = await send(`/api/v1${path.replace("{id}", fileId)}`, { headers }, hanging(binding));
    expect(answer).toMatchObject({ status: 503, json: { code: "SERVICE_UNAVAILABLE" } });
  });

  it.each([
    ["GET", `/connections?${OWNER}`, undefined, "DB"],
    ["POST", "/connections", { owner_type: "payroll_company", owner_id: "acme" }, "DB"],
    ["PUT", "/employers/EMP_hangs", { name: "Acme" }, "DB"],
    ["GET", `/webhooks?${OWNER}`, undefined, "DB"],
    ["GET", `/audit?${OWNER}`, undefined, "DB"],
    ["GET", "/lookup/{id}", undefined, "DB"],
    ["GET", "/lookup/{id}", undefined, "CONNECTION_GATE.status"],
    ["GET", "/lookup/{request}", undefined, "DB"],
    ["GET", "/lookup/{request}", undefined, "CONNECTION_GATE.findRequest"],
    ["GET", `/lookup/${mintRequestId(`c${"a".repeat(24)}`, 0)}`, undefined, "REQUEST_LOG.findRequest"],
    ["GET", `/deliveries?${OWNER}`, undefined, "DB"],
    ["GET", "/connections/{connection}/requests", undefined, "CONNECTION_GATE.requests"],
    ["GET", "/requests?unknown=true", undefined, "REQUEST_LOG.requests"],
    [
      "POST",
      "/events",
      { id: "evt_hangs", type: "audit.started", owner_type: "payroll_company", owner_id: "acme", data: {} },
      "DB",
    ],
    ["POST", "/files/{id}/replay", undefined, "CONNECTION_GATE.replay"],
    ["GET", `/files?${OWNER}`, undefined, "DB"],
    ["GET", "/files?connection_id={connection}", undefined, "CONNECTION_GATE.listFiles"],
    ["GET", "/stuck-files", undefined, "DB"],
    ["GET", "/failing-webhooks", undefined, "DB"],
    ["POST", "/portal-links", { owner_type: "payroll_company", owner_id: "acme" }, "DB"],
    ["GET", "/portal-links", undefined, "DB"],
    ["GET", `/sessions?${OWNER}`, undefined, "DB"],
    ["DELETE", `/sessions/ses_${"a".repeat(24)}`, undefined, "DB"],
    ["GET", "/alerts", undefined, "WATCH.listAlerts"],
    ["POST", `/alerts/alt_${"0".repeat(20)}/acknowledge`, undefined, "WATCH.findAlert"],
    ["PATCH", "/connections/{connection}", { status: "inactive" }, "CONNECTION_GATE.refresh"],
  ])("at %s %s: %s %s", async (method, path, body, binding) => {
    const { id } = await createConnection();
    const fileId = mintFileId({ kind: "connection", id }, Date.now());
    const request = mintRequestId(`c${id}`, Date.now());
    const at = path.replace("{id}", fileId).replace("{connection}", id).replace("{request}", request);
    const answer = await portal(method, at, body, "portal", hanging(binding));
    expect(answer).toMatchObject({ status: 503, json: { code: "SERVICE_UNAVAILABLE" } });
  });

  it("at the report of a file: CONNECTION_GATE.report", async () => {
    const { id } = await createConnection();
    const fileId = mintFileId({ kind: "connection", id }, Date.now());
    const event = { id: "evt_report", type: "file.failed", data: { fileId } };
    const answer = await portal("POST", "/events", event, "portal", hanging("CONNECTION_GATE.report"));
    expect(answer.status).toBe(503);
  });
});

it("every binding has a deadline", () => {
  const within = boundedForRequests({ ...bindings });
  const unlimited = Object.entries(bindings).filter(
    ([name, binding]) => typeof binding === "object" && within[name as keyof Bindings] === binding,
  );
  // The calls of the files-creator bring their own. The rest is what tests alone are given.
  const others = /^(?:FILES_CREATOR|MIGRATIONS|__VITEST_.*)$/;
  expect(unlimited.map(([name]) => name).filter((name) => !others.test(name))).toEqual([]);
});

it.each(["DELIVERIES", "DELIVERIES_SLOW", "DELIVERIES_NEW"])(
  "a queue that hangs fails: %s",
  async (queue) => {
    const using = hanging(queue);
    const send = using[queue as "DELIVERIES"].sendBatch([{ body: { webhook_ids: ["a"] } }]);
    await expect(send).rejects.toThrow("did not respond");
  },
);

it("an event is accepted while the delivery queue hangs", async () => {
  const owner = { owner_type: "payroll_company", owner_id: "acme" };
  const event = { id: "evt_taken", type: "audit.started", ...owner, data: {} };
  const answer = await portal("POST", "/events", event, "portal", hanging("DELIVERIES"));
  expect(answer.status).toBe(202);
});

it("the minute cron ends while the database and the gates hang", async () => {
  await createConnection();
  await runCron(Date.now(), hanging(["DB", "CONNECTION_GATE"]));
});

it("a gate's alarm ends while the archive hangs, and archives afterwards", async () => {
  const connection = await createBoundConnection();
  const { json } = await post(connection);
  await vi.waitFor(async () =>
    expect((await gateOf(connection).status(json.file_id))?.status).toBe("processing"),
  );
  const list = { prefix: `archive/7y/connection/${connection.id}/` };
  const put = vi.spyOn(Object.getPrototypeOf(bindings.ARCHIVE), "put");
  put.mockImplementationOnce(() => new Promise(() => undefined));
  advance(3 * 3_600_000);
  shortenBackgroundDeadlines();
  await runDurableObjectAlarm(gateOf(connection));
  expect(put).toHaveBeenCalledTimes(1);
  advance(120_000);
  await runDurableObjectAlarm(gateOf(connection));
  expect((await bindings.ARCHIVE.list(list)).objects).toHaveLength(1);
});
