import { afterEach, describe, expect, it, vi } from "vitest";
import type { Bindings } from "../../../src/bindings.ts";
import { clientOfSession, redeemLink } from "../../../src/portal/sessions/signed-in.ts";
import { dumpDatabase } from "../../support/at-rest.ts";
import { advance, runCron } from "../../support/forwarding.ts";
import { type Answer, BASE, bindings, type Json, portal, send } from "../../support/gateway.ts";
import { racing } from "../../support/interception.ts";
import { ACME, asSession, createLink, redeemed, sendAs, signIn, tokenIn } from "../../support/sessions.ts";

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const DAY = 86_400_000;
const ORIGIN = "https://console.audit1.com";
const deployed: Bindings = { ...bindings, ALLOW_INSECURE_ENDPOINTS: "", CONSOLE_ORIGIN: ORIGIN };

const create = (body: Json, client = "portal", using?: Bindings) =>
  portal("POST", "/portal-links", body, client, using);

function createWithKey(key: string, body: Json = ACME, client = "portal"): Promise<Answer> {
  const headers = {
    "X-Client-ID": client,
    "X-Client-Secret": `${client}-secret`,
    "Content-Type": "application/json",
    "Idempotency-Key": key,
  };
  return send("/api/v1/portal-links", { method: "POST", headers, body: JSON.stringify(body) });
}

const trailOf = async (id: string): Promise<Json[]> =>
  (await portal("GET", `/audit?subject=portal_link:${id}`)).json.audit;

describe("POST /portal-links", () => {
  it("returns an address of the console that is good for five minutes and for reading only", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const { status, json } = await create(ACME, "portal", deployed);
    expect(status).toBe(201);
    expect(json.url).toMatch(/^https:\/\/console\.audit1\.com\/console\/sign-in#[A-Za-z0-9_-]{43}$/);
    expect(json.portal_link).toEqual({
      id: expect.stringMatching(/^plk_[0-9a-f]{24}$/),
      ...ACME,
      capabilities: "view",
      person: null,
      next: "/console",
      embed: false,
      reusable: false,
      status: "open",
      created_at: new Date().toISOString(),
      expires_at: new Date(Date.now() + 300_000).toISOString(),
      used_at: null,
      revoked_at: null,
    });
  });

  it("takes what the person may do, who it is, where it leads and for how long", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const asked = { capabilities: "manage", person: " Jane Roe ", next: "/console/connections?x=1" };
    const { json } = await create({ ...asked, expires_in: 30 }, "bound");
    expect(json.portal_link).toMatchObject({ ...ACME, ...asked, person: "Jane Roe" });
    expect(Date.parse(json.portal_link.expires_at)).toBe(Date.now() + 30_000);
  });

  it("leads to the gateway itself on a gateway for local development without a console's origin", async () => {
    expect((await create(ACME)).json.url).toMatch(new RegExp(`^${BASE}/console/sign-in#`));
  });

  it.each<[string, Json, string]>([
    ["another capability", { capabilities: "admin" }, "capabilities"],
    ["an empty person", { person: " " }, "person"],
    ["a person of 321 characters", { person: "x".repeat(321) }, "person"],
    ["a person of two lines", { person: "a\nb" }, "person"],
    ["a path elsewhere", { next: "https://evil.example/console" }, "next"],
    ["a path that leaves the console", { next: "/console/%2e%2e/api" }, "next"],
    ["less than 30 seconds", { expires_in: 29 }, "expires_in"],
    ["more than a day", { expires_in: 86_401 }, "expires_in"],
    ["half a second", { expires_in: 30.5 }, "expires_in"],
    ["embedding where no page may", { embed: true }, "embed"],
    ["a field that does not exist", { colour: "red" }, "colour"],
  ])("refuses %s and stores nothing", async (_what, fields, field) => {
    const before = await dumpDatabase();
    const answer = await create({ ...ACME, ...fields });
    expect(answer).toMatchObject({ status: 400, json: { code: "VALIDATION_ERROR" } });
    expect(Object.keys(answer.json.details)).toEqual([field]);
    expect(await dumpDatabase()).toBe(before);
  });

  it("names the owner, or is refused as everywhere", async () => {
    expect((await create({})).json.error).toBe("owner_id_required");
    expect((await create({ owner_id: "acme" })).json.error).toBe("owner_type_required");
    expect(await create({ ...ACME, owner_id: "other" }, "bound")).toMatchObject({
      status: 404,
      json: { error: "owner_not_found" },
    });
  });

  it("takes embed where a page may embed the console", async () => {
    const using = { ...deployed, CONSOLE_FRAME_ANCESTORS: "https://portal.example" };
    const { json } = await create({ ...ACME, embed: true }, "portal", using);
    expect(json.portal_link.embed).toBe(true);
    expect((await redeemed(new URL(json.url).hash.slice(1))).session.embedded).toBe(true);
  });

  it.each<[string, object]>([
    ["is not set", { CONSOLE_ORIGIN: "" }],
    ["cannot be used", { CONSOLE_ORIGIN: "http://console.audit1.com" }],
    ["has unusable frame ancestors", { CONSOLE_FRAME_ANCESTORS: "*" }],
  ])("answers 503 if the console %s", async (_what, settings) => {
    vi.spyOn(console, "error").mockImplementation(() => undefined);
    const answer = await create(ACME, "portal", { ...deployed, ...settings } as Bindings);
    expect(answer).toMatchObject({
      status: 503,
      json: { code: "NOT_CONFIGURED", details: { part: "console" } },
    });
  });

  it("stores the token as a hash, and nobody reads it again", async () => {
    const logs = [vi.spyOn(console, "log"), vi.spyOn(console, "error")];
    const { id, token } = await createLink({ person: "jane.roe@acme.example" });
    const shown = JSON.stringify([
      (await portal("GET", `/portal-links/${id}`)).json,
      (await portal("GET", "/portal-links")).json,
      await trailOf(id),
    ]);
    expect(shown).toContain("jane.roe@acme.example");
    expect(`${await dumpDatabase()}${shown}`).not.toContain(token);
    const logged = JSON.stringify(logs.map((log) => log.mock.calls));
    expect(logged).toContain("/portal-links");
    expect(logged).not.toContain(token);
    expect(logged).not.toContain("jane.roe");
  });

  it("is in the audit trail of its owner", async () => {
    const { id } = await createLink({ capabilities: "manage", person: "Jane" });
    expect(await trailOf(id)).toEqual([
      expect.objectContaining({
        actor: "client:portal",
        action: "portal_link.created",
        ...ACME,
        before: null,
        after: expect.objectContaining({ capabilities: "manage", person: "Jane", next: "/console" }),
      }),
    ]);
    const seen = await portal("GET", `/audit?subject=portal_link:${id}`, undefined, "bound");
    expect(seen.json.audit).toHaveLength(1);
  });

  it("is not for sessions, of whatever kind", async () => {
    const staff = await redeemed(tokenIn(await create({ staff: true })));
    for (const started of [await signIn({ capabilities: "manage" }), staff]) {
      const before = await dumpDatabase();
      const answer = await asSession(started, "POST", "/portal-links", ACME);
      expect(answer).toMatchObject({ status: 403, json: { code: "SESSION_NOT_ALLOWED" } });
      expect(await dumpDatabase()).toBe(before);
    }
  });
});

