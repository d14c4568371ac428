/** Addresses that were stored in clear: sealed and masked by the minute cron, and served in either form meanwhile. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { auditIdAt } from "../../../src/db/audit.ts";
import { readSettings } from "../../../src/env.ts";
import { sealClearUrls } from "../../../src/outbound/seal-clear-urls.ts";
import { dumpDatabase } from "../../support/at-rest.ts";
import { runCron } from "../../support/forwarding.ts";
import { bindings, type Json, portal } from "../../support/gateway.ts";
import {
  catchEndpointWakeUps,
  OWNER,
  receiver,
  stored,
  storeWebhook,
  tell,
  type WebhookRow,
  wake,
} from "../../support/outbound.ts";

const MARKER = "SECRET-path-and-query";
const url = (host: string) => `https://${host}.receiver-audit.com/services/${MARKER}?sig=${MARKER}`;

beforeEach(() => {
  catchEndpointWakeUps();
});
afterEach(() => {
  vi.restoreAllMocks();
});

/** A webhook and its audit rows, as they were stored before addresses were sealed. */
async function storedInClear(fields: Partial<WebhookRow> = {}): Promise<WebhookRow> {
  const hook = await storeWebhook({ url: url("old"), ...fields, target: null });
  const insert = bindings.DB.prepare(
    `INSERT INTO audit (id, at, actor, action, subject_kind, subject_id, owner_type, owner_id, request_id, before, after)
     VALUES (?1, 1, 'client:portal', ?2, 'webhook', ?3, ?4, ?5, 'before', ?6, ?7)`,
  );
  const { id, owner_type, owner_id } = hook;
  const rowId = (last: string) => `${auditIdAt(Date.now() - 60_000)}${id.slice(0, 9)}${last}`;
  const created = JSON.stringify({ url: hook.url, events: ["*"], status: "active" });
  const changed = [{ url: url("older") }, { url: hook.url }].map((each) => JSON.stringify(each));
  const others = [{ status: "active" }, { status: "disabled" }].map((each) => JSON.stringify(each));
  await bindings.DB.batch([
    insert.bind(rowId("A"), "webhook.created", id, owner_type, owner_id, null, created),
    insert.bind(rowId("B"), "webhook.updated", id, owner_type, owner_id, ...changed),
    insert.bind(rowId("C"), "webhook.updated", id, owner_type, owner_id, ...others),
  ]);
  return hook;
}

async function trailOf({ id }: { id: string }): Promise<Json[]> {
  const { results } = await bindings.DB.prepare(
    "SELECT before, after FROM audit WHERE subject_id = ? AND request_id = 'before' ORDER BY id",
  )
    .bind(id)
    .all<{ before: string | null; after: string | null }>();
  return results.map(({ before, after }) => ({
    before: before && JSON.parse(before),
    after: after && JSON.parse(after),
  }));
}

const run = () => sealClearUrls(bindings.DB, readSettings(bindings).keyRing, Date.now());

