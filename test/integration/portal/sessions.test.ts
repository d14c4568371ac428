import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Client } from "../../../src/http/context.ts";
import { asClient } from "../../../src/http/in-process.ts";
import { clientLimits } from "../../../src/portal/client-limits.ts";
import {
  clientOfSession,
  endSession,
  redeemLink,
  sessionOf,
  startStaffSession,
} from "../../../src/portal/sessions/signed-in.ts";
import { dumpDatabase } from "../../support/at-rest.ts";
import { bodyExamples, filled, operations, parametersOf } from "../../support/contract.ts";
import { wholeDatabase } from "../../support/database.ts";
import { advance } from "../../support/forwarding.ts";
import { BASE, bindings, createConnection, type Json, portal, send } from "../../support/gateway.ts";
import { intercepted } from "../../support/interception.ts";
import {
  ACME,
  asSession,
  createLink,
  redeemed,
  sendAs,
  sendRequest,
  signIn,
  tokenIn,
} from "../../support/sessions.ts";
import { openAlert } from "../../support/watch.ts";

beforeEach(() => {
  clientLimits.clear();
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const HOUR = 3_600_000;
const OWNER = { type: "payroll_company", id: "acme" } as const;
const EMAIL = "jane.roe@audit1.example";
const staff = (expiresAt = Date.now() + 24 * HOUR) =>
  startStaffSession(bindings, { name: EMAIL, expiresAt }, Date.now(), "req_test");
const trailOf = async (id: string): Promise<Json[]> =>
  (await portal("GET", `/audit?subject=session:${id}`)).json.audit;

describe("redeeming a link", () => {
  it("starts a session of eight hours with what the link allows", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const link = await createLink({ capabilities: "manage", person: "Jane", next: "/console/reports" });
    const result = await redeemLink(bindings, link.token, Date.now(), "req_1");
    expect(result).toMatchObject({ ok: true, value: { next: "/console/reports" } });
    const started = result.ok ? result.value : expect.fail();
    expect(await sessionOf(bindings, started.token, Date.now())).toEqual(started.session);
    const { json } = await portal("GET", `/sessions/${started.session.id}`, undefined, "bound");
    expect(json.session).toEqual({
      id: expect.stringMatching(/^ses_[0-9a-f]{24}$/),
      kind: "owner",
      ...ACME,
      capabilities: "manage",
      person: "Jane",
      portal_link_id: link.id,
      embed: false,
      status: "active",
      created_at: new Date().toISOString(),
      expires_at: new Date(Date.now() + 8 * HOUR).toISOString(),
      revoked_at: null,
    });
    const { portal_link } = (await portal("GET", `/portal-links/${link.id}`)).json;
    expect(portal_link).toMatchObject({ status: "used", used_at: new Date().toISOString() });
    expect(await trailOf(started.session.id)).toEqual([
      expect.objectContaining({
        actor: "person:Jane",
        action: "session.started",
        ...ACME,
        request_id: "req_1",
        after: expect.objectContaining({ capabilities: "manage", portal_link_id: link.id }),
      }),
    ]);
  });

  it("stores the session's token as a hash", async () => {
    const { token } = await signIn();
    expect(await dumpDatabase()).not.toContain(token);
  });

  it("starts one session, however many ask at once", async () => {
    const { id, token } = await createLink();
    const results = await Promise.all(
      Array.from({ length: 8 }, () => redeemLink(bindings, token, Date.now(), "")),
    );
    expect(results.filter(({ ok }) => ok)).toHaveLength(1);
    expect(results.filter((result) => !result.ok).map((result) => !result.ok && result.error)).toEqual(
      Array(7).fill("used"),
    );
    const rows = await bindings.DB.prepare("SELECT id FROM sessions WHERE link_id = ?").bind(id).all();
    expect(rows.results).toHaveLength(1);
    const audited = await bindings.DB.prepare(
      "SELECT 1 FROM audit WHERE action = 'session.started' AND after LIKE ?",
    )
      .bind(`%${id}%`)
      .all();
    expect(audited.results).toHaveLength(1);
  });

  it.each<[string, (link: { id: string; token: string }) => Promise<unknown>]>([
    ["used", ({ token }) => redeemed(token)],
    ["revoked", ({ id }) => portal("DELETE", `/portal-links/${id}`)],
  ])("fails with %s after that, also if that comes between its read and its write", async (error, end) => {
    const link = await createLink();
    let raced = false;
    const using = intercepted(async (call, proceed) => {
      if (call === "DB.batch" && !raced) {
        raced = true;
        await end(link);
      }
      return proceed();
    });
    expect(await redeemLink(using, link.token, Date.now(), "")).toEqual({ ok: false, error });
    expect(await redeemLink(bindings, link.token, Date.now(), "")).toEqual({ ok: false, error });
    const rows = await bindings.DB.prepare("SELECT id FROM sessions WHERE link_id = ?").bind(link.id).all();
    expect(rows.results).toHaveLength(error === "used" ? 1 : 0);
  });

  it("fails with expired from the end of its time on", async () => {
    const { json } = await portal("POST", "/portal-links", { ...ACME, expires_in: 30 });
    const [token, end] = [tokenIn({ json }), Date.parse(json.portal_link.expires_at)];
    expect(await redeemLink(bindings, token, end, "")).toEqual({ ok: false, error: "expired" });
    expect((await redeemLink(bindings, token, end - 1, "")).ok).toBe(true);
  });

  it.each(["", "x", "a".repeat(43), "a".repeat(4_000), "%00", "é".repeat(43)])(
    "fails with unknown for a token that no link has: %s",
    async (token) => {
      expect(await redeemLink(bindings, token, Date.now(), "")).toEqual({ ok: false, error: "unknown" });
      expect(await sessionOf(bindings, token, Date.now())).toBeNull();
    },
  );

  it("takes no session's token, and a session no link's", async () => {
    const link = await createLink();
    const { token } = await signIn();
    expect(await redeemLink(bindings, token, Date.now(), "")).toEqual({ ok: false, error: "unknown" });
    expect(await sessionOf(bindings, link.token, Date.now())).toBeNull();
  });
});

describe("a session", () => {
  it.each<[string, (id: string) => Promise<unknown>]>([
    ["eight hours", async () => advance(8 * HOUR)],
    ["its revocation", (id) => portal("DELETE", `/sessions/${id}`)],
    [
      "the revocation of its link",
      async (id) => {
        const { session } = (await portal("GET", `/sessions/${id}`)).json;
        await portal("DELETE", `/portal-links/${session.portal_link_id}`);
      },
    ],
  ])("ends with %s", async (_what, end) => {
    const { token, session } = await signIn();
    advance(8 * HOUR - 1_000);
    expect(await sessionOf(bindings, token, Date.now())).not.toBeNull();
    await end(session.id);
    expect(await sessionOf(bindings, token, Date.now())).toBeNull();
  });

  it("ends at its person's request, which the audit trail says", async () => {
    const { token, session } = await signIn({ person: "Jane" });
    await endSession(bindings, session, Date.now(), "req_2");
    await endSession(bindings, session, Date.now(), "req_3");
    expect(await sessionOf(bindings, token, Date.now())).toBeNull();
    expect((await trailOf(session.id)).map(({ actor, action }) => [actor, action])).toEqual(
      expect.arrayContaining([
        ["person:Jane", "session.started"],
        ["person:Jane", "session.ended"],
      ]),
    );
    expect(await trailOf(session.id)).toHaveLength(2);
  });

  it("of staff lasts an hour, or as long as the Access token", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const now = Date.now();
    expect((await staff()).session.expires_at).toBe(now + HOUR);
    const short = await staff(now + 600_000);
    expect(short.session.expires_at).toBe(now + 600_000);
    expect(clientOfSession(short.session)).toEqual({
      actor: `access:${EMAIL}`,
      capability: "manage",
      session: short.session.id,
    });
    advance(600_000);
    expect(await sessionOf(bindings, short.token, Date.now())).toBeNull();
  });
});

