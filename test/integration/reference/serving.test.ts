/** How the reference is served: its content security policy, and how caches may keep it. */
import { expect, it } from "vitest";
import { ask } from "../../support/contract.ts";

const FILES = [
  ["/docs", "text/html; charset=utf-8"],
  ["/docs/webhooks", "text/html; charset=utf-8"],
  ["/docs/errors", "text/html; charset=utf-8"],
  ["/docs.css", "text/css; charset=utf-8"],
  ["/openapi.json", "application/json"],
] as const;

it.each(FILES)("%s may load its stylesheet alone, and is cached for an hour", async (path, type) => {
  const { status, headers } = await ask(path);
  expect([status, headers.get("Content-Type")]).toEqual([200, type]);
  expect(headers.get("Content-Security-Policy")).toBe(
    "default-src 'none'; script-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  );
  expect(headers.get("X-Content-Type-Options")).toBe("nosniff");
  expect(headers.get("Referrer-Policy")).toBe("no-referrer");
  expect(headers.get("Cache-Control")).toBe("public, max-age=3600");
});

it.each(FILES)("%s is answered 304 to a browser that has it, and stays cached", async (path) => {
  const etag = (await ask(path)).headers.get("ETag") ?? "";
  expect(etag).toMatch(/^"[0-9a-f]{64}"$/);
  for (const known of [etag, `W/${etag}`, `"other", ${etag}`, "*"]) {
    const { status, headers, text } = await ask(path, { headers: { "If-None-Match": known } });
    expect([known, status, text]).toEqual([known, 304, ""]);
    expect(headers.get("ETag")).toBe(etag);
    expect(headers.get("Cache-Control")).toBe("public, max-age=3600");
  }
  expect((await ask(path, { headers: { "If-None-Match": '"other"' } })).status).toBe(200);
});

it("different files have different tags", async () => {
  const tags = await Promise.all(FILES.map(async ([path]) => (await ask(path)).headers.get("ETag")));
  expect(new Set(tags).size).toBe(FILES.length);
});

it.each(["/docs/nothing", "/docs/__proto__", "/docs/overview", "/docs/Webhooks", "/docs/webhooks/more"])(
  "%s is no page",
  async (path) => {
    const { status, headers, text } = await ask(path);
    expect([status, JSON.parse(text).code]).toEqual([404, "NOT_FOUND"]);
    expect(headers.get("Cache-Control")).toBe("no-store");
  },
);