describe("a URL that was stored in the clear", () => {
  it("is sealed in its row and masked in the audit trail, and nothing else of them changes", async () => {
    const hook = await storedInClear();
    const before = await stored(hook);
    await runCron();
    const after = await stored(hook);
    expect(JSON.parse(after.target)).toMatchObject({ masked: "old.receiver-audit.com/services…" });
    expect(after.url).toBe("sealed://old.receiver-audit.com/");
    expect({ ...after, url: before.url, target: null }).toEqual(before);
    const { fingerprint } = JSON.parse(after.target);
    const shown = { url_masked: "old.receiver-audit.com/services…", url_fingerprint: fingerprint };
    expect(await trailOf(hook)).toEqual([
      { before: null, after: { ...shown, events: ["*"], status: "active" } },
      {
        before: { url_masked: "older.receiver-audit.com/services…", url_fingerprint: expect.any(String) },
        after: shown,
      },
      { before: { status: "active" }, after: { status: "disabled" } },
    ]);
    expect(await dumpDatabase()).not.toContain(MARKER);
    expect((await portal("GET", `/webhooks/${hook.id}`)).json.webhook.url).toBe(url("old"));
  });

  it("works the same before and after", async () => {
    const hook = await storedInClear();
    const { calls } = receiver();
    const list = () =>
      portal("GET", `/webhooks?owner_type=${OWNER.type}&owner_id=${OWNER.id}&environment=production`);
    const shown = async () => ({
      one: (await portal("GET", `/webhooks/${hook.id}`)).json.webhook,
      listed: (await list()).json.webhooks.find(({ _id }: Json) => _id === hook.id),
    });
    const before = await shown();
    expect(before.one).toMatchObject({ url: url("old"), url_masked: "old.receiver-audit.com/services…" });
    await tell();
    await wake(hook);
    await run();
    expect(await shown()).toEqual({
      ...before,
      ...{
        one: { ...before.one, health: expect.anything() },
        listed: { ...before.listed, health: expect.anything() },
      },
    });
    await tell();
    await wake(hook);
    expect(calls.map((call) => call.url)).toEqual([url("old"), url("old")]);
  });

  it("is in force if older code changed it beside a sealed one", async () => {
    const hook = await storeWebhook({ url: url("sealed") });
    const newer = `${url("sealed")}&newer`;
    await bindings.DB.prepare("UPDATE webhooks SET url = ? WHERE id = ?").bind(newer, hook.id).run();
    const { calls } = receiver();
    await tell();
    await wake(hook);
    expect(calls.map((call) => call.url)).toContain(newer);
    const { webhook } = (await portal("GET", `/webhooks/${hook.id}`)).json;
    expect(webhook).toMatchObject({ url: newer, url_masked: "sealed.receiver-audit.com/services…" });
    const back = await portal("PATCH", `/webhooks/${hook.id}`, { url: url("sealed") });
    expect(back.json.webhook.url).toBe(url("sealed"));
    expect((await stored(hook)).url).toBe("sealed://sealed.receiver-audit.com/");
  });

  it("that is changed meanwhile keeps its new value, sealed", async () => {
    const hook = await storedInClear();
    const answer = await portal("PATCH", `/webhooks/${hook.id}`, { url: url("new") });
    expect(answer.json.webhook.url).toBe(url("new"));
    const { target } = await stored(hook);
    expect(target).not.toBeNull();
    await run();
    expect((await stored(hook)).target).toBe(target);
    expect(await dumpDatabase()).not.toContain(MARKER);
  });

  it("of a deleted webhook is sealed as well, and of an erased owner's only the host is kept", async () => {
    const deleted = await storedInClear({ deleted_at: 1 });
    const erased = await storedInClear({ deleted_at: 1, owner_id: "erased-before" });
    await bindings.DB.prepare("DELETE FROM owner_keys WHERE owner_id = 'erased-before'").run();
    await run();
    expect(JSON.parse((await stored(deleted)).target).sealed).not.toBe("");
    expect(JSON.parse((await stored(erased)).target)).toEqual({
      masked: "old.receiver-audit.com/…",
      fingerprint: "",
      sealed: "",
    });
    expect((await trailOf(erased))[0]?.after.url_fingerprint).toBeNull();
    expect(await dumpDatabase()).not.toContain(MARKER);
  });

  it("holds up no others if its owner's key cannot be unwrapped, and is counted", async () => {
    for (let i = 0; i < 60; i++) await storeWebhook({ url: url("old"), target: null, owner_id: "broken" });
    const hooks: WebhookRow[] = [];
    for (let i = 0; i < 60; i++)
      hooks.push(await storeWebhook({ url: url("old"), target: null, owner_id: "sound" }));
    await bindings.DB.prepare("UPDATE owner_keys SET data_key = 'lost.AAAA' WHERE owner_id = 'broken'").run();
    const lines: string[] = [];
    vi.spyOn(console, "log").mockImplementation((line) => void lines.push(String(line)));
    vi.spyOn(console, "error").mockImplementation((line) => void lines.push(String(line)));
    const left = async () =>
      (await Promise.all(hooks.map(stored))).filter(({ target }) => target === null).length;
    for (let i = 0; i < 200 && (await left()) > 0; i++) await run();
    expect(await left()).toBe(0);
    await run();
    const progress = lines
      .map((line) => JSON.parse(line))
      .filter(({ message }) => message === "sealed webhook URLs");
    expect(progress.at(-1)).toMatchObject({
      webhooks: 50,
      failed: 50,
      webhooks_left: 60,
      audit_rows_left: 0,
    });
    expect(lines.join()).not.toContain(MARKER);
    await bindings.DB.prepare("DELETE FROM webhooks WHERE owner_id = 'broken'").run();
  });
});

describe("once every URL is sealed", () => {
  it("a run reads four empty indexes", async () => {
    await run();
    const batch = vi.spyOn(bindings.DB, "batch");
    await run();
    expect(batch).toHaveBeenCalledTimes(1);
    const results = (await batch.mock.results[0]?.value) as D1Result[];
    expect(results).toHaveLength(4);
    for (const { meta } of results) {
      expect(meta.rows_read).toBeLessThanOrEqual(1);
      expect(meta.rows_written).toBe(0);
    }
  });
});