describe("GET /sessions", () => {
  it("lists those in force, newest first, and those that have ended if it is asked for", async () => {
    const owner = { ...ACME, owner_id: `who-${Date.now()}` };
    const query = `/sessions?owner_type=${owner.owner_type}&owner_id=${owner.owner_id}`;
    const of = async (more = "") =>
      (await portal("GET", `${query}${more}`)).json.sessions.map(({ id, status }: Json) => [id, status]);
    const revoked = await signIn(owner);
    advance(1);
    const first = await signIn(owner);
    advance(1);
    const second = await signIn(owner);
    await portal("DELETE", `/sessions/${revoked.session.id}`);
    const active = [second, first].map(({ session }) => [session.id, "active"]);
    expect(await of()).toEqual(active);
    expect(await of("&include_ended=true")).toEqual([...active, [revoked.session.id, "revoked"]]);
    const page = await portal("GET", `${query}&limit=1`);
    const rest = await portal("GET", `${query}&cursor=${page.json.next_cursor}`);
    expect(rest.json).toMatchObject({ sessions: [{ id: first.session.id }], next_cursor: null });
    advance(8 * HOUR);
    expect(await of()).toEqual([]);
    expect((await of("&include_ended=true")).map(([, status]: string[]) => status)).toEqual([
      "expired",
      "expired",
      "revoked",
    ]);
  });

  it("shows staff to those who act for everybody, and to nobody else", async () => {
    const { session } = await staff();
    const ids = async (path: string, client: string) =>
      (await portal("GET", path, undefined, client)).json.sessions.map(({ id }: Json) => id);
    expect(await ids("/sessions", "portal")).toContain(session.id);
    expect(await ids("/sessions", "bound")).not.toContain(session.id);
    const named = "?owner_type=payroll_company&owner_id=acme";
    expect(await ids(`/sessions${named}`, "portal")).not.toContain(session.id);
    for (const [path, client] of [
      [`/sessions/${session.id}`, "bound"],
      [`/sessions/${session.id}${named}`, "portal"],
    ] as const) {
      for (const method of ["GET", "DELETE"])
        expect(await portal(method, path, undefined, client)).toMatchObject({
          status: 404,
          json: { error: "session_not_found" },
        });
    }
    const owners = await signIn({ capabilities: "manage" });
    expect((await asSession(owners, "GET", "/sessions")).json.sessions).not.toContainEqual(
      expect.objectContaining({ kind: "staff" }),
    );
  });
});

