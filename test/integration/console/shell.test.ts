/** What every page of the console has in common. */
import { describe, expect, it } from "vitest";
import { asset } from "../../../src/console/assets.ts";
import { Browser, person, staff } from "../../support/console.ts";
import { portal } from "../../support/gateway.ts";

const OWNER = { type: "payroll_company", id: "acme" } as const;

describe("a page", () => {
  it("runs no script and no style but the console's own, and is not kept or framed", async () => {
    const page = await (await staff()).get("/console");
    expect(page.text).not.toMatch(
      /<style|\sstyle=|\son\w+=|<script(?! type="module" src="\/console\/assets\/)/,
    );
    expect(page.headers.get("Content-Security-Policy")).toMatch(
      /^default-src 'none'; script-src 'self'; style-src 'self';.*frame-ancestors 'none'$/,
    );
    expect(page.headers.get("Cache-Control")).toBe("no-store");
    expect(page.headers.get("X-Content-Type-Options")).toBe("nosniff");
  });

  it("shows the API calls behind it as commands without credentials", async () => {
    const page = await (await staff()).get("/console");
    expect(page.text).toContain("GET /health");
    expect(page.text).toContain("X-Client-Secret: $AUDIT1_CLIENT_SECRET");
  });

  it("that does not exist is a 404 which leads back", async () => {
    const page = await (await staff()).get("/console/nowhere");
    expect(page.status).toBe(404);
    expect(page.text).toContain('href="/console"');
  });

  it.each(["keys&key=.", "employers&employer=..", "sessions&do=revoke&session=.", "links&do=revoke&link=."])(
    "of an id that is a step in a path is a 404: %s",
    async (query) => {
      expect((await (await staff()).get(`/console/settings?tab=${query}`)).status).toBe(404);
    },
  );

  it("keeps the owner and environment that staff look at in its links", async () => {
    const browser = await staff();
    const { text } = await browser.get("/console?owner=payroll_company/acme&environment=sandbox");
    expect(text).toContain('href="/console/reports?owner=payroll_company%2Facme&amp;environment=sandbox"');
    expect(text).toContain('class="sandbox"');
  });

  it("keeps its view and its colour when another owner or environment is chosen", async () => {
    const { text } = await (await staff()).get("/console/settings?tab=sessions&cursor=x&accent=aa3377");
    const [form = ""] = /<details class="scope">[\s\S]*?<\/details>/.exec(text) ?? [];
    const hidden = [...form.matchAll(/<input type="hidden" name="(\w+)" value="(\w+)"/g)];
    expect(hidden.map(([, name, value]) => [name, value])).toEqual([
      ["tab", "sessions"],
      ["accent", "aa3377"],
    ]);
  });

  it("keeps its filters when it asks whose objects it lists", async () => {
    const { text } = await (await staff()).get("/console/deliveries?status=failed&cursor=x");
    const [form = ""] =
      /<form method="get" action="\/console\/deliveries" class="fields">[\s\S]*?<\/form>/.exec(text) ?? [];
    expect(form).toContain('<input type="hidden" name="status" value="failed"');
    expect(form).not.toContain("cursor");
  });

  it("ignores an owner that the address names in the session of another", async () => {
    const browser = await person(OWNER);
    const { text } = await browser.get("/console?owner=employer/other");
    expect(text).not.toContain("other");
  });
});

describe("a frame of a portal", () => {
  it("shows a page without navigation", async () => {
    const browser = await person(OWNER);
    const { text } = await browser.request("/console/reports", { headers: { "Sec-Fetch-Dest": "iframe" } });
    expect(text).toContain("<h1>Reports</h1>");
    expect(text).not.toMatch(/<header class="banner"|<nav class="rail"/);
  });

  it("shows it in the portal's colour, which its links keep", async () => {
    const browser = await person(OWNER);
    const { text } = await browser.get("/console/reports?accent=AA3377");
    const [, address = ""] = /<link rel="stylesheet" href="([^"]*accent-aa3377[^"]*)"/.exec(text) ?? [];
    expect((await browser.get(address)).text).toContain("--accent:light-dark(#aa3377,");
    expect(text).toContain('href="/console/webhooks?accent=aa3377"');
  });

  it("shows its own colour for one that is none", async () => {
    const { text } = await (await person(OWNER)).get("/console/reports?accent=red%3B%7D");
    expect(text).not.toContain("assets/accent");
  });
});

describe("files", () => {
  it("are named after their content and kept by browsers, without a session", async () => {
    const file = await new Browser().get(asset("console.css"));
    expect(file.status).toBe(200);
    expect(file.headers.get("Content-Type")).toBe("text/css; charset=utf-8");
    expect(file.headers.get("Cache-Control")).toBe("public, max-age=31536000, immutable");
  });

  it("of another version are not found", async () => {
    const file = await new Browser().get("/console/assets/console.0000000000.css");
    expect(file.status).toBe(404);
  });
});

describe("a form", () => {
  it.each([
    { from: "another site", headers: { Origin: "https://evil.example", "Sec-Fetch-Site": "cross-site" } },
    {
      from: "a sibling site",
      headers: { Origin: "https://other.audit1.com", "Sec-Fetch-Site": "same-site" },
    },
  ])("that was posted from $from changes nothing", async ({ headers }) => {
    const browser = await person(OWNER);
    const refused = await browser.post("/console/sign-out", {}, headers);
    expect(refused.status).toBe(403);
    expect((await browser.get("/console")).status).toBe(200);
  });

  it("to sign out ends the session", async () => {
    const browser = await person(OWNER);
    const { cookie } = browser;
    expect((await browser.post("/console/sign-out", {})).status).toBe(303);
    browser.cookie = cookie;
    expect((await browser.get("/console")).location).toMatch(/^\/console\/sign-in/);
  });
});

it("a session that was revoked ends with the next page", async () => {
  const browser = await person(OWNER);
  const { json } = await portal("GET", "/sessions?owner_type=payroll_company&owner_id=acme");
  for (const { id } of json.sessions) await portal("DELETE", `/sessions/${id}`);
  expect((await browser.get("/console")).location).toMatch(/^\/console\/sign-in\?.*ended=yes/);
});

it("the console's cookie means nothing to the API", async () => {
  const browser = await person(OWNER);
  const answer = await browser.get("/api/v1/connections");
  expect(answer.status).toBe(401);
});