describe("POST /portal-links with an Idempotency-Key", () => {
  it("returns the same address for the same body, and refuses another body", async () => {
    const key = crypto.randomUUID();
    const first = await createWithKey(key);
    const again = await createWithKey(key, { ...ACME, capabilities: "view", expires_in: 300 });
    expect([again.status, again.json]).toEqual([201, first.json]);
    expect(again.headers.get("Idempotent-Replayed")).toBe("true");
    expect((await createWithKey(key, { ...ACME, capabilities: "manage" })).status).toBe(409);
    expect((await createWithKey(key, {}, "bound")).json.portal_link.id).not.toBe(first.json.portal_link.id);
  });

  it("makes one link of many concurrent requests", async () => {
    const key = crypto.randomUUID();
    const answers = await Promise.all(Array.from({ length: 6 }, () => createWithKey(key)));
    expect(new Set(answers.map(({ json }) => json.url)).size).toBe(1);
  });

  it.each<[string, (link: { id: string; token: string }) => Promise<unknown>]>([
    ["was used", ({ token }) => redeemed(token)],
    ["was revoked", ({ id }) => portal("DELETE", `/portal-links/${id}`)],
    ["has expired", async () => advance(300_000)],
  ])("returns the link without its address once it %s", async (_how, end) => {
    const key = crypto.randomUUID();
    const first = await createWithKey(key);
    await end({ id: first.json.portal_link.id, token: tokenIn(first) });
    const { status, json } = await createWithKey(key);
    expect(status).toBe(201);
    expect(json).toEqual({ portal_link: expect.any(Object), secret_unavailable: true });
    expect(json.portal_link.id).toBe(first.json.portal_link.id);
  });

  it("keeps no sealed token of a revoked link", async () => {
    const first = await createWithKey(crypto.randomUUID());
    const { id } = first.json.portal_link;
    const sealed = () =>
      bindings.DB.prepare("SELECT sealed_token FROM creations WHERE object_id = ?").bind(id).first();
    expect(await sealed()).toEqual({ sealed_token: expect.any(String) });
    await portal("DELETE", `/portal-links/${id}`);
    expect(await sealed()).toEqual({ sealed_token: null });
  });
});

