import { describe, expect, it } from "vitest";
import { newObjectId } from "../../../src/crypto/ids.ts";
import { HOUR_MS, hourOf } from "../../../src/usage/periods.ts";
import { storeEmployerMonths, storeGateHours, storeLogHours } from "../../../src/usage/usage-store.ts";
import { bindings, createApiKey, createBoundConnection } from "../../support/gateway.ts";
import { usageOf } from "../../support/usage.ts";

const { DB } = bindings;
const NOW = Date.UTC(2026, 4, 6, 10, 30);
const AT = hourOf(NOW);

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
    expect(await usageOf(`connection:${id}`, "hour")).toMatchObject([
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

    const name = `payroll_company:${owner.owner_id}`;
    expect(await usageOf(`connection:${connection.id}`, "hour")).toEqual([
      { at: AT, environment: "production", owner: name, counts: { accepted: 3 } },
    ]);
    expect(await usageOf(`key:${key.id}`, "hour")).toEqual([
      { at: AT, environment: "sandbox", owner: name, counts: { accepted: 4 } },
    ]);
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

    expect(await usageOf(`connection:${connection.id}`, "hour")).toMatchObject([{ counts: { accepted: 4 } }]);
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

    expect(await usageOf(`connection:${connection.id}`, "hour")).toMatchObject([
      {
        counts: {
          accepted: 2,
          failed: 1,
          "refused:INVALID_SIGNATURE": 7,
          duplicate: 3,
        },
      },
    ]);
    const [row] = await usageOf(`connection:${connection.id}`, "hour");
    expect(row?.counts).not.toHaveProperty("completed");
  });

  it("of a request log belong to nobody", async () => {
    await storeLogHours(DB, "unknown:7", [hour(1, { "refused:UNKNOWN": 2 })], NOW).run();

    expect(await usageOf("unknown:7", "hour")).toMatchObject([
      { environment: "", owner: null, counts: { "refused:UNKNOWN": 2 } },
    ]);
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
