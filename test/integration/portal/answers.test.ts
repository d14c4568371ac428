/** What every answer of the management endpoints has to say: to whom nothing may rest in a cache, and what to do about a mistake. */
import { describe, expect, it } from "vitest";
import { ask, operations } from "../../support/contract.ts";
import {
  bindings,
  createApiKey,
  createConnection,
  createEmployer,
  type Json,
  portal,
  send,
} from "../../support/gateway.ts";

const ACME = { owner_type: "payroll_company", owner_id: "acme" };

async function aWebhook(): Promise<Json> {
  const fields = { ...ACME, url: "https://hooks.acme-audit.com/x", events: ["policy.*"] };
  return (await portal("POST", "/webhooks", fields)).json.webhook;
}

function withHeaders(path: string, headers: Record<string, string>, method = "GET", body?: string) {
  return send(`/api/v1${path}`, { method, headers, ...(body !== undefined && { body }) });
}

const PORTAL = { "X-Client-ID": "portal", "X-Client-Secret": "portal-secret" };

describe("caches", () => {
  it("must not store any response except the documentation", async () => {
    const filled = (path: string) => path.replace("{page}", "errors").replace(/\{\w+\}/g, "x");
    const paths = operations.map(({ method, path }) => [method, filled(path)] as const);
    for (const [method, path] of [...paths, ["GET", "/nowhere"], ["OPTIONS", "/api/v1/webhooks"]] as const) {
      const init = method === "GET" ? {} : { body: "{}" };
      for (const headers of [{}, { ...PORTAL, "Content-Type": "application/json" }]) {
        const answer = await ask(path, { method, headers, ...init });
        const isDocumentation = /^\/(?:docs|openapi)/.test(path);
        expect(answer.headers.get("Cache-Control"), `${method} ${path}`).toBe(
          isDocumentation ? "public, max-age=3600" : "no-store",
        );
      }
    }
  });

  it("must not store a response with a secret", async () => {
    const webhook = await aWebhook();
    const { id } = await createConnection();
    for (const answer of [
      await portal("POST", "/connections", ACME),
      await portal("POST", "/api-keys", { ...ACME, environment: "sandbox" }),
      await portal("POST", "/webhooks", { ...ACME, url: "https://hooks.acme-audit.com/x", events: ["*"] }),
      await portal("POST", `/connections/${id}/rotate-secret`, {}),
      await portal("POST", `/webhooks/${webhook.id}/rotate-secret`, {}),
    ]) {
      expect(answer.json.secret).toMatch(/^(whsec_|audit1_)/);
      expect(answer.headers.get("Cache-Control")).toBe("no-store");
    }
  });
});

