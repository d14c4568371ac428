/** Settings, sessions and portal links: who came in by what, and shutting them out. */
import { describe, expect, it } from "vitest";
import { newObjectId } from "../../../../src/crypto/ids.ts";
import type { Capability } from "../../../../src/model.ts";
import { Browser, person, readable, staff } from "../../../support/console.ts";
import { portal } from "../../../support/gateway.ts";

const ACME = { type: "payroll_company", id: "acme" } as const;
const OTHER = { type: "payroll_company", id: "other" } as const;
const PAYLOAD = "<img src=x onerror=alert(1)>";
const SESSIONS = "/console/settings?tab=sessions";
const LINKS = "/console/settings?tab=links";

const dialogOf = (text: string) => readable(/<dialog[\s\S]*<\/dialog>/.exec(text)?.[0] ?? "");

async function newLink(fields: object = {}): Promise<{ id: string; token: string }> {
  const link = { owner_type: "payroll_company", owner_id: "acme", ...fields };
  const { json } = await portal("POST", "/portal-links", link);
  return { id: json.portal_link.id, token: String(json.url).split("#")[1] ?? "" };
}

/** Somebody who came in by a link that names a person. */
async function named(name: string, capabilities: Capability = "manage") {
  const { id, token } = await newLink({ person: name, capabilities });
  const browser = new Browser();
  expect((await browser.post("/console/sign-in", { token })).status).toBe(303);
  const { json } = await portal("GET", "/sessions?owner_type=payroll_company&owner_id=acme");
  const session = json.sessions.find((each: { portal_link_id: string }) => each.portal_link_id === id);
  return { browser, link: id, session: session.id as string };
}

describe("sessions", () => {
  it("lists those of the owner, those of everybody for staff, and those that have ended", async () => {
    const jo = await named(PAYLOAD);
    const mine = await jo.browser.get(SESSIONS);
    expect(readable(mine.text)).toContain("(this session)");
    expect(mine.text).toContain("&lt;img src=x");
    expect(mine.text).not.toContain("<img");
    expect((await (await person(OTHER)).get(SESSIONS)).text).not.toContain(jo.session);
    const all = await (await staff()).get(SESSIONS);
    expect(all.text).toContain(jo.session);
    expect(readable(all.text)).toMatch(/developer .*Audit1/);
    await portal("DELETE", `/sessions/${jo.session}`);
    const admin = await person(ACME);
    expect((await admin.get(SESSIONS)).text).not.toContain(jo.session);
    const ended = await admin.get(`${SESSIONS}&ended=true`);
    expect(ended.text).toContain(jo.session);
    expect(readable(ended.text)).toContain("Revoked");
  });

  it("says that nobody is signed in, and that the list could not be read", async () => {
    const browser = await staff();
    const none = await browser.get(`${SESSIONS}&owner=payroll_company/nobody`);
    expect(readable(none.text)).toContain("Nobody of this owner is signed in.");
    const ended = await browser.get(`${SESSIONS}&owner=payroll_company/nobody&ended=true`);
    expect(readable(ended.text)).toContain("No sessions match these filters.");
    const broken = await browser.get(`${SESSIONS}&cursor=nonsense`);
    expect(readable(broken.text)).toContain("The sessions could not be read.");
  });

  it("revokes one: its person is out at once", async () => {
    const jo = await named("jo@example.com", "view");
    const browser = await person(ACME);
    const asked = await browser.get(`${SESSIONS}&do=revoke&session=${jo.session}`);
    expect(dialogOf(asked.text)).toMatch(
      /Session of jo@example\.com .*May View .*signed out at once, in all windows/,
    );
    const done = await browser.post(`${SESSIONS}&do=revoke&session=${jo.session}`, {
      act: "revoke",
      session: jo.session,
    });
    expect([done.status, done.location]).toEqual([303, `${SESSIONS}&done=revoke`]);
    expect((await jo.browser.get("/console")).location).toMatch(/sign-in/);
    const again = await browser.get(`${SESSIONS}&do=revoke&session=${jo.session}`);
    expect(dialogOf(again.text)).toContain("Revoked");
    expect(again.text).not.toContain("Revoke session");
  });

  it("says what revoking one's own session means", async () => {
    const jo = await named("jo@example.com");
    const asked = await jo.browser.get(`${SESSIONS}&do=revoke&session=${jo.session}`);
    expect(dialogOf(asked.text)).toContain("This is your own session.");
    const done = await jo.browser.post(SESSIONS, { act: "revoke", session: jo.session });
    expect((await jo.browser.get(done.location ?? "")).location).toMatch(/sign-in/);
  });

  it("does not reach another owner's, staff's, or one that does not exist", async () => {
    const jo = await named("jo@example.com");
    const browser = await person(OTHER);
    for (const id of [jo.session, `ses_${newObjectId()}`, "../api-keys"]) {
      const at = `${SESSIONS}&do=revoke&session=${encodeURIComponent(id)}`;
      expect((await browser.get(at)).status).toBe(404);
      expect((await browser.post(at, { act: "revoke", session: id })).status).toBe(404);
    }
    expect((await jo.browser.get("/console")).status).toBe(200);
  });

  it("is only looked at by those who may only look", async () => {
    const [jo, viewer] = [await named("jo@example.com"), await person(ACME, "view")];
    const at = `${SESSIONS}&do=revoke&session=${jo.session}`;
    const shown = await viewer.get(at);
    expect(dialogOf(shown.text)).toContain("You may look, but not change anything.");
    expect(dialogOf(shown.text)).not.toContain("Revoke session");
    expect((await viewer.post(at, { act: "revoke", session: jo.session })).status).toBe(403);
    expect((await jo.browser.get("/console")).status).toBe(200);
  });
});