describe("DELETE /sessions/{id}", () => {
  it("signs the person out at once, and may be repeated", async () => {
    const { token, session } = await signIn();
    const answer = await portal("DELETE", `/sessions/${session.id}`);
    expect(answer).toMatchObject({
      status: 200,
      json: { message: "session_revoked", session: { id: session.id, status: "revoked" } },
    });
    expect(await sessionOf(bindings, token, Date.now())).toBeNull();
    expect((await portal("DELETE", `/sessions/${session.id}`)).json).toEqual(answer.json);
    expect((await trailOf(session.id)).map(({ action }) => action)).toEqual(
      expect.arrayContaining(["session.revoked", "session.started"]),
    );
    expect(await trailOf(session.id)).toHaveLength(2);
  });

  it("leaves one that has expired as it is", async () => {
    const { session } = await signIn();
    advance(8 * HOUR);
    expect((await portal("DELETE", `/sessions/${session.id}`)).json.session.status).toBe("expired");
    expect(await trailOf(session.id)).toHaveLength(1);
  });

  it("may be done by a colleague who may manage, and by nobody of another owner", async () => {
    const colleague = await signIn({ capabilities: "manage", person: "Boss" });
    const { session } = await signIn();
    const theirs = await signIn({ owner_id: "theirs" });
    expect((await asSession(colleague, "DELETE", `/sessions/${theirs.session.id}`)).status).toBe(404);
    expect((await asSession(colleague, "DELETE", `/sessions/${session.id}`)).status).toBe(200);
    expect((await trailOf(session.id)).map(({ actor }) => actor)).toContain("person:Boss");
  });
});

