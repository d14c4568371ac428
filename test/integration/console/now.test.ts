import { describe, expect, it, vi } from "vitest";
import { newObjectId } from "../../../src/crypto/ids.ts";
import { mintFileId } from "../../../src/gate/file-id.ts";
import { HOUR_MS } from "../../../src/usage/periods.ts";
import { alertsOfEachTest, listAlerts, raiseRingKey } from "../../support/alerts.ts";
import { Browser, person, readable as read, staff } from "../../support/console.ts";
import { advance, deliver } from "../../support/forwarding.ts";
import { bindings, createConnection, type Json } from "../../support/gateway.ts";
import { without } from "../../support/interception.ts";
import { storeWebhook } from "../../support/outbound.ts";
import { computeUsage, countGate } from "../../support/usage.ts";
import { watch, whileCronRuns } from "../../support/watch.ts";

alertsOfEachTest();

const ACME = { type: "payroll_company", id: "acme" } as const;
const PAYLOAD = "<img src=x onerror=alert(1)>";

/** Past what an isolate remembers of the gateway's health. */
const later = () => vi.setSystemTime(Date.now() + 6_000);

async function refuse(owner: Json = {}): Promise<string> {
  const { id } = await createConnection(owner);
  await watch().raise({ kind: "refused_share", subject: `connection:${id}`, facts: { refused: 20 } });
  await whileCronRuns();
  return id;
}

async function storeStuckFile(ownerId = "acme"): Promise<void> {
  const hourAgo = Date.now() - 2 * HOUR_MS;
  const fileId = mintFileId({ kind: "connection", id: newObjectId() }, hourAgo);
  await bindings.DB.prepare(
    `INSERT INTO attention (file_id, reason, response_status, attempts, next_attempt_at, first_at, updated_at,
       owner_type, owner_id, environment, employer_id)
     VALUES (?1, 'deferred', 503, 7, ?3, ?2, ?2, 'payroll_company', ?4, 'production', 'EMP_1')`,
  )
    .bind(fileId, hourAgo, Date.now() + 600_000, ownerId)
    .run();
}

describe("for staff", () => {
  it("says that nothing needs them, with all numbers, when nothing does", async () => {
    later();
    const { status, text } = await (await staff()).get("/console");
    expect(status).toBe(200);
    const shown = read(text);
    expect(shown).toContain("Nothing needs you: no open alerts, no stuck files, and no endpoint that fails.");
    expect(shown).toMatch(/Waiting report None .* Overdue delivery None .* Backlog of queues/);
    expect(shown).toMatch(/Refused, this hour – No requests/);
    expect(shown).toMatch(/Freshness p50 · p95 – No report completed/);
    expect(shown).toMatch(/Error budget left 100\.0 %/);
    expect(shown).toMatch(/Last cron run (just now|\d+ s ago)/);
    expect(text).not.toContain('role="alert"');
    expect(text).toMatch(/<div id="now" data-live="15" aria-live="off">/);
  });

  it("shows each thing that is wrong, what to do about it, and the way to its list", async () => {
    await storeStuckFile();
    const failing = await storeWebhook({
      failing_since: Date.now() - 100 * HOUR_MS,
      consecutive_failures: 40,
      last_failure: { kind: "status", status: 502, bot_wall: false },
      url: "https://hooks.acme-payroll.com/secret-token",
    });
    await raiseRingKey(PAYLOAD);
    await deliver([{ file_ids: [] }], bindings, "audit1-files-dead");
    await whileCronRuns(2);
    later();
    const { status, text } = await (await staff()).get("/console");
    expect(status).toBe(200);
    const shown = read(text);
    expect(shown).toMatch(/Now ■ Degraded/);
    expect(shown).toContain("A file has been deferred for over an hour");
    expect(shown).toContain("Messages reached a dead-letter queue within the hour");
    expect(shown).toContain("A key is missing in the key ring");
    // The runbook in words.
    expect(text).toContain("Put the key back into <code>VAULT_KEYS</code>");
    expect(text).toContain("Find the report or endpoint on which the consumer crashes");
    expect(text).not.toContain("docs/runbook.md");
    expect(shown).toMatch(/Tried again later \(503\)/);
    expect(shown).toMatch(/hooks\.acme-payroll\.com\/secret-t… HTTP 502 .* in 20 h/);
    expect(text).toContain(`href="/console/webhooks/wh_${failing.id}"`);
    expect(text).toContain('href="/console/reports?reason=consumer_died"');
    expect(text).not.toContain("Nothing needs you");
    expect(text).not.toContain("secret-token");
    expect(text).not.toContain(PAYLOAD);
    expect(text).toContain("&lt;img src=x onerror=alert(1)&gt;");
  });

  it("has the refused share of the hour, freshness and the error budget with their sparklines", async () => {
    const gate = { kind: "connection" as const, id: (await createConnection()).id };
    const hour = Date.now() - (Date.now() % HOUR_MS);
    for (const [ago, refused] of [
      [0, 30],
      [1, 2],
      [3, 0],
    ] as const)
      await countGate(gate, hour - ago * HOUR_MS, {
        accepted: 70,
        ...(refused > 0 && { "refused:INVALID_SIGNATURE": refused }),
        ...(ago === 1 && { "refused:INTERNAL_ERROR": 1 }),
        "latency_completed:100": 5,
      });
    await computeUsage(Date.now());
    const { text } = await (await staff()).get("/console");
    const shown = read(text);
    expect(shown).toMatch(/▲ 30\.0 % 30 of 100 requests/);
    expect(shown).toMatch(/5 s · 5 s 15 reports in 24 h, goal 15 min/);
    expect(shown).toMatch(/Error budget left ■ -\d+\.\d % 1 of 243 failed this month/);
    // A gap stands between the hours of which nothing is known.
    const [, spark = ""] = /aria-label="Refused share by hour[^"]*">(.*?)<\/svg>/.exec(text) ?? [];
    expect(spark.match(/<polyline/g)).toHaveLength(2);
    expect(text).toContain("Refused share by hour: last 30.0 %, highest 30.0 %");
    expect(text).toContain('href="/console/metrics?tab=senders&amp;measure=refused_share&amp;range=24h"');
  });

  it("takes an acknowledgement, which others then see", async () => {
    await refuse();
    const browser = await staff();
    const [{ id } = {}] = await listAlerts();
    const before = await browser.get("/console");
    expect(before.text).toContain(`name="alert" value="${id}"`);
    const posted = await browser.post("/console", { do: "acknowledge", alert: id });
    expect([posted.status, posted.location]).toEqual([303, "/console?done=acknowledged"]);
    const after = await (await staff()).get("/console?done=acknowledged");
    expect(read(after.text)).toContain("Acknowledged: others see that you look after it.");
    expect(read(after.text)).toMatch(/looks after it since/);
    expect(after.text).not.toContain(`name="alert"`);
  });

  it("shows what the API says of an acknowledgement that it refuses", async () => {
    const browser = await staff();
    const { status, text } = await browser.post("/console", { alert: `alt_${"0".repeat(20)}` });
    expect(status).toBe(404);
    expect(read(text)).toContain("The alert was not acknowledged.");
    expect(text).toContain("<h1>Now</h1>");
  });

  it("still shows the rest when a part cannot be read, and says which request failed", async () => {
    await raiseRingKey("one");
    await whileCronRuns();
    const browser = new Browser({ using: without("WATCH.listAlerts") });
    browser.cookie = (await staff()).cookie;
    const { status, text } = await browser.get("/console");
    expect(status).toBe(200);
    expect(read(text)).toMatch(/The list of alerts could not be read\. .* Request [0-9A-Za-z_-]+/);
    expect(read(text)).toContain("Otherwise no stuck files and no endpoint that fails.");
    expect(text).toContain("Last cron run");
  });

  it("who look at one owner see its part beside the gateway's numbers", async () => {
    await refuse({ owner_type: "payroll_company", owner_id: "other" });
    await raiseRingKey("one");
    await whileCronRuns();
    const { text } = await (await staff()).get("/console?owner=payroll_company/other");
    expect(read(text)).toContain("Alerts, reports and endpoints of other only. Show all owners");
    expect(text).toContain("suddenly refused");
    expect(text).not.toContain("A key is missing in the key ring");
    expect(text).toContain("Last cron run");
  });
});

