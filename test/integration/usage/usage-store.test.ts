import { describe, expect, it } from "vitest";
import { newObjectId } from "../../../src/crypto/ids.ts";
import { HOUR_MS, hourOf } from "../../../src/usage/periods.ts";
import {
  addWebhookCounts,
  storeEmployerMonths,
  storeGateHours,
  storeLogHours,
  usageOf,
  usageOfAllScopes,
  usageOfOwnersScopes,
} from "../../../src/usage/usage-store.ts";
import { bindings, createApiKey, createBoundConnection } from "../../support/gateway.ts";
import { storeWebhook } from "../../support/outbound.ts";
import { withQueryLog } from "../../support/query-plans.ts";

const { DB } = bindings;
const NOW = Date.UTC(2026, 4, 6, 10, 30);
const AT = hourOf(NOW);
const HOUR = { period: "hour", from: AT, to: AT + HOUR_MS } as const;

function hour(version: number, counts: Record<string, number>) {
  return { at: AT, version, counts };
}

describe("hours of a gate", () => {
  it("keep the environment under which they were first stored, and are never stored under a second one", async () => {
    const owner = { owner_type: "payroll_company", owner_id: newObjectId() };
    const { id } = await createBoundConnection({ ...owner, environment: "sandbox" });
    await storeGateHours(DB, { kind: "connection", id }, [hour(1, { accepted: 3 })], NOW).run();
    await DB.prepare("UPDATE connections SET environment = 'production' WHERE id = ?").bind(id).run();
    const later = { ...hour(2, { accepted: 1 }), at: AT + HOUR_MS };
    const again = [hour(2, { accepted: 3, completed: 3 }), later];
    await storeGateHours(DB, { kind: "connection", id }, again, NOW).run();
    expect(await usageOf(DB, `connection:${id}`, { ...HOUR, to: AT + 2 * HOUR_MS })).toMatchObject([
      { at: AT, environment: "sandbox", counts: { accepted: 3, completed: 3 } },
      { at: AT + HOUR_MS, environment: "production", counts: { accepted: 1 } },
    ]);
  });

  it("belong to the owner and the environment of its row", async () => {
    const owner = { owner_type: "payroll_company", owner_id: newObjectId() };
    const connection = await createBoundConnection({ ...owner, environment: "production" });
    const key = await createApiKey({ ...owner, environment: "sandbox" });

    await storeGateHours(
      DB,
      { kind: "connection", id: connection.id },
      [hour(1, { accepted: 3 })],
      NOW,
    ).run();
    await storeGateHours(DB, { kind: "key", id: key.id }, [hour(1, { accepted: 4 })], NOW).run();

    const of = (kind: "connection" | "key") =>
      usageOfOwnersScopes(DB, `payroll_company:${owner.owner_id}`, kind, HOUR);
    expect(await of("connection")).toEqual([
      {
        scope: `connection:${connection.id}`,
        at: AT,
        environment: "production",
        counts: { accepted: 3 },
        updated_at: NOW,
      },
    ]);
    expect(await of("key")).toMatchObject([{ scope: `key:${key.id}`, environment: "sandbox" }]);
    const everyones = await usageOfAllScopes(DB, "connection", HOUR);
    expect(everyones).toContainEqual((await of("connection"))[0]);
  });

  it("are replaced by a greater version only", async () => {
    const connection = await createBoundConnection();
    const store = async (version: number, accepted: number) => {
      const statement = storeGateHours(
        DB,
        { kind: "connection", id: connection.id },
        [hour(version, { accepted })],
        NOW,
      );
      return (await statement.all()).results;
    };

    expect(await store(5, 3)).toEqual([{ at: AT }]);
    expect(await store(5, 9)).toEqual([]);
    expect(await store(4, 9)).toEqual([]);
    expect(await store(6, 4)).toEqual([{ at: AT }]);

    expect(await usageOf(DB, `connection:${connection.id}`, HOUR)).toMatchObject([
      { counts: { accepted: 4 } },
    ]);
  });

  it("keep the counts of evidence that is gone", async () => {
    const connection = await createBoundConnection();
    const gate = { kind: "connection", id: connection.id } as const;
    const before = {
      accepted: 2,
      completed: 1,
      "refused:INVALID_SIGNATURE": 7,
      duplicate: 1,
    };
    await storeGateHours(DB, gate, [hour(1, before)], NOW).run();

    await storeGateHours(DB, gate, [hour(2, { accepted: 2, failed: 1, duplicate: 3 })], NOW).run();

    expect(await usageOf(DB, `connection:${connection.id}`, HOUR)).toMatchObject([
      {
        counts: {
          accepted: 2,
          failed: 1,
          "refused:INVALID_SIGNATURE": 7,
          duplicate: 3,
        },
      },
    ]);
    const [row] = await usageOf(DB, `connection:${connection.id}`, HOUR);
    expect(row?.counts).not.toHaveProperty("completed");
  });

  it("of a request log belong to nobody", async () => {
    await storeLogHours(DB, "unknown:7", [hour(1, { "refused:UNKNOWN": 2 })], NOW).run();

    expect(await usageOf(DB, "unknown:7", HOUR)).toMatchObject([
      { environment: "", counts: { "refused:UNKNOWN": 2 } },
    ]);
  });
});

describe("counts of a webhook", () => {
  it("add up, and mark their hour", async () => {
    const webhook = await storeWebhook();
    await DB.batch(addWebhookCounts(DB, webhook.id, { delivered: 2, "latency_delivered:50": 2 }, NOW));
    await DB.batch(addWebhookCounts(DB, webhook.id, { delivered: 1, "failed_attempts:timeout": 4 }, NOW));

    expect(await usageOf(DB, `webhook:${webhook.id}`, HOUR)).toMatchObject([
      { counts: { delivered: 3, "failed_attempts:timeout": 4, "latency_delivered:50": 2 } },
    ]);
    const marks = await DB.prepare("SELECT taken_by FROM usage_changes WHERE at = ?").bind(AT).all();
    expect(marks.results).toEqual([{ taken_by: "" }]);
  });

  it("count only if the condition holds", async () => {
    const webhook = await storeWebhook();
    const add = (version: number) =>
      DB.batch(addWebhookCounts(DB, webhook.id, { delivered: 1 }, NOW, "version = ?5", [version]));

    await add(webhook.version + 1);
    expect(await usageOf(DB, `webhook:${webhook.id}`, HOUR)).toEqual([]);
    await add(webhook.version);
    expect(await usageOf(DB, `webhook:${webhook.id}`, HOUR)).toHaveLength(1);
  });
});

it("stores each month of an employer once per gate", async () => {
  const employer = newObjectId();
  const store = () =>
    storeEmployerMonths(DB, "key:1", [
      [employer, "2026-05"],
      [employer, "2026-04"],
    ]).run();

  await store();
  await store();

  const { results } = await DB.prepare(
    "SELECT month FROM employer_months WHERE employer_id = ? ORDER BY month",
  )
    .bind(employer)
    .all();
  expect(results).toEqual([{ month: "2026-04" }, { month: "2026-05" }]);
});

it("is read through indexes", async () => {
  const { DB: logged, plans } = withQueryLog(DB);
  await usageOf(logged, "all", HOUR);
  await usageOfOwnersScopes(logged, "payroll_company:acme", "connection", HOUR);
  await usageOfAllScopes(logged, "connection", HOUR);

  const steps = await plans();
  const reads = steps.filter((step) => /\busage\b|\bu\b/.test(step));
  expect(reads.length).toBeGreaterThan(2);
  for (const step of reads) expect(step).toMatch(/^SEARCH/);
});
