import { createScheduledController, runInDurableObject } from "cloudflare:test";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Bindings } from "../../../src/bindings.ts";
import { newObjectId } from "../../../src/crypto/ids.ts";
import { recordStuckFiles, type StuckReason } from "../../../src/forwarding/stuck-files.ts";
import { mintFileId } from "../../../src/gate/file-id.ts";
import worker from "../../../src/index.ts";
import { sliceOfDay } from "../../../src/maintenance/cron.ts";
import { withBrokenGates } from "../../support/faults.ts";
import {
  accepted,
  advance,
  creatorThat,
  deliverFiles,
  gateOfFile,
  recordOf,
  runCron,
  stuckFileOf,
  wakeUpsOfEachTest,
} from "../../support/forwarding.ts";
import {
  bindings,
  createApiKey,
  createBoundConnection,
  fileStatus,
  gateOf,
  post,
} from "../../support/gateway.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

wakeUpsOfEachTest();
afterEach(async () => {
  await bindings.DB.prepare("DELETE FROM attention").run();
});

it.each(["*/5 * * * *", "0 3 * * *", ""])("throws for the cron %j, which has no handler", async (cron) => {
  const controller = createScheduledController({ cron, scheduledTime: new Date() });
  await expect(worker.scheduled(controller, bindings)).rejects.toThrow("no work is known for the cron");
});

/** What the gate knows of its row. */
function knownVersion(
  gate: { id: string },
  kind: "connection" | "key" = "connection",
): Promise<number | null> {
  return runInDurableObject(gateOf(gate, kind), (_gate, { storage }) => {
    const [mark] = storage.sql.exec("SELECT value FROM marks WHERE name = 'snapshot'").toArray();
    return mark === undefined ? null : JSON.parse(String(mark.value)).version;
  });
}

/** Changes a row like a portal request that died before it propagated the change. */
async function changeBehindTheGate(table: "connections" | "api_keys", id: string, assignment: string) {
  const row = await bindings.DB.prepare(
    `UPDATE ${table} SET ${assignment}, version = version + 1 WHERE id = ? RETURNING version`,
  )
    .bind(id)
    .first<{ version: number }>();
  return row?.version;
}

function behind(table: "connections" | "api_keys", id: string) {
  return bindings.DB.prepare(`SELECT gate_version <> version AS behind FROM ${table} WHERE id = ?`)
    .bind(id)
    .first<number>("behind");
}

describe("a change that was not propagated", () => {
  it("reaches a connection's gate, which refuses requests that the change forbids", async () => {
    const connection = await createBoundConnection();
    expect((await post(connection)).status).toBe(202);
    const version = await changeBehindTheGate("connections", connection.id, "status = 'inactive'");
    await runCron();
    expect(await knownVersion(connection)).toBe(version);
    expect(await behind("connections", connection.id)).toBe(0);
    expect((await post(connection)).status).toBe(403);
  });

  it("reaches an API key's gate as well", async () => {
    const key = await createApiKey();
    const version = await changeBehindTheGate("api_keys", key.id, "plan = 'sandbox'");
    await runCron();
    expect(await knownVersion(key, "key")).toBe(version);
    expect(await behind("api_keys", key.id)).toBe(0);
    const read = await fileStatus(key.token, "FILE_unknown");
    expect(read.headers.get("X-RateLimit-Limit")).toBe("100");
  });

  it("reaches the gate of a deleted connection", async () => {
    const connection = await createBoundConnection();
    const version = await changeBehindTheGate("connections", connection.id, "deleted_at = 1");
    await runCron();
    expect(await knownVersion(connection)).toBe(version);
  });

  it("is retried later if its gate cannot be reached, and delays no other gate of either kind", async () => {
    const broken = await createBoundConnection();
    const fine = await createBoundConnection();
    const key = await createApiKey();
    for (const { id } of [broken, fine]) await changeBehindTheGate("connections", id, "status = 'inactive'");
    await changeBehindTheGate("api_keys", key.id, "is_active = 0");
    await runCron(
      Date.now(),
      withBrokenGates(bindings, "refresh", (name) => name.endsWith(broken.id)),
    );
    expect(await behind("connections", broken.id)).toBe(1);
    expect(await behind("connections", fine.id)).toBe(0);
    expect(await behind("api_keys", key.id)).toBe(0);
    await runCron();
    expect(await behind("connections", broken.id)).toBe(0);
  });

  it("is not marked as propagated when the row changed again meanwhile", async () => {
    const connection = await createBoundConnection();
    await changeBehindTheGate("connections", connection.id, "status = 'inactive'");
    const prepare = bindings.DB.prepare.bind(bindings.DB);
    let raced = false;
    vi.spyOn(bindings.DB, "prepare").mockImplementation((query) => {
      if (!query.startsWith("UPDATE connections SET gate_version") || raced) return prepare(query);
      raced = true;
      const statement = prepare(query);
      return {
        bind: (...values: unknown[]) => ({
          run: async () => {
            await prepare("UPDATE connections SET version = version + 1 WHERE id = ?")
              .bind(connection.id)
              .run();
            return statement.bind(...values).run();
          },
        }),
      } as unknown as D1PreparedStatement;
    });
    await runCron();
    expect(raced).toBe(true);
    expect(await behind("connections", connection.id)).toBe(1);
    await runCron();
    expect(await behind("connections", connection.id)).toBe(0);
  });
});

