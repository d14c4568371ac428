/** The list of connections, and the page of each. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { newObjectId } from "../../../src/crypto/ids.ts";
import type { OwnerType } from "../../../src/model.ts";
import { Browser, person, readable, type Shown, staff } from "../../support/console.ts";
import { withBrokenGates } from "../../support/faults.ts";
import { accepted, advance, catchWakeUps } from "../../support/forwarding.ts";
import {
  bindings,
  createBoundConnection,
  createConnection,
  type Json,
  portal,
  post,
} from "../../support/gateway.ts";

const HOSTILE = "<img src=x onerror=alert(1)>";

let owner: { type: OwnerType; id: string };
let manager: Browser;
const owned = (fields: Json = {}) => ({ owner_type: owner.type, owner_id: owner.id, ...fields });
const pathOf = ({ id }: { id: string }, query = "") => `/console/connections/${id}${query}`;

beforeEach(async () => {
  catchWakeUps();
  owner = { type: "payroll_company", id: `console-${newObjectId()}` };
  manager = await person(owner);
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** The value of a hidden or visible field. */
function fieldOf({ text }: Shown, name: string): string {
  const [, value] = new RegExp(`name="${name}"[^>]*? value="([^"]*)"`).exec(text) ?? [];
  return value?.replaceAll("&quot;", '"') ?? expect.fail(`no field ${name}`);
}
const etagOf = async (connection: { id: string }) =>
  fieldOf(await manager.get(pathOf(connection, "?do=rotate")), "etag");
const stored = async ({ id }: { id: string }) => (await portal("GET", `/connections/${id}`)).json.connection;

describe("the list", () => {
  it("says what to do where there is nothing yet", async () => {
    const { text } = await manager.get("/console/connections");
    expect(readable(text)).toContain("No system is connected yet");
    expect(text).toContain('href="/console/connections/new"');
    const viewer = await person(owner, "view");
    expect((await viewer.get("/console/connections")).text).not.toContain("/console/connections/new");
    await createConnection(owned({ environment: "sandbox" }));
    const production = await manager.get("/console/connections?environment=production");
    expect(readable(production.text)).toContain("No system is connected in production yet");
  });

  it("shows each connection with its last report, filtered, page by page, and no text as markup", async () => {
    const bound = await createBoundConnection(owned({ description: HOSTILE }));
    await accepted(bound);
    for (let i = 0; i < 25; i++) await createConnection(owned({ environment: "sandbox" }));
    const first = await manager.get("/console/connections");
    expect(readable(first.text)).toContain("26 connections");
    expect(first.text.match(/<tr class="leads"/g)).toHaveLength(25);
    const [, older = ""] = /href="([^"]*cursor=[^"]*)"/.exec(first.text) ?? [];
    const second = await manager.get(older.replaceAll("&amp;", "&"));
    expect(second.text.match(/<tr class="leads"/g)).toHaveLength(1);
    expect(second.text).toContain(`/console/connections/${bound.id}"`);
    expect(second.text).not.toContain(HOSTILE);
    expect(second.text).toContain("&lt;img src=x");
    expect(readable(second.text)).toMatch(/(just now|\d s ago)/);
    const found = await manager.get(`/console/connections?employer_id=${bound.employerId}`);
    expect(readable(found.text)).toContain("1 connection ");
    const none = await manager.get("/console/connections?status=inactive");
    expect(readable(none.text)).toContain("No connections match these filters");
    expect(none.text).toContain('href="/console/connections">Clear filters');
  });

  it("asks three things of the API, however many connections a page has", async () => {
    for (let i = 0; i < 3; i++) await createConnection(owned());
    expect(readable((await manager.get("/console/connections")).text)).toContain("This page as 3 API calls");
  });

  it("shows a refusal of the API with its request", async () => {
    await createConnection(owned());
    const { status, text } = await manager.get("/console/connections?employer_id=%20");
    expect(status).toBe(200);
    expect(readable(text)).toContain("The connections could not be read");
    expect(text).toMatch(/req_[0-9a-z]+/);
  });

  it("is shown although gates do not answer", async () => {
    await createConnection(owned({ description: "Still here" }));
    const browser = new Browser({ using: withBrokenGates(bindings, "activity") });
    browser.cookie = manager.cookie;
    const { text } = await browser.get("/console/connections");
    expect(readable(text)).toContain("Still here");
    expect(readable(text)).toContain("not known");
  });

  it("asks staff whose, and keeps the owner in its links", async () => {
    const connection = await createConnection(owned());
    const browser = await staff();
    expect(readable((await browser.get("/console/connections")).text)).toContain("Whose connections?");
    const scope = `owner=${encodeURIComponent(`${owner.type}/${owner.id}`)}`;
    const { text } = await browser.get(`/console/connections?${scope}`);
    expect(text).toContain(`/console/connections/${connection.id}?${scope}`);
  });
});

