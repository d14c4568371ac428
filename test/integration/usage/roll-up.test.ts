import { beforeEach, describe, expect, it } from "vitest";
import { newObjectId } from "../../../src/crypto/ids.ts";
import { HANDED_OVER_WITHIN_MS } from "../../../src/usage/changed-hours.ts";
import type { Counts } from "../../../src/usage/counts.ts";
import { DAY_MS, HOUR_MS } from "../../../src/usage/periods.ts";
import { COMPUTED_AFTER_MS, KEEP_HOURS_MS, rollUp, usageAsOf } from "../../../src/usage/roll-up.ts";
import { purgeUsage } from "../../../src/usage/usage-retention.ts";
import { markChanged, storeEmployerMonths, storeLogHours } from "../../../src/usage/usage-store.ts";
import { runCron } from "../../support/forwarding.ts";
import { bindings, createApiKey, createBoundConnection } from "../../support/gateway.ts";
import { intercepted } from "../../support/interception.ts";
import { storeWebhook } from "../../support/outbound.ts";
import { withQueryLog } from "../../support/query-plans.ts";
import { countGate, countWebhook, deleteUsage, usageOf } from "../../support/usage.ts";

const { DB } = bindings;
const DAY = Date.UTC(2026, 4, 6);
const TEN = DAY + 10 * HOUR_MS;
const NOW = TEN + HOUR_MS / 2;
const COMPUTED = NOW + COMPUTED_AFTER_MS;

let ownerId = "";
const owner = () => `owner:payroll_company:${ownerId}`;

beforeEach(async () => {
  ownerId = newObjectId();
  await deleteUsage();
});

const ownersFields = () => ({ owner_type: "payroll_company", owner_id: ownerId });

async function newConnection(fields = {}): Promise<{ kind: "connection"; id: string }> {
  const { id } = await createBoundConnection({ ...ownersFields(), ...fields });
  return { kind: "connection", id };
}

/** From environment to counts. */
async function countsOf(scope: string, period: "hour" | "day", at: number): Promise<Record<string, Counts>> {
  const rows = await usageOf(scope, period, { from: at, to: at + 1 });
  return Object.fromEntries(rows.map((row) => [row.environment, row.counts]));
}

