import { evictDurableObject, runDurableObjectAlarm } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  accepted,
  advance,
  catchWakeUps,
  creatorThat,
  deliver,
  deliverFiles,
  resetCircuitBreaker,
  stuckFileOf,
} from "../../support/forwarding.ts";
import {
  bindings,
  createApiKey,
  createBoundConnection,
  createConnection,
  gateOf,
  type Json,
  portal,
  post,
  send,
} from "../../support/gateway.ts";
import { hanging, outage, without } from "../../support/interception.ts";
import { catchEndpointWakeUps, catchMails, handOver, storeWebhook, tell } from "../../support/outbound.ts";
import { anotherDay, freshWatch, gateMinutes, MINUTE_MS, watch, whileCronRuns } from "../../support/watch.ts";

let wakeUps: Json[];

beforeEach(async () => {
  anotherDay();
  wakeUps = catchWakeUps();
  catchEndpointWakeUps();
  catchMails();
  await resetCircuitBreaker();
  await bindings.DB.prepare("DELETE FROM attention").run();
  await freshWatch();
  await whileCronRuns();
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

async function open(kind: string): Promise<Json[]> {
  return (await portal("GET", `/alerts?status=open&kind=${kind}`)).json.alerts;
}

describe("a gate whose report waits", () => {
  it("raises it with the watch after ten minutes and again, so that an alert opens at 15, and clears it within two", async () => {
    const connection = await createBoundConnection();
    const fileId = await accepted(connection);
    const gate = gateOf(connection);
    await gateMinutes(gate, 14);
    expect(await open("report_waiting")).toEqual([]);
    expect((await watch().health()).checks.files.oldest_waiting_seconds).toBeGreaterThan(9 * 60);
    await gateMinutes(gate, 60);
    expect(await open("report_waiting")).toMatchObject([
      { subject: { id: connection.id }, owner_id: "acme" },
    ]);
    const { using } = creatorThat();
    await deliverFiles([fileId], using);
    await gateMinutes(gate, 3);
    expect(await open("report_waiting")).toEqual([]);
    expect((await watch().health()).checks.files.oldest_waiting_seconds).toBe(0);
  });

  it("clears it even if the gate restarted meanwhile", async () => {
    const connection = await createBoundConnection();
    const fileId = await accepted(connection);
    const gate = gateOf(connection);
    await gateMinutes(gate, 60);
    expect(await open("report_waiting")).toHaveLength(1);
    await evictDurableObject(gate);
    await deliverFiles([fileId], creatorThat().using);
    await gateMinutes(gate, 3);
    expect(await open("report_waiting")).toEqual([]);
  });

  it("does so as well while the report is deferred for an hour, after a restart, and for a replayed file", async () => {
    const connection = await createBoundConnection();
    const gate = gateOf(connection);
    const fileId = await accepted(connection);
    await deliverFiles([fileId], creatorThat().using);
    await portal("POST", "/events", { id: `evt_${fileId}`, type: "file.processed", data: { fileId } });
    await gateMinutes(gate, 30);
    expect((await watch().health()).checks.files.oldest_waiting_seconds).toBe(0);
    expect((await portal("POST", `/files/${fileId}/replay`)).status).toBe(202);
    const { using } = creatorThat(
      () => new Response(null, { status: 503, headers: { "Retry-After": "3600" } }),
    );
    await deliverFiles([fileId], using);
    await evictDurableObject(gate);
    await gateMinutes(gate, 18);
    expect(await open("report_waiting")).toHaveLength(1);
  });

  it("tries again a minute later if the watch did not answer", async () => {
    const connection = await createBoundConnection();
    await accepted(connection);
    const gate = gateOf(connection);
    await gateMinutes(gate, 9);
    const asked = vi.spyOn(bindings.WATCH, "getByName").mockImplementation(() => {
      throw outage("the watch is away");
    });
    for (let i = 0; i < 4; i++) {
      advance(MINUTE_MS);
      await runDurableObjectAlarm(gate);
    }
    expect(asked.mock.calls.length).toBeGreaterThan(1);
    asked.mockRestore();
    await gateMinutes(gate, 3);
    expect((await watch().health()).checks.files.oldest_waiting_seconds).toBeGreaterThan(10 * 60);
  });

  it("makes no call while reports are forwarded in time", async () => {
    const asked = vi.spyOn(bindings.WATCH, "getByName");
    const connection = await createBoundConnection();
    const gate = gateOf(connection);
    const { using } = creatorThat();
    for (let i = 0; i < 20; i++) {
      await deliverFiles([await accepted(connection)], using);
      advance(MINUTE_MS);
      await runDurableObjectAlarm(gate);
    }
    expect(asked).not.toHaveBeenCalled();
    expect(wakeUps.length).toBeGreaterThan(0);
  });
});

describe("a sender that is suddenly refused", () => {
  async function refuse(connection: { id: string }, times: number): Promise<void> {
    for (let i = 0; i < times; i++) expect((await post({ ...connection, secret: "wrong" })).status).toBe(401);
  }
  const gateAlarm = (connection: { id: string }) => gateMinutes(gateOf(connection), 2);

  it("opens an alert of its connection, which ends a quarter of an hour after the refusals", async () => {
    const connection = await createBoundConnection();
    const { using } = creatorThat();
    await deliverFiles([await accepted(connection)], using);
    await gateMinutes(gateOf(connection), 20);
    await refuse(connection, 5);
    await gateAlarm(connection);
    expect(await open("refused_share")).toEqual([]);
    await refuse(connection, 25);
    await gateAlarm(connection);
    expect(await open("refused_share")).toMatchObject([
      { subject: { kind: "connection", id: connection.id }, owner_id: "acme" },
    ]);
    await gateMinutes(gateOf(connection), 25);
    expect(await open("refused_share")).toEqual([]);
  });

  it("opens none for a sender that never worked", async () => {
    const connection = await createConnection();
    await refuse(connection, 30);
    await gateAlarm(connection);
    expect(await open("refused_share")).toEqual([]);
  });
});

/** With another key ring: nothing that was sealed before can be opened. */
const withKey = (name: string, using = bindings) => ({
  ...using,
  VAULT_KEYS: `${name}:${btoa("abcdefghijklmnopqrstuvwxyz012345")}`,
});

describe("a missing ring key", () => {
  it.each<[string, () => Promise<unknown>]>([
    [
      "the inbound webhook",
      async () => {
        const connection = await createConnection();
        expect((await post(connection, undefined, undefined, withKey("other-1"))).status).toBe(503);
      },
    ],
    [
      "a report with a key",
      async () => {
        const { token } = await createApiKey();
        const init = {
          method: "POST",
          headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
          body: "{}",
        };
        expect((await send("/api/v1/payroll/reports", init, withKey("other-2"))).status).toBe(503);
      },
    ],
    [
      "the portal",
      async () => {
        const { id } = await createConnection();
        const rotated = await portal(
          "POST",
          `/connections/${id}/rotate-secret`,
          {},
          "portal",
          withKey("other-3"),
        );
        expect(rotated.status).toBe(503);
      },
    ],
    [
      "the consumer of files",
      async () => {
        const fileId = await accepted(await createBoundConnection());
        await deliver([{ file_ids: [fileId] }], withKey("other-4"));
      },
    ],
    [
      "the consumer of deliveries",
      async () => {
        const hook = await storeWebhook();
        await tell();
        await handOver([{ webhook_ids: [hook.id] }], { using: withKey("other-5") });
      },
    ],
  ])("is raised by %s", async (_part, meet) => {
    await meet();
    await whileCronRuns();
    expect(await open("ring_key_missing")).toMatchObject([{ subject: { kind: "ring_key", id: "test-1" } }]);
  });
});

describe("while the watch does not answer", () => {
  it.each([
    ["it is away", () => without("WATCH")],
    ["it hangs", () => hanging("WATCH")],
  ])("consumers settle their messages: %s", async (_how, using) => {
    expect((await deliver([{ file_ids: [] }], using(), "audit1-files-dead")).acked).toEqual([0]);
    const dead = await handOver([{ webhook_ids: [] }], { using: using(), queue: "audit1-deliveries-dead" });
    expect(dead.acked).toEqual([0]);
    const fileId = await accepted(await createBoundConnection());
    expect((await deliver([{ file_ids: [fileId] }], withKey("other-6", using()))).acked).toEqual([0]);
    expect(await stuckFileOf(fileId)).toMatchObject({ reason: "ring_key_missing" });
  });
});
