import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { newObjectId } from "../../../src/crypto/ids.ts";
import {
  countDeliveriesOf,
  type DeliveryFilter,
  type DeliveryPosition,
  listDeliveriesOf,
} from "../../../src/db/delivery-list.ts";
import { EVENTS_PER_MS } from "../../../src/db/events.ts";
import { deliveryId } from "../../../src/outbound/delivery-id.ts";
import { bindings, type Json, portal } from "../../support/gateway.ts";
import { storeManyDeliveries } from "../../support/many-deliveries.ts";
import { OWNER, storeWebhook, type WebhookRow } from "../../support/outbound.ts";
import { withQueryLog } from "../../support/query-plans.ts";
import { seeded } from "../../support/random.ts";
import { countingReads } from "../../support/read-counter.ts";

const DAY_MS = 86_400_000;
const MAX_ROWS_READ = 2_000;
const ACME = "owner_type=payroll_company&owner_id=acme";
const now = Date.now();
const FROM = now - 3_600_000;

interface Stored {
  hook: WebhookRow;
  seq: number;
  type: string;
  status: string;
  code: number | null;
  error: string | null;
}

afterEach(async () => {
  await bindings.DB.batch(
    ["deliveries", "events", "webhooks"].map((table) => bindings.DB.prepare(`DELETE FROM ${table}`)),
  );
});

async function storeEvent(seq: number, type: string, owner = OWNER, environment = "production") {
  await bindings.DB.prepare(
    `INSERT INTO events (seq, id, owner_type, owner_id, environment, type, created_at, source, content_mac, size, data)
     VALUES (?, ?, ?, ?, ?, ?, ?, 'audit1', '', 2, '')`,
  )
    .bind(seq, `evt_${seq}`, owner.type, owner.id, environment, type, Math.floor(seq / EVENTS_PER_MS))
    .run();
}

async function storeDelivery({ hook, seq, status, code, error }: Omit<Stored, "type">): Promise<void> {
  await bindings.DB.prepare(
    `INSERT INTO deliveries (webhook_id, event_seq, status, attempts, round_start, next_attempt_at, response_code,
       last_error, created_at, updated_at, history) VALUES (?, ?, ?, 1, 0, NULL, ?, ?, ?, ?, '[]')`,
  )
    .bind(hook.id, seq, status, code, error, now, now)
    .run();
}

const idOf = ({ hook, seq }: Pick<Stored, "hook" | "seq">) =>
  deliveryId({ webhookId: hook.id, eventSeq: seq });

function newestFirst(a: Stored, b: Stored): number {
  return b.seq - a.seq || (a.hook.id < b.hook.id ? 1 : -1);
}

/** All pages of the list. */
async function walk(query: string, limit = 7, client = "portal"): Promise<{ ids: string[]; pages: Json[] }> {
  const pages: Json[] = [];
  let cursor: string | null = "";
  while (cursor !== null) {
    const at: string = cursor === "" ? "" : `&cursor=${cursor}`;
    const { status, json } = await portal(
      "GET",
      `/deliveries?limit=${limit}&${query}${at}`,
      undefined,
      client,
    );
    expect(status).toBe(200);
    pages.push(json);
    cursor = json.next_cursor;
  }
  return { ids: pages.flatMap(({ deliveries }) => deliveries.map(({ id }: Json) => id)), pages };
}

