import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { newObjectId } from "../../../src/crypto/ids.ts";
import type { NewEvent } from "../../../src/outbound/fan-out.ts";
import { MEASURE_NAMES, MEASURES, SPLITS } from "../../../src/portal/metrics/measures.ts";
import { HANDED_OVER_WITHIN_MS } from "../../../src/usage/changed-hours.ts";
import type { Counts } from "../../../src/usage/counts.ts";
import { countLatency, EXACT_BOUND_BUCKET } from "../../../src/usage/histogram.ts";
import { DAY_MS, HOUR_MS } from "../../../src/usage/periods.ts";
import { storeEmployerMonths } from "../../../src/usage/usage-store.ts";
import { operationNamed, problemsWith } from "../../support/contract.ts";
import { accepted, runCron } from "../../support/forwarding.ts";
import {
  type Answer,
  bindings,
  createApiKey,
  createBoundConnection,
  createConnection,
  gateOf,
  type Json,
  portal,
  report,
} from "../../support/gateway.ts";
import { hanging, intercepted, without } from "../../support/interception.ts";
import { catchEndpointWakeUps, newEvent, storeWebhook, tell } from "../../support/outbound.ts";
import { seeded } from "../../support/random.ts";
import { computeUsage, countGate, countWebhook, deleteUsage } from "../../support/usage.ts";

const { DB } = bindings;
const DAY = Date.UTC(2026, 4, 20);
const NOW = DAY + 10.5 * HOUR_MS;
const TEN = DAY + 10 * HOUR_MS;
const iso = (ms: number) => new Date(ms).toISOString();

let ownerId = "";
const owner = () => ({ owner_type: "payroll_company", owner_id: ownerId });

