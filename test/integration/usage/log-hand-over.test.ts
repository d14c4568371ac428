/** A request log hands over the counts of requests to unknown connections, as gates do theirs. */
import { evictDurableObject, runDurableObjectAlarm } from "cloudflare:test";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { logName } from "../../../src/evidence/request-log-name.ts";
import { HANDED_OVER_WITHIN_MS } from "../../../src/usage/changed-hours.ts";
import { DAY_MS, HOUR_MS, hourOf } from "../../../src/usage/periods.ts";
import { advance } from "../../support/forwarding.ts";
import { bindings } from "../../support/gateway.ts";
import { deleteUsage, usageOf } from "../../support/usage.ts";

/** Each test has a request log of its own. */
let shard = 0;
const log = () => bindings.REQUEST_LOG.getByName(logName(shard));

beforeEach(async () => {
  await deleteUsage();
  shard++;
  // At half past ten, so that all of a test is in one hour.
  advance(DAY_MS - (Date.now() % DAY_MS) + 10.5 * HOUR_MS);
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

function note(n: number): Promise<void> {
  const counts = [{ minute: Math.floor(Date.now() / 60_000), code: "NOT_FOUND", n }];
  return log().note(shard, { id: crypto.randomUUID(), counts, samples: [] });
}

/** Rings the alarm when the hand-over is due. */
async function handOver(): Promise<void> {
  advance(HANDED_OVER_WITHIN_MS);
  expect(await runDurableObjectAlarm(log())).toBe(true);
}

async function handedOver() {
  const from = hourOf(Date.now());
  return usageOf(logName(shard), "hour", { from, to: from + HOUR_MS });
}

it("hands its counts over within ten minutes, and again when they change", async () => {
  await note(2);
  await handOver();
  expect(await handedOver()).toMatchObject([
    { environment: "", owner: null, counts: { "refused:NOT_FOUND": 2 } },
  ]);
  await note(3);
  await handOver();
  expect(await handedOver()).toMatchObject([{ counts: { "refused:NOT_FOUND": 5 } }]);
});

it.each(["before", "after"])("counts once if the answer of D1 is lost %s it took effect", async (when) => {
  const logged = vi.spyOn(console, "error").mockImplementation(() => undefined);
  const database: D1Database = Object.getPrototypeOf(bindings.DB);
  const { batch } = database;
  const losing = vi.spyOn(database, "batch").mockImplementation(async function (
    this: D1Database,
    statements,
  ) {
    if (when === "after") await batch.call(this, statements);
    throw new Error("the answer was lost");
  });
  await note(2);
  await handOver();
  expect(losing).toHaveBeenCalledTimes(1);
  expect(JSON.stringify(logged.mock.calls)).toContain("failed to hand over the counts of a request log");
  losing.mockRestore();

  await evictDurableObject(log());
  await note(3);
  await handOver();
  expect(await handedOver()).toMatchObject([{ counts: { "refused:NOT_FOUND": 5 } }]);
});