describe("a read of an unchanged object", () => {
  const KINDS: [string, () => Promise<[path: string, change: () => Promise<unknown>]>][] = [
    [
      "a connection",
      async () => {
        const path = `/connections/${(await createConnection()).id}`;
        return [path, () => portal("PATCH", path, { description: "changed" })];
      },
    ],
    [
      "an API key",
      async () => {
        const path = `/api-keys/${(await createApiKey()).id}`;
        return [path, () => portal("PATCH", path, { is_active: false })];
      },
    ],
    [
      "an employer",
      async () => {
        const path = `/employers/${(await createEmployer()).id}`;
        return [path, () => portal("PUT", path, { name: "Changed", owners: [ACME] })];
      },
    ],
    [
      "a webhook",
      async () => {
        const path = `/webhooks/${(await aWebhook()).id}`;
        return [path, () => portal("PATCH", path, { description: "changed" })];
      },
    ],
    [
      "a webhook's health",
      async () => {
        const { _id, id } = await aWebhook();
        const fail = bindings.DB.prepare("UPDATE webhooks SET consecutive_failures = 3 WHERE id = ?").bind(
          _id,
        );
        return [`/webhooks/${id}`, () => fail.run()];
      },
    ],
    [
      "what a webhook has skipped",
      async () => {
        const { _id, id } = await aWebhook();
        const skip = bindings.DB.prepare(
          `INSERT INTO deliveries (webhook_id, event_seq, status, attempts, round_start, history, created_at, updated_at)
           VALUES (?, 1, 'skipped', 0, 0, '[]', 0, 0)`,
        ).bind(_id);
        return [`/webhooks/${id}`, () => skip.run()];
      },
    ],
    [
      "a key's last use",
      async () => {
        const { id } = await createApiKey();
        const use = bindings.DB.prepare("UPDATE api_keys SET last_used_at = 1 WHERE id = ?").bind(id);
        return [`/api-keys/${id}`, () => use.run()];
      },
    ],
  ];

  it.each(KINDS)("is 304 for %s until it changes", async (_what, make) => {
    const [path, change] = await make();
    const etag = (await portal("GET", path)).headers.get("ETag") ?? "";
    for (const known of [etag, `W/${etag}`, `"1", ${etag}`, "*"]) {
      const { status, headers, json } = await withHeaders(path, { ...PORTAL, "If-None-Match": known });
      expect([status, json]).toEqual([304, {}]);
      expect(headers.get("ETag")).toBe(etag);
      expect(headers.get("Cache-Control")).toBe("no-store");
      expect(headers.get("X-Audit1-Request-Id")).not.toBeNull();
    }
    for (const unknown of ['"1"', "garbage", etag.replaceAll('"', "")])
      expect((await withHeaders(path, { ...PORTAL, "If-None-Match": unknown })).status).toBe(200);
    await change();
    const after = await withHeaders(path, { ...PORTAL, "If-None-Match": etag });
    expect(after.status).toBe(200);
    expect(after.headers.get("ETag")).not.toBe(etag);
  });

  it("does not bypass the owner that a request names, nor the credentials", async () => {
    const path = `/webhooks/${(await aWebhook()).id}`;
    const etag = (await portal("GET", path)).headers.get("ETag") ?? "";
    for (const known of [etag, "*"]) {
      expect(
        (await withHeaders(`${path}?owner_id=other`, { ...PORTAL, "If-None-Match": known })).status,
      ).toBe(404);
      expect((await withHeaders(path, { "If-None-Match": known })).status).toBe(401);
    }
  });

  it("changes when a part without a version changes", async () => {
    const path = `/webhooks/${(await aWebhook()).id}`;
    const etag = (await portal("GET", path)).headers.get("ETag") ?? "";
    const headers = { ...PORTAL, "Content-Type": "application/json", "If-Match": etag };
    expect((await withHeaders(path, headers, "PATCH", '{"description":"x"}')).status).toBe(200);
    expect((await withHeaders(path, headers, "PATCH", '{"description":"y"}')).status).toBe(412);
  });
});

describe("insufficient credentials", () => {
  it.each<[string, Record<string, string>, RegExp]>([
    ["none", {}, /^Send X-Client-ID and X-Client-Secret of a portal client\.$/],
    ["no secret", { "X-Client-ID": "portal" }, /^X-Client-Secret is missing or empty\./],
    ["an empty secret", { "X-Client-ID": "portal", "X-Client-Secret": "" }, /^X-Client-Secret is missing/],
    ["no id", { "X-Client-Secret": "portal-secret" }, /^X-Client-ID is missing or empty\./],
    [
      "a wrong secret",
      { ...PORTAL, "X-Client-Secret": "x" },
      /^No portal client has this id and secret: one/,
    ],
    ["an unknown id", { ...PORTAL, "X-Client-ID": "x" }, /^No portal client has this id and secret: one/],
    ["quotes", { ...PORTAL, "X-Client-Secret": '"portal-secret"' }, /^X-Client-Secret is in quotes\./],
    [
      "two secrets",
      { ...PORTAL, "X-Client-Secret": "a, b" },
      /^X-Client-Secret was sent twice, with different/,
    ],
    [
      "a hash",
      { ...PORTAL, "X-Client-Secret": "a".repeat(64) },
      /looks like a SHA-256 hash: send the secret/,
    ],
  ])("(%s) are a 401 that says which", async (_name, headers, message) => {
    const { status, json } = await withHeaders("/webhooks", headers);
    expect(status).toBe(401);
    expect(json.message).toMatch(message);
  });
});