describe("the day's slices", () => {
  const slices = Array.from({ length: 1_440 }, (_, minute) => sliceOfDay(minute * 60_000));

  it("follow one another without a gap or an overlap, from the first id to the last", () => {
    expect(slices[0]?.from).toBe("000000");
    expect(slices.at(-1)?.to).toBe("g");
    for (const [i, { from, to }] of slices.entries()) {
      expect(from < to).toBe(true);
      if (i > 0) expect(from).toBe(slices[i - 1]?.to);
    }
  });

  it("hold every id exactly once", () => {
    const ids = ["0".repeat(24), "f".repeat(24), ...slices.map(({ from }) => from.padEnd(24, "0"))];
    for (let i = 0; i < 2_000; i++) ids.push(newObjectId());
    for (const id of ids) expect(slices.filter(({ from, to }) => id >= from && id < to)).toHaveLength(1);
  });

  it("are about equally large", () => {
    const sizes = slices
      .slice(0, -1)
      .map(({ from, to }) => Number.parseInt(to, 16) - Number.parseInt(from, 16));
    expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
  });

  it("are the same at any second of the minute and on any day", () => {
    const day = Date.parse("2026-03-29T00:00:00Z");
    for (const minute of [0, 1, 719, 1_439])
      expect(sliceOfDay(day + minute * 60_000 + 59_999)).toEqual(slices[minute]);
  });
});

describe("poking", () => {
  /** The minute whose slice holds this id. */
  const minuteOf = (id: string) =>
    Array.from({ length: 1_440 }, (_, i) => i * 60_000).find((time) => {
      const { from, to } = sliceOfDay(time);
      return id >= from && id < to;
    }) ?? 0;

  it("reaches inactive and deleted connections and API keys, each in its minute of the day", async () => {
    const connection = await createBoundConnection();
    const key = await createApiKey();
    await changeBehindTheGate("connections", connection.id, "status = 'inactive', deleted_at = 1");
    await changeBehindTheGate("api_keys", key.id, "is_active = 0");
    const poked: string[] = [];
    const watching = withBrokenGates(bindings, "poke", (name) => poked.push(name) < 0);
    for (const [id, name] of [
      [connection.id, `connection:${connection.id}`],
      [key.id, `key:${key.id}`],
    ] as const) {
      await runCron(minuteOf(id), watching);
      poked.length = 0;
      await runCron(minuteOf(id), watching);
      expect(poked).toContain(name);
      poked.length = 0;
      await runCron(minuteOf(id) + 60_000, watching);
      expect(poked).not.toContain(name);
    }
  });

  it("makes up for an alarm that was dropped", async () => {
    const connection = await createBoundConnection();
    const fileId = await accepted(connection);
    await runInDurableObject(gateOfFile(fileId), (_gate, { storage }) => storage.deleteAlarm());
    const now = advance(DAY_MS);
    await runCron(now - (now % DAY_MS) + minuteOf(connection.id));
    const alarm = await runInDurableObject(gateOfFile(fileId), (_gate, { storage }) => storage.getAlarm());
    expect(alarm).toBeLessThanOrEqual(now + 1_000);
  });

  it("continues with the other gates if one cannot be reached", async () => {
    // Three ids of one slice: two connections and a key.
    const prefix = "7f0000";
    const ids = ["1", "2"].map((end) => `${prefix}${end.padStart(18, "0")}`);
    const [first = "", second = ""] = ids;
    const connection = await createBoundConnection();
    for (const id of ids) {
      await bindings.DB.prepare("UPDATE connections SET id = ? WHERE id = ?").bind(id, connection.id).run();
      if (id === first) {
        const another = await createBoundConnection();
        connection.id = another.id;
      }
    }
    const key = await createApiKey();
    await bindings.DB.prepare("UPDATE api_keys SET id = ? WHERE id = ?").bind(first, key.id).run();
    const poked: string[] = [];
    const using = withBrokenGates(bindings, "poke", (name) => {
      poked.push(name);
      return name === `connection:${first}`;
    });
    await runCron(minuteOf(first), using);
    // Other tests' random ids may share the slice.
    const ours = poked.filter((name) => name.includes(prefix));
    expect(ours.sort()).toEqual([`connection:${first}`, `connection:${second}`, `key:${first}`]);
  });
});

const FACTS = { employerId: "EMP_1", environment: "production" } as const;

