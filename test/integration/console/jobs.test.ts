/** Work in the background: the list, following it, cancelling it. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { runReplays } from "../../../src/outbound/replay.ts";
import { Browser, person, readable, staff } from "../../support/console.ts";
import { bindings, type Json, portal } from "../../support/gateway.ts";
import { without } from "../../support/interception.ts";
import { beginOnly } from "../../support/jobs.ts";
import {
  catchEndpointWakeUps,
  deliveriesOf,
  storeWebhook,
  tell,
  type WebhookRow,
} from "../../support/outbound.ts";

const { DB } = bindings;
let owners = 0;
let owner: { type: "payroll_company"; id: string };
let hook: WebhookRow;
let browser: Browser;

beforeEach(async () => {
  catchEndpointWakeUps();
  owner = { type: "payroll_company", id: `jobs-${++owners}` };
  hook = await storeWebhook({ owner_id: owner.id });
  browser = await person(owner);
  for (let i = 0; i < 4; i++) await tell({ owner });
  await DB.prepare("UPDATE deliveries SET status = 'failed', next_attempt_at = NULL WHERE webhook_id = ?")
    .bind(hook.id)
    .run();
});
afterEach(() => {
  vi.restoreAllMocks();
});

const named = () => ({ owner_type: owner.type, owner_id: owner.id });
/** A job whose first steps are lost: it runs, and has done nothing. */
const running = (): Promise<Json> =>
  beginOnly((using) =>
    portal("POST", "/deliveries/retry", { ...named(), status: "failed" }, "portal", using),
  );
async function replay(): Promise<Json> {
  const since = new Date(Date.now() - 3_600_000).toISOString();
  return (await portal("POST", `/webhooks/${hook.id}/replay`, { since })).json.replay;
}
const replayPage = ({ id }: Json) => `/console/jobs/${id}?webhook=wh_${hook.id}`;

describe("the list", () => {
  it("asks staff whose jobs they mean", async () => {
    const { text } = await (await staff()).get("/console/jobs");
    expect(readable(text)).toContain("Whose jobs?");
  });

  it("says that there are none yet, of either kind", async () => {
    expect(readable((await browser.get("/console/jobs")).text)).toContain("No job yet.");
    expect(readable((await browser.get("/console/jobs?tab=replays")).text)).toContain(
      "No webhook was replayed yet.",
    );
  });

  it("shows running and ended ones, and asks again only while one runs", async () => {
    const job = await running();
    const { id } = await replay();
    const jobs = await browser.get("/console/jobs");
    expect(jobs.text).toContain(`href="/console/jobs/${job.id}"`);
    expect(readable(jobs.text)).toMatch(/Retry of deliveries ◐ Running 0 of 4/);
    expect(jobs.text).toContain('data-live="5"');
    const replays = await browser.get("/console/jobs?tab=replays");
    expect(replays.text).toContain(`href="/console/jobs/${id}?webhook=wh_${hook.id}"`);
    await portal("DELETE", `/jobs/${job.id}`);
    expect((await browser.get("/console/jobs")).text).not.toContain("data-live");
  });

  it.each(["", "?tab=replays"])("says that it could not be read: %s", async (query) => {
    const away = new Browser({ using: without("DB.all") });
    away.cookie = browser.cookie;
    const { status, text } = await away.get(`/console/jobs${query}`);
    expect(status).toBe(200);
    expect(readable(text)).toMatch(/could not be read\..*Try again/);
  });
});

