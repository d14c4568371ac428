/** The list of webhooks, adding one, and the page of each. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Browser, person, readable, staff } from "../../support/console.ts";
import { runCron } from "../../support/forwarding.ts";
import { type Json, portal } from "../../support/gateway.ts";
import { catchEndpointWakeUps, receiver, wake } from "../../support/outbound.ts";

const PAYLOAD = "<img src=x onerror=alert(1)>";
const URL_WITH_SECRET = "https://hooks.receiver-audit.com/in/with/a/long/path?sig=secret-of-the-address";
let owners = 0;

beforeEach(() => {
  catchEndpointWakeUps();
});
afterEach(() => {
  vi.restoreAllMocks();
});

function freshOwner() {
  const id = `console-hooks-${++owners}`;
  const type = "payroll_company" as const;
  return { type, id, fields: { owner_type: type, owner_id: id }, query: `owner=${type}/${id}` };
}
type Owner = ReturnType<typeof freshOwner>;

async function register({ fields }: Owner, more: Json = {}): Promise<{ id: string; secret: string }> {
  const body = { ...fields, url: URL_WITH_SECRET, events: ["policy.*"], ...more };
  const { status, json } = await portal("POST", "/webhooks", body);
  if (status !== 201) throw new Error(JSON.stringify(json));
  return { id: json.webhook.id, secret: json.secret };
}

async function tell({ fields }: Owner, type = "policy.created"): Promise<void> {
  const event = { ...fields, id: `evt_${crypto.randomUUID()}`, type, data: {} };
  expect((await portal("POST", "/events", event)).status).toBe(202);
}

const bare = (id: string) => ({ id: id.slice(3) });
const page = (id: string, query = "") => `/console/webhooks/${id}${query}`;
const webhookOf = async (id: string) => (await portal("GET", `/webhooks/${id}`)).json.webhook;
/** The value of a hidden field of the form that a page shows. */
const hidden = (text: string, name: string) =>
  new RegExp(`name="${name}" value="([^"]*)"`).exec(text)?.[1]?.replaceAll("&quot;", '"') ?? "";

async function post(browser: Browser, path: string, fields: Record<string, string>) {
  const { text } = await browser.get(path);
  return browser.post(path, { etag: hidden(text, "etag"), key: hidden(text, "key"), ...fields });
}

describe("the list", () => {
  it("says that there is none yet, that none matches, and why it could not be read", async () => {
    const owner = freshOwner();
    const browser = await person(owner);
    expect(readable((await browser.get("/console/webhooks")).text)).toMatch(
      /There is no webhook yet.*Add webhook/,
    );
    const none = readable((await browser.get("/console/webhooks?status=paused")).text);
    expect(none).toContain("No webhooks match these filters. Clear filters");
    const failed = await browser.get("/console/webhooks?cursor=nonsense");
    expect(failed.status).toBe(200);
    expect(readable(failed.text)).toMatch(/The webhooks could not be read.*Try again/);
  });

  it("shows health and masked addresses of both environments, and what others typed as text", async () => {
    const owner = freshOwner();
    const failing = await register(owner, { description: PAYLOAD });
    const paused = await register(owner, { environment: "sandbox" });
    await portal("PATCH", `/webhooks/${paused.id}`, { status: "paused" });
    await tell(owner);
    receiver(() => new Response(null, { status: 503 }));
    await wake(bare(failing.id));
    const { text } = await (await person(owner)).get("/console/webhooks");
    const shown = readable(text);
    expect(shown).toMatch(/Failing HTTP 503, disabled in 5 d never/);
    expect(shown).toMatch(/Paused Holds what comes/);
    expect(shown).toContain("2 webhooks");
    expect(text).toContain("&lt;img src=x onerror=alert(1)&gt;");
    expect(text).not.toContain(PAYLOAD);
    expect(text).not.toContain("secret-of-the-address");
    const production = (await (await person(owner)).get("/console/webhooks?environment=production")).text;
    expect(production).not.toContain(paused.id);
  });

  it("asks staff for an owner, and shows them the failing ones of all", async () => {
    const owner = freshOwner();
    const { id } = await register(owner);
    await tell(owner);
    receiver(() => new Response(null, { status: 500 }));
    await wake(bare(id));
    const browser = await staff();
    const { text } = await browser.get("/console/webhooks");
    expect(readable(text)).toMatch(/Whose webhooks\?.*Failing now, of all owners/);
    expect(text).toContain(page(id));
    const ofOwner = (await browser.get(`/console/webhooks?${owner.query}`)).text;
    expect(ofOwner).toContain(`${page(id)}?${owner.query.replace("/", "%2F")}`);
  });
});