/** Everything that portal clients may ask for, except for reading. */
const writes = operations.filter(
  ({ method, described }) =>
    method !== "GET" && described.security.some((way: Json) => "portalClientId" in way),
);

describe("a session that may only read", () => {
  it.each(writes.map((operation) => [operation.id, operation] as const))(
    "is refused by %s, and changes nothing",
    async (_id, operation) => {
      const { session } = await signIn();
      const before = await wholeDatabase();
      const params = Object.fromEntries(
        parametersOf(operation, "path").map(({ name }) => [name, name === "owner_type" ? "user" : "x"]),
      );
      const [body] = bodyExamples(operation).map(([, value]) => value);
      const path = filled(operation.path, params);
      const answer = await sendAs(clientOfSession(session), operation.method, path, body);
      expect(answer).toMatchObject({ status: 403, json: { error: "View only", code: "VIEW_ONLY" } });
      expect(await wholeDatabase()).toEqual(before);
    },
  );

  it("covers every way to write", () => {
    expect(writes.length).toBeGreaterThan(25);
  });

  it("reads what its owner may, and nothing of others", async () => {
    const viewer = await signIn();
    const { id } = await createConnection();
    const theirs = await createConnection({ owner_id: "theirs" });
    expect((await asSession(viewer, "GET", `/connections/${id}`)).status).toBe(200);
    expect((await asSession(viewer, "HEAD", `/connections/${id}`)).status).toBe(200);
    expect((await asSession(viewer, "GET", `/connections/${theirs.id}`)).status).toBe(404);
    expect((await asSession(viewer, "GET", "/connections?owner_id=theirs")).status).toBe(404);
    expect((await asSession(viewer, "GET", "/stuck-files")).status).toBe(404);
    expect((await asSession(viewer, "GET", `/files?connection_id=${id}`)).status).toBe(200);
    expect((await asSession(viewer, "GET", "/events")).status).toBe(200);
    expect((await asSession(viewer, "GET", "/sessions")).status).toBe(200);
  });
});

describe("a session that may manage", () => {
  it("changes what is its owner's, under its person's name, which no log has", async () => {
    const logs = [vi.spyOn(console, "log"), vi.spyOn(console, "error")];
    const manager = await signIn({ capabilities: "manage", person: "jane.roe@acme.example" });
    const created = await asSession(manager, "POST", "/connections", {});
    expect(created).toMatchObject({ status: 201, json: { connection: ACME } });
    const { id } = created.json.connection;
    const theirs = await createConnection({ owner_id: "theirs" });
    expect((await asSession(manager, "DELETE", `/connections/${theirs.id}`)).status).toBe(404);
    expect((await asSession(manager, "POST", "/connections", { plan: "enterprise" })).status).toBe(400);
    const { json } = await portal("GET", `/audit?subject=connection:${id}`, undefined, "bound");
    expect(json.audit[0].actor).toBe("person:jane.roe@acme.example");
    const logged = JSON.stringify(logs.map((log) => log.mock.calls));
    expect(logged).toContain(manager.session.id);
    expect(logged).not.toContain("jane.roe");
  });

  it("is called by its link if that names nobody", async () => {
    const manager = await signIn({ capabilities: "manage" });
    const { id } = (await asSession(manager, "POST", "/connections", {})).json.connection;
    const { json } = await portal("GET", `/audit?subject=connection:${id}`);
    expect(json.audit[0].actor).toBe(`link:${manager.session.link_id}`);
  });

  it("acknowledges an alert as its owner", async () => {
    const manager = await signIn({ capabilities: "manage", person: "Jane" });
    const alert = await openAlert(await createConnection());
    const { json } = await asSession(manager, "POST", `/alerts/${alert}/acknowledge`);
    expect(json.alert.acknowledged_by).toBe("owner:person:Jane");
    const operators = await asSession(await staff(), "POST", `/alerts/${alert}/acknowledge`);
    expect(operators.json.alert.acknowledged_by).toBe(`access:${EMAIL}`);
    const seen = await asSession(manager, "POST", `/alerts/${alert}/acknowledge`);
    expect(seen.json.alert.acknowledged_by).toBe("access");
  });
});

