/** Settings, API keys: the list, a new key that is shown once, the page of each, and its changes. */
import { describe, expect, it } from "vitest";
import { newObjectId } from "../../../../src/crypto/ids.ts";
import { person, readable, staff } from "../../../support/console.ts";
import { PAYROLL, payroll, submit } from "../../../support/developer.ts";
import { bindings, createApiKey, createEmployer, portal } from "../../../support/gateway.ts";

const ACME = { type: "payroll_company", id: "acme" } as const;
const OTHER = { type: "payroll_company", id: "other" } as const;
const KEYS = "/console/settings?tab=keys";
const page = (id: string, more = "") => `${KEYS}&key=ak_${id}${more}`;

const etagIn = (text: string) =>
  /name="etag" value="([^"]*)"/.exec(text)?.[1]?.replaceAll("&quot;", '"') ?? "";
const keyIn = (text: string) => /name="key" value="([^"]*)"/.exec(text)?.[1] ?? "";
const dialogOf = (text: string) => readable(/<dialog[\s\S]*<\/dialog>/.exec(text)?.[0] ?? "");
const stored = async (id: string) => (await portal("GET", `/api-keys/${id}`)).json.apiKey;

describe("the list", () => {
  it("asks staff whose keys, and shows an owner's active ones, or all", async () => {
    const browser = await staff();
    const { text } = await browser.get(KEYS);
    expect(readable(text)).toContain("Whose API keys?");
    expect(readable(text)).toContain("not available: Choose an owner first.");
    const [used, off] = [await createApiKey(), await createApiKey()];
    await portal("DELETE", `/api-keys/${off.id}`);
    const active = await browser.get(`${KEYS}&owner=payroll_company/acme`);
    expect(active.text).toContain(`tab=keys&amp;key=ak_${used.id}&amp;owner=`);
    expect(active.text).not.toContain(off.id);
    const all = await (await person(ACME)).get(`${KEYS}&inactive=true`);
    expect(all.text).toContain(off.id);
    expect(readable(all.text)).toMatch(/audit1_(live|test)_sk_\w{4}… ○ Inactive/);
    expect(all.text).not.toContain(used.token);
  });

  it("says that there is none yet, that none matches, and that it could not be read", async () => {
    const browser = await person(OTHER);
    expect(readable((await browser.get(KEYS)).text)).toContain("There is no active key.");
    const filtered = await browser.get(`${KEYS}&inactive=true`);
    expect(readable(filtered.text)).toContain("No keys match these filters. Clear filters");
    const broken = await browser.get(`${KEYS}&cursor=nonsense`);
    expect(broken.status).toBe(200);
    expect(readable(broken.text)).toContain("The API keys could not be read.");
  });

  it("is what the wizard leads to, and the first tab", async () => {
    const browser = await person(ACME);
    expect((await browser.get("/console/connections/new")).text).toContain(`href="${KEYS}"`);
    const { text } = await browser.get("/console/settings");
    expect(text).toContain('aria-current="page">API keys');
    const none = await browser.get("/console/settings?tab=constructor");
    expect(none.status).toBe(404);
    expect(readable(none.text)).toContain("No such tab");
  });
});

