/** `/console/staff`: Cloudflare Access vouches for people of Audit1, and nobody else enters there. */
import { generateKeyPair } from "jose";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Bindings } from "../../../src/bindings.ts";
import { type AccessTeamDouble, accessTeamDouble, STAFF_EMAIL, STAFF_ID } from "../../support/access.ts";
import { Browser, person, type Shown } from "../../support/console.ts";
import { wholeDatabase } from "../../support/database.ts";
import { advance } from "../../support/forwarding.ts";
import { bindings, type Json, portal, send } from "../../support/gateway.ts";

let teams = 0;
let team: AccessTeamDouble;

beforeEach(async () => {
  team = await accessTeamDouble(`staff-${++teams}`);
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const HOUR = 3_600_000;
const vouched = (jwt: string) => ({ headers: { "Cf-Access-Jwt-Assertion": jwt } });
const open = (jwt: string, browser = new Browser({ using: team.using }), query = ""): Promise<Shown> =>
  browser.request(`/console/staff${query}`, vouched(jwt));
const staffSessions = async (): Promise<Json[]> =>
  (await portal("GET", "/sessions?limit=100")).json.sessions.filter(
    ({ kind, person }: Json) => kind === "staff" && person === STAFF_EMAIL,
  );

describe("a person whom Access vouches for", () => {
  it("gets a session of an hour that acts for everybody, under the person's name", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const browser = new Browser({ using: team.using });
    const entered = await open(await team.token(), browser);
    expect([entered.status, entered.location]).toEqual([303, "/console"]);
    expect(entered.headers.getSetCookie().at(-1)).toMatch(/^__Secure-audit1_console=.*SameSite=Lax$/);
    const page = await browser.get("/console");
    expect(page.status).toBe(200);
    expect(page.text).toContain(STAFF_EMAIL);
    const [session] = await staffSessions();
    expect(session).toMatchObject({ owner_id: null, capabilities: "manage", portal_link_id: null });
    expect(Date.parse(session?.expires_at)).toBe(Date.now() + HOUR);
    const trail = await portal("GET", `/audit?subject=session:${session?.id}`);
    expect(trail.json.audit).toMatchObject([{ action: "session.started", actor: `access:${STAFF_EMAIL}` }]);
    advance(HOUR);
    expect((await browser.get("/console")).status).toBe(303);
  });

  it("stays no longer than the Access token", async () => {
    const browser = new Browser({ using: team.using });
    await open(await team.token({ exp: Math.floor(Date.now() / 1_000) + 600 }), browser);
    expect((await browser.get("/console")).status).toBe(200);
    advance(600_000);
    expect((await browser.get("/console")).status).toBe(303);
  });

  it("goes on to the page that was wanted, if that is one of the console", async () => {
    const jwt = await team.token();
    const to = async (next: string) =>
      (await open(jwt, undefined, `?next=${encodeURIComponent(next)}`)).location;
    expect(await to("/console/reports?status=failed")).toBe("/console/reports?status=failed");
    for (const next of [
      "https://evil.example",
      "//evil.example",
      "/api/v1",
      "/console/../api",
      "/console\\x",
    ])
      expect(await to(next)).toBe("/console");
  });

  it("is in the log by an id, not by name, and the token is not", async () => {
    const logs = [vi.spyOn(console, "log"), vi.spyOn(console, "error")];
    const jwt = await team.token();
    const browser = new Browser({ using: team.using });
    await open(jwt, browser);
    await browser.get("/console");
    const logged = JSON.stringify(logs.map((log) => log.mock.calls));
    expect(logged).toContain(`access:${STAFF_ID}`);
    for (const secret of [STAFF_EMAIL, jwt, browser.cookie?.split("=")[1] ?? "no cookie"])
      expect(logged).not.toContain(secret);
  });

  it("replaces the session of an owner that the browser had", async () => {
    const browser = await person({ type: "payroll_company", id: "acme" });
    const owners = new Browser();
    owners.cookie = browser.cookie;
    const member = new Browser({ using: team.using });
    member.cookie = browser.cookie;
    await open(await team.token(), member);
    expect((await owners.get("/console")).status).toBe(303);
    expect((await member.get("/console")).text).toContain("All owners");
  });
});

describe("nobody enters", () => {
  const refusals: [string, number, () => Promise<[string | null, Bindings]>][] = [
    ["without a token", 401, async () => [null, team.using]],
    ["with an empty token", 401, async () => ["", team.using]],
    ["with what is no token", 401, async () => ["not.a.token", team.using]],
    [
      "with a token that has expired",
      401,
      async () => [await team.token({ exp: Math.floor(Date.now() / 1_000) - 1 }), team.using],
    ],
    ["with a token for another application", 401, async () => [await team.token({ aud: ["x"] }), team.using]],
    [
      "with a token of another team",
      401,
      async () => [await (await accessTeamDouble("strangers")).token(), team.using],
    ],
    [
      "with a token that somebody else signed",
      401,
      async () => [await team.token({}, (await generateKeyPair("RS256")).privateKey), team.using],
    ],
    ["with a token that names nobody", 401, async () => [await team.token({ email: undefined }), team.using]],
    [
      "with a service token",
      403,
      async () => [await team.token({ email: undefined, sub: "", common_name: "ci.access" }), team.using],
    ],
    [
      "if Access is not set up",
      503,
      async () => [await team.token(), { ...team.using, ACCESS_TEAM: "", ACCESS_AUD: "" }],
    ],
    ["if Access is half set up", 503, async () => [await team.token(), { ...team.using, ACCESS_AUD: "" }]],
    [
      "if the team's keys cannot be fetched",
      503,
      async () => {
        await team.publish(500);
        return [await team.token(), team.using];
      },
    ],
  ];

  it.each(refusals)("%s: %i", async (_how, status, make) => {
    vi.spyOn(console, "error").mockImplementation(() => undefined);
    const [jwt, using] = await make();
    const before = await wholeDatabase();
    const browser = new Browser({ using });
    const page = await browser.request("/console/staff", jwt === null ? {} : vouched(jwt));
    expect(page.status).toBe(status);
    expect(page.headers.get("Content-Type")).toMatch(/^text\/html/);
    expect(page.headers.get("Content-Security-Policy")).toContain("default-src 'none'");
    expect(page.headers.getSetCookie()).toEqual([]);
    expect(page.text).not.toContain("cloudflareaccess.com");
    expect(await wholeDatabase()).toEqual(before);
  });

  it("with a token in the cookie of Access: only the header, which Access sets, counts", async () => {
    const browser = new Browser({ using: team.using });
    browser.cookie = `CF_Authorization=${await team.token()}`;
    expect((await browser.get("/console/staff")).status).toBe(401);
  });

  it("by a form", async () => {
    const browser = new Browser({ using: team.using });
    const posted = await browser.post("/console/staff", {}, vouched(await team.token()).headers);
    expect(posted.location).toMatch(/^\/console\/sign-in/);
    expect(browser.cookie).toBeNull();
  });
});

describe("a token of Access", () => {
  it("opens no page but /console/staff", async () => {
    const jwt = await team.token();
    const browser = new Browser({ using: team.using });
    for (const path of ["/console", "/console/settings"])
      expect((await browser.request(path, vouched(jwt))).status).toBe(303);
    expect((await browser.request("/console/sign-in", vouched(jwt))).status).toBe(200);
    expect(browser.cookie).toBeNull();
  });

  it("means nothing to the API in a cookie, whatever the cookie is called", async () => {
    const jwt = await team.token();
    for (const name of ["CF_Authorization", "Cf-Access-Jwt-Assertion", "__Secure-audit1_console"]) {
      const headers = { Cookie: `${name}=${jwt}`, "Sec-Fetch-Site": "same-origin" };
      expect((await send("/api/v1/audit", { headers }, team.using)).status).toBe(401);
    }
    expect((await send("/api/v1/audit", vouched(jwt), team.using)).status).toBe(200);
  });

  it("does not make the API answer more to the session of an owner's person", async () => {
    const browser = await person({ type: "payroll_company", id: "acme" });
    const inside = new Browser({ using: team.using });
    inside.cookie = browser.cookie;
    const page = await inside.request("/console", vouched(await team.token()));
    expect(page.status).toBe(200);
    expect(page.text).not.toContain("All owners");
    expect(page.text).not.toContain(STAFF_EMAIL);
  });
});

it("a gateway for local development says how staff sign in there", async () => {
  const page = await new Browser({ using: { ...bindings } }).get("/console/staff");
  expect(page.status).toBe(503);
  expect(page.text).toContain("npm start");
});