describe("the operators' list", () => {
  const list = (fileId: string, reason: StuckReason) =>
    recordStuckFiles(bindings.DB, [
      { kind: "set", fileId, reason, responseStatus: 503, attempts: 1, nextAttemptAt: null, facts: FACTS },
    ]);
  const queued = async () => accepted(await createBoundConnection());
  const forwarded = async () => {
    const fileId = await queued();
    await deliverFiles([fileId], creatorThat().using);
    return fileId;
  };
  const failed = async () => {
    const fileId = await queued();
    await deliverFiles([fileId], creatorThat(() => new Response(null, { status: 422 })).using);
    return fileId;
  };
  const purged = async () => mintFileId({ kind: "connection", id: (await createBoundConnection()).id }, 0);

  it.each([
    ["deferred", "is forwarded by now", forwarded, null],
    ["consumer_died", "is forwarded by now", forwarded, null],
    ["deferred", "no longer exists", purged, null],
    ["deferred", "is still queued", queued, "deferred"],
    ["consumer_died", "is still queued", queued, "consumer_died"],
    ["deferred", "has failed", failed, "gave_up"],
    ["refused", "has failed", failed, "refused"],
    ["gave_up", "has failed", failed, "gave_up"],
    ["reported_failed", "has failed", failed, "reported_failed"],
  ] as const)("%s, of a file that %s, is set right after two hours", async (reason, _is, make, expected) => {
    const fileId = await make();
    await list(fileId, reason);
    await runCron();
    expect(await stuckFileOf(fileId)).toMatchObject({ reason });
    await runCron(Date.now() + 2 * HOUR_MS + 1);
    expect((await stuckFileOf(fileId))?.reason ?? null).toBe(expected);
  });

  it("asks about a file that is still queued at most every two hours", async () => {
    const fileId = await queued();
    await list(fileId, "deferred");
    const status = vi.fn();
    const watching = withBrokenGates(bindings, "status", (name) => {
      // Files that other tests left behind may have come back to the list.
      if (name === gateOfFile(fileId).name) status();
      return false;
    });
    const later = Date.now() + 3 * HOUR_MS;
    await runCron(later, watching);
    await runCron(later + 60_000, watching);
    expect(status).toHaveBeenCalledOnce();
  });

  it("forgets rows that have outlived their files", async () => {
    const fileId = await failed();
    await runCron(Date.now() + 89 * DAY_MS);
    expect(await stuckFileOf(fileId)).toMatchObject({ reason: "refused" });
    await runCron(Date.now() + 91 * DAY_MS);
    expect(await stuckFileOf(fileId)).toBeNull();
  });

  it("is corrected for all other files if one gate cannot be reached", async () => {
    const stuck = await forwarded();
    await list(stuck, "deferred");
    await bindings.DB.prepare("UPDATE attention SET updated_at = updated_at - 1000").run();
    const others = [await forwarded(), await forwarded()];
    for (const fileId of others) await list(fileId, "deferred");
    const away = gateOfFile(stuck).name;
    const using = withBrokenGates(bindings, "status", (name) => name === away);
    await runCron(Date.now() + 3 * HOUR_MS, using);
    for (const fileId of others) expect(await stuckFileOf(fileId)).toBeNull();
    expect(await stuckFileOf(stuck)).toMatchObject({ reason: "deferred" });
    expect(await recordOf(stuck)).toMatchObject({ status: "processing" });
  });
});

describe("a part that fails", () => {
  const withFailingQueries = (failing: RegExp): Bindings => {
    const DB = new Proxy(bindings.DB, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        return (...args: unknown[]) => {
          if (name === "prepare" && failing.test(String(args[0]))) throw new Error("D1 is away");
          return Reflect.apply(value, target, args);
        };
      },
    });
    return { ...bindings, DB };
  };

  it.each([
    ["refreshing", /gate_version <> version/],
    ["poking", /id >= \? AND id < \?/],
    ["reconciling", /FROM attention/],
  ])("%s is logged, and the other parts are done", async (name, failing) => {
    const logged = vi.spyOn(console, "error");
    const connection = await createBoundConnection();
    await changeBehindTheGate("connections", connection.id, "status = 'inactive'");
    const fileId = mintFileId({ kind: "connection", id: connection.id }, 0);
    await recordStuckFiles(bindings.DB, [
      {
        kind: "set",
        fileId,
        reason: "deferred",
        responseStatus: null,
        attempts: 1,
        nextAttemptAt: null,
        facts: FACTS,
      },
    ]);
    await runCron(Date.now() + 3 * HOUR_MS, withFailingQueries(failing));
    expect(await behind("connections", connection.id)).toBe(name === "refreshing" ? 1 : 0);
    expect((await stuckFileOf(fileId)) === null).toBe(name !== "reconciling");
    expect(logged.mock.calls.flat().join()).toContain("failed to run a part of the minute cron");
  });
});
