import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { eventDataContext } from "../../../src/crypto/contexts.ts";
import { newObjectId } from "../../../src/crypto/ids.ts";
import { unsealText } from "../../../src/crypto/vault.ts";
import { storedAt } from "../../../src/db/events.ts";
import { ownerKey } from "../../../src/db/owner-keys.ts";
import { readSettings } from "../../../src/env.ts";
import type { OwnerType } from "../../../src/model.ts";
import { bindings, type Json } from "../../support/gateway.ts";
import { intercepted } from "../../support/interception.ts";
import { catchEndpointWakeUps, deliveriesOf, newEvent, storeWebhook, tell } from "../../support/outbound.ts";

let owners = 0;

beforeEach(() => {
  catchEndpointWakeUps();
});
afterEach(() => {
  vi.restoreAllMocks();
});

function freshOwner() {
  const id = `fan-${++owners}`;
  const type: OwnerType = "payroll_company";
  return { owner: { type, id }, columns: { owner_type: type, owner_id: id } };
}

async function eventsOf(owner: { id: string }): Promise<Json[]> {
  const { results } = await bindings.DB.prepare("SELECT * FROM events WHERE owner_id = ? ORDER BY seq")
    .bind(owner.id)
    .all<Json>();
  return results;
}

describe("an event", () => {
  it("goes to a thousand webhooks in one statement", async () => {
    const { owner, columns } = freshOwner();
    const model = await storeWebhook(columns);
    await bindings.DB.prepare(
      `INSERT INTO webhooks (id, owner_type, owner_id, environment, url, events, status, signature_format, secrets, version, created_at, updated_at)
       WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 999)
       SELECT printf('%024x', i), owner_type, owner_id, environment, url, '["policy.*"]', 'active', signature_format, secrets, 1, i, i
       FROM n, webhooks WHERE webhooks.id = ?`,
    )
      .bind(model.id)
      .run();
    const fannedOut = await tell({ owner });
    expect(fannedOut).toMatchObject({ outcome: "stored" });
    expect("endpoints" in fannedOut && fannedOut.endpoints).toHaveLength(1_000);
    const { n } = (await bindings.DB.prepare(
      "SELECT count(*) AS n FROM deliveries JOIN events ON seq = event_seq WHERE owner_id = ?",
    )
      .bind(owner.id)
      .first<{ n: number }>()) ?? { n: 0 };
    expect(n).toBe(1_000);
  });

  it.each([
    [["*"], true],
    [["policy.*"], true],
    [["payment.failed", "policy.created"], true],
    [["policy.updated"], false],
    [["payment.*", "file.*"], false],
  ])("of the type policy.created reaches a webhook that subscribes to %j: %s", async (events, reached) => {
    const { owner, columns } = freshOwner();
    const hook = await storeWebhook({ ...columns, events });
    await tell({ owner });
    expect(await deliveriesOf(hook)).toHaveLength(reached ? 1 : 0);
    // It is kept for any subscriber.
    expect(await eventsOf(owner)).toHaveLength(1);
  });

  it.each([
    ["of another owner", { owner_id: "somebody-else" }],
    ["of another type of owner with the same id", { owner_type: "employer" as const }],
    ["of the other environment", { environment: "sandbox" as const }],
    ["that is deleted", { deleted_at: 1 }],
  ])("does not reach a webhook %s", async (_which, fields) => {
    const { owner, columns } = freshOwner();
    const hook = await storeWebhook({ ...columns, ...fields });
    await tell({ owner });
    expect(await deliveriesOf(hook)).toEqual([]);
  });

  it.each([
    ["disabled", { status: "skipped", last_error: "webhook_disabled", next_attempt_at: null }],
    ["paused", { status: "pending", last_error: null, next_attempt_at: 5_000 }],
  ] as const)(
    "for a webhook that is %s is kept as a delivery that wakes nobody",
    async (status, expected) => {
      const { owner, columns } = freshOwner();
      const hook = await storeWebhook({ ...columns, status });
      expect(await tell({ owner }, 5_000)).toMatchObject({ outcome: "stored", endpoints: [] });
      expect(await deliveriesOf(hook)).toMatchObject([{ attempts: 0, ...expected }]);
    },
  );

  it("that is reported twice is stored once, and makes no delivery for a webhook created in between", async () => {
    const { owner, columns } = freshOwner();
    const first = await storeWebhook(columns);
    const event = newEvent({ owner });
    expect(await tell(event)).toMatchObject({ outcome: "stored", endpoints: [{ id: first.id }] });
    const second = await storeWebhook(columns);
    expect(await tell(event)).toMatchObject({ outcome: "duplicate" });
    expect(await deliveriesOf(first)).toHaveLength(1);
    expect(await deliveriesOf(second)).toEqual([]);
  });

  it("that is reported many times concurrently is stored once", async () => {
    const { owner, columns } = freshOwner();
    const hook = await storeWebhook(columns);
    const event = newEvent({ owner });
    const fannedOut = await Promise.all(Array.from({ length: 10 }, () => tell(event)));
    expect(fannedOut.filter(({ outcome }) => outcome === "stored")).toHaveLength(1);
    expect(await deliveriesOf(hook)).toHaveLength(1);
  });

  it("is distinguished from another one with the same id", async () => {
    const { owner } = freshOwner();
    const event = newEvent({ owner });
    await tell(event);
    expect(await tell({ ...event, data: '{"policyId":"other"}' })).toEqual({ outcome: "conflict" });
    expect(await tell({ ...event, type: "policy.updated" })).toEqual({ outcome: "conflict" });
    // The same id of another owner, or in the other environment, is another event.
    expect(await tell({ ...event, owner: freshOwner().owner })).toMatchObject({ outcome: "stored" });
    expect(await tell({ ...event, environment: "sandbox" })).toMatchObject({ outcome: "stored" });
  });

  it("is stored sealed under its owner's key", async () => {
    const { owner } = freshOwner();
    const event = newEvent({ owner, data: JSON.stringify({ ssn: "123-45-6789" }) });
    await tell(event);
    const [row] = await eventsOf(owner);
    expect(JSON.stringify(row)).not.toContain("123-45");
    const key = await ownerKey(bindings.DB, readSettings(bindings).keyRing, owner);
    expect(await unsealText(key, row?.data, eventDataContext("production", event.id))).toBe(event.data);
    const other = await ownerKey(bindings.DB, readSettings(bindings).keyRing, freshOwner().owner);
    await expect(unsealText(other, row?.data, eventDataContext("production", event.id))).rejects.toThrow();
  });

  it("of a file is stored only if its owner has a webhook for it, active or not", async () => {
    const without = freshOwner();
    await storeWebhook({ ...without.columns, events: ["policy.*"] });
    expect(await tell({ owner: without.owner, type: "file.failed" })).toEqual({ outcome: "unwanted" });
    expect(await eventsOf(without.owner)).toEqual([]);
    const withOne = freshOwner();
    await storeWebhook({ ...withOne.columns, events: ["file.*"], status: "disabled" });
    expect(await tell({ owner: withOne.owner, type: "file.failed" })).toEqual({
      outcome: "stored",
      endpoints: [],
    });
  });

  it("is not stored if its owner is erased while it is being reported", async () => {
    const { owner } = freshOwner();
    await ownerKey(bindings.DB, readSettings(bindings).keyRing, owner);
    const { DB } = intercepted(async (call, proceed) => {
      if (call === "DB.batch")
        await bindings.DB.prepare("DELETE FROM owner_keys WHERE owner_id = ?").bind(owner.id).run();
      return proceed();
    });
    await expect(tell({ owner }, Date.now(), DB)).rejects.toThrow("erased repeatedly");
    expect(await eventsOf(owner)).toEqual([]);
  });

  it("gets a position after all earlier ones, derived from the time, even if a clock is set back", async () => {
    const { owner } = freshOwner();
    const later = Date.now() + 3_600_000;
    await tell({ owner }, later);
    await tell({ owner }, later - 1_000);
    await Promise.all([tell({ owner }, later), tell({ owner }, later)]);
    const seqs = (await eventsOf(owner)).map(({ seq }) => seq);
    expect(new Set(seqs).size).toBe(4);
    for (const seq of seqs) expect(storedAt(seq)).toBe(later);
    await bindings.DB.prepare("DELETE FROM events WHERE owner_id = ?").bind(owner.id).run();
  });
});

it("creates one data key per owner, also for concurrent requests", async () => {
  const owner = { type: "employer" as const, id: newObjectId() };
  const ring = readSettings(bindings).keyRing;
  await Promise.all(Array.from({ length: 5 }, () => ownerKey(bindings.DB, ring, owner)));
  const rows = await bindings.DB.prepare("SELECT data_key FROM owner_keys WHERE owner_id = ?")
    .bind(owner.id)
    .all();
  expect(rows.results).toHaveLength(1);
});