describe("GET /deliveries", () => {
  const all: Stored[] = [];

  beforeEach(async () => {
    all.length = 0;
    const random = seeded(13);
    const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)] as T;
    const hooks = [
      await storeWebhook(),
      await storeWebhook(),
      await storeWebhook({ status: "paused", paused_at: now }),
      await storeWebhook({ status: "disabled", disabled_reason: "failing" }),
      await storeWebhook({ deleted_at: now - DAY_MS }),
    ];
    for (let i = 0; i < 60; i++) {
      const seq = (FROM + i * 1_000) * EVENTS_PER_MS + (i % 3);
      const type = pick(["policy.created", "file.processed", "audit.failed"]);
      await storeEvent(seq, type);
      for (const hook of hooks) {
        if (random() < 0.4) continue;
        const [status, code, error] = pick<[string, number | null, string | null]>([
          ["delivered", 200, null],
          ["failed", null, "timeout"],
          ["failed", 503, "HTTP 503"],
          ["retrying", 500, "HTTP 500"],
          ["skipped", null, "webhook_disabled"],
        ]);
        const delivery = { hook, seq, type, status, code, error };
        all.push(delivery);
        await storeDelivery(delivery);
      }
    }
    all.sort(newestFirst);
  });

  it("merges the deliveries of all webhooks, the newest event first, and counts them", async () => {
    const { ids, pages } = await walk(ACME);
    expect(ids).toEqual(all.map(idOf));
    expect(pages[0]?.count).toBe(all.length);
    expect(pages.slice(1).every(({ count }) => count === null)).toBe(true);
    // The same object as everywhere else.
    const [first] = pages[0]?.deliveries ?? [];
    const {
      history: _h,
      fileId: _f,
      retriesLeft: _r,
      ...shown
    } = (await portal("GET", `/deliveries/${first.id}`)).json.delivery;
    expect(first).toEqual(shown);
    expect(JSON.stringify(pages)).not.toContain("receiver-audit.com");
  });

  const middle = new Date(FROM + 30_000).toISOString();
  it.each<[string, (delivery: Stored) => boolean]>([
    ["status=failed", ({ status }) => status === "failed"],
    ["status=skipped", ({ status }) => status === "skipped"],
    ["status=retrying", ({ status }) => status === "retrying"],
    ["type=audit.failed", ({ type }) => type === "audit.failed"],
    ["response_code=503", ({ code }) => code === 503],
    ["error=timeout", ({ error }) => error === "timeout"],
    ["error=HTTP%20500", ({ error }) => error === "HTTP 500"],
    ["error=status", ({ error }) => error?.startsWith("HTTP ") === true],
    [`since=${middle}`, ({ seq }) => seq >= Date.parse(middle) * EVENTS_PER_MS],
    [`until=${middle}`, ({ seq }) => seq < Date.parse(middle) * EVENTS_PER_MS],
    [
      `status=failed&error=status&type=file.processed&since=${middle}`,
      (d) =>
        d.status === "failed" &&
        d.error === "HTTP 503" &&
        d.type === "file.processed" &&
        d.seq >= Date.parse(middle) * EVENTS_PER_MS,
    ],
  ])("filters by %s", async (query, selects) => {
    const expected = all.filter(selects);
    expect(expected.length).toBeGreaterThan(0);
    expect(expected.length).toBeLessThan(all.length);
    const { ids, pages } = await walk(`${ACME}&${query}`, 5);
    expect(ids).toEqual(expected.map(idOf));
    expect(pages[0]?.count).toBe(expected.length);
  });

  it("filters by webhook, also by a deleted one, and in any form of its id", async () => {
    const { hook } = all.find(({ hook }) => hook.deleted_at !== null) ?? {};
    const expected = all.filter((delivery) => delivery.hook.id === hook?.id).map(idOf);
    for (const id of [hook?.id, `wh_${hook?.id}`, `wh_${hook?.id.toUpperCase()}`])
      expect((await walk(`${ACME}&webhook_id=${id}`)).ids).toEqual(expected);
    const other = await portal("GET", `/deliveries?${ACME}&webhook_id=${hook?.id}&environment=sandbox`);
    expect(other.json).toMatchObject({ deliveries: [], next_cursor: null, count: 0 });
  });

  it("skips and doubles nothing while deliveries are added and settled between pages", async () => {
    const [hook] = all.map((delivery) => delivery.hook);
    if (hook === undefined) throw new Error("no webhook");
    const seen: string[] = [];
    let cursor = "";
    for (let page = 0; ; page++) {
      const { json } = await portal("GET", `/deliveries?${ACME}&limit=9${cursor}`);
      seen.push(...json.deliveries.map(({ id }: Json) => id));
      if (json.next_cursor === null) break;
      cursor = `&cursor=${json.next_cursor}`;
      const seq = (now + page) * EVENTS_PER_MS;
      await storeEvent(seq, "policy.created");
      await storeDelivery({ hook, seq, status: "pending", code: null, error: null });
      await portal("POST", `/deliveries/${seen[page]}/retry`);
    }
    expect(seen).toEqual(all.map(idOf));
  });

  it("keeps owners and environments apart", async () => {
    const theirs = await storeWebhook({ owner_id: "other" });
    const sandbox = await storeWebhook({ environment: "sandbox" });
    for (const [i, hook] of [theirs, sandbox].entries()) {
      const seq = (now + i) * EVENTS_PER_MS;
      await storeEvent(seq, "policy.created", { ...OWNER, id: hook.owner_id }, hook.environment);
      await storeDelivery({ hook, seq, status: "failed", code: null, error: "dns" });
    }
    for (const query of [ACME, `${ACME}&status=failed`]) {
      const { ids } = await walk(query, 100);
      expect(ids.filter((id) => id.includes(theirs.id) || id.includes(sandbox.id))).toEqual([]);
    }
    const inSandbox = await walk(`${ACME}&environment=sandbox`);
    expect(inSandbox.ids).toEqual([idOf({ hook: sandbox, seq: (now + 1) * EVENTS_PER_MS })]);
    for (const id of [theirs.id, newObjectId()]) {
      const { status, json } = await portal("GET", `/deliveries?webhook_id=${id}`, undefined, "bound");
      expect([status, json.error]).toEqual([404, "webhook_not_found"]);
    }
    // A cursor is a position in time. Another owner's leads into the client's own list.
    const [theirPage] = (await walk("owner_type=payroll_company&owner_id=other", 1)).pages;
    expect(theirPage?.count).toBe(1);
  });

  it("leaves out webhooks that were deleted longer ago than deliveries are kept", async () => {
    const hook = await storeWebhook({ deleted_at: now - 32 * DAY_MS });
    await storeDelivery({ hook, seq: now * EVENTS_PER_MS, status: "failed", code: null, error: "dns" });
    expect((await walk(ACME, 100)).ids).toEqual(all.map(idOf));
  });

  it("is empty for an owner without webhooks, and for one without deliveries", async () => {
    const nobody = "owner_type=payroll_company&owner_id=new";
    const empty = { deliveries: [], next_cursor: null, count: 0 };
    expect((await portal("GET", `/deliveries?${nobody}`)).json).toMatchObject(empty);
    await storeWebhook({ owner_id: "new" });
    for (const query of ["", "&status=failed", "&status=retrying", "&since=2026-01-01T00:00:00Z"])
      expect((await portal("GET", `/deliveries?${nobody}${query}`)).json).toMatchObject(empty);
  });

  const cursorOf = (value: unknown) => btoa(JSON.stringify(value)).replaceAll("=", "");
  it.each([
    ["limit", "limit=101"],
    ["cursor", "cursor=x"],
    ["cursor", `cursor=${cursorOf(["deliveries", 1])}`],
    ["cursor", `cursor=${cursorOf(["deliveries_of_owner", [1]])}`],
    ["cursor", `cursor=${cursorOf(["deliveries_of_owner", [-1, "a".repeat(24)]])}`],
    ["cursor", `cursor=${cursorOf(["deliveries_of_owner", [1, "' OR 1=1 --"]])}`],
    ["webhook_id", "webhook_id=x"],
    ["type", "type=file.*"],
    ["status", "status=done"],
    ["response_code", "response_code=2e9"],
    ["response_code", "response_code=abc"],
    ["error", "error=%27%20OR%201%3D1"],
    ["since", "since=yesterday"],
    ["until", "until=1773657000"],
    ["environment", "environment=test"],
    ["colour", "colour=red"],
  ])("refuses a %s that it cannot use: %s", async (field, query) => {
    const { status, json } = await portal("GET", `/deliveries?${ACME}&${query}`);
    expect(status).toBe(400);
    expect(Object.keys(json.details)).toEqual([field]);
  });

  it("refuses a long text without repeating it", async () => {
    const { status, json } = await portal("GET", `/deliveries?${ACME}&error=${"x".repeat(5_000)}`);
    expect(status).toBe(400);
    expect(JSON.stringify(json)).not.toContain("xxx");
  });

  it("takes the ends of all times, and a range that holds nothing", async () => {
    for (const query of [
      "since=0001-01-01T00:00:00Z",
      "until=9999-12-31T23:59:59Z",
      "until=0001-01-01T00:00:00Z",
      "since=9999-12-31T23:59:59Z",
      `since=${new Date(now).toISOString()}&until=${middle}`,
    ])
      expect((await portal("GET", `/deliveries?${ACME}&${query}`)).status).toBe(200);
    const end = await portal("GET", `/deliveries?${ACME}&since=9999-12-31T23:59:59Z`);
    expect(end.json).toMatchObject({ deliveries: [], next_cursor: null, count: 0 });
  });
});