describe("a new key", () => {
  it("is shown once; the same form again answers the same key until it has been used", async () => {
    const browser = await person(ACME);
    const { text } = await browser.get(`${KEYS}&do=create&environment=production`);
    expect(text).toMatch(/value="production" checked/);
    const form = { act: "create", key: keyIn(text), environment: "production" };
    const created = await browser.post(`${KEYS}&do=create`, form);
    expect(created.status).toBe(200);
    expect(created.headers.get("Cache-Control")).toBe("no-store");
    const [token = ""] = /audit1_live_sk_\w{32}/.exec(created.text) ?? [];
    expect(token).not.toBe("");
    const again = await browser.post(`${KEYS}&do=create`, form);
    expect(again.text).toContain(token);
    const changed = await browser.post(`${KEYS}&do=create`, { ...form, environment: "sandbox" });
    expect(changed.status).toBe(409);
    expect(dialogOf(changed.text)).toContain("This form has created a key before, with other values.");
    expect(keyIn(changed.text)).not.toBe(form.key);
    const employer = await createEmployer();
    await submit({ token }, PAYROLL, payroll({ employerId: employer.id }));
    const [, id = ""] = /tab=keys&amp;key=ak_(\w+)/.exec(created.text) ?? [];
    await portal("DELETE", `/api-keys/${id}`);
    const late = await browser.post(`${KEYS}&do=create`, form);
    expect(late.text).not.toContain(token);
    expect(readable(late.text)).toContain("The key was created before, and cannot be shown again");
  });

  it("has a plan that staff choose, and nobody else", async () => {
    const form = { act: "create", environment: "sandbox", plan: "enterprise" };
    const created = await (await staff()).post(`${KEYS}&do=create&owner=payroll_company/acme`, form);
    const [, id = ""] = /tab=keys&amp;key=ak_(\w+)/.exec(created.text) ?? [];
    expect(await stored(id)).toMatchObject({ plan: "enterprise", environment: "sandbox", owner_id: "acme" });
    const browser = await person(ACME);
    expect((await browser.get(`${KEYS}&do=create`)).text).not.toContain('name="plan"');
    const refused = await browser.post(`${KEYS}&do=create`, form);
    expect(refused.status).toBe(400);
    expect(dialogOf(refused.text)).toContain("No key was created.");
  });

  it("is not made by those who may only look", async () => {
    const browser = await person(ACME, "view");
    const shown = await browser.get(`${KEYS}&do=create`);
    expect(readable(shown.text)).toContain("not available: You may look, but not change anything.");
    expect(dialogOf(shown.text)).not.toContain("Create API key");
    const posted = await browser.post(`${KEYS}&do=create`, { act: "create", environment: "sandbox" });
    expect(posted.status).toBe(403);
    expect(posted.text).not.toMatch(/audit1_test_sk_\w{32}/);
  });
});