describe("a job", () => {
  it("shows how far it has come, and follows it while it runs", async () => {
    const job = await running();
    await DB.prepare("UPDATE jobs SET found = 3, done = 2, created_at = created_at - 60000 WHERE id = ?")
      .bind(job.id)
      .run();
    const { text } = await browser.get(`/console/jobs/${job.id}`);
    const words = readable(text);
    expect(words).toContain("3 of 4.");
    expect(words).toMatch(
      /Queued 2 Skipped: could not be queued 1 Per minute 3 Left 1, about \d+ s at this rate/,
    );
    expect(text).toContain('<progress aria-label="Retry of deliveries" max="1" value="0.75">');
    expect(text).toContain('data-live="2"');
  });

  it("does not make up a share where the count stopped", async () => {
    const job = await running();
    await DB.prepare(
      "UPDATE jobs SET matched = 1000, matched_more = 1, found = 1200, done = 1200 WHERE id = ?",
    )
      .bind(job.id)
      .run();
    const { text } = await browser.get(`/console/jobs/${job.id}`);
    expect(readable(text)).toContain("1,200 of at least 1,000.");
    expect(text).toContain('<progress aria-label="Retry of deliveries">');
    expect(readable(text)).not.toContain("Left");
  });

  it("names the webhooks that hold it up", async () => {
    await DB.prepare("UPDATE webhooks SET status = 'paused' WHERE id = ?").bind(hook.id).run();
    const { json } = await portal("POST", "/deliveries/retry", { ...named(), status: "failed" });
    const { text } = await browser.get(`/console/jobs/${json.job.id}`);
    expect(readable(text)).toContain("A webhook holds it up");
    expect(text).toContain(`href="/console/webhooks/wh_${hook.id}"`);
  });

  it("that is done says what became of it, and no longer asks", async () => {
    const { json } = await portal("POST", "/deliveries/retry", { ...named(), status: "failed" });
    const { text } = await browser.get(`/console/jobs/${json.job.id}`);
    expect(readable(text)).toContain("4 found, all of them taken.");
    expect(readable(text)).toContain("Cancel (not available: It has ended.)");
    expect(text).not.toContain("data-live");
    expect(text).toContain("/console/deliveries?environment=production&amp;until=");
  });

  it("leads to what it took, whatever was answered since", async () => {
    await DB.prepare("UPDATE deliveries SET response_code = 503 WHERE webhook_id = ?").bind(hook.id).run();
    const filters = { ...named(), webhook_id: `wh_${hook.id}`, status: "failed", response_code: 503 };
    const { json } = await portal("POST", "/deliveries/retry", filters);
    const { text } = await browser.get(`/console/jobs/${json.job.id}`);
    const [href] = /\/console\/deliveries\?[^"]*until=/.exec(text) ?? [];
    expect(href).toBe(`/console/deliveries?webhook_id=${hook.id}&amp;environment=production&amp;until=`);
  });

  it("is cancelled, and stays so", async () => {
    const job = await running();
    const dialog = await browser.get(`/console/jobs/${job.id}?do=cancel`);
    expect(readable(dialog.text)).toContain("What it has queued by now is still sent.");
    const cancelled = await browser.post(`/console/jobs/${job.id}?do=cancel`, { do: "cancel" });
    expect([cancelled.status, cancelled.location]).toEqual([303, `/console/jobs/${job.id}?done=cancelled`]);
    expect(readable((await browser.get(cancelled.location ?? "")).text)).toMatch(
      /Cancelled\. What was queued/,
    );
    expect((await portal("GET", `/jobs/${job.id}`)).json.job.status).toBe("cancelled");
    expect(await deliveriesOf(hook)).toMatchObject(Array(4).fill({ status: "failed" }));
  });

  it("is not cancelled by somebody who may only look, nor by a form that names no act", async () => {
    const job = await running();
    const viewer = await person(owner, "view");
    expect(readable((await viewer.get(`/console/jobs/${job.id}`)).text)).toContain("You may look");
    expect((await viewer.post(`/console/jobs/${job.id}`, { do: "cancel" })).status).toBe(403);
    expect((await browser.post(`/console/jobs/${job.id}`, {})).location).toBe(`/console/jobs/${job.id}`);
    expect((await portal("GET", `/jobs/${job.id}`)).json.job.status).toBe("running");
  });

  it("of another owner does not exist", async () => {
    const job = await running();
    const started = await replay();
    const other = await person({ type: "payroll_company", id: "somebody-else" });
    for (const path of [`/console/jobs/${job.id}`, replayPage(started)]) {
      expect((await other.get(path)).status).toBe(404);
      expect((await other.post(path, { do: "cancel" })).status).toBe(404);
    }
    expect((await portal("GET", `/jobs/${job.id}`)).json.job.status).toBe("running");
  });
});

describe("a replay of a webhook", () => {
  it("shows how much of its range it has read, and what it queued", async () => {
    const started = await replay();
    const first = await browser.get(replayPage(started));
    expect(readable(first.text)).toContain("0.0 % of the range was read.");
    expect(first.text).toContain('data-live="2"');
    await runReplays(bindings, Date.now());
    const { text } = await browser.get(replayPage(started));
    expect(readable(text)).toContain("100.0 % of the range was read.");
    expect(readable(text)).toContain("Queued 4");
    expect(text).not.toContain("data-live");
  });

  it("says that its paused webhook holds it up", async () => {
    const started = await replay();
    await DB.prepare("UPDATE webhooks SET status = 'paused' WHERE id = ?").bind(hook.id).run();
    const { text } = await browser.get(replayPage(started));
    expect(readable(text)).toContain("The webhook is paused: the replay waits until it is resumed.");
  });

  it("is ended", async () => {
    const started = await replay();
    const ended = await browser.post(replayPage(started), { do: "cancel" });
    expect(ended.location).toBe(`${replayPage(started)}&done=cancelled`);
    await runReplays(bindings, Date.now());
    expect(await deliveriesOf(hook)).toMatchObject(Array(4).fill({ status: "failed" }));
    expect(readable((await browser.get(ended.location ?? "")).text)).toContain(
      "It ended after 0.0 % of the range.",
    );
  });
});

describe("rewrapping data keys", () => {
  const REWRAP = "/console/jobs/rewrap";

  it("goes on step by step from its address alone, and ends", async () => {
    await DB.prepare("DELETE FROM owner_keys").run();
    for (let i = 0; i < 60; i++) await storeWebhook({ owner_id: `rewrap-${i}` });
    const of = await staff();
    const start = await of.get(REWRAP);
    expect(readable(start.text)).toContain("Begin");
    expect(start.text).not.toMatch(/data-continue|<progress/);
    const seen: string[] = [];
    let at = REWRAP;
    while (!at.includes("run=done")) {
      const { location } = await of.post(at, {});
      at = location ?? expect.fail("the step did not lead on");
      const { text } = await of.get(at);
      seen.push(/(\d+ of \d+) keys examined/.exec(readable(text))?.[1] ?? "");
      expect(text.includes("data-continue"), at).toBe(!at.includes("run=done"));
      expect(seen.length).toBeLessThan(20);
    }
    const counts = seen.map((text) => Number.parseInt(text, 10));
    expect(counts).toEqual([...counts].sort((a, b) => a - b));
    expect(counts).toContain(50);
    const [examined, all] = seen.at(-1)?.split(" of ") ?? [];
    expect([examined, Number(all) >= 60]).toEqual([all, true]);
    const paused = await of.get(at.replace("run=done", ""));
    expect(readable(paused.text)).toMatch(/Paused .*Go on/);
    expect(paused.text).not.toContain("data-continue");
  });

  it("says that a step was not made, and goes on from there only when asked", async () => {
    const away = new Browser({ using: without("DB.batch") });
    away.cookie = (await staff()).cookie;
    vi.spyOn(DB, "prepare").mockImplementation((query) => {
      if (query.includes("data_key")) throw Object.assign(new Error("injected"), { retryable: true });
      return Object.getPrototypeOf(DB).prepare.call(DB, query);
    });
    const { status, text } = await away.post(`${REWRAP}?examined=50&run=yes`, {});
    expect(status).toBe(503);
    expect(readable(text)).toContain("The step was not made.");
    expect(text).not.toContain("data-continue");
  });

  it("is for staff alone", async () => {
    expect((await browser.get(REWRAP)).status).toBe(404);
    expect((await browser.post(REWRAP, {})).status).toBe(404);
    expect((await browser.get("/console/jobs")).text).not.toContain("rewrap");
  });
});