describe("100 000 deliveries over 200 webhooks", () => {
  const scope = { owner: OWNER, environment: "production" as const };

  it("page by index, from the first page to the last, and each page reads a bounded number of rows", async () => {
    const { webhooks, events } = await storeManyDeliveries({
      webhooks: 200,
      deliveries: 100_000,
      from: now - 12_000_000,
    });
    const { DB: logged, plans } = withQueryLog(bindings.DB);
    const { DB, take } = countingReads(logged);
    const pages = async (filter: DeliveryFilter, most: number, limit = 100) => {
      let after: DeliveryPosition | null = null;
      let found = 0;
      for (let page = 1; page <= most; page++) {
        const { rows, next } = await listDeliveriesOf(DB, scope, filter, { after, limit, now });
        expect(take()).toBeLessThanOrEqual(MAX_ROWS_READ);
        found += rows.length;
        if (next === null) return { found, pages: page };
        after = next;
      }
      return { found, pages: most };
    };
    const position = (i: number): DeliveryPosition => [(now - 12_000_000 + i * 1_000) * EVENTS_PER_MS, ""];

    // The thousandth page costs as much as the first.
    for (const i of [1, events / 2, events]) {
      const { rows } = await listDeliveriesOf(DB, scope, {}, { after: position(i), limit: 100, now });
      expect(rows).toHaveLength(i === 1 ? 10 : 100);
      expect(take()).toBeLessThanOrEqual(MAX_ROWS_READ);
    }
    // A status with an index is found without walking.
    expect(await pages({ status: "failed" }, 5, 40)).toEqual({ found: 100, pages: 3 });
    // Any other filter walks: 100 matches among the 100 000, in pages that may be empty.
    expect(await pages({ responseCode: 503 }, 500)).toEqual({ found: 100, pages: 401 });
    for (const filter of [{ type: "file.processed" }, { error: "status" }, { status: "retrying" }] as const)
      await pages(filter, 3);

    expect(await countDeliveriesOf(DB, scope, {}, now)).toBe("1000+");
    expect(await countDeliveriesOf(DB, scope, { status: "failed" }, now)).toBe(100);
    expect(await countDeliveriesOf(DB, scope, { status: "skipped" }, now)).toBe(0);
    expect(await countDeliveriesOf(DB, scope, { responseCode: 503 }, now)).toMatch(/^\d+\+$/);
    expect(await countDeliveriesOf(DB, scope, { since: now - 12_000_000 + (events - 50) * 1_000 }, now)).toBe(
      500,
    );
    expect(take()).toBeLessThanOrEqual(5 * MAX_ROWS_READ);
    const [hook] = webhooks;
    await listDeliveriesOf(
      DB,
      { webhookId: hook?.id ?? "", environment: "production" },
      { status: "pending" },
      { after: null, limit: 9, now },
    );
    await countDeliveriesOf(
      DB,
      { webhookId: hook?.id ?? "", environment: "production" },
      { type: "file.failed" },
      now,
    );

    const steps = await plans();
    expect(steps.length).toBeGreaterThan(5);
    // A scan reads the rows that an index has found, never a table.
    const scanned = steps.flatMap((step) => /^SCAN ([\w-]+)/.exec(step)?.[1] ?? []);
    expect(scanned).toContain("w");
    expect(scanned.filter((name) => ["d", "e", "deliveries", "events", "webhooks"].includes(name))).toEqual(
      [],
    );
  });
});