describe("links for development", () => {
  it.each(["reusable", "staff"])("%s is refused by a deployed gateway", async (field) => {
    const named = field === "staff" ? {} : ACME;
    const answer = await create({ ...named, [field]: true }, "portal", deployed);
    expect(answer).toMatchObject({ status: 400, json: { details: { [field]: expect.any(String) } } });
  });

  it("may be opened again and again for thirty days", async () => {
    const { id, token } = await createLink({ reusable: true, expires_in: 30 * 86_400 });
    const first = await redeemed(token);
    advance(29 * DAY);
    const second = await redeemed(token);
    expect(second.session.id).not.toBe(first.session.id);
    expect((await portal("GET", `/portal-links/${id}`)).json.portal_link).toMatchObject({ status: "open" });
    advance(2 * DAY);
    expect(await redeemLink(bindings, token, Date.now(), "")).toEqual({ ok: false, error: "expired" });
  });

  it("may be for staff, who act for everybody under the name developer", async () => {
    const answer = await create({ staff: true, reusable: true });
    expect(answer.json.portal_link).toMatchObject({
      owner_type: null,
      owner_id: null,
      capabilities: "manage",
    });
    const started = await redeemed(tokenIn(answer));
    expect(clientOfSession(started.session)).toEqual({
      actor: "access:developer",
      capability: "manage",
      session: started.session.id,
    });
    expect((await asSession(started, "GET", "/stuck-files")).status).toBe(200);
    expect(await trailOf(answer.json.portal_link.id)).toHaveLength(1);
  });

  it.each<[string, () => Promise<Answer>]>([
    ["beside an owner", () => create({ staff: true, ...ACME })],
    ["by an owner's client", () => create({ staff: true }, "bound")],
    ["with an Idempotency-Key", () => createWithKey("a", { staff: true })],
  ])("for staff are refused %s", async (_how, ask) => {
    expect(await ask()).toMatchObject({ status: 400, json: { details: { staff: expect.any(String) } } });
  });

  it("for staff do not exist for an owner's client", async () => {
    const { id } = (await create({ staff: true })).json.portal_link;
    const named = "owner_type=payroll_company&owner_id=acme";
    expect((await portal("GET", `/portal-links/${id}`)).status).toBe(200);
    for (const answer of [
      await portal("GET", `/portal-links/${id}`, undefined, "bound"),
      await portal("GET", `/portal-links/${id}?${named}`),
      await portal("DELETE", `/portal-links/${id}?${named}`),
    ])
      expect(answer).toMatchObject({ status: 404, json: { error: "portal_link_not_found" } });
  });
});

describe("GET /portal-links", () => {
  it("lists what is open, newest first, and what has ended if it is asked for", async () => {
    const owner = { ...ACME, owner_id: `list-${Date.now()}` };
    const query = `/portal-links?owner_type=${owner.owner_type}&owner_id=${owner.owner_id}`;
    const of = async (more = "") =>
      (await portal("GET", `${query}${more}`)).json.portal_links.map(({ id, status }: Json) => [id, status]);
    const used = await createLink(owner);
    advance(1);
    const revoked = await createLink(owner);
    advance(1);
    const first = await createLink(owner);
    advance(1);
    const second = await createLink(owner);
    await redeemed(used.token);
    await portal("DELETE", `/portal-links/${revoked.id}`);
    const open = [
      [second.id, "open"],
      [first.id, "open"],
    ];
    expect(await of()).toEqual(open);
    const ended = [
      [revoked.id, "revoked"],
      [used.id, "used"],
    ];
    expect(await of("&include_ended=true")).toEqual([...open, ...ended]);
    const page = await portal("GET", `${query}&include_ended=true&limit=3`);
    const rest = await portal("GET", `${query}&include_ended=true&cursor=${page.json.next_cursor}`);
    expect(rest.json).toMatchObject({ portal_links: [{ id: used.id }], next_cursor: null });
    advance(300_000);
    expect(await of()).toEqual([]);
  });

  it("without an owner lists everybody's to those who act for everybody", async () => {
    const theirs = await createLink({ owner_id: "theirs" });
    const ids = async (client: string) =>
      (await portal("GET", "/portal-links", undefined, client)).json.portal_links.map(({ id }: Json) => id);
    expect(await ids("portal")).toContain(theirs.id);
    expect(await ids("bound")).not.toContain(theirs.id);
  });
});