describe("for an owner", () => {
  it("shows its own part, in its own words, and nothing of the gateway's inside", async () => {
    const own = await refuse();
    const theirs = await refuse({ owner_type: "payroll_company", owner_id: "other" });
    await storeWebhook({ failing_since: Date.now() - HOUR_MS, url: "https://own.acme-payroll.com/a" });
    await storeWebhook({
      failing_since: Date.now() - HOUR_MS,
      url: "https://theirs.example-payroll.com/a",
      owner_id: "other",
    });
    await raiseRingKey("one");
    await whileCronRuns();
    const { status, text } = await (await person(ACME)).get("/console?owner=payroll_company/other");
    expect(status).toBe(200);
    expect(text).toContain(own);
    expect(text).not.toContain(theirs);
    expect(text).toContain("own.acme-payroll.com/a");
    expect(text).not.toContain("theirs.example-payroll.com");
    expect(text).toContain("each refused one says why");
    for (const inside of ["Last cron run", "Backlog", "Waiting report", "key ring", "What it means", "VAULT"])
      expect(text, inside).not.toContain(inside);
    expect(read(text)).toMatch(/Endpoints that fail ▲ 1 .* Open alerts ■ 1 /);
  });

  it("who may only look sees why the button does nothing, and a post changes nothing", async () => {
    await refuse();
    const [{ id } = {}] = await listAlerts();
    const browser = await person(ACME, "view");
    const { text } = await browser.get("/console");
    expect(text).toContain("Acknowledge<span");
    expect(text).toContain("You may look, but not change anything.");
    const { status } = await browser.post("/console", { do: "acknowledge", alert: id });
    expect(status).toBe(403);
    expect(await listAlerts()).toMatchObject([{ acknowledged_at: null }]);
  });

  it("cannot acknowledge the alert of another", async () => {
    await refuse({ owner_type: "payroll_company", owner_id: "other" });
    const [{ id } = {}] = await listAlerts();
    const { status } = await (await person(ACME)).post("/console", { do: "acknowledge", alert: id });
    expect(status).toBe(404);
    expect(await listAlerts()).toMatchObject([{ acknowledged_at: null }]);
  });
});

it("leads everybody else to the sign-in", async () => {
  advance(1_000);
  const away = await new Browser().get("/console?x=1");
  expect([away.status, away.location]).toEqual([303, "/console/sign-in?next=%2Fconsole%3Fx%3D1"]);
});