describe("the page", () => {
  it("of another owner's connection, and of none, is a 404 with every tab and every post", async () => {
    const other = await createConnection({ owner_type: "software_company", owner_id: "b" });
    for (const id of [other.id, newObjectId(), "x"]) {
      for (const query of ["", "?tab=requests", "?tab=settings", "?tab=history", "?do=delete"]) {
        const shown = await manager.get(pathOf({ id }, query));
        expect([shown.status, readable(shown.text).includes("No such connection")]).toEqual([404, true]);
      }
      for (const act of ["save", "rotate", "deactivate", "erase"])
        expect(
          (await manager.post(pathOf({ id }), { act, was_description: "", description: "x" })).status,
        ).toBe(404);
    }
    expect((await stored(other)).status).toBe("active");
  });

  it("shows what arrived, refused or not, with the reason in words and the counts of the gate", async () => {
    const connection = await createBoundConnection(owned());
    const fileId = await accepted(connection);
    const refused = await post({ ...connection, secret: "whsec_wrong" });
    expect(refused.status).toBe(401);
    await vi.waitFor(async () => {
      const { text } = await manager.get(pathOf(connection));
      expect(text).toContain(refused.json.request_id);
      expect(text).toContain(fileId);
      expect(readable(text)).toContain("The signature");
    });
    const hour = readable((await manager.get(pathOf(connection, "?range=1h"))).text);
    expect(hour).toMatch(/Accepted 1 .*Repeated 0 .*Refused 1 /);
    for (const unknown of ["1y", "constructor"])
      expect((await manager.get(pathOf(connection, `?range=${unknown}`))).status).toBe(200);
    const list = await manager.get(pathOf(connection, "?tab=requests&outcome=accepted"));
    expect(list.text).toContain(fileId);
    expect(list.text).not.toContain(refused.json.request_id);
    expect(list.text).toContain('data-live="3"');
    const byCode = await manager.get(pathOf(connection, "?tab=requests&code=INVALID_SIGNATURE"));
    expect(byCode.text).toContain(refused.json.request_id);
    const dayBefore = new Date(Date.now() - 86_400_000).toISOString().slice(0, 16);
    const before = await manager.get(pathOf(connection, `?tab=requests&until=${dayBefore}`));
    expect(readable(before.text)).toContain("No requests match these filters");
    const wrong = await manager.get(pathOf(connection, "?tab=requests&since=yesterday"));
    expect(readable(wrong.text)).toMatch(/The requests could not be read.*since : Must be a time/);
    expect(`${list.text}${byCode.text}`).not.toContain("whsec_");
  });

  it("is empty of requests with what to expect, and shows what fails in its place", async () => {
    const connection = await createConnection(owned());
    const { text } = await manager.get(pathOf(connection, "?tab=requests"));
    expect(readable(text)).toContain("Nothing has arrived in the last 30 days");
    const browser = new Browser({ using: withBrokenGates(bindings, "requests") });
    browser.cookie = manager.cookie;
    const broken = await browser.get(pathOf(connection));
    expect(broken.status).toBe(200);
    expect(readable(broken.text)).toContain("The newest requests could not be read");
    expect(readable(broken.text)).toContain("Where its reports go");
  });

  it("cannot be changed by somebody who may only look", async () => {
    const connection = await createConnection(owned());
    const viewer = await person(owner, "view");
    const { text } = await viewer.get(pathOf(connection));
    expect(text).toContain("You may look, but not change anything.");
    expect(text).not.toContain("do=deactivate");
    for (const act of ["rotate", "deactivate", "delete", "save"]) {
      const refused = await viewer.post(pathOf(connection), {
        act,
        overlap: "0",
        was_description: "",
        description: "x",
      });
      expect([act, refused.status]).toEqual([act, 403]);
    }
    expect(await stored(connection)).toMatchObject({
      status: "active",
      description: null,
    });
  });
});