describe("the page of a key", () => {
  it("lists what was sent with it, by outcome and code", async () => {
    const key = await createApiKey();
    const browser = await person(ACME);
    expect(readable((await browser.get(page(key.id))).text)).toContain(
      "No report has been sent with this key.",
    );
    const employer = await createEmployer();
    const sent = await submit(key, PAYROLL, payroll({ employerId: employer.id }));
    const refused = await submit(key, PAYROLL, payroll({ employerId: "EMP_none" }));
    const { text } = await browser.get(page(key.id));
    expect(text).toContain(`/console/reports/${sent.json.file_id}`);
    expect(text).toContain(`/console/requests/${refused.headers.get("X-Request-Id")}`);
    expect(text).not.toContain(key.token);
    const filtered = await browser.get(page(key.id, "&outcome=duplicate"));
    expect(readable(filtered.text)).toContain("No requests match these filters.");
    const wrong = await browser.get(page(key.id, "&code=lower"));
    expect(readable(wrong.text)).toContain("The requests could not be read.");
  });

  it("does not exist for another owner, nor without a key", async () => {
    const key = await createApiKey();
    const browser = await person(OTHER);
    for (const id of [key.id, newObjectId(), "nonsense/../x"]) {
      const shown = await browser.get(page(encodeURIComponent(id)));
      expect(shown.status).toBe(404);
      expect(readable(shown.text)).toContain("No such API key");
      expect((await browser.post(page(encodeURIComponent(id)), { act: "deactivate" })).status).toBe(404);
    }
    expect((await stored(key.id)).is_active).toBe(true);
  });

  it("shuts the key out, and lets it in again", async () => {
    const key = await createApiKey();
    const browser = await person(ACME);
    const asked = await browser.get(page(key.id, "&do=deactivate"));
    expect(dialogOf(asked.text)).toContain("It has never been used. The key can be enabled again.");
    const off = await browser.post(page(key.id, "&do=deactivate"), {
      act: "deactivate",
      etag: etagIn(asked.text),
    });
    expect([off.status, off.location]).toEqual([303, page(key.id, "&done=deactivate")]);
    expect((await stored(key.id)).is_active).toBe(false);
    const shown = await browser.get(off.location ?? "");
    expect(readable(shown.text)).toContain("requests with it are refused everywhere");
    const on = await browser.post(page(key.id, "&do=enable"), { act: "enable", etag: etagIn(asked.text) });
    expect(on.status).toBe(412);
    expect(dialogOf(on.text)).toMatch(
      /Somebody has changed the key since you opened this\..* Now Inactive, plan \w+ You wanted Active/,
    );
    const again = await browser.post(page(key.id, "&do=enable"), { act: "enable", etag: etagIn(on.text) });
    expect(again.status).toBe(303);
    expect((await stored(key.id)).is_active).toBe(true);
  });

  it("sets, shows and cancels an erasure; an erased key stays off", async () => {
    const key = await createApiKey();
    const browser = await person(ACME);
    const asked = await browser.get(page(key.id, "&do=erase"));
    expect(dialogOf(asked.text)).toContain("nothing brings the reports back");
    await browser.post(page(key.id, "&do=erase"), { act: "erase", etag: etagIn(asked.text) });
    const set = readable((await browser.get(page(key.id))).text);
    expect(set).toContain("What was sent with this key will be erased on");
    expect(set).toContain("Enable key (not available: What was sent with it is about to be erased.");
    const enabled = await browser.post(page(key.id, "&do=enable"), { act: "enable" });
    expect(enabled.status).toBe(409);
    expect(dialogOf(enabled.text)).toContain("Nothing was changed.");
    const kept = await browser.post(page(key.id, "&do=keep"), { act: "keep" });
    expect(kept.location).toBe(page(key.id, "&done=keep"));
    expect((await stored(key.id)).erase_at).toBeNull();
    await bindings.DB.prepare("UPDATE api_keys SET erase_at = 1, data_key = '' WHERE id = ?")
      .bind(key.id)
      .run();
    const erased = readable((await browser.get(page(key.id))).text);
    expect(erased).toContain("What was sent with this key was erased on");
    expect(erased).toContain("not available: What was sent with it has been erased.");
    expect(erased).not.toContain("Cancel erasure");
  });

  it("lets staff change the plan; what was chosen stays when somebody was faster", async () => {
    const key = await createApiKey();
    const browser = await staff();
    const asked = await browser.get(page(key.id, "&do=plan"));
    await portal("PATCH", `/api-keys/${key.id}`, { plan: "sandbox" });
    const form = { act: "plan", plan: "enterprise", etag: etagIn(asked.text) };
    const late = await browser.post(page(key.id, "&do=plan"), form);
    expect(late.status).toBe(412);
    expect(dialogOf(late.text)).toContain("Now Active, plan sandbox You wanted Enterprise");
    expect(late.text).toMatch(/value="enterprise" selected/);
    await browser.post(page(key.id, "&do=plan"), { ...form, etag: etagIn(late.text) });
    expect((await stored(key.id)).plan).toBe("enterprise");
    expect((await (await person(ACME)).get(page(key.id))).text).not.toContain("Change plan");
  });

  it("changes nothing for those who may only look, or for an act that does not exist", async () => {
    const key = await createApiKey();
    const viewer = await person(ACME, "view");
    const asked = await viewer.get(page(key.id, "&do=deactivate"));
    expect(dialogOf(asked.text)).toContain("You may look, but not change anything.");
    expect((await viewer.post(page(key.id, "&do=deactivate"), { act: "deactivate" })).status).toBe(403);
    expect((await (await person(ACME)).post(page(key.id), { act: "__proto__" })).status).toBe(200);
    expect((await stored(key.id)).is_active).toBe(true);
  });
});