describe("portal links", () => {
  it("lists the open ones or all, says how one is made, and never shows an address", async () => {
    const open = await newLink({ person: PAYLOAD, next: "/console/reports?status=failed" });
    const used = await named("jo@example.com");
    const browser = await person(ACME);
    const { text } = await browser.get(LINKS);
    expect(text).toContain(open.id);
    expect(text).toContain("&lt;img src=x");
    expect(text).toContain("<code>/console/reports?status=failed</code>");
    expect(text).not.toContain(open.token);
    expect(text).not.toContain(used.link);
    expect(readable(text)).toContain("(not available: A session makes no links. Below is how one is made.)");
    expect(text).toContain(
      "{&quot;owner_type&quot;:&quot;payroll_company&quot;,&quot;owner_id&quot;:&quot;acme&quot;",
    );
    const all = await browser.get(`${LINKS}&ended=true`);
    expect(all.text).toContain(used.link);
    expect(readable(all.text)).toContain("Used");
    expect((await (await person(OTHER)).get(`${LINKS}&ended=true`)).text).not.toContain(open.id);
  });

  it("says that none is open, that none matches, and that they could not be read", async () => {
    const browser = await staff();
    const none = await browser.get(`${LINKS}&owner=payroll_company/nobody`);
    expect(readable(none.text)).toContain("No link is open.");
    const ended = await browser.get(`${LINKS}&owner=payroll_company/nobody&ended=true`);
    expect(readable(ended.text)).toContain("No links match these filters.");
    const broken = await browser.get(`${LINKS}&cursor=nonsense`);
    expect(readable(broken.text)).toContain("The portal links could not be read.");
  });

  it("revokes one, and everybody who came in by it", async () => {
    const jo = await named("jo@example.com");
    const browser = await person(ACME);
    const asked = await browser.get(`${LINKS}&do=revoke&link=${jo.link}`);
    expect(dialogOf(asked.text)).toContain("every session that it made ends at once");
    const done = await browser.post(`${LINKS}&do=revoke&link=${jo.link}`, { act: "revoke", link: jo.link });
    expect([done.status, done.location]).toEqual([303, `${LINKS}&done=revoke`]);
    expect((await jo.browser.get("/console")).location).toMatch(/sign-in/);
    const again = await browser.get(`${LINKS}&do=revoke&link=${jo.link}`);
    expect(dialogOf(again.text)).toContain("Revoked");
    expect(again.text).not.toContain("Revoke link");
  });

  it("does not reach another owner's, and changes nothing for those who may only look", async () => {
    const { id, token } = await newLink();
    const other = await person(OTHER);
    expect((await other.get(`${LINKS}&do=revoke&link=${id}`)).status).toBe(404);
    expect((await other.post(LINKS, { act: "revoke", link: id })).status).toBe(404);
    const viewer = await person(ACME, "view");
    expect((await viewer.post(LINKS, { act: "revoke", link: id })).status).toBe(403);
    expect((await viewer.post(LINKS, { act: "create" })).status).toBe(200);
    expect((await new Browser().post("/console/sign-in", { token })).status).toBe(303);
  });
});
