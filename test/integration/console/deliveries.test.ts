/** The log of deliveries, the page of each, and sending many again. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { seqAt } from "../../../src/db/events.ts";
import { deliveryId } from "../../../src/outbound/delivery-id.ts";
import { Browser, person, readable, staff } from "../../support/console.ts";
import { bindings, type Json, portal } from "../../support/gateway.ts";
import { without } from "../../support/interception.ts";
import {
  catchEndpointWakeUps,
  deliveriesOf,
  receiver,
  storeWebhook,
  tell,
  type WebhookRow,
  wake,
} from "../../support/outbound.ts";

const { DB } = bindings;
const PAYLOAD = "<img src=x onerror=alert(1)>";
let owners = 0;
let owner: { type: "payroll_company"; id: string };
let hook: WebhookRow;
let browser: Browser;

beforeEach(async () => {
  catchEndpointWakeUps();
  owner = { type: "payroll_company", id: `deliveries-${++owners}` };
  hook = await storeWebhook({ owner_id: owner.id, description: PAYLOAD });
  browser = await person(owner);
});
afterEach(() => {
  vi.restoreAllMocks();
});

const LIST = "/console/deliveries";
const scope = () => `owner=${owner.type}/${owner.id}`;
const idOf = (row: Json) => deliveryId({ webhookId: row.webhook_id, eventSeq: row.event_seq });
const hidden = (text: string) =>
  Object.fromEntries(
    [...text.matchAll(/type="hidden" name="(\w+)" value="([^"]*)"/g)].map(([, name, value]) => [name, value]),
  );
/** The form that a dialog posts. */
const posted = (text: string) =>
  hidden(
    /<form method="post" action="[^"]*"(?:(?!<\/form>)[\s\S])*Send(?:(?!<\/form>)[\s\S])*<\/form>/.exec(
      text,
    )?.[0] ?? "",
  );
