/** Find: any id leads to its page, and what has none is shown. */
import { beforeAll, describe, expect, it } from "vitest";
import { newObjectId } from "../../../src/crypto/ids.ts";
import { mintFileId } from "../../../src/gate/file-id.ts";
import { mintRequestId } from "../../../src/http/request-id.ts";
import { person, readable, staff } from "../../support/console.ts";
import { accepted, wakeUpsOfEachTest } from "../../support/forwarding.ts";
import {
  createApiKey,
  createBoundConnection,
  createEmployer,
  type Json,
  portal,
} from "../../support/gateway.ts";

wakeUpsOfEachTest();

const ACME = { type: "payroll_company", id: "acme" } as const;
const OWNER = { owner_type: "payroll_company", owner_id: "acme" };
const PAYLOAD = "<img src=x onerror=alert(1)>";
const AS_ACME = "owner=payroll_company%2Facme";

const find = (text: string, query = "") => `/console/find?q=${encodeURIComponent(text)}${query}`;

let connection: Awaited<ReturnType<typeof createBoundConnection>>;
let event: Json;
beforeAll(async () => {
  connection = await createBoundConnection();
  event = { ...OWNER, id: `evt_${newObjectId()}`, type: "policy.created", data: {} };
  await portal("POST", "/events", event);
});

describe("an id", () => {
  it("leads to its page, however it was pasted, and keeps the reader's scope", async () => {
    const file = await accepted(connection);
    const browser = await staff();
    for (const text of [
      file,
      `  "${file}"  `,
      `File id: <${file}>.`,
      `https://api.audit1.info/api/v1/files/status/${file}`,
    ]) {
      const found = await browser.get(find(text));
      expect([found.status, found.location]).toEqual([303, `/console/reports/${file}`]);
    }
    const scoped = await browser.get(find(file, `&${AS_ACME}&environment=production`));
    expect(scoped.location).toBe(`/console/reports/${file}?${AS_ACME}&environment=production`);
  });

  it("of a connection, a webhook and a request leads to theirs", async () => {
    const browser = await person(ACME);
    expect((await browser.get(find(connection.id))).location).toBe(`/console/connections/${connection.id}`);
    const asked = { ...OWNER, url: "https://hooks.acme.com/x", events: ["*"] };
    const { id } = (await portal("POST", "/webhooks", asked)).json.webhook;
    expect((await browser.get(find(id))).location).toBe(`/console/webhooks/${id}`);
  });

  it("of a job leads to the job", async () => {
    const { json } = await portal("POST", "/files/replay", { connection_id: connection.id });
    const browser = await person(ACME);
    expect((await browser.get(find(`job ${json.job.id}`))).location).toBe(`/console/jobs/${json.job.id}`);
    const other = await person({ type: "payroll_company", id: "other" });
    expect((await other.get(find(json.job.id))).status).toBe(404);
  });

  it("of an event asks staff for its owner, and leads to it", async () => {
    const browser = await staff();
    const asked = await browser.get(find(event.id));
    expect(asked.status).toBe(200);
    expect(readable(asked.text)).toContain("Whose event?");
    expect(asked.text).toContain(`<input type="hidden" name="q" value="${event.id}"/>`);
    const found = await browser.get(find(event.id, `&${AS_ACME}`));
    expect(found.location).toBe(`/console/events/${event.id}?${AS_ACME}&environment=production`);
    expect((await (await person(ACME)).get(find(event.id))).location).toContain(
      `/console/events/${event.id}`,
    );
  });
});

describe("what has its page in Settings", () => {
  it("is an API key", async () => {
    const { id } = await createApiKey();
    const found = await (await person(ACME)).get(find(`ak_${id}`));
    expect(found.location).toBe(`/console/settings?tab=keys&key=ak_${id}`);
  });

  it("is an employer", async () => {
    const { id } = await createEmployer();
    const found = await (await staff()).get(find(`employer ${id}`));
    expect(found.location).toBe(`/console/settings?tab=employers&employer=${id}`);
  });
});

describe("what has no page of its own", () => {
  it("is a change in the portal, with what it changed", async () => {
    const changed = await portal("PATCH", `/connections/${connection.id}`, { description: PAYLOAD });
    const id = changed.headers.get("X-Audit1-Request-Id") ?? "";
    const { text } = await (await staff()).get(find(id));
    expect(readable(text)).toMatch(/A change in the portal .*connection\.updated .*client:portal/);
    expect(text).toContain(`href="/console/find?q=${connection.id}"`);
  });

  it("is a connection that was deleted", async () => {
    const { id } = await createBoundConnection();
    await portal("DELETE", `/connections/${id}`);
    const { status, text } = await (await person(ACME)).get(find(id));
    expect(status).toBe(200);
    expect(readable(text)).toMatch(/Connection .*Deleted .*It was deleted/);
  });
});

describe("an id that names nothing", () => {
  it.each([
    [
      "a report",
      () => mintFileId({ kind: "connection", id: connection.id }, Date.now()),
      /Looked for a report .*kept|90 days/,
    ],
    [
      "a request",
      () => mintRequestId(`c${connection.id}`, Date.now()),
      /Looked for a request .*By its id, the request came/,
    ],
    ["an object", () => newObjectId(), /Looked for a connection, a webhook, an API key, a job/],
    ["anything", () => "EMP_404", /Looked for an employer, or an event/],
  ])("is a 404 that says what was looked for: %s", async (_what, idOf, words) => {
    const id = idOf();
    const { status, text } = await (await person(ACME)).get(find(id));
    expect(status).toBe(404);
    expect(readable(text)).toMatch(words);
    expect(text).toContain(`<code>${id}</code>`);
  });

  it("within one owner offers staff all owners, and without one asks whose event it may be", async () => {
    const browser = await staff();
    const scoped = await browser.get(find(connection.id, "&owner=employer/x"));
    expect(scoped.status).toBe(404);
    expect(scoped.text).toContain(`href="/console/find?q=${connection.id}">Look among all owners`);
    const unscoped = readable((await browser.get(find(newObjectId()))).text);
    expect(unscoped).toContain("say whose event it is");
  });

  it("of another owner is like one that never was", async () => {
    const other = await person({ type: "payroll_company", id: "other" });
    const { status, text } = await other.get(find(connection.id));
    expect(status).toBe(404);
    expect(text).not.toContain("acme");
  });
});

it("a text without an id says so, and markup in it is text", async () => {
  const browser = await person(ACME);
  expect((await browser.get("/console/find")).status).toBe(200);
  const none = await browser.get(find("… ?!"));
  expect(none.status).toBe(400);
  expect(readable(none.text)).toContain("There is no id in this text");
  expect((await browser.get(find(PAYLOAD))).text).not.toContain("<img");
  expect((await browser.get(find("x".repeat(5_000)))).status).toBe(404);
});