beforeEach(async () => {
  ownerId = `metrics-${newObjectId()}`;
  catchEndpointWakeUps();
  vi.useFakeTimers({ toFake: ["Date"] });
  vi.setSystemTime(NOW);
  await deleteUsage();
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

function ask(query: Record<string, string>, client = "portal"): Promise<Answer> {
  return portal("GET", `/metrics?${new URLSearchParams(query)}`, undefined, client);
}

/** The answer to a question about the test's owner. */
async function metric(query: Record<string, string>): Promise<Json> {
  const { status, json } = await ask({ ...owner(), ...query });
  expect(status, JSON.stringify(json)).toBe(200);
  return json;
}

const newConnection = async (fields: Json = {}) => {
  const { id } = await createBoundConnection({ ...owner(), environment: "production", ...fields });
  return { kind: "connection" as const, id };
};

function latencies(name: Parameters<typeof countLatency>[1], ...list: number[]): Counts {
  const counts: Counts = {};
  for (const ms of list) countLatency(counts, name, ms);
  return counts;
}

describe("a count", () => {
  it("has a point for each period with counts, and their sum", async () => {
    const gate = await newConnection();
    await countGate(gate, TEN - 2 * DAY_MS, { accepted: 3 });
    await countGate(gate, TEN - HOUR_MS, { accepted: 4, duplicate: 1 });
    await countGate(gate, TEN, { accepted: 5 });
    await computeUsage(NOW);
    const days = await metric({ measure: "accepted" });
    expect(days).toEqual({
      measure: "accepted",
      by: "none",
      granularity: "day",
      since: iso(DAY - 29 * DAY_MS),
      until: iso(DAY + DAY_MS),
      as_of: iso(NOW - HANDED_OVER_WITHIN_MS),
      exact: true,
      series: [
        {
          key: {},
          points: [
            { at: iso(DAY - 2 * DAY_MS), value: 3 },
            { at: iso(DAY), value: 9 },
          ],
          total: 12,
        },
      ],
      next_cursor: null,
    });
    const hours = await metric({ measure: "accepted", granularity: "hour" });
    expect(hours.series).toEqual([
      {
        key: {},
        points: [
          { at: iso(TEN - HOUR_MS), value: 4 },
          { at: iso(TEN), value: 5 },
        ],
        total: 9,
      },
    ]);
    expect(hours.since).toBe(iso(TEN + HOUR_MS - 2 * DAY_MS));
  });

  it("covers whole periods from `since` to `until`", async () => {
    const gate = await newConnection();
    for (let day = 0; day < 4; day++) await countGate(gate, DAY - day * DAY_MS, { accepted: 1 });
    await computeUsage(NOW);
    const { series } = await metric({
      measure: "accepted",
      since: iso(DAY - 2 * DAY_MS + 5),
      until: iso(DAY),
    });
    expect(series[0].points.map(({ at }: Json) => at)).toEqual([iso(DAY - 2 * DAY_MS), iso(DAY - DAY_MS)]);
  });

  it("is empty, not zero, where nothing was counted", async () => {
    expect((await metric({ measure: "accepted" })).series).toEqual([]);
    await countGate(await newConnection(), TEN, { accepted: 1 });
    await computeUsage(NOW);
    expect((await metric({ measure: "failed" })).series).toEqual([]);
  });

  it("says up to when it is complete while changes wait to be computed", async () => {
    const gate = await newConnection();
    await countGate(gate, TEN, { accepted: 1 });
    expect(await metric({ measure: "accepted" })).toMatchObject({
      series: [],
      as_of: iso(TEN - HANDED_OVER_WITHIN_MS),
    });
  });

  it("is one object's if the query names one", async () => {
    const [one, other] = [await newConnection(), await newConnection()];
    const key = await createApiKey({ ...owner(), environment: "production" });
    const hook = await storeWebhook({ owner_id: ownerId });
    await countGate(one, TEN, { accepted: 1 });
    await countGate(other, TEN, { accepted: 2 });
    await countGate({ kind: "key", id: key.id.replace("ak_", "") }, TEN, { accepted: 4 });
    await countWebhook(hook, TEN, { delivered: 8, "failed_attempts:dns": 3, "failed_attempts:tls": 2 });
    await computeUsage(NOW);
    const total = async (query: Record<string, string>) => (await metric(query)).series[0].total;
    expect(await total({ measure: "accepted" })).toBe(7);
    expect(await total({ measure: "accepted", connection_id: one.id.toUpperCase() })).toBe(1);
    expect(await total({ measure: "accepted", api_key_id: key.id })).toBe(4);
    expect(await total({ measure: "delivered", webhook_id: `wh_${hook.id}` })).toBe(8);
    expect((await metric({ measure: "failed_attempts", by: "cause", webhook_id: hook.id })).series).toEqual([
      { key: { cause: "dns" }, points: [{ at: iso(DAY), value: 3 }], total: 3 },
      { key: { cause: "tls" }, points: [{ at: iso(DAY), value: 2 }], total: 2 },
    ]);
  });

  it("of an object is also found without naming its owner, and after the object was deleted", async () => {
    const gate = await newConnection();
    await countGate(gate, TEN, { accepted: 1 });
    await computeUsage(NOW);
    await portal("DELETE", `/connections/${gate.id}`);
    const { json } = await ask({ measure: "accepted", connection_id: gate.id });
    expect(json.series[0].total).toBe(1);
  });

  it("is split by the answer's code", async () => {
    const gate = await newConnection();
    await countGate(gate, TEN, {
      "refused:AUTHENTICATION_FAILED": 2,
      "refused:RATE_LIMITED": 1,
      accepted: 9,
    });
    await computeUsage(NOW);
    const { series, exact } = await metric({ measure: "refused", by: "code" });
    expect(series.map(({ key, total }: Json) => [key.code, total])).toEqual([
      ["AUTHENTICATION_FAILED", 2],
      ["RATE_LIMITED", 1],
    ]);
    expect(exact).toBe(false);
    expect((await metric({ measure: "refused" })).series[0].total).toBe(3);
  });

  it("of refused requests is also a share of all requests", async () => {
    const gate = await newConnection();
    await countGate(gate, TEN, { accepted: 5, duplicate: 1, "refused:INVALID_SIGNATURE": 1, bytes: 900 });
    await countGate(gate, TEN - HOUR_MS, { "refused:INVALID_SIGNATURE": 2, "refused:RATE_LIMITED": 1 });
    await computeUsage(NOW);
    const { series } = await metric({ measure: "refused_share", granularity: "hour" });
    expect(series).toEqual([
      {
        key: {},
        points: [
          { at: iso(TEN - HOUR_MS), value: { share: 1, count: 3, of: 3 } },
          { at: iso(TEN), value: { share: 0.142857, count: 1, of: 7 } },
        ],
        total: { share: 0.4, count: 4, of: 10 },
      },
    ]);
  });

  it("adds up to the whole in every split, over random counts", async () => {
    const random = seeded(7);
    const gates = await Promise.all(
      Array.from({ length: 5 }, (_, i) => newConnection({ environment: i < 2 ? "sandbox" : "production" })),
    );
    const key = await createApiKey({ ...owner(), environment: "sandbox" });
    for (let i = 0; i < 40; i++) {
      const gate = gates[Math.floor(random() * gates.length)] ?? gates[0];
      const from = random() < 0.2 ? { kind: "key" as const, id: key.id.replace("ak_", "") } : gate;
      if (from === undefined) throw new Error("no gate");
      await countGate(from, TEN - Math.floor(random() * 200) * HOUR_MS, {
        accepted: Math.floor(random() * 100),
        "refused:A": Math.floor(random() * 5),
        "refused:B": Math.floor(random() * 5),
      });
    }
    await computeUsage(NOW);
    const sum = (series: Json[]) => series.reduce((n, { total }) => n + total, 0);
    const points = (series: Json[]) =>
      series.reduce((n, each) => n + each.points.reduce((m: number, { value }: Json) => m + value, 0), 0);
    for (const measure of ["accepted", "refused"]) {
      const whole = (await metric({ measure })).series[0].total;
      const byHour = await metric({ measure, granularity: "hour", since: iso(TEN - 10 * DAY_MS) });
      expect(byHour.series[0].total).toBe(whole);
      expect(points(byHour.series)).toBe(whole);
      expect(sum((await metric({ measure, by: "environment" })).series)).toBe(whole);
      const parts = [
        ...(await metric({ measure, by: "connection" })).series,
        ...(await metric({ measure, by: "key" })).series,
      ];
      expect(parts).toHaveLength(6);
      expect(sum(parts)).toBe(whole);
      const apart = await Promise.all(
        ["sandbox", "production"].map((environment) => metric({ measure, environment })),
      );
      expect(sum(apart.flatMap(({ series }) => series))).toBe(whole);
    }
    expect(sum((await metric({ measure: "refused", by: "code" })).series)).toBe(
      (await metric({ measure: "refused" })).series[0].total,
    );
  });
});

describe("a latency", () => {
  it("has percentiles of each period and of all together", async () => {
    const gate = await newConnection();
    await countGate(gate, TEN - DAY_MS, latencies("latency_accepted", ...Array(99).fill(100), 5_000));
    await countGate(gate, TEN, latencies("latency_accepted", 1_000, 1_000));
    await computeUsage(NOW);
    const { series } = await metric({ measure: "latency_accepted" });
    const [yesterday, today] = series[0].points;
    expect(yesterday.value).toMatchObject({ count: 100 });
    expect(yesterday.value.p50).toBeGreaterThanOrEqual(100);
    expect(yesterday.value.p99).toBeLessThan(110);
    expect(today.value.p50).toBeGreaterThanOrEqual(1_000);
    expect(series[0].total).toMatchObject({ count: 102 });
    expect(series[0].total.p99).toBeGreaterThanOrEqual(1_000);
    expect(series[0].total.p99).toBeLessThan(1_100);
  });

  it("of one kind has nothing of another", async () => {
    await countGate(await newConnection(), TEN, latencies("latency_forwarded", 5));
    await computeUsage(NOW);
    expect((await metric({ measure: "latency_accepted" })).series).toEqual([]);
  });
});

describe("the business metric", () => {
  it("freshness has the median and the share within 15 minutes, to the millisecond", async () => {
    const gate = await newConnection();
    await countGate(gate, TEN, latencies("latency_completed", 60_000, 900_000, 900_001, 3_600_000));
    await computeUsage(NOW);
    const { series } = await metric({ measure: "freshness" });
    expect(series[0].total).toMatchObject({ count: 4, within_goal: 0.5, p50: 900_000 });
    expect(EXACT_BOUND_BUCKET).toBe(160);
  });

  it("error_budget compares this month's 500 and 503 with 0.1 % of all requests", async () => {
    const gate = await newConnection();
    await countGate(gate, Date.UTC(2026, 4, 1), {
      accepted: 9_000,
      duplicate: 500,
      "refused:AUTHENTICATION_FAILED": 494,
      "refused:INTERNAL_ERROR": 1,
      "refused:SERVICE_UNAVAILABLE": 5,
    });
    await countGate(gate, Date.UTC(2026, 3, 30, 23), { "refused:INTERNAL_ERROR": 100 });
    await computeUsage(NOW);
    const { series, since } = await metric({ measure: "error_budget" });
    expect(since).toBe("2026-05-01T00:00:00.000Z");
    expect(series[0].total).toEqual({ share: 0.0006, count: 6, of: 10_000, budget_left: 0.4 });
    const april = await metric({ measure: "error_budget", until: "2026-05-01T00:00:00Z" });
    expect(april).toMatchObject({ since: "2026-04-01T00:00:00.000Z", until: "2026-05-01T00:00:00.000Z" });
    expect(april.series[0].total.budget_left).toBe(-999);
  });

  it("adoption counts connections and keys with a report in 30 days, of those set up", async () => {
    const [active, stale, refusedOnly, inactive, deleted] = await Promise.all(
      Array.from({ length: 5 }, () => newConnection()),
    );
    if (!active || !stale || !refusedOnly || !inactive || !deleted) throw new Error("five were made");
    const key = await createApiKey({ ...owner(), environment: "production" });
    const test = await createApiKey({ ...owner(), environment: "sandbox" });
    await portal("PATCH", `/connections/${inactive.id}`, { status: "inactive" });
    await portal("DELETE", `/connections/${deleted.id}`);
    await countGate(active, TEN - 29 * DAY_MS, { accepted: 1 });
    await countGate(stale, TEN - 30 * DAY_MS, { accepted: 1 });
    await countGate(refusedOnly, TEN, { "refused:AUTHENTICATION_FAILED": 1 });
    for (const gate of [inactive, deleted]) await countGate(gate, TEN, { accepted: 1 });
    await countGate({ kind: "key", id: key.id.replace("ak_", "") }, TEN, { accepted: 1 });
    await computeUsage(NOW);
    const { series } = await metric({ measure: "adoption", environment: "production" });
    expect(series[0].total).toEqual({
      share: 0.5,
      count: 2,
      of: 4,
      connections: { count: 1, of: 3 },
      keys: { count: 1, of: 1 },
    });
    expect(test.id).not.toBe("");
    const both = await metric({ measure: "adoption" });
    expect(both.series[0].total.keys).toEqual({ count: 1, of: 2 });
  });

  it("automation is the share of completed audits whose employer had reports in the policy period", async () => {
    const gate = await newConnection();
    await storeEmployerMonths(DB, `connection:${gate.id}`, [
      ["EMP_reported", "2025-03"],
      ["EMP_late", "2026-01"],
    ]).run();
    const period = { start: "2025-01-01", end: "2025-12-31" };
    for (const [employerId, policyPeriod] of [
      ["EMP_reported", period],
      ["EMP_late", period],
      ["EMP_silent", period],
      ["EMP_reported", undefined],
    ] as const)
      await tell({
        ...newEvent({ type: "audit.completed", data: JSON.stringify({ employerId, policyPeriod }) }),
        owner: { type: "payroll_company", id: ownerId },
      });
    const { series } = await metric({ measure: "automation" });
    expect(series).toEqual([
      {
        key: {},
        points: [{ at: iso(DAY), value: { share: 0.333333, count: 1, of: 3, unknown: 1 } }],
        total: { share: 0.333333, count: 1, of: 3, unknown: 1 },
      },
    ]);
  });

  it("automation tells an owner nothing of what others report, and the employer what anybody does", async () => {
    const theirs = await createBoundConnection({ owner_type: "payroll_company", owner_id: "other-payroll" });
    await storeEmployerMonths(DB, `connection:${theirs.id}`, [["EMP_shared", "2025-03"]]).run();
    const data = { employerId: "EMP_shared", policyPeriod: { start: "2025-01-01", end: "2025-12-31" } };
    const of = (type: "payroll_company" | "employer", id: string) =>
      tell({
        ...newEvent({ type: "audit.completed", data: JSON.stringify(data) }),
        owner: { type, id },
      });
    await DB.prepare("DELETE FROM events").run();
    await of("payroll_company", ownerId);
    await of("employer", "EMP_shared");
    expect((await metric({ measure: "automation" })).series[0].total).toMatchObject({ share: 0, of: 1 });
    const employer = { owner_type: "employer", owner_id: "EMP_shared" };
    expect((await ask({ measure: "automation", ...employer })).json.series[0].total.share).toBe(1);
    expect((await ask({ measure: "automation" })).json.series[0].total).toMatchObject({ count: 2, of: 2 });
  });

  it("premium_moved adds up what adjusted audits moved, in cents", async () => {
    for (const adjustment of [4_500, -1_000.25])
      await tell({
        ...newEvent({ type: "audit.adjusted", data: JSON.stringify({ results: { adjustment } }) }),
        owner: { type: "payroll_company", id: ownerId },
      });
    await computeUsage(NOW);
    expect((await metric({ measure: "premium_moved" })).series[0].total).toBe(349_975);
  });
});

describe("a split", () => {
  it("by connection is read in pages that hold each connection once", async () => {
    const gates = await Promise.all(Array.from({ length: 7 }, () => newConnection()));
    for (const [i, gate] of gates.entries()) await countGate(gate, TEN, { accepted: i + 1 });
    await computeUsage(NOW);
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page: Json = await metric({
        measure: "accepted",
        by: "connection",
        limit: "3",
        ...(cursor === null ? {} : { cursor }),
      });
      expect(page.series.length).toBeLessThanOrEqual(3);
      seen.push(...page.series.map(({ key }: Json) => key.connection_id));
      cursor = page.next_cursor;
    } while (cursor !== null);
    expect(seen.sort()).toEqual(gates.map(({ id }) => id).sort());
  });

  it("by owner is for those who act for everybody, and has each owner", async () => {
    const other = await createBoundConnection({ owner_type: "software_company", owner_id: `${ownerId}:b` });
    await countGate(await newConnection(), TEN, { accepted: 1 });
    await countGate({ kind: "connection", id: other.id }, TEN, { accepted: 2 });
    await computeUsage(NOW);
    const { json } = await ask({ measure: "accepted", by: "owner" });
    expect(json.series.map(({ key, total }: Json) => ({ ...key, total }))).toEqual([
      { ...owner(), total: 1 },
      { owner_type: "software_company", owner_id: `${ownerId}:b`, total: 2 },
    ]);
    expect((await ask({ measure: "accepted" })).json.series[0].total).toBe(3);
    expect((await ask({ measure: "accepted", by: "owner" }, "bound")).status).toBe(400);
  });

  it("shows a bound client its own only", async () => {
    const own = await createConnection({ owner_type: "payroll_company", owner_id: "acme" });
    await countGate({ kind: "connection", id: own.id }, TEN, { accepted: 1 });
    await countGate(await newConnection(), TEN, { accepted: 2 });
    await computeUsage(NOW);
    const { json } = await ask({ measure: "accepted" }, "bound");
    expect(json.series[0].total).toBe(1);
    const split = await ask({ measure: "accepted", by: "connection" }, "bound");
    expect(split.json.series.map(({ key }: Json) => key.connection_id)).toEqual([own.id]);
    expect((await ask({ measure: "accepted", ...owner() }, "bound")).status).toBe(404);
  });

  it("is refused wherever it makes no sense, and answered wherever the document names it", async () => {
    const gate = await newConnection();
    for (const measure of MEASURE_NAMES)
      for (const by of SPLITS) {
        const { status, json } = await ask({ measure, by });
        const splits: readonly string[] = MEASURES[measure].splits;
        expect(status, `${measure} by ${by}`).toBe(splits.includes(by) ? 200 : 400);
        if (status === 400) expect(json.details.by).toContain(splits.join(", "));
      }
    const one = await ask({ measure: "accepted", by: "connection", connection_id: gate.id });
    expect(one).toMatchObject({ status: 400, json: { details: { by: expect.any(String) } } });
  });
});

describe("some connections by their ids", () => {
  it("have a series each, whatever else their owner has, page by page", async () => {
    const [one, other, unnamed] = [await newConnection(), await newConnection(), await newConnection()];
    const silent = await newConnection();
    await countGate(one, TEN - HOUR_MS, { accepted: 1, "refused:A": 4 });
    await countGate(one, TEN, { accepted: 2 });
    await countGate(other, TEN, { accepted: 3 });
    await countGate(unnamed, TEN, { accepted: 9 });
    await computeUsage(NOW);
    const named = [one, other, silent].map(({ id }) => id);
    const query = { by: "connection", granularity: "hour", connection_ids: named.join(",").toUpperCase() };
    const totals = ({ series }: Json) =>
      series.map(({ key, total }: Json) => [key.connection_id, total]).sort();
    const whole = await metric({ ...query, measure: "accepted" });
    expect(totals(whole)).toEqual([[one.id, 3] as const, [other.id, 3] as const].sort());
    expect(whole.next_cursor).toBeNull();
    expect(totals(await metric({ ...query, measure: "refused" }))).toEqual([[one.id, 4]]);
    const first = await metric({ ...query, measure: "accepted", limit: "2" });
    expect(first.next_cursor).not.toBeNull();
    const second = await metric({ ...query, measure: "accepted", limit: "2", cursor: first.next_cursor });
    expect(totals({ series: [...first.series, ...second.series] })).toEqual(totals(whole));
  });

  it("must all be the client's own, and ask for a split by connection", async () => {
    const own = await newConnection();
    const other = await createBoundConnection({ owner_type: "software_company", owner_id: "b" });
    const of = (ids: string, more = {}) =>
      ask({ measure: "accepted", by: "connection", connection_ids: ids, ...owner(), ...more });
    expect((await of(own.id)).status).toBe(200);
    expect((await of(`${own.id},${other.id}`)).status).toBe(404);
    expect((await of(newObjectId())).status).toBe(404);
    expect((await of("x")).json.details.connection_ids).toMatch(/1 to 100 ids/);
    expect((await of(own.id, { by: "none" })).json.details.connection_ids).toMatch(/by=connection/);
    expect((await of(own.id, { connection_id: own.id })).json.details.connection_ids).toMatch(
      /either here or/,
    );
    expect((await of(own.id, { measure: "delivered", by: "connection" })).status).toBe(400);
  });
});

describe("minutes", () => {
  const noteOf = (minute: number, code: string, n: number) => ({
    id: newObjectId(),
    counts: [{ minute: minute / 60_000, code, n }],
    samples: [],
  });

  it("are counted by the gate when they are asked for", async () => {
    const connection = await createBoundConnection({ ...owner(), environment: "production" });
    const { id } = connection;
    const before = NOW - 5 * 60_000;
    vi.setSystemTime(before + 1_000);
    await accepted(connection);
    vi.setSystemTime(NOW + 1_000);
    await accepted(connection);
    await accepted(connection, report({ policy_number: "another" }));
    const gate = gateOf({ id });
    await gate.note({ kind: "connection", id }, noteOf(before, "INVALID_SIGNATURE", 7));
    await gate.note({ kind: "connection", id }, noteOf(NOW, "INVALID_JSON", 2));
    await gate.note({ kind: "connection", id }, noteOf(NOW, "DUPLICATE", 1));
    const of = (measure: string, more = {}) =>
      metric({ measure, granularity: "minute", connection_id: id, ...more });
    expect(await of("accepted")).toMatchObject({
      granularity: "minute",
      since: iso(NOW + 60_000 - HOUR_MS),
      until: iso(NOW + 60_000),
      as_of: iso(NOW + 1_000),
      series: [
        {
          key: {},
          points: [
            { at: iso(before), value: 1 },
            { at: iso(NOW), value: 2 },
          ],
          total: 3,
        },
      ],
    });
    expect((await of("duplicate")).series[0].points).toEqual([{ at: iso(NOW), value: 1 }]);
    const refused = await of("refused", { by: "code" });
    expect(Object.fromEntries(refused.series.map(({ key, total }: Json) => [key.code, total]))).toEqual({
      INVALID_SIGNATURE: 7,
      INVALID_JSON: 2,
    });
    expect((await of("refused", { since: iso(NOW) })).series[0].total).toBe(2);
  });

  it("are of one connection or key, of what its gate counts, and of a few hours", async () => {
    const { id } = await newConnection();
    const problems = async (query: Record<string, string>) =>
      Object.keys((await ask({ measure: "accepted", granularity: "minute", ...query })).json.details);
    expect(await problems({})).toEqual(["granularity"]);
    expect(await problems({ connection_id: id, measure: "bytes" })).toEqual(["granularity"]);
    expect(await problems({ connection_id: id, environment: "sandbox" })).toEqual(["environment"]);
    expect(await problems({ connection_id: id, by: "environment" })).toEqual(["by"]);
    expect(await problems({ connection_id: id, since: iso(NOW - 8 * HOUR_MS) })).toEqual(["since"]);
  });
});

describe("a query that makes no sense", () => {
  it.each<[string, Record<string, string>, string, RegExp]>([
    ["no measure", { measure: "" }, "measure", /accepted, completed/],
    ["an unknown measure", { measure: "constructor" }, "measure", /Must be one of accepted/],
    ["an unknown split", { by: "__proto__" }, "by", /Must be one of none/],
    ["an unknown granularity", { granularity: "week" }, "granularity", /minute, hour, day/],
    ["a since that is no time", { since: "yesterday" }, "since", /Must be a time/],
    ["an empty range", { since: iso(NOW), until: iso(NOW - DAY_MS) }, "since", /before until/],
    ["the future", { since: iso(NOW + 9 * DAY_MS) }, "since", /before until/],
    ["too many hours", { granularity: "hour", since: iso(NOW - 40 * DAY_MS) }, "since", /31 days/],
    ["too many days", { since: "1970-01-01T00:00:00Z" }, "since", /400 days/],
    ["a since for a fixed month", { measure: "error_budget", since: iso(DAY) }, "since", /only until/],
    ["a limit of zero", { by: "connection", limit: "0" }, "limit", /1 to 100/],
    ["another list's cursor", { by: "connection", cursor: "WyJhdWRpdCIsIngiXQ" }, "cursor", /this list/],
    ["a text of SQL", { measure: "accepted' OR 1=1 --" }, "measure", /Must be one of/],
    ["an unknown field", { colour: "red" }, "colour", /./],
    ["a percent sign in an environment", { environment: "%" }, "environment", /sandbox, production/],
  ])("is refused with the field's name: %s", async (_what, query, field, message) => {
    const { status, json } = await ask({ ...owner(), measure: "accepted", ...query });
    expect(status).toBe(400);
    expect(json.details[field]).toMatch(message);
  });

  it.each([
    ["a webhook for reports", { measure: "accepted" }, "webhook_id"],
    ["a connection for deliveries", { measure: "delivered" }, "connection_id"],
    ["a key for adoption", { measure: "adoption" }, "api_key_id"],
  ])("is refused for an object that has no such counts: %s", async (_what, query, field) => {
    const ids: Record<string, string> = {
      webhook_id: (await storeWebhook({ owner_id: ownerId })).id,
      connection_id: (await newConnection()).id,
      api_key_id: (await createApiKey(owner())).id,
    };
    const { status, json } = await ask({ ...query, [field]: ids[field] ?? "" });
    expect(status).toBe(400);
    expect(json.details[field]).toMatch(/is not counted for one/);
  });

  it.each(["connection_id", "api_key_id", "webhook_id"])(
    "is a 404 for an id that is none: %s",
    async (field) => {
      for (const id of ["", "x", "'; DROP TABLE usage; --", "a".repeat(64), "%00"])
        expect((await ask({ measure: "accepted", [field]: id })).status, id).toBe(404);
      expect((await ask({ measure: "accepted", [field]: "a".repeat(65) })).status).toBe(400);
    },
  );

  it("cannot leave its kind of scope by a cursor of its own making", async () => {
    await countGate(await newConnection(), TEN, { accepted: 1 });
    await computeUsage(NOW);
    const cursor = btoa(JSON.stringify(["metrics", "a"])).replace(/=+$/, "");
    const { json } = await ask({ measure: "accepted", by: "connection", cursor });
    expect(json.series).toHaveLength(1);
    expect(json.series[0].key.connection_id).toMatch(/^[0-9a-f]{24}$/);
  });
});

describe("every measure", () => {
  it("is answered as the document describes, and so are its refusals", async () => {
    const gate = await newConnection();
    const hook = await storeWebhook({ owner_id: ownerId });
    await countGate(gate, TEN, {
      ...{ accepted: 3, completed: 2, failed: 1, bytes: 9, duplicate: 1, "refused:RATE_LIMITED": 1 },
      ...latencies("latency_accepted", 5),
      ...latencies("latency_forwarded", 50),
      ...latencies("latency_completed", 500),
    });
    await countWebhook(hook, TEN, {
      ...{ delivered: 2, "failed_attempts:dns": 1, failed_deliveries: 1 },
      ...latencies("latency_delivered", 700),
    });
    const tellOwner = (type: NewEvent["type"], data: unknown) =>
      tell({
        ...newEvent({ type, data: JSON.stringify(data) }),
        owner: { type: "payroll_company", id: ownerId },
      });
    await tellOwner("audit.adjusted", { results: { adjustment: 1 } });
    await tellOwner("audit.completed", { employerId: "EMP_1" });
    await computeUsage(NOW);
    const { described } = operationNamed("getMetrics");
    const schemaOf = (status: number) => described.responses[status].content["application/json"].schema;
    for (const measure of MEASURE_NAMES)
      for (const by of MEASURES[measure].splits) {
        const { status, json } = await ask({ measure, by });
        expect(problemsWith(json, schemaOf(status)), `${measure} by ${by}`).toEqual([]);
        if (!["key", "webhook"].includes(by))
          expect(json.series.length, `${measure} by ${by}`).toBeGreaterThan(0);
      }
    for (const query of [{ measure: "" }, { measure: "accepted", connection_id: newObjectId() }]) {
      const { status, json } = await ask(query);
      expect(problemsWith(json, schemaOf(status))).toEqual([]);
    }
  });
});

describe("counts", () => {
  it("stay as numbers when their connection and their owner's outbound data are erased", async () => {
    const gate = await newConnection();
    const hook = await storeWebhook({ owner_id: ownerId });
    await countGate(gate, TEN, { accepted: 3 });
    await countWebhook(hook, TEN, { delivered: 2 });
    await computeUsage(NOW);
    await portal("DELETE", `/connections/${gate.id}?erase=true`);
    await portal("DELETE", `/owners/payroll_company/${ownerId}/data`);
    vi.setSystemTime(NOW + 8 * DAY_MS);
    await runCron(Date.now());
    const { results } = await DB.prepare("SELECT data_key FROM connections WHERE id = ?").bind(gate.id).all();
    expect(results).toEqual([{ data_key: "" }]);
    expect((await metric({ measure: "accepted", connection_id: gate.id })).series[0].total).toBe(3);
    expect((await metric({ measure: "delivered" })).series[0].total).toBe(2);
  });

  it.each([
    ["is away", without],
    ["hangs", hanging],
  ])("are a 503, not zero, while the database %s", async (_how, failing) => {
    const path = "/metrics?measure=accepted";
    const { status, json } = await portal("GET", path, undefined, "portal", failing("DB"));
    expect({ status, code: json.code }).toEqual({ status: 503, code: "SERVICE_UNAVAILABLE" });
  });
});

describe("what a query reads", () => {
  /** Rows of D1 that a query reads, without those of JSON texts if it asks for a single count. */
  async function rowsRead(query: Record<string, string>): Promise<number> {
    let read = 0;
    const using = intercepted(async (call, proceed) => {
      const answer = await proceed();
      if (call.startsWith("DB."))
        for (const each of [answer].flat() as (Partial<D1Result> | null)[])
          read += each?.meta?.rows_read ?? 0;
      return answer;
    });
    const path = `/metrics?${new URLSearchParams(query)}`;
    expect((await portal("GET", path, undefined, "portal", using)).status).toBe(200);
    return read;
  }

  /** Days of connections of an owner, as the cron computes them. */
  async function storeDays(name: string, connections: number): Promise<void> {
    await DB.prepare(
      `WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < ?3),
         d(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM d WHERE i < 59)
       INSERT INTO usage (scope, period, at, environment, owner, counts, version, updated_at)
       SELECT 'connection:' || printf('%s%020x', ?2, c.i), 'day', ?1 - d.i * ${DAY_MS}, 'production',
         'payroll_company:' || ?4, '{"accepted":1,"refused:A":1}', 1, 1 FROM c, d`,
    )
      .bind(DAY, name.slice(0, 4), connections, name)
      .run();
  }

  it("is what it shows, whatever else there is: 30 days of 20 connections, of 120 with 60 days", async () => {
    await storeDays("0000-others", 50);
    await storeDays("ffff-others", 50);
    await storeDays(ownerId.replace("metrics-", "8888"), 20);
    const query = { measure: "accepted", by: "connection", owner_type: "payroll_company" };
    const own = { ...query, owner_id: ownerId.replace("metrics-", "8888") };
    expect(await rowsRead(own)).toBeLessThan(20 * 30 + 100);
    expect(await rowsRead({ ...own, limit: "5" })).toBeLessThan(5 * 30 + 50);
    const { json } = await ask(own);
    expect(json.series).toHaveLength(20);
    expect(json.series[19].total).toBe(30);
  });

  it("of a thousand connections is a page of a hundred, and of hours fewer", async () => {
    await storeDays("1000-others", 1_000);
    const page = { measure: "accepted", by: "connection" };
    expect(await rowsRead(page)).toBeLessThan(100 * 30 + 500);
    const long = { ...page, since: iso(DAY - 399 * DAY_MS) };
    expect((await ask(long)).json.series.length).toBe(15);
    expect(await rowsRead(long)).toBeLessThan(15 * 60 + 600);
  });
});
