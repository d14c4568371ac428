/** How people come in, and how they go. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Bindings } from "../../../src/bindings.ts";
import { tokenLimiter } from "../../../src/console/sign-in-session.ts";
import { dumpDatabase } from "../../support/at-rest.ts";
import { Browser, person, type Shown, staff } from "../../support/console.ts";
import { wholeDatabase } from "../../support/database.ts";
import { advance } from "../../support/forwarding.ts";
import { BASE, bindings, type Json, portal, send } from "../../support/gateway.ts";
import { intercepted, outage } from "../../support/interception.ts";
import { ACME, createLink } from "../../support/sessions.ts";

beforeEach(() => {
  tokenLimiter.clear();
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const HOUR = 3_600_000;
const OWNER = { type: "payroll_company", id: "acme" } as const;
const CONSOLE = "https://console.audit1.com";
const deployed: Bindings = { ...bindings, ALLOW_INSECURE_ENDPOINTS: "", CONSOLE_ORIGIN: CONSOLE };

const enter = async (browser: Browser, fields: Json, more: Json = {}): Promise<Shown> =>
  browser.post("/console/sign-in", { token: (await createLink(fields)).token, ...more });
const cookiesOf = ({ headers }: Shown): string[] => headers.getSetCookie();
const sessionsOf = async (): Promise<Json[]> =>
  (await portal("GET", "/sessions?owner_type=payroll_company&owner_id=acme")).json.sessions;

describe("signing in by a link", () => {
  it("leads to the page that the link names, with a session", async () => {
    const browser = new Browser();
    const entered = await enter(browser, { next: "/console/settings?tab=sessions", person: "Jane" });
    expect([entered.status, entered.location]).toEqual([303, "/console/settings?tab=sessions"]);
    expect(entered.headers.get("Cache-Control")).toBe("no-store");
    const page = await browser.get("/console");
    expect(page.status).toBe(200);
    expect(page.text).toContain("Jane");
  });

  it("leads to the page that the person wanted, if that is one of the console", async () => {
    const wanted = await enter(new Browser(), {}, { next: "/console/reports?status=failed" });
    expect(wanted.location).toBe("/console/reports?status=failed");
    for (const next of [
      "https://evil.example/console",
      "//evil.example",
      "/console/%2e%2e/api",
      "/api/v1/x",
    ]) {
      const entered = await enter(new Browser(), { next: "/console/events" }, { next });
      expect(entered.location).toBe("/console/events");
    }
  });

  it("takes the whole address too, pasted into the form, as without scripts", async () => {
    const { json } = await portal("POST", "/portal-links", ACME);
    const page = await new Browser().get("/console/sign-in?next=%2Fconsole%2Fevents");
    expect(page.status).toBe(200);
    expect(page.text).toMatch(/<form method="post" action="\/console\/sign-in[^>]*data-sign-in/);
    expect(page.text).toContain('name="next" value="/console/events"');
    const entered = await new Browser().post("/console/sign-in", { token: ` ${json.url}\n` });
    expect([entered.status, entered.location]).toEqual([303, "/console"]);
  });

  it("ends the session that the browser had before", async () => {
    const browser = await person(OWNER);
    const [before] = await sessionsOf();
    await enter(browser, { person: "Joe" });
    const { json } = await portal("GET", `/sessions/${before?.id}`);
    expect(json.session.status).toBe("revoked");
    expect((await browser.get("/console")).text).toContain("Joe");
  });

  it("succeeds if the session before cannot be ended, and says so in the log", async () => {
    const errors = vi.spyOn(console, "error").mockImplementation(() => undefined);
    const { token } = await createLink();
    let isRedeemed = false;
    const using = intercepted((call, proceed) => {
      if (isRedeemed) return Promise.reject(outage("injected: the database is down"));
      isRedeemed = call === "DB.batch";
      return proceed();
    });
    const browser = new Browser({ using });
    browser.cookie = `__Secure-audit1_console=${"a".repeat(43)}`;
    const entered = await browser.post("/console/sign-in", { token });
    expect(entered.status).toBe(303);
    expect(JSON.stringify(errors.mock.calls)).toContain("failed to end a replaced session");
  });

  it.each<[string, RegExp, (link: { id: string; token: string }) => Promise<string>]>([
    [
      "used",
      /used already.*from your portal again/,
      async ({ token }) => {
        await new Browser().post("/console/sign-in", { token });
        return token;
      },
    ],
    [
      "expired",
      /has expired.*from your portal again/,
      async ({ token }) => {
        advance(300_000);
        return token;
      },
    ],
    [
      "revoked",
      /was revoked.*for a new one/,
      async ({ id, token }) => {
        await portal("DELETE", `/portal-links/${id}`);
        return token;
      },
    ],
    ["unknown", /incomplete or was never made.*for a new one/, async () => "a".repeat(43)],
    ["empty", /incomplete or was never made.*for a new one/, async () => ""],
    ["too long", /incomplete or was never made.*for a new one/, async ({ token }) => `${token}${token}`],
  ])("with a link that is %s says what to do, and signs nobody in", async (_what, words, tokenOf) => {
    const token = await tokenOf(await createLink());
    const before = await dumpDatabase();
    const browser = new Browser();
    const answer = await browser.post("/console/sign-in", { token });
    expect(answer.status).toBe(403);
    expect(answer.text).toMatch(words);
    expect(cookiesOf(answer)).toEqual([]);
    if (token !== "") expect(answer.text).not.toContain(token);
    expect(await dumpDatabase()).toBe(before);
  });

  it("writes neither the token nor the person into the log", async () => {
    const logs = [vi.spyOn(console, "log"), vi.spyOn(console, "error")];
    const { token } = await createLink({ person: "jane.doe@acme.example" });
    const browser = new Browser();
    await browser.post("/console/sign-in", { token });
    await browser.get("/console");
    await browser.post("/console/sign-in", { token });
    const logged = JSON.stringify(logs.map((log) => log.mock.calls));
    expect(logged).toContain("link_used");
    expect(logged).toMatch(/ses_[0-9a-f]{24}/);
    for (const secret of [token, browser.cookie?.split("=")[1] ?? "no cookie", "jane.doe"])
      expect(logged).not.toContain(secret);
  });

  it("escapes what the address says", async () => {
    const attack = `"><img src=x onerror=alert(1)>`;
    const page = await new Browser().get(`/console/sign-in?next=${encodeURIComponent(attack)}`);
    expect(page.text).not.toContain("<img");
    expect(page.text).toContain("&lt;img");
  });
});

describe("the cookie", () => {
  it("is for the console alone, out of reach of scripts and other sites, for as long as the session", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: new Date("2027-01-01T00:00:00Z") });
    const cookies = cookiesOf(await enter(new Browser(), {}));
    expect(cookies.at(-1)).toMatch(
      /^__Secure-audit1_console=[A-Za-z0-9_-]{43}; Path=\/console; Expires=Fri, 01 Jan 2027 08:00:00 GMT; HttpOnly; Secure; SameSite=Lax$/,
    );
  });

  it("works in another site's frame if the link is to be embedded, apart for each site", async () => {
    const using = { ...bindings, CONSOLE_FRAME_ANCESTORS: "https://portal.example" };
    const { json } = await portal("POST", "/portal-links", { ...ACME, embed: true }, "portal", using);
    const browser = new Browser({ using });
    const entered = await browser.post("/console/sign-in", { token: json.url });
    expect(cookiesOf(entered).at(-1)).toMatch(
      /^__Secure-audit1_console=[A-Za-z0-9_-]{43}; Path=\/console; Expires=[^;]+; HttpOnly; Secure; SameSite=None; Partitioned$/,
    );
    const page = await browser.get("/console");
    expect(page.status).toBe(200);
    expect(page.headers.get("Content-Security-Policy")).toMatch(
      /; frame-ancestors https:\/\/portal\.example$/,
    );
    const cookies = cookiesOf(await browser.post("/console/sign-out", {}));
    expect(cookies.map((each) => /SameSite=(Lax|None)/.exec(each)?.[1])).toEqual(["Lax", "None"]);
    expect(cookies.every((each) => each.includes("Max-Age=0"))).toBe(true);
  });

  it("takes the place of the other form", async () => {
    const [first, last] = cookiesOf(await enter(new Browser(), {}));
    expect(first).toMatch(/^__Secure-audit1_console=; Max-Age=0;.*SameSite=None; Partitioned$/);
    expect(last).toContain("SameSite=Lax");
  });

  it("has neither prefix nor Secure on http, where browsers refuse both", async () => {
    const browser = new Browser({ origin: "http://localhost:8787" });
    const entered = await enter(browser, {});
    expect(cookiesOf(entered)).toEqual([
      expect.stringMatching(
        /^audit1_console=[A-Za-z0-9_-]{43}; Path=\/console; Expires=[^;]+; HttpOnly; SameSite=Lax$/,
      ),
    ]);
    expect((await browser.get("/console")).status).toBe(200);
    expect(cookiesOf(await browser.post("/console/sign-out", {}))).toEqual([
      "audit1_console=; Max-Age=0; Path=/console; HttpOnly; SameSite=Lax",
    ]);
    expect((await browser.get("/console")).status).toBe(303);
  });

  it("of http counts for nothing on https", async () => {
    const browser = new Browser({ origin: "http://localhost:8787" });
    await enter(browser, {});
    const secure = new Browser();
    secure.cookie = browser.cookie;
    expect((await secure.get("/console")).status).toBe(303);
  });
});

describe("without a session in force", () => {
  it.each(["GET", "HEAD", "POST", "PUT", "DELETE"])("%s of a page leads to the sign-in", async (method) => {
    const before = await wholeDatabase();
    const browser = new Browser();
    const init = method === "GET" || method === "HEAD" ? {} : { headers: { Origin: BASE } };
    const page = await browser.request("/console/settings?tab=keys", { method, ...init });
    expect(page.status).toBe(303);
    expect(page.location).toMatch(/^\/console\/sign-in/);
    if (method === "GET")
      expect(page.location).toBe("/console/sign-in?next=%2Fconsole%2Fsettings%3Ftab%3Dkeys");
    expect(await wholeDatabase()).toEqual(before);
  });

  it.each<[string, (browser: Browser) => Promise<unknown>]>([
    ["has expired", async () => advance(8 * HOUR)],
    [
      "was revoked",
      async () => {
        for (const { id } of await sessionsOf()) await portal("DELETE", `/sessions/${id}`);
      },
    ],
    [
      "lost its link",
      async () => {
        for (const { portal_link_id } of await sessionsOf())
          await portal("DELETE", `/portal-links/${portal_link_id}`);
      },
    ],
    [
      "was changed in the browser",
      async (browser) => {
        browser.cookie = `${browser.cookie?.slice(0, -1)}${browser.cookie?.endsWith("A") ? "B" : "A"}`;
      },
    ],
  ])("because it %s, a page says that it has ended", async (_how, end) => {
    const browser = await person(OWNER);
    await end(browser);
    const away = await browser.get("/console");
    expect(away.location).toBe("/console/sign-in?next=%2Fconsole&ended=yes");
    expect((await browser.get(away.location ?? "")).text).toContain("Your session has ended");
  });

  it("a form that was open changes nothing and leads to the sign-in", async () => {
    const browser = await person(OWNER);
    expect((await browser.get("/console")).status).toBe(200);
    for (const { id } of await sessionsOf()) await portal("DELETE", `/sessions/${id}`);
    const before = await wholeDatabase();
    const posted = await browser.post("/console/connections/new", { environment: "sandbox" });
    expect([posted.status, posted.location]).toEqual([303, "/console/sign-in?ended=yes"]);
    expect(await wholeDatabase()).toEqual(before);
  });
});

describe("signing out", () => {
  it("ends the session itself, not only the cookie", async () => {
    const browser = await person(OWNER);
    const { cookie } = browser;
    const out = await browser.post("/console/sign-out", {});
    expect([out.status, out.location]).toEqual([303, "/console/sign-in?ended=signed-out"]);
    expect(browser.cookie).toBeNull();
    expect((await browser.get(out.location ?? "")).text).toContain("You are signed out");
    browser.cookie = cookie;
    expect((await browser.get("/console")).status).toBe(303);
    expect((await browser.post("/console/sign-out", {})).status).toBe(303);
  });

  it("is said by the sign-in page only in words of its own", async () => {
    const pageOf = (ended: string) => new Browser().get(`/console/sign-in?ended=${ended}`);
    expect((await pageOf("signed-out")).text).toContain('class="notice');
    expect((await pageOf("constructor")).text).not.toContain('class="notice');
  });

  it("is no link: GET does nothing", async () => {
    const browser = await person(OWNER);
    await browser.get("/console/sign-out");
    expect((await browser.get("/console")).status).toBe(200);
  });
});

describe("a form from elsewhere", () => {
  const FOREIGN: [string, Record<string, string>][] = [
    ["another site", { Origin: "https://evil.example", "Sec-Fetch-Site": "cross-site" }],
    ["a sibling host", { Origin: "https://portal.audit1.com", "Sec-Fetch-Site": "same-site" }],
    ["a browser that hides where", { Origin: "null", "Sec-Fetch-Site": "cross-site" }],
    ["another port", { Origin: `${BASE}:8443`, "Sec-Fetch-Site": "same-site" }],
    ["http", { Origin: BASE.replace("https", "http"), "Sec-Fetch-Site": "cross-site" }],
    ["an old browser", { Origin: "https://evil.example", "Sec-Fetch-Site": "" }],
    ["an address that was typed", { Origin: "null", "Sec-Fetch-Site": "none" }],
  ];

  it.each(FOREIGN)("signs nobody in: %s", async (_where, headers) => {
    const { id, token } = await createLink();
    const browser = new Browser();
    const answer = await browser.post("/console/sign-in", { token }, headers);
    expect(answer.status).toBe(403);
    expect(answer.text).toContain("Nothing was changed");
    expect(browser.cookie).toBeNull();
    expect((await portal("GET", `/portal-links/${id}`)).json.portal_link.status).toBe("open");
  });

  it.each(FOREIGN)("signs nobody out and changes nothing: %s", async (_where, headers) => {
    const browser = await person(OWNER);
    const before = await wholeDatabase();
    for (const path of ["/console/sign-out", "/console/connections/new", "/console"])
      expect((await browser.post(path, {}, headers)).status).toBe(403);
    expect(await wholeDatabase()).toEqual(before);
    expect((await browser.get("/console")).status).toBe(200);
  });

  it.each(["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain"])(
    "is refused as %s, and so is one that does not say what it is",
    async (type) => {
      const browser = await person(OWNER);
      const headers = { Origin: "https://evil.example", "Sec-Fetch-Site": "cross-site" };
      const bodies = [
        { headers: { ...headers, "Content-Type": type }, body: "a=b" },
        { headers, body: new Uint8Array([97]) },
      ];
      for (const init of bodies)
        expect((await browser.request("/console/sign-out", { method: "POST", ...init })).status).toBe(403);
      expect((await browser.get("/console")).status).toBe(200);
    },
  );
});

describe("unknown tokens", () => {
  const from = (address: string) => ({ "CF-Connecting-IP": address });
  const guess = () => crypto.randomUUID().replaceAll("-", "").padEnd(43, "a");

  it("are no longer looked up for an address that has sent many, and others are not affected", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const { token } = await createLink();
    for (let i = 0; i < 60; i++) {
      expect(
        (await new Browser().post("/console/sign-in", { token: guess() }, from("192.0.2.1"))).status,
      ).toBe(403);
      const browser = new Browser();
      browser.cookie = `__Secure-audit1_console=${guess()}`;
      const page = await browser.request("/console", { headers: from("192.0.2.1") });
      expect(page.status).toBe(303);
    }
    const held = await new Browser().post("/console/sign-in", { token }, from("192.0.2.1"));
    expect(held.status).toBe(429);
    expect(Number(held.headers.get("Retry-After"))).toBeGreaterThan(0);
    expect(held.text).toContain("Too many sign-ins from your network");
    const { token: other } = await createLink();
    expect((await new Browser().post("/console/sign-in", { token: other }, from("192.0.2.2"))).status).toBe(
      303,
    );
    advance(5_000);
    expect((await new Browser().post("/console/sign-in", { token }, from("192.0.2.1"))).status).toBe(303);
  });
});

describe("the console's host", () => {
  it("is the only one that has pages", async () => {
    const at = (origin: string, using = deployed) => new Browser({ using, origin }).get("/console/sign-in");
    expect((await at(CONSOLE)).status).toBe(200);
    for (const origin of [BASE, "https://api.audit1.info", `${CONSOLE}:8443`]) {
      const answer = await at(origin);
      expect(answer.status).toBe(404);
      expect(JSON.parse(answer.text).code).toBe("NOT_FOUND");
    }
    expect((await at(CONSOLE, { ...deployed, CONSOLE_ORIGIN: "" })).status).toBe(404);
  });

  it("answers 503 if it is not a usable setting, and the API works", async () => {
    vi.spyOn(console, "error").mockImplementation(() => undefined);
    const using = { ...deployed, CONSOLE_ORIGIN: "console.audit1.com" };
    const answer = await new Browser({ using, origin: CONSOLE }).get("/console");
    expect([answer.status, JSON.parse(answer.text).details]).toEqual([503, { part: "console" }]);
    expect((await portal("GET", "/employers", undefined, "portal", using)).status).toBe(200);
  });

  it("leads from http to https, and takes no form over http", async () => {
    const browser = new Browser({ using: deployed, origin: CONSOLE.replace("https", "http") });
    const page = await browser.get("/console/reports?x=1");
    expect([page.status, page.location]).toEqual([308, `${CONSOLE}/console/reports?x=1`]);
    const { id, token } = await createLink();
    expect((await browser.post("/console/sign-in", { token })).status).toBe(403);
    expect((await portal("GET", `/portal-links/${id}`)).json.portal_link.status).toBe("open");
  });

  it("has the API too, which reads no cookie", async () => {
    const browser = new Browser({ using: deployed, origin: CONSOLE });
    const { token } = await createLink({ capabilities: "manage" });
    await browser.post("/console/sign-in", { token });
    expect((await browser.get("/console")).status).toBe(200);
    for (const path of ["/api/v1/connections", "/api/v1/sessions", "/api/v1/files", "/api/v1/events"])
      expect((await browser.get(path)).status).toBe(401);
    const headers = { "Content-Type": "application/json", Cookie: browser.cookie ?? "" };
    const init = { method: "POST", headers, body: JSON.stringify(ACME) };
    for (const path of ["/api/v1/connections", "/api/v1/portal-links"])
      expect((await send(path, init)).status).toBe(401);
  });
});

it("staff and people of an owner see their own", async () => {
  const member = await (await staff()).get("/console");
  const owner = await (await person(OWNER)).get("/console");
  expect(member.text).toContain("All owners");
  expect(owner.text).not.toContain("All owners");
});