describe("a path or a method that does not exist", () => {
  it.each([
    ["GET", "/webhooks", "No such endpoint. Did you mean /api/v1/webhooks?"],
    ["POST", "/v1/payroll/reports", "No such endpoint. Did you mean /api/v1/payroll/reports?"],
    ["POST", "/api/v1/payroll/report", "No such endpoint. Did you mean /api/v1/payroll/reports?"],
    ["GET", "/api/v1/apikeys", "No such endpoint. Did you mean /api/v1/api-keys?"],
    ["GET", "/api/v1/invoices", "No such endpoint. See /docs."],
  ])("%s %s: %s", async (method, path, message) => {
    const { status, json } = await send(path, { method });
    expect(status).toBe(404);
    expect(json).toMatchObject({ error: "Not Found", code: "NOT_FOUND", message });
  });

  it.each([
    [
      "PUT",
      "/webhooks",
      "GET, POST",
      "PUT is not supported here. Use GET or POST, or PUT /api/v1/webhooks/{id}.",
    ],
    ["GET", "/payroll/reports", "POST", "GET is not supported here. Use POST."],
    ["POST", "/files/status/x", "GET", "POST is not supported here. Use GET."],
  ])("%s %s: Allow: %s", async (method, path, allow, message) => {
    const { status, headers, json } = await send(`/api/v1${path}`, { method });
    expect(status).toBe(405);
    expect(headers.get("Allow")).toBe(allow);
    expect(json.message).toBe(message);
  });
});

describe("a body or a query", () => {
  it.each([
    ["application/json; charset=utf8", 201],
    ["application/vnd.audit1+json", 201],
    ["text/json", 201],
    ["text/plain", 400],
    ["application/x-www-form-urlencoded", 400],
    ["multipart/form-data", 400],
    ["application/jsonp", 400],
  ])("of the type %s is answered %i", async (type, expected) => {
    const body = JSON.stringify(ACME);
    const { status, json } = await withHeaders(
      "/connections",
      { ...PORTAL, "Content-Type": type },
      "POST",
      body,
    );
    expect(status).toBe(expected);
    if (expected === 400)
      expect(json.message).toBe(
        `The Content-Type is ${type}. Send a JSON body with Content-Type: application/json.`,
      );
  });

  it("that is empty is reported as empty", async () => {
    const { id } = await createConnection();
    for (const type of ["application/json", "text/plain"]) {
      const headers = { ...PORTAL, "Content-Type": type };
      const { status, json } = await withHeaders(`/connections/${id}`, headers, "PATCH", "");
      expect(status).toBe(400);
      expect(json.message).toBe("The request body is empty. Send a JSON object ({} for defaults).");
    }
  });

  it("with a plus that arrives as a space is understood", async () => {
    const query = new URLSearchParams(ACME);
    for (const path of [`/audit?${query}`, `/events?${query}`])
      expect((await portal("GET", `${path}&since=2026-03-16T10:30:00+00:00`)).status).toBe(200);
    const { json } = await portal("GET", `/audit?since=2026-03-16 10:30`);
    expect(json.details.since).toMatch(/^Must be a time such as 2026-03-16T10:30:00Z; /);
  });

  it("with a number given as text, or a text as a number, says how to send it", async () => {
    const { id } = await aWebhook();
    const refused = await portal("PATCH", `/webhooks/${id}`, { max_in_flight: "4", description: 5 });
    expect(refused.json.details).toEqual({
      max_in_flight: "Must be a number, not text: send 4 without quotes",
      description: "Must be text in quotes; 5 was given",
    });
    const { json } = await portal("GET", "/employers?limit=abc");
    expect(json.details).toEqual({ limit: 'Must be a whole number from 1 to 100; "abc" was given' });
    const twice = await portal("GET", "/employers?limit=5&limit=6");
    expect(twice.json.details).toEqual({ limit: "Given twice, with different values" });
  });
});