describe("settings", () => {
  it("are saved where they differ, and say so", async () => {
    const connection = await createConnection(owned({ environment: "sandbox" }));
    const form = await manager.get(pathOf(connection, "?tab=settings"));
    const fields = {
      act: "save",
      etag: fieldOf(form, "etag"),
      was_same_body: "accept",
      was_default_wait_seconds: "0",
    };
    const saved = await manager.post(pathOf(connection, "?tab=settings"), {
      ...fields,
      description: ` ${HOSTILE} `,
      notification_email: "ops@example.com",
      same_body: "deduplicate",
      default_wait_seconds: "5",
    });
    expect([saved.status, saved.location]).toEqual([303, pathOf(connection, "?tab=settings&done=saved")]);
    expect(await stored(connection)).toMatchObject({
      description: HOSTILE,
      notification_email: "ops@example.com",
      same_body: "deduplicate",
      default_wait_seconds: 5,
      environment: "sandbox",
    });
    const { text } = await manager.get(saved.location ?? "");
    expect(readable(text)).toContain("in force everywhere");
    expect(text).not.toContain(HOSTILE);
    const again = await manager.post(pathOf(connection), { act: "save", etag: fields.etag });
    expect(again.location).toContain("done=unchanged");
    const { text: history } = await manager.get(pathOf(connection, "?tab=history"));
    expect(history).not.toContain(HOSTILE);
    expect(readable(history)).toContain("Default wait seconds: 0 → 5");
  });

  it("that are refused keep what was typed, and name the field", async () => {
    const connection = await createConnection(owned({ description: "Acme" }));
    const refused = await manager.post(pathOf(connection, "?tab=settings"), {
      act: "save",
      etag: await etagOf(connection),
      was_description: "Acme",
      description: "Acme 2",
      was_default_wait_seconds: "0",
      default_wait_seconds: "soon",
      was_notification_email: "",
      notification_email: "not an address",
    });
    expect(refused.status).toBe(400);
    expect(fieldOf(refused, "description")).toBe("Acme 2");
    expect(fieldOf(refused, "default_wait_seconds")).toBe("soon");
    expect(readable(refused.text)).toContain("Must be an e-mail address");
    expect((await stored(connection)).description).toBe("Acme");
  });

  it("that somebody else changed meanwhile stand beside what was wanted, and nothing is lost", async () => {
    const connection = await createConnection(owned({ description: "Acme" }));
    const opened = await manager.get(pathOf(connection, "?tab=settings"));
    await portal("PATCH", `/connections/${connection.id}`, { description: "Acme West", retention_years: 3 });
    const mine = {
      act: "save",
      etag: fieldOf(opened, "etag"),
      was_description: "Acme",
      description: "Acme East",
      was_retention_years: "7",
      retention_years: "7",
      was_default_wait_seconds: "0",
      default_wait_seconds: "9",
    };
    const overtaken = await manager.post(pathOf(connection, "?tab=settings"), mine);
    expect(overtaken.status).toBe(412);
    expect(readable(overtaken.text)).toContain("Name Acme Acme West Acme East");
    expect(readable(overtaken.text)).toContain("Kept in the archive, years 7 3 no change");
    expect(fieldOf(overtaken, "description")).toBe("Acme East");
    expect(fieldOf(overtaken, "retention_years")).toBe("3");
    const again = {
      ...mine,
      etag: fieldOf(overtaken, "etag"),
      was_description: fieldOf(overtaken, "was_description"),
      was_retention_years: fieldOf(overtaken, "was_retention_years"),
      retention_years: fieldOf(overtaken, "retention_years"),
    };
    expect((await manager.post(pathOf(connection, "?tab=settings"), again)).status).toBe(303);
    expect(await stored(connection)).toMatchObject({
      description: "Acme East",
      retention_years: 3,
      default_wait_seconds: 9,
    });
  });

  it("let staff choose the plan, and an owner see it", async () => {
    const connection = await createConnection(owned({ environment: "production" }));
    const { text } = await manager.get(pathOf(connection, "?tab=settings"));
    expect(text).not.toContain('name="plan"');
    expect(readable(text)).toContain("Production: 500 reports a minute, 10,000 an hour");
    const browser = await staff();
    const form = await browser.get(pathOf(connection, "?tab=settings"));
    const saved = await browser.post(pathOf(connection), {
      act: "save",
      etag: fieldOf(form, "etag"),
      was_plan: "production",
      plan: "enterprise",
    });
    expect(saved.status).toBe(303);
    expect((await stored(connection)).plan).toBe("enterprise");
  });
});

