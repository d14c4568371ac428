/** Who may open a page, and what a posted form may do: asked of every route of the console, those to come included. */
import { beforeAll, describe, expect, it, vi } from "vitest";
import { consoleApp } from "../../../src/console/console-app.tsx";
import { newObjectId } from "../../../src/crypto/ids.ts";
import { clientLimits } from "../../../src/portal/client-limits.ts";
import { Browser, person, staff } from "../../support/console.ts";
import { wholeDatabase } from "../../support/database.ts";

const OWNER = { type: "payroll_company", id: "acme" } as const;
/** These need no session. */
const OPEN = ["/console/sign-in", "/console/sign-out", "/console/staff", "/console/assets/:file"];

const routes = [
  ...new Set(
    consoleApp.routes
      .filter(({ method, path }) => method !== "ALL" && !OPEN.includes(path))
      .map(({ method, path }) => `${method} ${path}`),
  ),
].map((route) => route.split(" ") as [method: string, path: string]);
const pages = routes.filter(([method]) => method === "GET");
const forms = routes.filter(([method]) => method !== "GET");

/** The path with ids that nobody has. */
const filled = (path: string) => path.replace(/:\w+(\{[^}]*\})?/g, newObjectId);

const viewers: Record<string, Browser> = {};
beforeAll(async () => {
  viewers.staff = await staff();
  viewers.manager = await person(OWNER);
  viewers.viewer = await person(OWNER, "view");
});
const of = (who: string): Browser => viewers[who] ?? expect.fail(`nobody is called ${who}`);

it("there are pages and forms", () => {
  expect(pages.length).toBeGreaterThan(0);
  expect(forms.length).toBeGreaterThan(0);
  expect(routes.filter(([method]) => !["GET", "POST"].includes(method))).toEqual([]);
});

describe.each(pages)("%s %s", (_method, path) => {
  it("leads to the sign-in without a session", async () => {
    const page = await new Browser().get(filled(path));
    expect(page.status).toBe(303);
    expect(page.location).toMatch(/^\/console\/sign-in\?next=/);
    expect(page.text).toBe("");
  });

  it.each(["staff", "manager", "viewer"])("opens for %s, or says that it shows nothing", async (who) => {
    const page = await of(who).get(filled(path));
    expect([200, 303, 404]).toContain(page.status);
    if (page.status === 303) expect(page.location).not.toMatch(/sign-in/);
    expect(page.headers.get("Content-Security-Policy")).toContain("default-src 'none'");
    expect(page.headers.get("Cache-Control")).toBe("no-store");
  });
});

describe.each(forms)("%s %s", (_method, path) => {
  it("is refused from elsewhere, with and without a session", async () => {
    const foreign = { Origin: "https://evil.example", "Sec-Fetch-Site": "cross-site" };
    const before = await wholeDatabase();
    for (const browser of [of("staff"), of("manager"), new Browser()])
      expect((await browser.post(filled(path), {}, foreign)).status).toBe(403);
    expect(await wholeDatabase()).toEqual(before);
  });

  it("leads to the sign-in without a session, and changes nothing", async () => {
    const before = await wholeDatabase();
    const posted = await new Browser().post(filled(path), {});
    expect([posted.status, posted.location]).toEqual([303, "/console/sign-in"]);
    expect(await wholeDatabase()).toEqual(before);
  });

  it("changes nothing for somebody who may only look", async () => {
    const before = await wholeDatabase();
    const posted = await of("viewer").post(filled(path), {});
    expect(posted.status).toBeLessThan(500);
    expect(await wholeDatabase()).toEqual(before);
  });
});

it.each(pages.filter(([, path]) => path.includes(":")))(
  "%s %s does not call its object missing when too much was asked in a minute",
  async (_method, path) => {
    vi.spyOn(clientLimits, "exceeded").mockReturnValue({
      allowed: false,
      limit: 600,
      remaining: 0,
      resetAt: Date.now() + 30_000,
      window: "1 minute",
    });
    const page = await of("manager").get(filled(path));
    vi.restoreAllMocks();
    expect(page.status).toBe(429);
  },
);
