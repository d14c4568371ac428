import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { newObjectId } from "../../../src/crypto/ids.ts";
import { recordStuckFiles } from "../../../src/forwarding/stuck-files.ts";
import { mintFileId } from "../../../src/gate/file-id.ts";
import { advance, catchWakeUps, deliver, runCron } from "../../support/forwarding.ts";
import { bindings, send } from "../../support/gateway.ts";
import { hanging, outage, shortenBackgroundDeadlines, without } from "../../support/interception.ts";
import { catchEndpointWakeUps, handOver, storeWebhook, tell } from "../../support/outbound.ts";
import {
  afterMinutes,
  anotherDay,
  freshWatch,
  health,
  MINUTE_MS,
  PORTAL,
  watch,
  whileCronRuns,
} from "../../support/watch.ts";

const OK = { http: 200, status: "ok", late: [] };
const late = (...names: string[]) => ({ http: 503, status: "degraded", late: names });

const FAR = Date.now() + 366 * 86_400_000;

beforeEach(async () => {
  anotherDay();
  catchWakeUps();
  catchEndpointWakeUps();
  await bindings.DB.batch(
    ["attention", "deliveries", "events", "webhooks", "notices"].map((table) =>
      bindings.DB.prepare(`DELETE FROM ${table}`),
    ),
  );
  await freshWatch();
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

describe("GET /health", () => {
  it("is ok from the start, and while the cron runs", async () => {
    expect(await health()).toEqual(OK);
    await runCron(Date.now());
    await whileCronRuns(10);
    expect(await health()).toEqual(OK);
  });

  it("shows no numbers to callers without credentials, or with those of one owner", async () => {
    await runCron(Date.now());
    for (const headers of [{}, { "X-Client-ID": "bound", "X-Client-Secret": "bound-secret" }])
      expect(await health(headers)).toEqual(OK);
  });

  it("shows the numbers to the portal", async () => {
    await watch().cronRan();
    const ranAt = new Date(Date.now()).toISOString();
    expect(await health(PORTAL)).toEqual({
      ...OK,
      checks: {
        cron: { last_run_at: ranAt },
        files: { oldest_waiting_seconds: 0 },
        deliveries: { oldest_overdue_seconds: 0 },
        queues: {
          files: { backlog: 0 },
          deliveries: { backlog: 0 },
          deliveries_slow: { backlog: 0 },
          deliveries_new: { backlog: 0 },
        },
        dead_letters: 0,
        stuck_files: 0,
      },
    });
  });

  it("refuses wrong credentials instead of showing less", async () => {
    expect(await health({ ...PORTAL, "X-Client-Secret": "wrong" })).toMatchObject({ http: 401 });
  });

  it("asks the watch once in five seconds, however often it is polled", async () => {
    const asked = vi.spyOn(bindings.WATCH, "getByName");
    await health();
    for (let i = 0; i < 20; i++) await send("/health");
    expect(asked).toHaveBeenCalledTimes(1);
    await health();
    expect(asked).toHaveBeenCalledTimes(2);
  });

  it("is degraded by the name of the watch while it does not answer", async () => {
    expect(await health(PORTAL, without("WATCH"))).toEqual(late("watch"));
    expect(await health(PORTAL, hanging("WATCH"))).toEqual(late("watch"));
    expect((await send("/health", {}, without("WATCH"))).headers.get("Retry-After")).toBe("60");
  });
});

describe("late is", () => {
  it("the cron, after five minutes without a run, also if it never ran; until it runs again", async () => {
    await health();
    await afterMinutes(6);
    expect(await health()).toEqual(late("cron"));
    await runCron(Date.now());
    await afterMinutes();
    expect(await health()).toEqual(OK);
    await afterMinutes(6);
    expect(await health()).toEqual(late("cron"));
  });

  it("the watch, once its alarm has not rung for five minutes", async () => {
    await watch().cronRan();
    await health();
    advance(4 * MINUTE_MS);
    expect(await health()).toEqual(OK);
    advance(2 * MINUTE_MS);
    await watch().cronRan();
    expect(await health()).toEqual(late("watch"));
    await afterMinutes();
    expect(await health()).toEqual(OK);
  });

  it("a delivery that is overdue for over five minutes", async () => {
    const hook = await storeWebhook();
    await tell();
    await whileCronRuns(5);
    expect(await health()).toEqual(OK);
    await whileCronRuns(3);
    expect(await health(PORTAL)).toMatchObject({
      ...late("deliveries"),
      checks: { deliveries: { oldest_overdue_seconds: expect.any(Number) } },
    });
    await bindings.DB.prepare("UPDATE deliveries SET next_attempt_at = NULL WHERE webhook_id = ?")
      .bind(hook.id)
      .run();
    await whileCronRuns();
    expect(await health()).toEqual(OK);
  });

  it.each([
    ["paused", { status: "paused" }],
    ["disabled", { status: "disabled" }],
    ["deleted", { deleted_at: 1 }],
    ["paced", { paced_until: FAR }],
    ["slow", { slow_at: FAR }],
    ["leased", { held_until: FAR }],
    ["accepting deliveries just now", { last_success_at: FAR }],
  ] as const)("no delivery to an endpoint that is %s", async (_state, fields) => {
    const hook = await storeWebhook();
    await tell();
    const [column = "", value] = Object.entries(fields)[0] ?? [];
    await bindings.DB.prepare(`UPDATE webhooks SET ${column} = ? WHERE id = ?`).bind(value, hook.id).run();
    await whileCronRuns(9);
    expect(await health()).toEqual(OK);
  });

  it("a queue whose oldest message is older than five minutes", async () => {
    const oldest = Date.now();
    vi.spyOn(bindings.DELIVERIES_SLOW, "metrics").mockImplementation(async () => ({
      backlogCount: 7,
      backlogBytes: 700,
      oldestMessageTimestamp: new Date(oldest),
    }));
    await whileCronRuns(4);
    expect(await health()).toEqual(OK);
    await whileCronRuns(2);
    expect(await health(PORTAL)).toMatchObject({
      ...late("queues"),
      checks: { queues: { deliveries_slow: { backlog: 7 }, files: { backlog: 0 } } },
    });
  });

  it.each([
    ["files", () => deliver([{ file_ids: [] }], bindings, "audit1-files-dead")],
    ["deliveries", () => handOver([{ webhook_ids: [] }], { queue: "audit1-deliveries-dead" })],
  ])("a dead letter of the %s, for an hour", async (_queue, hand) => {
    await hand();
    await hand();
    expect(await health(PORTAL)).toMatchObject({ ...late("dead_letters"), checks: { dead_letters: 2 } });
    await whileCronRuns(61);
    expect(await health(PORTAL)).toMatchObject({ ...OK, checks: { dead_letters: 0 } });
  });

  it("a file that was deferred for over an hour, never one that failed", async () => {
    const stuck = (reason: "deferred" | "refused") =>
      recordStuckFiles(bindings.DB, [
        {
          kind: "set",
          fileId: mintFileId({ kind: "connection", id: newObjectId() }, Date.now()),
          reason,
          responseStatus: 500,
          attempts: 1,
          nextAttemptAt: null,
          facts: { employerId: "EMP_1", environment: "production" },
        },
      ]);
    await stuck("refused");
    await whileCronRuns(61);
    expect(await health(PORTAL)).toMatchObject({ ...OK, checks: { stuck_files: 1 } });
    await stuck("deferred");
    await whileCronRuns(59);
    expect(await health()).toEqual(OK);
    await whileCronRuns(2);
    expect(await health(PORTAL)).toMatchObject({ ...late("stuck_files"), checks: { stuck_files: 2 } });
  });

  it("what could not be read", async () => {
    vi.spyOn(bindings.DB, "batch").mockRejectedValue(outage("down"));
    vi.spyOn(bindings.FILES, "metrics").mockRejectedValue(outage("down"));
    await whileCronRuns();
    expect(await health(PORTAL)).toMatchObject({
      ...late("deliveries", "queues", "stuck_files"),
      checks: {
        deliveries: { oldest_overdue_seconds: null },
        stuck_files: null,
        queues: { files: { backlog: null }, deliveries: { backlog: 0 } },
      },
    });
    vi.restoreAllMocks();
    await whileCronRuns();
    expect(await health()).toEqual(OK);
  });

  it("what hangs, while the alarm rings on", async () => {
    await health();
    shortenBackgroundDeadlines();
    vi.spyOn(bindings.FILES, "metrics").mockImplementation(() => new Promise(() => undefined));
    vi.spyOn(bindings.DB, "batch").mockImplementation(() => new Promise(() => undefined));
    await whileCronRuns();
    expect(await health()).toEqual(late("deliveries", "queues", "stuck_files"));
    vi.restoreAllMocks();
    await whileCronRuns();
    expect(await health()).toEqual(OK);
  });
});

describe("the watch", () => {
  it("keeps what it knows when it is restarted", async () => {
    await deliver([{ file_ids: [] }], bindings, "audit1-files-dead");
    await watch().cronRan();
    await whileCronRuns();
    const before = await health(PORTAL);
    await evictDurableObject(watch());
    expect(await health(PORTAL)).toEqual(before);
  });

  it("goes on by itself after the clock was set back", async () => {
    await whileCronRuns();
    vi.setSystemTime(Date.now() - 60 * MINUTE_MS);
    const waits = vi.spyOn(scheduler, "wait").mockResolvedValue();
    await runDurableObjectAlarm(watch());
    expect(waits).toHaveBeenCalledTimes(1);
    const at = await runInDurableObject(watch(), (_watch, { storage }) => storage.getAlarm());
    expect(at).toBe(Date.now() + MINUTE_MS);
  });

  it("sets a dropped alarm again with every call", async () => {
    await health();
    await runInDurableObject(watch(), (_watch, { storage }) => storage.deleteAlarm());
    await evictDurableObject(watch());
    await watch().clear("dead_letters", "files");
    const at = await runInDurableObject(watch(), (_watch, { storage }) => storage.getAlarm());
    expect(at).toBeGreaterThan(Date.now());
  });

  it("writes three rows in a quiet minute: the cron's run, the reading and the alarm", async () => {
    await whileCronRuns(2);
    const written = await runInDurableObject(watch(), async (_watch, { storage }) => {
      const [sql, store] = [Object.getPrototypeOf(storage.sql), Object.getPrototypeOf(storage)];
      const [exec, setAlarm] = [sql.exec, store.setAlarm];
      const cursors: SqlStorageCursor<Record<string, SqlStorageValue>>[] = [];
      let alarms = 0;
      sql.exec = function (this: SqlStorage, ...args: unknown[]) {
        const cursor = exec.apply(this, args);
        cursors.push(cursor);
        return cursor;
      };
      store.setAlarm = function (this: DurableObjectStorage, ...args: unknown[]) {
        alarms++;
        return setAlarm.apply(this, args);
      };
      try {
        await whileCronRuns();
      } finally {
        Object.assign(sql, { exec });
        Object.assign(store, { setAlarm });
      }
      return alarms + cursors.reduce((sum, { rowsWritten }) => sum + rowsWritten, 0);
    });
    expect(written).toBe(3);
  });

  it("never fails the cron", async () => {
    await runCron(Date.now(), without("WATCH"));
    expect((await health()).late).toEqual([]);
  });
});