describe("adding a webhook", () => {
  it("chooses events from the catalogue and shows the secret once, with how to verify it", async () => {
    const owner = freshOwner();
    const browser = await person(owner);
    const { text } = await browser.get("/console/webhooks/new");
    expect(text).toContain('name="event:file.*"');
    expect(text).toContain('name="event:policy.premium_adjusted"');
    const fields = {
      key: hidden(text, "key"),
      environment: "sandbox",
      url: "https://hooks.receiver-audit.com/new",
      "event:file.*": "on",
      "event:audit.completed": "on",
      description: PAYLOAD,
      signature_format: "timestamped",
      max_in_flight: "2",
      headers: "X-Api-Key: a:b\r\n\r\nX-Other:c",
    };
    const made = await browser.post("/console/webhooks/new", fields);
    expect(made.headers.get("Cache-Control")).toBe("no-store");
    const [secret] = /whsec_[A-Za-z0-9+/=]+/.exec(made.text) ?? [];
    expect(secret).toBeDefined();
    expect(readable(made.text)).toContain("The secret is shown now, and never again.");
    expect(readable(made.text)).toContain("timingSafeEqual");
    expect(made.text).not.toContain(PAYLOAD);
    const again = await browser.post("/console/webhooks/new", fields);
    expect(again.text).toContain(secret);
    const { json } = await portal(
      "GET",
      `/webhooks?${new URLSearchParams({ ...owner.fields, environment: "all" })}`,
    );
    expect(json.webhooks).toMatchObject([
      {
        environment: "sandbox",
        events: ["file.*", "audit.completed"],
        headers: ["X-Api-Key", "X-Other"],
        max_in_flight: 2,
        max_per_minute: null,
      },
    ]);
  });

  it("shows what was typed beside what is wrong with it", async () => {
    const browser = await person(freshOwner());
    const refused = await post(browser, "/console/webhooks/new", {
      url: `http://${PAYLOAD}`,
      description: "Kept",
      notification_email: "nobody",
      max_in_flight: "many",
    });
    expect(refused.status).toBe(400);
    const shown = readable(refused.text);
    expect(shown).toContain("The webhook was not added.");
    expect(shown).toContain("Must be an e-mail address");
    expect(refused.text).toContain('value="Kept"');
    expect(refused.text).toContain('value="many"');
    expect(refused.text).not.toContain(PAYLOAD);
    const twice = await post(browser, "/console/webhooks/new", {
      url: "https://hooks.receiver-audit.com/x",
      "event:*": "on",
      headers: "X-A: 1\nx-a: 2",
    });
    expect([twice.status, readable(twice.text).includes("x-a is named twice")]).toEqual([400, true]);
  });

  it("is not for people who may only look, and asks staff for the owner", async () => {
    const viewer = await person(freshOwner(), "view");
    const { text } = await viewer.get("/console/webhooks/new");
    expect(text).not.toContain("<textarea");
    const refused = await viewer.post("/console/webhooks/new", { url: "https://a.example", "event:*": "on" });
    expect(refused.status).toBe(403);
    expect(readable((await (await staff()).get("/console/webhooks/new")).text)).toContain("Whose webhooks?");
  });
});