describe("rolling up", () => {
  it("adds up what belongs to an owner, and all owners, by environment", async () => {
    const first = await newConnection();
    const second = await newConnection({ environment: "sandbox" });
    const key = await createApiKey(ownersFields());
    const webhook = await storeWebhook({ owner_id: ownerId });
    const other = await createBoundConnection({ ...ownersFields(), owner_id: "another" });
    await countGate(first, TEN, { accepted: 1, "latency_forwarded:9": 1 }, NOW);
    await countGate(second, TEN, { accepted: 10 }, NOW);
    await countGate({ kind: "key", id: key.id }, TEN, { accepted: 100, "latency_forwarded:9": 2 }, NOW);
    await countGate({ kind: "connection", id: other.id }, TEN, { accepted: 1_000 }, NOW);
    await countWebhook(webhook, NOW, { delivered: 7 });
    await DB.batch([
      storeLogHours(DB, "unknown:0", [{ at: TEN, version: 1, counts: { "refused:X": 5 } }], NOW),
      storeLogHours(DB, "unknown:1", [{ at: TEN, version: 1, counts: { "refused:X": 6 } }], NOW),
    ]);

    await rollUp(DB, COMPUTED);

    const owners = {
      production: { accepted: 101, delivered: 7, "latency_forwarded:9": 3 },
      sandbox: { accepted: 10 },
    };
    const all = {
      "": { "refused:X": 11 },
      production: { ...owners.production, accepted: 1_101 },
      sandbox: { accepted: 10 },
    };
    expect(await countsOf(owner(), "hour", TEN)).toEqual(owners);
    expect(await countsOf("all", "hour", TEN)).toEqual(all);
    expect(await countsOf(owner(), "day", DAY)).toEqual(owners);
    expect(await countsOf("all", "day", DAY)).toEqual(all);
    expect(await countsOf(`webhook:${webhook.id}`, "day", DAY)).toEqual({ production: { delivered: 7 } });
    expect(await countsOf("unknown:1", "day", DAY)).toEqual({ "": { "refused:X": 6 } });
  });

  it("computes days from their hours, each day from its own", async () => {
    const gate = await newConnection();
    await countGate(gate, DAY - HOUR_MS, { accepted: 1 }, NOW);
    await countGate(gate, DAY, { accepted: 2, completed: 1 }, NOW);
    await countGate(gate, DAY + 23 * HOUR_MS, { accepted: 4 }, NOW);
    await rollUp(DB, COMPUTED);

    const scope = `connection:${gate.id}`;
    expect(await countsOf(scope, "day", DAY - DAY_MS)).toEqual({ production: { accepted: 1 } });
    expect(await countsOf(scope, "day", DAY)).toEqual({ production: { accepted: 6, completed: 1 } });

    await countGate(gate, DAY, { accepted: 3 }, NOW);
    await rollUp(DB, COMPUTED);
    expect(await countsOf(scope, "day", DAY)).toEqual({ production: { accepted: 7 } });
    expect(await countsOf("all", "day", DAY)).toEqual({ production: { accepted: 7 } });
  });

  it("waits a while, so that the changes of many gates are computed at once", async () => {
    const gate = await newConnection();
    await countGate(gate, TEN, { accepted: 1 }, NOW);
    await rollUp(DB, COMPUTED - 1);
    expect(await countsOf(owner(), "hour", TEN)).toEqual({});
    await rollUp(DB, COMPUTED);
    expect(await countsOf(owner(), "hour", TEN)).toEqual({ production: { accepted: 1 } });
  });

  it("is a part of the minute cron", async () => {
    await countGate(await newConnection(), TEN, { accepted: 1 }, NOW);
    await runCron(COMPUTED);
    expect(await countsOf(owner(), "day", DAY)).toEqual({ production: { accepted: 1 } });
  });

  it("writes nothing for what has not changed", async () => {
    const gate = await newConnection();
    await countGate(gate, TEN, { accepted: 1 }, NOW);
    await rollUp(DB, COMPUTED);
    await markChanged(DB, [TEN], NOW).run();
    const before = await DB.prepare("SELECT * FROM usage ORDER BY scope, period").all();
    await rollUp(DB, COMPUTED + 1);
    expect((await DB.prepare("SELECT * FROM usage ORDER BY scope, period").all()).results).toEqual(
      before.results,
    );
  });

  it("computes an hour that was marked under a clock that was set back since", async () => {
    const gate = await newConnection();
    await countGate(gate, TEN, { accepted: 1 }, NOW + DAY_MS);
    await rollUp(DB, COMPUTED);
    expect(await countsOf(owner(), "hour", TEN)).toEqual({ production: { accepted: 1 } });
  });

  it("catches up with more hours than one run does", async () => {
    const gate = await newConnection();
    const hours = Array.from({ length: 30 }, (_, i) => TEN - i * HOUR_MS);
    for (const at of hours) await countGate(gate, at, { accepted: 1 }, NOW);
    await rollUp(DB, COMPUTED);
    await rollUp(DB, COMPUTED);
    for (const at of hours)
      expect(await countsOf("all", "hour", at)).toEqual({ production: { accepted: 1 } });
    expect((await DB.prepare("SELECT * FROM usage_changes").all()).results).toEqual([]);
  });

  it("leaves days alone of which hours are deleted", async () => {
    const gate = await newConnection();
    await countGate(gate, TEN, { accepted: 5 }, NOW);
    await rollUp(DB, COMPUTED);
    const later = COMPUTED + KEEP_HOURS_MS + DAY_MS;
    await countGate(gate, TEN, { accepted: 1 }, later - COMPUTED_AFTER_MS);
    await rollUp(DB, later);
    expect(await countsOf(owner(), "day", DAY)).toEqual({ production: { accepted: 5 } });
    expect((await DB.prepare("SELECT * FROM usage_changes").all()).results).toEqual([]);
  });
});

describe("two runs, and runs that die", () => {
  const calls = ["DB.batch", "DB.first", "DB.all", "DB.run"];

  it("compute the same, whatever their order", async () => {
    const gates = await Promise.all(Array.from({ length: 5 }, () => newConnection()));
    for (const gate of gates) await countGate(gate, TEN, { accepted: 1 }, NOW);
    await Promise.all([rollUp(DB, COMPUTED), rollUp(DB, COMPUTED), rollUp(DB, COMPUTED)]);
    expect(await countsOf("all", "day", DAY)).toEqual({ production: { accepted: 5 } });
  });

  it.each([1, 2, 3, 4, 5, 6, 7])("miss nothing that changes before call %i of a run", async (place) => {
    const gate = await newConnection();
    await countGate(gate, TEN, { accepted: 1 }, NOW);
    let n = 0;
    const { DB: changing } = intercepted(async (call, proceed) => {
      if (calls.includes(call) && ++n === place) await countGate(gate, TEN, { accepted: 2 }, NOW);
      return proceed();
    });
    await rollUp(changing, COMPUTED);
    expect(n).toBeGreaterThanOrEqual(place);
    await rollUp(DB, COMPUTED);
    expect(await countsOf(owner(), "day", DAY)).toEqual({ production: { accepted: 2 } });
  });

  it.each(
    [1, 2, 3, 4, 5, 6, 7].flatMap(
      (place) =>
        [
          ["before", place],
          ["after", place],
        ] as const,
    ),
  )("are completed by a later run: death %s call %i", async (when, place) => {
    const gate = await newConnection();
    await countGate(gate, TEN, { accepted: 3 }, NOW);
    let n = 0;
    const { DB: dying } = intercepted(async (call, proceed) => {
      if (!calls.includes(call) || ++n < place) return proceed();
      if (n === place && when === "after") await proceed();
      throw new Error("the run has died");
    });
    await expect(rollUp(dying, COMPUTED)).rejects.toThrow("the run has died");
    expect(n).toBe(place);
    const isComplete = place === 7 && when === "after";
    expect(await usageAsOf(DB, COMPUTED)).toBe((isComplete ? COMPUTED : NOW) - HANDED_OVER_WITHIN_MS);

    await rollUp(DB, COMPUTED + 11 * 60_000);
    expect(await countsOf("all", "day", DAY)).toEqual({ production: { accepted: 3 } });
    expect((await DB.prepare("SELECT * FROM usage_changes").all()).results).toEqual([]);
  });
});