describe("DELETE /portal-links/{id}", () => {
  it("ends the link and every session that it made, says so in the audit trail, and may be repeated", async () => {
    const { id, token } = await createLink({ reusable: true });
    const [one, two] = [await redeemed(token), await redeemed(token)];
    const other = await signIn();
    const answer = await portal("DELETE", `/portal-links/${id}`);
    expect(answer).toMatchObject({
      status: 200,
      json: { message: "portal_link_revoked", portal_link: { id, status: "revoked" } },
    });
    for (const { session } of [one, two]) {
      const { json } = await portal("GET", `/sessions/${session.id}`);
      expect(json.session.status).toBe("revoked");
    }
    expect((await portal("GET", `/sessions/${other.session.id}`)).json.session.status).toBe("active");
    expect(await redeemLink(bindings, token, Date.now(), "")).toEqual({ ok: false, error: "revoked" });
    const again = await portal("DELETE", `/portal-links/${id}`);
    expect(again.json).toEqual(answer.json);
    expect((await trailOf(id)).map(({ action, after }) => [action, after])).toEqual(
      expect.arrayContaining([
        ["portal_link.revoked", null],
        ["portal_link.sessions_revoked", { sessions: 2 }],
      ]),
    );
    expect(await trailOf(id)).toHaveLength(3);
  });

  it("may be done by a session that may manage, for its owner's links only", async () => {
    const manager = await signIn({ capabilities: "manage" });
    const { id } = await createLink();
    const theirs = await createLink({ owner_id: "theirs" });
    expect((await asSession(manager, "DELETE", `/portal-links/${theirs.id}`)).status).toBe(404);
    expect((await asSession(manager, "DELETE", `/portal-links/${id}`)).status).toBe(200);
    expect((await asSession(manager, "GET", `/portal-links/${id}`)).json.portal_link.status).toBe("revoked");
    expect((await trailOf(id))[0]).toMatchObject({ actor: `link:${manager.session.link_id}` });
  });
});

describe("an owner's links", () => {
  it("are stored under the owner's current key, even if the owner is erased meanwhile", async () => {
    const owner = { ...ACME, owner_id: `erased-${Date.now()}` };
    await createLink(owner);
    await portal("DELETE", `/owners/${owner.owner_type}/${owner.owner_id}/data`);
    advance(8 * DAY);
    const using = racing(() => runCron());
    const key = crypto.randomUUID();
    const headers = { "X-Client-ID": "portal", "X-Client-Secret": "portal-secret" };
    const init = {
      method: "POST",
      headers: { ...headers, "Content-Type": "application/json", "Idempotency-Key": key },
      body: JSON.stringify(owner),
    };
    const first = await send("/api/v1/portal-links", init, using);
    expect(first.status).toBe(201);
    expect((await createWithKey(key, owner)).json).toEqual(first.json);
  });

  it("and their sessions go when the owner is erased, and others stay", async () => {
    const owner = { ...ACME, owner_id: `gone-${Date.now()}` };
    const { session } = await signIn({ ...owner, person: "jane.doe@gone.example", expires_in: 86_400 });
    const kept = await signIn();
    await portal("DELETE", `/owners/${owner.owner_type}/${owner.owner_id}/data`);
    advance(7 * DAY + 60_000);
    await runCron();
    expect((await portal("GET", `/portal-links/${session.link_id}`)).status).toBe(404);
    expect((await portal("GET", `/sessions/${session.id}`)).status).toBe(404);
    expect((await portal("GET", `/sessions/${kept.session.id}`)).status).toBe(200);
    const rest = await dumpDatabase();
    const rows = rest.split("\n").filter((row) => row.includes("jane.doe"));
    expect(rows.every((row) => row.startsWith("audit|"))).toBe(true);
  });

  it("and sessions are deleted 30 days after they expired, and no sooner", async () => {
    const { session } = await signIn();
    const statuses = async () => [
      (await portal("GET", `/portal-links/${session.link_id}`)).status,
      (await portal("GET", `/sessions/${session.id}`)).status,
    ];
    advance(30 * DAY + 299_000);
    await runCron();
    expect(await statuses()).toEqual([200, 200]);
    advance(2_000);
    await runCron();
    expect(await statuses()).toEqual([404, 200]);
    advance(8 * 3_600_000);
    await runCron();
    expect(await statuses()).toEqual([404, 404]);
  });
});

it("a client beside a request counts only for that request", async () => {
  const { session } = await signIn({ capabilities: "manage" });
  expect((await sendAs(clientOfSession(session), "GET", "/api/v1/webhooks")).status).toBe(200);
  expect((await send("/api/v1/webhooks")).status).toBe(401);
});
