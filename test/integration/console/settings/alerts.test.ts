/** Settings, alerts: the history, acknowledging, and where alerts are sent. */
import { describe, expect, it, vi } from "vitest";
import { ConfigurationError, readSettings } from "../../../../src/env.ts";
import { alertsOfEachTest, HOOK, listAlerts, raiseRingKey } from "../../../support/alerts.ts";
import { person, readable, staff } from "../../../support/console.ts";
import { bindings, createConnection, portal } from "../../../support/gateway.ts";
import { SECRET } from "../../../support/outbound.ts";
import { watch, whileCronRuns } from "../../../support/watch.ts";

alertsOfEachTest();

const ALERTS = "/console/settings?tab=alerts";
const ACME = { type: "payroll_company", id: "acme" } as const;
const PAYLOAD = "<img src=x onerror=alert(1)>";

async function ofConnection(fields: object = {}): Promise<string> {
  const { id } = await createConnection(fields);
  await watch().raise({ kind: "refused_share", subject: `connection:${id}`, facts: {} });
  await whileCronRuns();
  return id;
}

describe("the history", () => {
  it("says that there was none, that none matches, and that it could not be read", async () => {
    const browser = await staff();
    expect(readable((await browser.get(ALERTS)).text)).toContain("No alert was opened in the last 90 days.");
    const none = await browser.get(`${ALERTS}&status=resolved`);
    expect(readable(none.text)).toContain("No alerts match these filters.");
    const wrong = await browser.get(`${ALERTS}&kind=fire`);
    expect(readable(wrong.text)).toContain("The alerts could not be read.");
  });

  it("shows staff all, and an owner its own, open and resolved", async () => {
    const own = await ofConnection();
    const theirs = await ofConnection({ owner_id: "other" });
    await raiseRingKey(PAYLOAD);
    await whileCronRuns();
    const all = await (await staff()).get(ALERTS);
    for (const id of [own, theirs]) expect(all.text).toContain(`/console/connections/${id}?tab=requests`);
    expect(all.text).toContain("&lt;img src=x");
    expect(all.text).not.toContain("<img");
    const mine = await (await person(ACME)).get(ALERTS);
    expect(mine.text).toContain(own);
    expect(mine.text).not.toContain(theirs);
    await whileCronRuns(45);
    const resolved = await (await staff()).get(`${ALERTS}&status=resolved&kind=ring_key_missing`);
    expect(readable(resolved.text)).toMatch(/● Resolved .* nobody /);
  });

  it("takes an acknowledgement, of one's own alerts only", async () => {
    await ofConnection();
    const [alert] = await listAlerts();
    const form = { do: "acknowledge", alert: String(alert?.id) };
    const other = await person({ type: "payroll_company", id: "other" });
    expect((await other.post(ALERTS, form)).status).toBe(404);
    const viewer = await person(ACME, "view");
    expect((await viewer.post(ALERTS, form)).status).toBe(403);
    expect(readable((await viewer.get(ALERTS)).text)).toContain("not available: You may look");
    const browser = await person(ACME);
    expect((await browser.get(ALERTS)).text).toContain(`name="alert" value="${alert?.id}"`);
    const done = await browser.post(ALERTS, form);
    expect([done.status, done.location]).toEqual([303, `${ALERTS}&done=acknowledge`]);
    const shown = readable((await browser.get(done.location ?? "")).text);
    expect(shown).toContain("Acknowledged: others see that you look after it.");
    expect(shown).toContain("looks after it since");
  });
});

describe("where alerts are sent", () => {
  function settingsAre(values: {
    webhook: () => { url: string; secret: string } | null;
    mail?: () => string;
  }) {
    vi.spyOn(readSettings(bindings), "operatorsWebhook", "get").mockImplementation(values.webhook);
    if (values.mail)
      vi.spyOn(readSettings(bindings), "operatorsEmail", "get").mockImplementation(values.mail);
  }
  const broken = (): never => {
    throw new ConfigurationError("mail", "broken");
  };

  it("is shown to staff, masked and without the secret", async () => {
    settingsAre({ webhook: () => ({ url: `${HOOK}?token=hidden-token`, secret: SECRET }) });
    const { text } = await (await staff()).get(ALERTS);
    expect(readable(text)).toMatch(/OPERATORS_EMAIL ● Set operators@audit1\.test/);
    expect(readable(text)).toMatch(/OPERATORS_WEBHOOK_URL ● Set hooks\.operators-audit\.com\/alerts…/);
    for (const secret of [SECRET, "hidden-token"]) expect(text).not.toContain(secret);
  });

  it("says what is not set, and what cannot be used", async () => {
    settingsAre({ webhook: () => null, mail: broken });
    const unset = readable((await (await staff()).get(ALERTS)).text);
    expect(unset).toContain("OPERATORS_WEBHOOK_SECRET ○ Not set");
    expect(unset).toContain("OPERATORS_EMAIL ■ Cannot be used: see the log");
    settingsAre({ webhook: broken });
    const unusable = await portal("GET", "/alert-settings");
    expect(unusable.json.alert_settings.webhook).toEqual({ status: "unusable", url: null });
  });

  it("is nobody else's to know", async () => {
    expect((await portal("GET", "/alert-settings", undefined, "bound")).status).toBe(404);
    expect((await portal("GET", "/alert-settings?owner_id=acme")).status).toBe(404);
    const { text } = await (await person(ACME)).get(ALERTS);
    expect(text).not.toContain("OPERATORS_");
    const limited = await (await staff()).get(`${ALERTS}&owner=payroll_company/acme`);
    expect(limited.text).not.toContain("OPERATORS_");
  });
});