describe("the page of a webhook", () => {
  it("of another owner is the page of none", async () => {
    const { id } = await register(freshOwner());
    const browser = await person(freshOwner());
    for (const tab of ["", "?tab=secrets", "?tab=settings"]) {
      const shown = await browser.get(page(id, tab));
      expect(shown.status).toBe(404);
      expect(readable(shown.text)).toContain("No such webhook");
    }
    for (const act of ["pause", "delete", "rotate", "test"])
      expect((await browser.post(page(id), { act })).status).toBe(404);
    expect((await webhookOf(id)).status).toBe("active");
    const asOther = await (await staff()).get(page(id, "?owner=payroll_company/other"));
    expect(asOther.status).toBe(404);
  });

  it("lists its deliveries with filters, and says where there are none", async () => {
    const owner = freshOwner();
    const { id } = await register(owner);
    const browser = await person(owner);
    expect(readable((await browser.get(page(id))).text)).toMatch(/Nothing was delivered yet.*Send a test/);
    await tell(owner);
    receiver(() => new Response(null, { status: 503 }));
    await wake(bare(id));
    const { text } = await browser.get(page(id));
    expect(readable(text)).toMatch(/policy\.created .*Retrying HTTP 503 .*1 delivery /);
    expect(text).toMatch(/href="\/console\/deliveries\/del_/);
    expect(readable(text)).toMatch(
      /The last 2 attempts failed, since .*: HTTP 503. Unless one succeeds, it is disabled in 5 d/,
    );
    const none = readable((await browser.get(page(id, "?status=delivered"))).text);
    expect(none).toContain("No deliveries match these filters. Clear filters");
    const failed = readable((await browser.get(page(id, "?response_code=7"))).text);
    expect(failed).toContain("The deliveries could not be read.");
  });

  it("says only what it has words for", async () => {
    const owner = freshOwner();
    const { id } = await register(owner);
    const { status, text } = await (await person(owner)).get(page(id, "?done=constructor"));
    expect([status, text.includes('class="done"')]).toEqual([200, false]);
  });

  it("opens where a part of it fails", async () => {
    const owner = freshOwner();
    const { id } = await register(owner);
    const browser = await person(owner);
    const { status, text } = await browser.get(page(id, "?cursor=nonsense"));
    expect(status).toBe(200);
    expect(readable(text)).toMatch(/Pause Disable.*The deliveries could not be read/);
  });

  it("offers people who may only look no changes, and masks the address", async () => {
    const owner = freshOwner();
    const { id } = await register(owner);
    const viewer = await person(owner, "view");
    const settings = await viewer.get(page(id, "?tab=settings"));
    expect(settings.text).not.toContain("secret-of-the-address");
    expect(readable(settings.text)).toContain(
      "Pause (not available: You may look, but not change anything.)",
    );
    for (const fields of [{ act: "pause" }, { act: "rotate" }, { act: "test", type: "webhook.test" }])
      expect((await viewer.post(page(id), fields)).status).toBe(403);
    expect((await webhookOf(id)).status).toBe("active");
  });
});

describe("pausing and disabling", () => {
  it("says that one holds what comes and the other does not, and resumes or enables with a replay", async () => {
    const owner = freshOwner();
    const { id } = await register(owner);
    const browser = await person(owner);
    expect(readable((await browser.get(page(id, "?do=pause"))).text)).toContain(
      "What comes meanwhile is held",
    );
    expect((await post(browser, page(id, "?do=pause"), { act: "pause" })).location).toBe(
      page(id, "?done=paused"),
    );
    await tell(owner);
    expect(readable((await browser.get(page(id))).text)).toMatch(
      /what comes is held, not lost\. 1 delivery waits/,
    );
    expect(readable((await browser.get(page(id, "?do=disable"))).text)).toContain("is skipped, not held");
    await post(browser, page(id, "?do=disable"), { act: "disable" });
    const off = readable((await browser.get(page(id))).text);
    expect(off).toMatch(
      /Disabled by hand\. What comes is skipped, not held.*One delivery was skipped.*Enable the webhook/,
    );
    const { text } = await browser.get(page(id, "?do=enable"));
    const fields = { act: "enable", etag: hidden(text, "etag"), replay: "yes" };
    // Missed while the dialog is open.
    await tell(owner);
    const enabled = await browser.post(page(id, "?do=enable"), { ...fields, since: hidden(text, "since") });
    expect(enabled.location).toBe(page(id, "?done=replaying"));
    expect(readable((await browser.get(page(id, "?done=replaying"))).text)).toMatch(
      /Replaying: 0 queued so far.*Cancel replay/,
    );
    await runCron();
    expect(readable((await browser.get(page(id, "?done=replaying"))).text)).toContain(
      "Replayed 2 deliveries",
    );
    expect((await webhookOf(id)).status).toBe("active");
  });

  it("a replay can be begun for a range, and cancelled", async () => {
    const owner = freshOwner();
    const { id } = await register(owner);
    const browser = await person(owner);
    const range = { since: "2026-03-15T00:00", until: "2099-01-01T00:00", only: "all" };
    expect((await browser.post(page(id, "?do=replay"), { act: "replay", ...range })).status).toBe(303);
    const again = await browser.post(page(id, "?do=replay"), { act: "replay", ...range });
    expect([again.status, readable(again.text).includes("Nothing was begun.")]).toEqual([409, true]);
    const { text } = await browser.get(page(id));
    const ended = await browser.post(page(id), { act: "end-replay", replay: hidden(text, "replay") });
    expect(ended.location).toBe(page(id, "?done=replay-ended"));
    expect(readable((await browser.get(page(id, "?done=replay-ended"))).text)).toContain(
      "The replay was cancelled after 0 deliveries",
    );
    expect(readable((await browser.get(page(id, "?done=paused"))).text)).not.toContain("after 0 deliveries");
    const wrong = await browser.post(page(id, "?do=replay"), { act: "replay", since: PAYLOAD });
    expect(wrong.status).toBe(400);
    expect(wrong.text).not.toContain(PAYLOAD);
  });
});

describe("tests", () => {
  it("are sent per event type, and show what the receiver answered as text", async () => {
    const owner = freshOwner();
    const { id } = await register(owner);
    const browser = await person(owner);
    const form = await browser.get(page(id, "?tab=test&type=file.processed"));
    expect(readable(form.text)).toMatch(/The webhook does not ask for file\.processed .*José Ñúñez/);
    const { calls } = receiver(() => new Response(PAYLOAD, { status: 401, headers: { Server: PAYLOAD } }));
    const sent = await browser.post(page(id, "?tab=test&type=file.processed"), {
      act: "test",
      type: "file.processed",
    });
    expect(sent.location).toMatch(new RegExp(`^${page(id)}\\?tab=test&type=file.processed&sent=del_`));
    expect(calls[0]?.body).toMatchObject({ type: "file.processed", data: { test: { emoji: "✅ 🧾" } } });
    const { text } = await browser.get(sent.location ?? "");
    expect(readable(text)).toMatch(/HTTP 401 after .*refused the request/);
    expect(text).not.toContain(PAYLOAD);
    const unknown = await browser.post(page(id, "?tab=test"), { act: "test", type: PAYLOAD });
    expect([unknown.status, unknown.text.includes(PAYLOAD)]).toEqual([400, false]);
  });
});

describe("secrets", () => {
  it("are rotated with an overlap that is shown, once, and activated", async () => {
    const owner = freshOwner();
    const { id, secret: old } = await register(owner);
    const browser = await person(owner);
    const tab = page(id, "?tab=secrets&do=rotate");
    const rotated = await post(browser, tab, { act: "rotate", overlap: "3600" });
    expect([rotated.status, rotated.headers.get("Cache-Control")]).toEqual([200, "no-store"]);
    const [secret = ""] = /whsec_[A-Za-z0-9+/=]+/.exec(rotated.text) ?? [];
    expect(secret).toMatch(/^whsec_/);
    expect(rotated.text).not.toContain("<dialog");
    const shown = await browser.get(page(id, "?tab=secrets"));
    expect(shown.text).not.toContain(secret);
    expect(shown.text).not.toContain(old);
    expect(readable(shown.text)).toMatch(/Leads 20\d\d-.*UTC .*Signs beside it you rotate it/);
    const activated = await post(browser, page(id, "?tab=secrets&do=activate"), { act: "activate" });
    expect(activated.location).toBe(page(id, "?tab=secrets&done=activated"));
    const { secrets } = await webhookOf(id);
    expect(secrets.map(({ leading, expires_at: ends }: Json) => [leading, ends === null])).toEqual([
      [false, false],
      [true, true],
    ]);
    const after = readable((await browser.get(page(id, "?tab=secrets"))).text);
    expect(after).toContain("not available: The newest secret leads already.");
  });

  it("a form that is posted twice makes one secret", async () => {
    const owner = freshOwner();
    const { id } = await register(owner);
    const browser = await person(owner);
    const path = page(id, "?tab=secrets&do=rotate");
    const etag = hidden((await browser.get(path)).text, "etag");
    await browser.post(path, { act: "rotate", etag, overlap: "86400" });
    const second = await browser.post(path, { act: "rotate", etag, overlap: "86400" });
    expect(second.status).toBe(412);
    expect(second.text).not.toContain("whsec_");
    expect((await webhookOf(id)).secrets).toHaveLength(2);
  });
});

describe("settings", () => {
  const settings = {
    act: "settings",
    url: URL_WITH_SECRET,
    "event:payment.failed": "on",
    description: PAYLOAD,
    notification_email: "ops@acme-audit.com",
    signature_format: "sha256",
    max_in_flight: "3",
    max_per_minute: "120",
    header_choice: "replace",
    headers: "X-Key: value-of-header",
  };

  it("are saved, every one, with header values never shown", async () => {
    const owner = freshOwner();
    const { id } = await register(owner);
    const browser = await person(owner);
    const path = page(id, "?tab=settings");
    expect((await post(browser, path, settings)).location).toBe(page(id, "?tab=settings&done=saved"));
    expect(await webhookOf(id)).toMatchObject({
      url: URL_WITH_SECRET,
      events: ["payment.failed"],
      description: PAYLOAD,
      notification_email: "ops@acme-audit.com",
      signature_format: "sha256",
      headers: ["X-Key"],
      max_in_flight: 3,
      max_per_minute: 120,
    });
    const { text } = await browser.get(path);
    expect(text).not.toContain("value-of-header");
    expect(text).not.toContain(PAYLOAD);
    const kept = { ...settings, header_choice: "keep", headers: "", max_per_minute: "", description: "" };
    await post(browser, path, kept);
    expect(await webhookOf(id)).toMatchObject({
      headers: ["X-Key"],
      max_per_minute: null,
      description: null,
    });
    await post(browser, path, { ...kept, header_choice: "none" });
    expect((await webhookOf(id)).headers).toEqual([]);
  });

  it("that somebody else changed meanwhile are compared, and nothing typed is lost", async () => {
    const owner = freshOwner();
    const { id } = await register(owner);
    const browser = await person(owner);
    const path = page(id, "?tab=settings");
    const etag = hidden((await browser.get(path)).text, "etag");
    await portal("PATCH", `/webhooks/${id}`, { description: "Theirs", max_per_minute: 7 });
    const stale = await browser.post(path, { ...settings, etag, description: "Mine" });
    expect(stale.status).toBe(412);
    const shown = readable(stale.text);
    expect(shown).toContain("Nothing was saved: somebody changed the webhook");
    expect(shown).toContain("In force now: Theirs");
    expect(shown).toContain("In force now: 7");
    expect(shown).toContain("In force now: policy.*");
    expect(stale.text).toContain('value="Mine"');
    expect((await webhookOf(id)).description).toBe("Theirs");
    const again = { ...settings, etag: hidden(stale.text, "etag"), description: "Mine" };
    expect((await browser.post(path, again)).status).toBe(303);
    expect((await webhookOf(id)).description).toBe("Mine");
  });

  it("that are refused stand as they were typed", async () => {
    const owner = freshOwner();
    const { id } = await register(owner);
    const browser = await person(owner);
    const refused = await post(browser, page(id, "?tab=settings"), {
      ...settings,
      max_in_flight: "99",
      headers: "Host: x",
    });
    expect(refused.status).toBe(400);
    expect(refused.text).toContain('value="99"');
    expect(readable(refused.text)).toContain("Nothing was saved. The fields below say what to change.");
    expect(readable(refused.text)).toContain("Must be at most 6; 99 was given");
    const header = await post(browser, page(id, "?tab=settings"), { ...settings, headers: "Host: x" });
    expect([header.status, readable(header.text).includes("Host: This header is reserved")]).toEqual([
      400,
      true,
    ]);
    expect(header.text).toContain("Host: x</textarea>");
    expect((await webhookOf(id)).max_in_flight).toBe(4);
  });

  it("deletes the webhook and says so, and its history shows who changed what", async () => {
    const owner = freshOwner();
    const { id } = await register(owner);
    const browser = await person(owner);
    await post(browser, page(id, "?tab=settings"), { ...settings, description: "New" });
    const history = await browser.get(page(id, "?tab=history"));
    expect(readable(history.text)).toMatch(/Updated .*Events: policy\.\* → payment\.failed .*Created/);
    expect(history.text).not.toContain("secret-of-the-address");
    const deleted = await post(browser, page(id, "?tab=settings&do=delete"), { act: "delete" });
    expect(deleted.location).toBe("/console/webhooks?done=deleted");
    expect((await browser.get(page(id))).status).toBe(404);
  });
});
