import { beforeEach, describe, expect, it } from "vitest";
import { countFailingWebhooks, listFailingWebhooks } from "../../../src/db/failing-webhooks.ts";
import { bindings, type Json, portal } from "../../support/gateway.ts";
import { storeWebhook, type WebhookRow } from "../../support/outbound.ts";
import { withQueryLog } from "../../support/query-plans.ts";

const HOUR_MS = 3_600_000;
const NOW = Date.now();
const REFUSED = { kind: "refused", status: null, bot_wall: false };

beforeEach(async () => {
  await bindings.DB.prepare("DELETE FROM webhooks").run();
});

function failing(hours: number, fields: Partial<WebhookRow> = {}): Promise<WebhookRow> {
  return storeWebhook({
    failing_since: NOW - hours * HOUR_MS,
    consecutive_failures: 12,
    last_failure: REFUSED,
    ...fields,
  });
}

async function list(query = "", client = "portal"): Promise<Json> {
  const { status, json } = await portal("GET", `/failing-webhooks${query}`, undefined, client);
  expect(status, JSON.stringify(json)).toBe(200);
  return json;
}

const idsOf = ({ failing_webhooks }: Json) => failing_webhooks.map(({ _id }: Json) => _id);

describe("GET /failing-webhooks", () => {
  it("shows since when and why each fails, and when it is disabled, but not its whole address", async () => {
    const { id } = await failing(20, { url: "https://hooks.acme-payroll.com/secret-token" });
    const { failing_webhooks, count, next_cursor } = await list();
    expect({ count, next_cursor }).toEqual({ count: 1, next_cursor: null });
    expect(failing_webhooks).toMatchObject([
      {
        _id: id,
        url_masked: "hooks.acme-payroll.com/secret-t…",
        status: "active",
        health: { last_failure: REFUSED, disables_at: new Date(NOW + 100 * HOUR_MS).toISOString() },
      },
    ]);
    expect(JSON.stringify(failing_webhooks)).not.toContain("secret-token");
  });

  it("has the longest failing first, and neither healthy, disabled nor deleted ones", async () => {
    const some = [await failing(2), await failing(50), await failing(7, { environment: "sandbox" })];
    const paused = await failing(90, { status: "paused" });
    await failing(200, { status: "disabled", disabled_reason: "failing" });
    await failing(8, { deleted_at: NOW });
    await storeWebhook({ last_success_at: NOW });
    const [hours2, hours50, hours7] = some.map(({ id }) => id);
    const all = await list();
    expect(idsOf(all)).toEqual([paused.id, hours50, hours7, hours2]);
    expect(all).toMatchObject({
      count: 4,
      failing_webhooks: [{ health: { disables_at: null } }, {}, {}, {}],
    });
    expect(idsOf(await list("?environment=sandbox"))).toEqual([hours7]);
  });

  it("is paged, and pages hold each one once although several began to fail at the same time", async () => {
    const ids = await Promise.all(
      Array.from({ length: 5 }, async (_, i) => (await failing(i < 3 ? 4 : 1)).id),
    );
    const seen: string[] = [];
    let cursor = "";
    do {
      const page = await list(`?limit=2${cursor}`);
      expect(page.count).toBe(cursor === "" ? 5 : null);
      seen.push(...idsOf(page));
      cursor = page.next_cursor === null ? "" : `&cursor=${page.next_cursor}`;
    } while (cursor !== "");
    expect(seen.toSorted()).toEqual(ids.toSorted());
    expect((await portal("GET", "/failing-webhooks?cursor=x")).status).toBe(400);
  });

  it("shows an owner its own only", async () => {
    const own = await failing(1);
    const theirs = await failing(2, { owner_id: "other" });
    expect(idsOf(await list("", "bound"))).toEqual([own.id]);
    expect(idsOf(await list("?owner_type=payroll_company&owner_id=other"))).toEqual([theirs.id]);
    const foreign = await portal("GET", "/failing-webhooks?owner_id=other", undefined, "bound");
    expect(foreign.status).toBe(404);
  });

  it("reads the index of failing webhooks, and the webhooks of an owner by an index of theirs", async () => {
    for (const owner of [null, { type: "payroll_company", id: "acme" } as const]) {
      const { DB, plans } = withQueryLog(bindings.DB);
      await listFailingWebhooks(DB, { owner, environment: null }, null, 10);
      await countFailingWebhooks(DB, { owner, environment: "sandbox" });
      const read = (await plans()).filter((step) => /webhooks/.test(step));
      expect(read.length).toBeGreaterThan(0);
      for (const step of read)
        expect(step).toMatch(/^SEARCH .* USING .*INDEX webhooks_(failing|listed|merged|owner) /);
    }
  });
});
