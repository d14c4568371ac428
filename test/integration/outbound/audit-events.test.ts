import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { NewEvent } from "../../../src/outbound/fan-out.ts";
import { hourOf } from "../../../src/usage/periods.ts";
import { bindings, portal } from "../../support/gateway.ts";
import { catchEndpointWakeUps, newEvent, tell } from "../../support/outbound.ts";
import { usageOf } from "../../support/usage.ts";

const { DB } = bindings;
const NOW = Date.parse("2026-05-04T09:20:00.000Z");

let owners = 0;
const anOwner = () => ({ type: "employer" as const, id: `audited-${++owners}` });
const columnsOf = ({ owner, id }: Pick<NewEvent, "owner" | "id">) =>
  DB.prepare(
    "SELECT employer_id, period_start, period_end FROM events WHERE owner_type = ? AND owner_id = ? AND id = ?",
  )
    .bind(owner.type, owner.id, id)
    .first();
const movedOf = async (owner: { type: string; id: string }) =>
  (await usageOf(`events:${owner.type}:${owner.id}`, "hour")).map(({ at, environment, counts }) => ({
    at,
    environment,
    counts,
  }));

beforeEach(() => {
  catchEndpointWakeUps();
  vi.useFakeTimers({ toFake: ["Date"] });
  vi.setSystemTime(NOW);
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

describe("a completed audit", () => {
  it("is stored with its employer and policy period in clear, and nothing else of its data", async () => {
    const owner = anOwner();
    const data = {
      employerId: "emp_acme123",
      policyPeriod: { start: "2024-01-01", end: "2024-12-31" },
      results: { actualPremium: 54_500 },
    };
    const event = newEvent({ owner, type: "audit.completed", data: JSON.stringify(data) });
    await tell(event);
    expect(await columnsOf(event)).toEqual({
      employer_id: "emp_acme123",
      period_start: "2024-01-01",
      period_end: "2024-12-31",
    });
    const row = await DB.prepare("SELECT * FROM events WHERE id = ?").bind(event.id).first();
    expect(JSON.stringify(row)).not.toContain("54500");
  });

  it.each([
    ["a policy", "policy.renewed", { employerId: "emp_acme123" }],
    ["an audit whose employer's id is no id", "audit.completed", { employerId: "<script>" }],
    ["an audit without data", "audit.completed", {}],
  ] as const)("has none of that in clear for %s, which is stored all the same", async (_what, type, data) => {
    const owner = anOwner();
    const event = newEvent({ owner, type, data: JSON.stringify(data) });
    expect(await tell(event)).toMatchObject({ outcome: "stored" });
    expect(await columnsOf(event)).toEqual({ employer_id: null, period_start: null, period_end: null });
  });
});

describe("an adjusted audit", () => {
  const adjusted = (owner: NewEvent["owner"], adjustment: number, id: string) =>
    newEvent({ owner, id, type: "audit.adjusted", data: JSON.stringify({ results: { adjustment } }) });

  it("adds to what its owner's premiums moved, in whole cents, once however often it is reported", async () => {
    const owner = anOwner();
    await tell(adjusted(owner, 4_500.25, "evt_a"), NOW);
    await tell(adjusted(owner, 4_500.25, "evt_a"), NOW);
    // Another event under the same id is refused.
    expect(await tell(adjusted(owner, 1, "evt_a"), NOW)).toEqual({ outcome: "conflict" });
    await tell(adjusted(owner, -1_000, "evt_b"), NOW);
    expect(await movedOf(owner)).toEqual([
      { at: hourOf(NOW), environment: "production", counts: { premium_moved: 350_025 } },
    ]);
  });

  it("counts once of two that are reported at the same time", async () => {
    const owner = anOwner();
    const event = adjusted(owner, 10, "evt_same");
    await Promise.all([tell(event, NOW), tell(event, NOW), tell(event, NOW)]);
    expect(await movedOf(owner)).toMatchObject([{ counts: { premium_moved: 1_000 } }]);
  });

  it("counts apart in the sandbox", async () => {
    const owner = anOwner();
    await tell({ ...adjusted(owner, 10, "evt_a"), environment: "sandbox" }, NOW);
    expect(await movedOf(owner)).toMatchObject([{ environment: "sandbox" }]);
  });

  it("is accepted at the door whatever its data says", async () => {
    const owner = { owner_type: "employer", owner_id: anOwner().id };
    const data = { results: { adjustment: "plenty", actualPremium: [], estimatedPremium: 1e300 } };
    const event = { id: "evt_odd", type: "audit.adjusted", ...owner, data };
    expect((await portal("POST", "/events", event)).status).toBe(202);
    expect(await movedOf({ type: "employer", id: owner.owner_id })).toEqual([]);
  });
});