it("says up to when counts are complete", async () => {
  expect(await usageAsOf(DB, NOW)).toBe(NOW - HANDED_OVER_WITHIN_MS);
  await markChanged(DB, [TEN], NOW - 60_000).run();
  expect(await usageAsOf(DB, NOW)).toBe(NOW - 60_000 - HANDED_OVER_WITHIN_MS);
});

it("reads through indexes", async () => {
  const gate = await newConnection();
  await countGate(gate, TEN, { accepted: 1 }, NOW);
  const { DB: logged, plans } = withQueryLog(DB);
  await rollUp(logged, COMPUTED);
  await purgeUsage(logged, { from: "000000", to: "g" }, NOW);
  const reads = (await plans()).filter((step) => /\b(usage|[udhv]|old|employer_months)\b/.test(step));
  expect(reads.length).toBeGreaterThan(8);
  for (const step of reads) expect(step).toMatch(/^SEARCH/);
});

describe("retention", () => {
  it("keeps hours for 90 days and days for seven years, of every scope", async () => {
    const gate = await newConnection();
    const key = await createApiKey(ownersFields());
    const webhook = await storeWebhook({ owner_id: ownerId });
    const hours = async (at: number) => {
      await countGate(gate, at, { accepted: 1 }, NOW);
      await countGate({ kind: "key", id: key.id }, at, { accepted: 1 }, NOW);
      await countWebhook(webhook, at, { delivered: 1 });
      await DB.batch([storeLogHours(DB, "unknown:0", [{ at, version: 1, counts: { "refused:X": 5 } }], NOW)]);
    };
    await hours(DAY);
    await hours(DAY - HOUR_MS);
    await rollUp(DB, COMPUTED);
    const stored = (
      await DB.prepare("SELECT scope, period, at FROM usage").all<{
        scope: string;
        period: string;
        at: number;
      }>()
    ).results;
    // Six scopes, of which "all" has two environments.
    expect(stored).toHaveLength(2 * 2 * 7);
    const left = async () =>
      (await DB.prepare("SELECT period, at FROM usage").all<{ period: string; at: number }>()).results;

    await runCron(DAY + 90 * DAY_MS);
    await purgeUsage(DB, { from: "0", to: "g" }, DAY + 90 * DAY_MS);
    expect((await left()).filter((row) => row.period === "hour").map((row) => row.at)).toEqual(
      Array(7).fill(DAY),
    );
    expect((await left()).filter((row) => row.period === "day")).toHaveLength(14);

    await purgeUsage(DB, { from: "0", to: "g" }, DAY + 7 * 366 * DAY_MS);
    expect(await left()).toEqual(Array(7).fill({ period: "day", at: DAY }));
    await purgeUsage(DB, { from: "0", to: "g" }, DAY + (7 * 366 + 1) * DAY_MS);
    expect(await left()).toEqual([]);
  });

  it("deletes all that is old in one run, however many owners there are", async () => {
    await DB.prepare(
      `WITH RECURSIVE owners (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM owners WHERE n < 4500)
       INSERT INTO usage (scope, period, at, environment, owner, counts, version, updated_at)
       SELECT 'owner:employer:' || n, 'hour', ?1, 'production', NULL, '{}', 1, ?1 FROM owners`,
    )
      .bind(DAY)
      .run();
    await purgeUsage(DB, { from: "000000", to: "044445" }, DAY + 91 * DAY_MS);
    expect(await DB.prepare("SELECT count(*) AS n FROM usage").first("n")).toBe(0);
  });

  it("keeps an employer's months for seven years", async () => {
    await storeEmployerMonths(DB, "key:1", [
      ["EMP", "2019-03"],
      ["EMP", "2019-05"],
    ]).run();
    await runCron(Date.UTC(2026, 4, 6));
    const { results } = await DB.prepare("SELECT month FROM employer_months").all();
    expect(results).toEqual([{ month: "2019-05" }]);
  });
});
