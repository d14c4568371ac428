/** Settings, employers: the list, a new one, the page of each, and who may change them. */
import { describe, expect, it } from "vitest";
import { person, readable, staff } from "../../../support/console.ts";
import { createBoundConnection, createEmployer, portal } from "../../../support/gateway.ts";

const EMPLOYERS = "/console/settings?tab=employers";
const ACME = { type: "payroll_company", id: "acme" } as const;
const OTHER = { type: "payroll_company", id: "other" } as const;
const PAYLOAD = "<img src=x onerror=alert(1)>";
const page = (id: string, more = "") => `${EMPLOYERS}&employer=${id}${more}`;

const etagIn = (text: string) =>
  /name="etag" value="([^"]*)"/.exec(text)?.[1]?.replaceAll("&quot;", '"') ?? "";
const dialogOf = (text: string) => readable(/<dialog[\s\S]*<\/dialog>/.exec(text)?.[0] ?? "");
const stored = async (id: string) => (await portal("GET", `/employers/${id}`)).json.employer;
const newId = () => `EMP_page_${crypto.randomUUID().slice(0, 8)}`;
const newFein = () =>
  `9${Math.floor(Math.random() * 10)}-${String(Math.floor(Math.random() * 1e7)).padStart(7, "0")}`;

describe("the list", () => {
  it("of an owner has its employers, without the other owners; staff see all, in pages", async () => {
    const mine = await createEmployer([
      { owner_type: "payroll_company", owner_id: "acme" },
      { owner_type: "payroll_company", owner_id: "second" },
    ]);
    const theirs = await createEmployer([{ owner_type: "payroll_company", owner_id: "third" }]);
    const owners = await (await person(ACME)).get(EMPLOYERS);
    expect(owners.text).toContain(`tab=employers&amp;employer=${mine.id}"`);
    for (const hidden of [theirs.id, "second", "Add employer"]) expect(owners.text).not.toContain(hidden);
    for (let i = 0; i < 51; i++) await createEmployer([]);
    const browser = await staff();
    const first = await browser.get(EMPLOYERS);
    expect(readable(first.text)).toContain("50 shown Next");
    const scoped = await browser.get(`${EMPLOYERS}&owner=payroll_company/third`);
    expect(scoped.text).toContain(theirs.id);
    expect(scoped.text).not.toContain(mine.id);
  });

  it("says that there is none yet, and that it could not be read", async () => {
    const none = await (await person({ type: "payroll_company", id: "nobody" })).get(EMPLOYERS);
    expect(readable(none.text)).toContain("No employer is granted to nobody.");
    const broken = await (await staff()).get(`${EMPLOYERS}&cursor=nonsense`);
    expect(readable(broken.text)).toContain("The employers could not be read.");
  });
});

describe("a new employer", () => {
  it("is added with the owners that may report for it", async () => {
    const browser = await staff();
    const asked = await browser.get(`${EMPLOYERS}&do=create&owner=payroll_company/acme`);
    expect(asked.text).toMatch(/<textarea[^>]*>payroll_company\/acme<\/textarea>/);
    const [id, fein] = [newId(), newFein()];
    const form = {
      act: "create",
      id,
      fein,
      name: PAYLOAD,
      owners: "payroll_company/acme\r\npayroll_company/other\r\n",
    };
    const added = await browser.post(`${EMPLOYERS}&do=create&owner=payroll_company/acme`, form);
    expect([added.status, added.location]).toEqual([
      303,
      `${page(id)}&done=create&owner=payroll_company%2Facme`,
    ]);
    expect(await stored(id)).toMatchObject({ name: PAYLOAD, fein: fein.replace("-", "") });
    const shown = await browser.get(added.location ?? "");
    expect(readable(shown.text)).toMatch(
      /The employer was added\..* acme Payroll company other Payroll company/,
    );
    expect(shown.text).toContain("&lt;img src=x");
    expect(shown.text).not.toContain("<img");
  });

  it("never replaces another, and keeps what was typed when it is refused", async () => {
    const { id, fein } = await createEmployer();
    const browser = await staff();
    const form = { act: "create", id, fein: "", name: "Second", owners: "" };
    const taken = await browser.post(`${EMPLOYERS}&do=create`, form);
    expect(taken.status).toBe(412);
    expect(dialogOf(taken.text)).toContain("An employer with this id exists already.");
    expect((await stored(id)).name).toBe("Test Employer");
    const doubled = await browser.post(`${EMPLOYERS}&do=create`, { ...form, id: newId(), fein });
    expect(doubled.status).toBe(409);
    expect(doubled.text).toContain('value="Second"');
    const wrong = await browser.post(`${EMPLOYERS}&do=create`, { ...form, id: newId(), owners: "robot/x" });
    expect(wrong.status).toBe(400);
    expect(dialogOf(wrong.text)).toMatch(/owners.*owner_type/);
    expect(wrong.text).toContain("robot/x</textarea>");
    expect((await browser.post(`${EMPLOYERS}&do=create`, { ...form, id: "a b" })).status).toBe(400);
  });
});

describe("the page of an employer", () => {
  it("does not exist for owners without a grant, and nobody but staff changes it", async () => {
    const { id } = await createEmployer();
    expect((await (await person(OTHER)).get(page(id))).status).toBe(404);
    expect((await (await staff()).get(page("EMP_none"))).status).toBe(404);
    const browser = await person(ACME);
    const shown = await browser.get(page(id, "&do=change"));
    expect(readable(shown.text)).toContain("You may report for it");
    expect(shown.text).not.toContain("Change employer");
    expect((await browser.post(page(id), { act: "change", name: "Mine" })).status).toBe(404);
    expect((await browser.post(EMPLOYERS, { act: "create", id: newId(), name: "Mine" })).status).toBe(404);
    expect((await stored(id)).name).toBe("Test Employer");
  });

  it("changes it; what somebody else changed meanwhile stands beside what was typed", async () => {
    const { id, fein } = await createEmployer();
    const browser = await staff();
    const asked = await browser.get(page(id, "&do=change"));
    await portal("PUT", `/employers/${id}`, { fein, name: "Meanwhile" });
    const form = {
      act: "change",
      fein,
      name: "Wanted",
      owners: "payroll_company/acme",
      etag: etagIn(asked.text),
    };
    const late = await browser.post(page(id, "&do=change"), form);
    expect(late.status).toBe(412);
    expect(dialogOf(late.text)).toMatch(/Somebody has changed the employer .* Name Meanwhile FEIN/);
    expect(late.text).toContain('value="Wanted"');
    const done = await browser.post(page(id, "&do=change"), { ...form, etag: etagIn(late.text) });
    expect(done.location).toBe(page(id, "&done=change"));
    expect((await stored(id)).name).toBe("Wanted");
  });

  it("withdraws a grant that connections depend on only when told so", async () => {
    const { employerId } = await createBoundConnection();
    const browser = await staff();
    const asked = await browser.get(page(employerId, "&do=change"));
    expect(asked.text).not.toContain('name="force"');
    const form = { act: "change", name: "Test Employer", fein: "", owners: "", etag: etagIn(asked.text) };
    const refused = await browser.post(page(employerId, "&do=change"), form);
    expect(refused.status).toBe(409);
    expect(dialogOf(refused.text)).toContain("Withdraw the employer all the same.");
    const forced = await browser.post(page(employerId, "&do=change"), { ...form, force: "yes" });
    expect(forced.status).toBe(303);
    expect((await stored(employerId)).owners).toEqual([]);
    const shown = await browser.get(page(employerId));
    expect(readable(shown.text)).toContain("None. Reports for it are refused until an owner is granted it.");
  });
});
