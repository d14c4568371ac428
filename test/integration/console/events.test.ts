/** The catalogue of events, what happened, the page of an event, and sending one to the sandbox. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { person, readable, staff } from "../../support/console.ts";
import { type Json, portal } from "../../support/gateway.ts";
import { catchEndpointWakeUps, receiver, wake } from "../../support/outbound.ts";

const PAYLOAD = "<img src=x onerror=alert(1)>";
let owners = 0;

beforeEach(() => {
  catchEndpointWakeUps();
});
afterEach(() => {
  vi.restoreAllMocks();
});

function freshOwner() {
  const id = `console-events-${++owners}`;
  const type = "payroll_company" as const;
  return { type, id, fields: { owner_type: type, owner_id: id }, query: `owner=${type}/${id}` };
}
type Owner = ReturnType<typeof freshOwner>;

async function register({ fields }: Owner, more: Json = {}): Promise<string> {
  const url = "https://hooks.receiver-audit.com/in/with/long/path?sig=secret-of-the-address";
  const { json } = await portal("POST", "/webhooks", { ...fields, url, events: ["policy.*"], ...more });
  return json.webhook.id;
}

async function tell({ fields }: Owner, id: string, more: Json = {}): Promise<void> {
  const event = { ...fields, id, type: "policy.created", data: { note: PAYLOAD }, ...more };
  expect((await portal("POST", "/events", event)).status).toBe(202);
}

describe("the list", () => {
  it("says what happened and how far it got, newest first", async () => {
    const owner = freshOwner();
    const hook = await register(owner);
    await tell(owner, "evt_1");
    await tell(owner, "evt_2", { type: "payment.failed" });
    receiver(() => new Response("ok"));
    await wake({ id: hook.slice(3) });
    const browser = await person(owner);
    const { text } = await browser.get("/console/events");
    expect(readable(text)).toMatch(
      /payment\.failed No webhook asked for it .*policy\.created .*1 delivered .*2 events/,
    );
    expect(text).toContain('href="/console/events/evt_2?environment=production"');
    const one = readable((await browser.get("/console/events?type=payment.failed")).text);
    expect([one.includes("evt_2"), one.includes("evt_1"), one.includes("1 event ")]).toEqual([
      true,
      false,
      true,
    ]);
  });

  it("says that nothing happened, that nothing matches, and why it could not be read", async () => {
    const browser = await person(freshOwner());
    expect(readable((await browser.get("/console/events")).text)).toMatch(
      /Nothing has happened yet.*See what can happen/,
    );
    const none = readable((await browser.get("/console/events?type=policy.created")).text);
    expect(none).toContain("No events match these filters. Clear filters");
    const failed = readable((await browser.get("/console/events?type=lost")).text);
    expect(failed).toMatch(/The events could not be read.*Try again/);
    expect(readable((await (await staff()).get("/console/events")).text)).toContain("Whose events?");
  });
});

describe("the catalogue", () => {
  it("has an example, a schema and the webhooks that ask for each type, with masked addresses", async () => {
    const owner = freshOwner();
    const hook = await register(owner);
    const { text } = await (await person(owner)).get("/console/events?tab=catalogue&type=policy.created");
    const shown = readable(text);
    expect(shown).toMatch(/policy\.created A policy was created 1 webhook asks for it/);
    expect(shown).toMatch(/payment\.failed A payment failed No webhook asks for it/);
    expect(shown).toContain("WC1025561");
    expect(text).toContain(`href="/console/webhooks/${hook}"`);
    expect(text).not.toContain("secret-of-the-address");
    const everybodys = readable((await (await staff()).get("/console/events?tab=catalogue")).text);
    expect(everybodys).not.toContain("asks for it");
  });
});

describe("the page of an event", () => {
  it("shows its deliveries and its data as text, and is its owner's alone", async () => {
    const owner = freshOwner();
    const hook = await register(owner, { description: PAYLOAD });
    await tell(owner, "evt_1");
    const browser = await person(owner);
    const { text } = await browser.get("/console/events/evt_1");
    expect(readable(text)).toMatch(/policy\.created evt_1 .*1 waiting .*Pending .*Show what was sent/);
    expect(text).toContain(`href="/console/webhooks/${hook}`);
    expect(text).toMatch(/href="\/console\/deliveries\/del_/);
    expect(text).not.toContain(PAYLOAD);
    expect((await (await person(freshOwner())).get("/console/events/evt_1")).status).toBe(404);
    const asStaff = await (await staff()).get(`/console/events/evt_1?${owner.query}`);
    expect([asStaff.status, readable(asStaff.text).includes(`payroll_company/${owner.id}`)]).toEqual([
      200,
      true,
    ]);
    expect(readable((await (await staff()).get("/console/events/evt_1")).text)).toContain("Whose event?");
  });

  it("says that no webhook asked for it", async () => {
    const owner = freshOwner();
    await tell(owner, "evt_1", { environment: "sandbox" });
    const browser = await person(owner);
    const shown = readable((await browser.get("/console/events/evt_1?environment=sandbox")).text);
    expect(shown).toContain("No webhook asked for policy.created in sandbox when it was stored.");
    expect((await browser.get("/console/events/evt_1")).status).toBe(404);
  });
});

describe("sending an event", () => {
  const DIALOG = "/console/events?do=send&event=policy.renewed";
  const idOf = (text: string) => /name="id" value="([^"]*)"/.exec(text)?.[1] ?? "";

  it("goes to the sandbox, once, as it was typed", async () => {
    const owner = freshOwner();
    await register(owner, { environment: "sandbox" });
    const browser = await person(owner);
    const { text } = await browser.get(DIALOG);
    expect(readable(text)).toContain("One webhook in the sandbox asks for it.");
    expect(text).not.toContain('value="file.processed" ');
    const fields = { id: idOf(text), type: "policy.renewed", data: '{"n":1.10,"name":"José"}' };
    const sent = await browser.post(DIALOG, fields);
    expect(sent.location).toBe(`/console/events/${fields.id}?environment=sandbox&done=sent`);
    expect((await browser.post(DIALOG, fields)).status).toBe(303);
    const { events } = (
      await portal("GET", `/events?${new URLSearchParams({ ...owner.fields, environment: "sandbox" })}`)
    ).json;
    expect(events).toMatchObject([
      { type: "policy.renewed", data: { n: 1.1, name: "José" }, metadata: { source: "console" } },
    ]);
    const after = readable((await browser.get(sent.location ?? "")).text);
    expect(after).toContain("The event is stored.");
  });

  it("that is refused shows what was typed", async () => {
    const browser = await person(freshOwner());
    const broken = await browser.post(DIALOG, { id: "evt_x", type: "policy.renewed", data: `{${PAYLOAD}` });
    expect(broken.status).toBe(400);
    expect(readable(broken.text)).toContain("Nothing was sent: the data is not JSON.");
    expect(broken.text).toContain("{&lt;img src=x");
    const wrong = await browser.post(DIALOG, { id: "evt_x", type: "policy.renewed", data: "[1]" });
    expect(wrong.status).toBe(400);
    expect(readable(wrong.text)).toMatch(/Nothing was sent\. .*data : Must be an object/);
  });

  it("is not for people who may only look", async () => {
    const viewer = await person(freshOwner(), "view");
    const { text } = await viewer.get(DIALOG);
    expect(text).not.toContain("<dialog");
    expect(readable(text)).toContain(
      "Send an event to the sandbox (not available: You may look, but not change anything.)",
    );
    const refused = await viewer.post(DIALOG, { id: "evt_x", type: "policy.renewed", data: "{}" });
    expect([refused.status, readable(refused.text).includes("Nothing was sent.")]).toEqual([403, true]);
  });
});