describe("rotating the secret", () => {
  it("shows the new one once, and until when the old one is in force", async () => {
    const connection = await createBoundConnection(owned());
    const dialog = await manager.get(pathOf(connection, "?tab=secrets&do=rotate"));
    expect(readable(dialog.text)).toContain("Senders that still use it are refused after");
    const rotated = await manager.post(pathOf(connection, "?tab=secrets&do=rotate"), {
      act: "rotate",
      etag: fieldOf(dialog, "etag"),
      overlap: "3600",
    });
    const [secret = ""] = /whsec_[A-Za-z0-9_-]{43}/.exec(rotated.text) ?? [];
    expect([rotated.status, rotated.headers.get("Cache-Control")]).toEqual([200, "no-store"]);
    expect(rotated.text).not.toContain("data-dialog");
    expect(readable(rotated.text)).toContain("Senders that still use the old secret are refused after");
    expect((await post({ ...connection, secret })).status).toBe(202);
    const { text } = await manager.get(pathOf(connection, "?tab=secrets"));
    expect(text).not.toContain("whsec_");
    expect(readable(text)).toMatch(/Until it is rotated .*Ends/);
    const twice = await manager.post(pathOf(connection, "?tab=secrets&do=rotate"), {
      act: "rotate",
      etag: fieldOf(dialog, "etag"),
      overlap: "3600",
    });
    expect(twice.status).toBe(412);
    expect(readable(twice.text)).toContain("No new secret was made");
    expect((await stored(connection)).secrets).toHaveLength(2);
  });

  it("leaves no secret that has ended in the list of those in force", async () => {
    const connection = await createConnection(owned());
    await manager.post(pathOf(connection), {
      act: "rotate",
      etag: await etagOf(connection),
      overlap: "3600",
    });
    advance(3_601_000);
    const { text } = await manager.get(pathOf(connection, "?tab=secrets"));
    expect(readable(text)).toContain("Until it is rotated");
    expect(readable(text)).not.toContain("Ends");
    expect(readable((await manager.get(pathOf(connection))).text)).toContain("Secrets in force 1");
  });

  it("with an overlap that makes no sense is refused by the API", async () => {
    const connection = await createConnection(owned());
    const refused = await manager.post(pathOf(connection, "?do=rotate"), {
      act: "rotate",
      etag: await etagOf(connection),
      overlap: "for ever",
    });
    expect(refused.status).toBe(400);
    expect(readable(refused.text)).toContain("overlap_seconds");
    expect((await stored(connection)).secrets).toHaveLength(1);
  });
});

describe("the whole connection", () => {
  it("is deactivated and activated again", async () => {
    const connection = await createBoundConnection(owned());
    const off = await manager.post(pathOf(connection), { act: "deactivate", etag: await etagOf(connection) });
    expect(off.location).toBe(pathOf(connection, "?done=deactivated"));
    expect((await post(connection)).status).toBe(403);
    expect(readable((await manager.get(off.location ?? "")).text)).toMatch(/Inactive .*Activate/);
    await manager.post(pathOf(connection), { act: "activate", etag: await etagOf(connection) });
    expect((await post(connection)).status).toBe(202);
  });

  it("that somebody else has changed is not deleted unseen", async () => {
    const connection = await createConnection(owned());
    const etag = await etagOf(connection);
    await portal("PATCH", `/connections/${connection.id}`, { description: "Wanted" });
    const refused = await manager.post(pathOf(connection, "?do=delete"), { act: "delete", etag });
    expect(refused.status).toBe(412);
    expect(readable(refused.text)).toContain("Nothing was changed.");
    expect((await stored(connection)).description).toBe("Wanted");
  });

  it("is deleted, erased, and the erasure cancelled on its page", async () => {
    const connection = await createConnection(owned({ description: "Gone" }));
    const gone = await manager.post(pathOf(connection, "?do=delete"), {
      act: "delete",
      etag: await etagOf(connection),
    });
    expect(gone.location).toBe(pathOf(connection, "?done=deleted"));
    expect((await portal("GET", `/connections/${connection.id}`)).status).toBe(404);
    const page = await manager.get(gone.location ?? "");
    expect([page.status, readable(page.text).includes("Its address answers 404")]).toEqual([200, true]);
    expect(page.text).toContain("do=erase");
    const erased = await manager.post(pathOf(connection), { act: "erase" });
    expect(readable((await manager.get(erased.location ?? "")).text)).toContain(
      "nobody can read its reports any more",
    );
    const eraseAt = async () => (await portal("GET", `/lookup/${connection.id}`)).json.summary.erase_at;
    expect(Date.parse(await eraseAt())).toBeGreaterThan(Date.now() + 6 * 86_400_000);
    const kept = await manager.post(pathOf(connection), { act: "keep" });
    expect(kept.location).toBe(pathOf(connection, "?done=kept"));
    expect(await eraseAt()).toBeNull();
    expect(readable((await manager.get(kept.location ?? "")).text)).toContain("Deleted");
  });
});