const rowsOf = (text: string) =>
  [...text.matchAll(/href="\/console\/deliveries\/(del_\w+)/g)].map(([, id]) => id);

async function settle(row: Json, status: string, error: string | null = null): Promise<void> {
  await DB.prepare(
    "UPDATE deliveries SET status = ?3, last_error = ?4, attempts = 7, next_attempt_at = NULL WHERE webhook_id = ?1 AND event_seq = ?2",
  )
    .bind(row.webhook_id, row.event_seq, status, error)
    .run();
}

/** One delivery; the receiver answers it once. */
async function tried(answer: () => Response, fields: Json = {}): Promise<string> {
  receiver(answer);
  await tell({ owner, ...fields });
  await wake(hook);
  const [row] = await deliveriesOf(hook);
  return row === undefined ? expect.fail("no delivery") : idOf(row);
}

describe("the list", () => {
  it("asks staff whose deliveries they mean", async () => {
    const { status, text } = await (await staff()).get(LIST);
    expect(status).toBe(200);
    expect(readable(text)).toContain("Whose deliveries?");
  });

  it("says that nothing was delivered yet, and where deliveries come from", async () => {
    const { text } = await browser.get(LIST);
    expect(readable(text)).toContain("Nothing was delivered yet.");
    expect(text).toContain('href="/console/webhooks"');
    expect(text.match(/>Any HTTP status</g)).toHaveLength(1);
  });

  it("shows deliveries with their count, by filters of the address that it shows as chips", async () => {
    for (let i = 0; i < 3; i++) await tell({ owner, type: i === 0 ? "audit.failed" : "policy.created" });
    const [first, second, third] = await deliveriesOf(hook);
    await settle(first ?? {}, "failed", "timeout");
    await settle(second ?? {}, "skipped", "webhook_disabled");
    const all = await browser.get(LIST);
    expect(rowsOf(all.text)).toEqual([third, second, first].map((row) => idOf(row ?? {})));
    expect(readable(all.text)).toContain("3 deliveries");
    expect(readable(all.text)).toContain("No answer in time");
    expect(readable(all.text)).toContain("Webhook was disabled");
    // The third waits for an attempt that is due.
    expect(readable(all.text)).toMatch(/ due 0 /);
    const cases: [string, (Json | undefined)[]][] = [
      ["status=failed", [first]],
      ["type=policy.created", [third, second]],
      ["error=webhook_disabled", [second]],
      [`webhook_id=wh_${hook.id}&status=skipped`, [second]],
      ["until=2020-01-01T00:00", []],
      ["since=2020-01-01T00:00&status=failed", [first]],
    ];
    for (const [query, rows] of cases) {
      const { status, text } = await browser.get(`${LIST}?${query}`);
      expect([status, rowsOf(text)], query).toEqual([200, rows.map((row) => idOf(row ?? {}))]);
      expect(readable(text)).toContain("Clear filters");
    }
    const none = readable((await browser.get(`${LIST}?until=2020-01-01T00:00`)).text);
    expect(none).toContain("No deliveries match these filters.");
  });

  it("keeps to the environment that is chosen", async () => {
    await storeWebhook({ owner_id: owner.id, environment: "sandbox" });
    await tell({ owner, environment: "sandbox" });
    expect(rowsOf((await browser.get(LIST)).text)).toEqual([]);
    expect(rowsOf((await browser.get(`${LIST}?environment=sandbox`)).text)).toHaveLength(1);
  });

  it("leads on to older deliveries", async () => {
    for (let i = 0; i < 51; i++) await tell({ owner });
    const first = await browser.get(LIST);
    expect(rowsOf(first.text)).toHaveLength(50);
    const [, older = ""] = /href="([^"]*cursor=[^"]*)">Older</.exec(first.text) ?? [];
    const second = await browser.get(older.replaceAll("&amp;", "&"));
    expect(rowsOf(second.text)).toHaveLength(1);
    expect(second.text).toContain(">Newest</a>");
  });

  it("says which filter the API refuses, and that the deliveries could not be read", async () => {
    const wrong = await browser.get(`${LIST}?response_code=7`);
    expect(readable(wrong.text)).toContain("The deliveries could not be read.");
    const away = new Browser({ using: without("DB.all") });
    away.cookie = browser.cookie;
    const { status, text } = await away.get(LIST);
    expect(status).toBe(200);
    expect(readable(text)).toMatch(/The deliveries could not be read\..*Request .*Try again/);
  });
});

describe("a delivery", () => {
  it("shows what was sent beside what came back, why it failed, and what is next", async () => {
    const id = await tried(
      () =>
        new Response(PAYLOAD, {
          status: 503,
          headers: { "Retry-After": "120", "Set-Cookie": "sid=tok_secret" },
        }),
    );
    const { status, text } = await browser.get(`${LIST}/${id}`);
    const words = readable(text);
    expect(status).toBe(200);
    expect(words).toContain("The receiver asked to come back later (Retry-After: 120).");
    expect(words).toMatch(/Next attempt .* Due in \d+ s, and up to 5 more if it fails\./);
    expect(words).toMatch(/x-webhook-timestamp \d{13}/);
    expect(words).toMatch(/user-agent Audit1-Webhooks\/1/);
    expect(words).toContain("retry-after 120");
    expect(words).toContain(`POST ${hook.id}.receiver-audit.com/hook`);
    expect(text).not.toContain("tok_secret");
    expect(text).not.toMatch(/whsec_|v1=[0-9a-f]/);
    // The webhook's description, the answer, and what its button copies.
    expect(text).not.toContain("<img");
    expect(text.split("&lt;img src=x onerror=alert(1)&gt;")).toHaveLength(4);
    expect(text).toContain('data-live="3"');
  });

  it("that is final is not asked for again, and leads to its event, webhook and file", async () => {
    const file = `FILE_${"0".repeat(40)}`;
    const id = await tried(() => new Response("ok"), {
      id: "evt_file_1",
      type: "file.processed",
      data: JSON.stringify({ fileId: file }),
    });
    const { text } = await browser.get(`${LIST}/${id}`);
    expect(text).not.toContain("data-live=");
    expect(readable(text)).toContain("The receiver accepted it.");
    for (const href of [
      `webhooks/wh_${hook.id}`,
      "events/evt_file_1?environment=production",
      `reports/${file}`,
    ])
      expect(text).toContain(`href="/console/${href}"`);
  });

  it.each([
    [302, { Location: "/login" }, "The receiver redirected to /login. Redirects are not followed"],
    [401, {}, "refused the request"],
    [404, {}, "Nothing takes POST requests at this path."],
    [500, {}, "The receiver failed. Its own log says why."],
    [403, { "CF-Mitigated": "challenge" }, "A bot wall in front of the receiver answered."],
  ])("says why %i was no success: %j", async (status, headers, words) => {
    const id = await tried(() => new Response("no", { status, headers: headers as Record<string, string> }));
    expect(readable((await browser.get(`${LIST}/${id}`)).text)).toContain(words);
  });

  it("of a webhook that is paused waits for it", async () => {
    await DB.prepare("UPDATE webhooks SET status = 'paused' WHERE id = ?").bind(hook.id).run();
    await tell({ owner });
    const [row] = await deliveriesOf(hook);
    const words = readable((await browser.get(`${LIST}/${idOf(row ?? {})}`)).text);
    expect(words).toContain("It is sent when the webhook is resumed.");
  });

  it("is sent again, once", async () => {
    const id = await tried(() => new Response("ok"));
    const dialog = await browser.get(`${LIST}/${id}?do=retry`);
    expect(readable(dialog.text)).toContain("must drop it by its id");
    const sent = await browser.post(`${LIST}/${id}?do=retry`, { do: "retry" });
    expect([sent.status, sent.location]).toEqual([303, `${LIST}/${id}?done=retry`]);
    expect(await deliveriesOf(hook)).toMatchObject([{ status: "pending", attempts: 1 }]);
    expect(readable((await browser.get(sent.location ?? "")).text)).toContain("Queued.");
  });

  it("cannot be sent again while its webhook is disabled, and says so before and after", async () => {
    const id = await tried(() => new Response("ok"));
    await DB.prepare("UPDATE webhooks SET status = 'disabled' WHERE id = ?").bind(hook.id).run();
    const words = readable((await browser.get(`${LIST}/${id}`)).text);
    expect(words).toContain("Send again (not available: The webhook is disabled. Enable it first.)");
    const refused = await browser.post(`${LIST}/${id}`, { do: "retry" });
    expect(refused.status).toBe(409);
    expect(readable(refused.text)).toContain("Nothing was sent.");
  });

  it("of a deleted webhook can still be read", async () => {
    const id = await tried(() => new Response("ok"));
    await DB.prepare("UPDATE webhooks SET deleted_at = 1 WHERE id = ?").bind(hook.id).run();
    const { status, text } = await browser.get(`${LIST}/${id}`);
    expect(status).toBe(200);
    expect(readable(text)).toContain("(not available: The webhook was deleted.)");
  });

  it("whose webhook could not be read does not call it deleted", async () => {
    const id = await tried(() => new Response("ok"));
    vi.spyOn(DB, "prepare").mockImplementation((query) => {
      if (query.includes('"webhooks"."deleted_at" is null'))
        throw Object.assign(new Error("injected"), { retryable: true });
      return Object.getPrototypeOf(DB).prepare.call(DB, query);
    });
    const { status, text } = await browser.get(`${LIST}/${id}`);
    expect(status).toBe(200);
    expect(readable(text)).toMatch(/The webhook could not be read\..*The receiver accepted it\./);
    expect(readable(text)).not.toContain("deleted");
  });

  it("of another owner does not exist, nor does one whose id is made up", async () => {
    const id = await tried(() => new Response("ok"));
    const other = await person({ type: "payroll_company", id: "somebody-else" });
    const unknown = deliveryId({ webhookId: hook.id, eventSeq: seqAt(1) });
    const [theirs, nobodys] = [await other.get(`${LIST}/${id}`), await browser.get(`${LIST}/${unknown}`)];
    expect([theirs.status, nobodys.status]).toEqual([404, 404]);
    expect((await other.post(`${LIST}/${id}`, { do: "retry" })).status).toBe(404);
    expect(await deliveriesOf(hook)).toMatchObject([{ status: "delivered" }]);
  });

  it("says that it could not be read", async () => {
    const id = await tried(() => new Response("ok"));
    vi.spyOn(DB, "prepare").mockImplementation((query) => {
      if (query.includes("d.history")) throw Object.assign(new Error("injected"), { retryable: true });
      return Object.getPrototypeOf(DB).prepare.call(DB, query);
    });
    const { status, text } = await browser.get(`${LIST}/${id}`);
    expect(status).toBe(503);
    expect(readable(text)).toContain("The delivery could not be read.");
  });
});

describe("sending many again", () => {
  async function failed(count: number): Promise<Json[]> {
    for (let i = 0; i < count; i++) await tell({ owner });
    const rows = await deliveriesOf(hook);
    for (const row of rows) await settle(row, "failed", "timeout");
    return rows;
  }

  it("counts first, then begins a job for exactly that range", async () => {
    await failed(3);
    const asked = await browser.get(`${LIST}?do=recover`);
    expect(readable(asked.text)).toContain("All that failed or were skipped");
    expect(asked.text).not.toContain('value="missed"');
    const counted = await browser.get(`${LIST}?do=recover&what=failed&error=timeout`);
    expect(readable(counted.text)).toMatch(/3 deliveries from/);
    expect(await deliveriesOf(hook)).toMatchObject(Array(3).fill({ status: "failed" }));
    const form = posted(counted.text);
    expect(form).toMatchObject({ do: "recover", what: "failed" });
    const begun = await browser.post(`${LIST}?do=recover&what=failed&error=timeout`, form);
    expect(begun.status).toBe(303);
    const [, id = ""] = /^\/console\/jobs\/(\w+)\?done=begun$/.exec(begun.location ?? "") ?? [];
    const { job } = (await portal("GET", `/jobs/${id}`)).json;
    expect(job).toMatchObject({
      done: 3,
      filters: { status: "failed", error: "timeout", until: form.until },
    });
    expect((await browser.get(begun.location ?? "")).status).toBe(200);
  });

  it("of one webhook takes what was missed, or everything, from one delivery on", async () => {
    const [, second, third] = await failed(3);
    await DB.prepare("DELETE FROM deliveries WHERE event_seq = ?").bind(third?.event_seq).run();
    const page = `${LIST}/${idOf(second ?? {})}?do=recover`;
    const counts = await Promise.all(
      ["failed", "missed", "all"].map(async (what) =>
        readable((await browser.get(`${page}&what=${what}`)).text),
      ),
    );
    expect(counts.map((text) => /(\d+) deliver(?:y|ies) from/.exec(text)?.[1])).toEqual(["1", "2", "2"]);
    const form = posted((await browser.get(`${page}&what=missed`)).text);
    const begun = await browser.post(`${page}&what=missed`, form);
    expect(begun.location).toMatch(new RegExp(`^/console/jobs/\\w+\\?webhook=wh_${hook.id}&done=begun$`));
    const again = await browser.post(`${page}&what=missed`, form);
    expect(again.status).toBe(409);
    expect(again.text).toContain(`href="${begun.location?.replace("&done=begun", "")}"`);
  });

  it("says when there is nothing to send", async () => {
    const { text } = await browser.get(`${LIST}?do=recover&what=undelivered`);
    expect(readable(text)).toContain("There is nothing to send again");
    expect(posted(text)).toEqual({});
  });

  it("begins nothing that was not chosen", async () => {
    await failed(1);
    expect((await browser.post(LIST, { do: "recover" })).status).toBe(400);
    expect((await portal("GET", `/jobs?owner_type=${owner.type}&owner_id=${owner.id}`)).json.jobs).toEqual(
      [],
    );
  });

  it("is not for people who may only look", async () => {
    await failed(1);
    const viewer = await person(owner, "view");
    const { text } = await viewer.get(`${LIST}?do=recover&what=failed`);
    expect(text).not.toContain("<dialog");
    expect(readable(text)).toContain(
      "Send many again (not available: You may look, but not change anything.)",
    );
    const range = { since: "2026-01-01T00:00:00.000Z", until: new Date().toISOString() };
    const refused = await viewer.post(`${LIST}?do=recover`, { do: "recover", what: "failed", ...range });
    expect(refused.status).toBe(403);
    expect(await deliveriesOf(hook)).toMatchObject([{ status: "failed" }]);
  });

  it("by staff is for the owner that they chose", async () => {
    await failed(2);
    const of = await staff();
    const { text } = await of.get(`${LIST}?${scope()}&do=recover&what=failed`);
    const begun = await of.post(`${LIST}?${scope()}&do=recover&what=failed`, posted(text));
    expect(begun.location).toMatch(/^\/console\/jobs\/\w+\?done=begun&owner=/);
  });
});