describe("a session of staff", () => {
  it("acts for everybody, by name, which an owner does not learn", async () => {
    const started = await staff();
    const answer = await asSession(started, "POST", "/connections", { ...ACME, plan: "enterprise" });
    expect(answer.status).toBe(201);
    const health = await sendAs(clientOfSession(started.session), "GET", "/health");
    expect(health.json).toHaveProperty("checks");
    const owners = await signIn({ capabilities: "manage" });
    expect((await sendAs(clientOfSession(owners.session), "GET", "/health")).json).not.toHaveProperty(
      "checks",
    );
    const subject = `/audit?subject=connection:${answer.json.connection.id}`;
    expect((await portal("GET", subject)).json.audit[0].actor).toBe(`access:${EMAIL}`);
    expect((await portal("GET", subject, undefined, "bound")).json.audit[0].actor).toBe("access");
  });
});

describe("limits", () => {
  const use = (client: Client, count: number) => {
    for (let i = 0; i < count; i++) clientLimits.exceeded(client, Date.now());
  };

  it("are those of a client that is bound to an owner, for each of its people", async () => {
    const [jane, joe, namesake] = [
      await signIn({ person: "Jane" }),
      await signIn({ person: "Joe" }),
      await signIn({ person: "Jane", owner_id: "theirs" }),
    ];
    use(clientOfSession(jane.session), 600);
    expect((await asSession(jane, "GET", "/webhooks")).status).toBe(429);
    expect((await asSession(joe, "GET", "/webhooks")).status).toBe(200);
    expect((await asSession(namesake, "GET", "/webhooks")).status).toBe(200);
  });
});

describe("the API", () => {
  it("reads no cookie, whatever it is called", async () => {
    const started = await signIn({ capabilities: "manage" });
    const member = await staff();
    for (const { token } of [started, member])
      for (const name of ["session", "__Secure-session", "__Host-session", "audit1_session", "console"]) {
        const headers = { Cookie: `${name}=${token}`, "Sec-Fetch-Site": "same-origin" };
        for (const [method, path] of [
          ["GET", "/connections"],
          ["GET", "/sessions"],
          ["DELETE", `/sessions/${started.session.id}`],
        ] as const)
          expect((await send(`/api/v1${path}`, { method, headers })).status).toBe(401);
      }
    expect(await sessionOf(bindings, started.token, Date.now())).not.toBeNull();
  });

  it("takes no session from a header", async () => {
    const { token, session } = await signIn({ capabilities: "manage" });
    const client = JSON.stringify(clientOfSession(session));
    for (const headers of [
      { "X-Client": client },
      { "X-Session": token },
      { "X-Session-Id": session.id },
      { Authorization: `Bearer ${token}` },
      { "X-Client-ID": session.id, "X-Client-Secret": token },
      { "Cf-Access-Jwt-Assertion": token },
    ] as Record<string, string>[])
      expect([401, 403]).toContain((await send("/api/v1/connections", { headers })).status);
  });

  it("counts no credential of a request that has a client beside it", async () => {
    const client: Client = { actor: "person:x", owner: OWNER, capability: "view" };
    const headers = { "X-Client-ID": "portal", "X-Client-Secret": "portal-secret" };
    const request = () => new Request(`${BASE}/api/v1/stuck-files`, { headers });
    expect((await sendRequest(asClient(request(), client))).status).toBe(404);
    expect((await sendRequest(request())).status).toBe(200);
  });
});
