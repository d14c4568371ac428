/** Settings, the audit trail. */
import { describe, expect, it } from "vitest";
import { person, readable, staff } from "../../../support/console.ts";
import { createApiKey, createConnection, createEmployer, portal } from "../../../support/gateway.ts";

const AUDIT = "/console/settings?tab=audit";
const ACME = { type: "payroll_company", id: "acme" } as const;
const OTHER = { type: "payroll_company", id: "other" } as const;
const PAYLOAD = "<img src=x onerror=alert(1)>";

describe("the audit trail", () => {
  it("shows who changed what and what it was before, with a link to the object", async () => {
    const { id, secret } = await createConnection({ description: "before" });
    await portal("PATCH", `/connections/${id}`, { description: PAYLOAD });
    const { text } = await (await person(ACME)).get(AUDIT);
    expect(readable(text)).toMatch(
      /Connection updated .*Description: before → &lt;img src=x .*client:portal/,
    );
    expect(text).toContain(`href="/console/connections/${id}"`);
    expect(text).not.toContain("<img");
    expect(text).not.toContain(secret);
  });

  it("is filtered by object, change and time, and says when nothing matches", async () => {
    const key = await createApiKey();
    await portal("PATCH", `/api-keys/${key.id}`, { is_active: false });
    const browser = await person(ACME);
    const changes = await browser.get(`${AUDIT}&subject=api_key:ak_${key.id}`);
    expect(readable(changes.text)).toMatch(/API key updated .*Is active: true → false/);
    expect(readable(changes.text)).toContain("2 shown");
    const one = await browser.get(`${AUDIT}&subject=api_key:${key.id}&action=api_key.created`);
    expect(readable(one.text)).toContain("1 shown");
    expect(one.text).toContain(`tab=keys&amp;key=ak_${key.id}`);
    const later = new Date(Date.now() + 3_600_000).toISOString().slice(0, 16);
    const none = await browser.get(`${AUDIT}&since=${later}`);
    expect(readable(none.text)).toContain("No changes match these filters.");
    const wrong = await browser.get(`${AUDIT}&subject=nonsense`);
    expect(wrong.status).toBe(200);
    expect(readable(wrong.text)).toContain("The audit trail could not be read.");
  });

  it("of an owner holds nothing of another; staff see all, with whose it was", async () => {
    const { id } = await createConnection();
    const employer = await createEmployer();
    expect((await (await person(OTHER)).get(`${AUDIT}&subject=connection:${id}`)).text).not.toContain(
      `/console/connections/${id}`,
    );
    const browser = await staff();
    const all = await browser.get(AUDIT);
    expect(all.text).toContain(`/console/connections/${id}`);
    expect(all.text).toContain(employer.id);
    expect(readable(all.text)).toMatch(/Connection created .* acme /);
    const nobody = await browser.get(`${AUDIT}&owner=payroll_company/nobody`);
    expect(readable(nobody.text)).toContain("Nothing was changed in the last seven years.");
  });

  it("shows a person of an owner that Audit1 made a change, but not who", async () => {
    const key = await (await staff()).post(
      "/console/settings?tab=keys&do=create&owner=payroll_company/acme",
      { act: "create", environment: "sandbox" },
    );
    const [, made = ""] = /tab=keys&amp;key=(ak_\w+)/.exec(key.text) ?? [];
    const shown = await (await person(ACME)).get(`${AUDIT}&subject=api_key:${made}`);
    expect(readable(shown.text)).toMatch(/API key created .* access /);
    expect(shown.text).not.toContain("access:developer");
  });
});
