/** No request over plain HTTP is processed, at any endpoint for reports: it is refused before every other check, and never redirected. */
import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { afterEach, expect, it, vi } from "vitest";
import worker from "../../../src/index.ts";
import {
  bindings,
  createApiKey,
  createBoundConnection,
  inboundPath,
  type Json,
  signedRequest,
} from "../../support/gateway.ts";
import { expectNothingStored, leaveNoEvidence } from "../../support/intake.ts";

const DEPLOYED = { ...bindings, ALLOW_INSECURE_ENDPOINTS: "" };

afterEach(() => {
  vi.restoreAllMocks();
});

async function ask(url: string, init: RequestInit & { cf?: Json } = {}, using = DEPLOYED) {
  const request = new Request(url, { redirect: "manual", ...init } as RequestInit);
  const ctx = createExecutionContext();
  const response = await worker.fetch(request as Parameters<typeof worker.fetch>[0], using, ctx);
  const text = await response.text();
  await waitOnExecutionContext(ctx);
  return { request, response, text, json: text.startsWith("{") ? JSON.parse(text) : null };
}

const PORTAL = { "X-Client-ID": "portal", "X-Client-Secret": "portal-secret" };
const JSON_BODY = { "Content-Type": "application/json" };

async function everyDoor(): Promise<[name: string, path: string, init: RequestInit][]> {
  const connection = await createBoundConnection();
  const { token } = await createApiKey();
  const bearer = { Authorization: `Bearer ${token}` };
  return [
    ["the signed intake", inboundPath(connection), await signedRequest(connection)],
    ["the signed intake with a bad id", "/api/v1/webhook/inbound/nonsense", { method: "POST", body: "{}" }],
    ["the payroll report intake", "/api/v1/payroll/reports", { method: "POST", headers: bearer, body: "{}" }],
    ["the employee intake", "/api/v1/employees/sync", { method: "POST", headers: bearer, body: "{}" }],
    [
      "the payroll report intake, with another spelling of the path",
      "/api//v1/payroll/reports/",
      { method: "POST", headers: bearer, body: "{}" },
    ],
    ["a file's status", "/api/v1/files/status/FILE_1", { headers: bearer }],
    ["the files", "/api/v1/files", { headers: bearer }],
    ["the events", "/api/v1/events", { headers: bearer }],
    ["an event", "/api/v1/events", { method: "POST", headers: { ...PORTAL, ...JSON_BODY }, body: "{}" }],
    ["the portal", "/api/v1/connections?owner_type=user&owner_id=u", { headers: PORTAL }],
    ["a change", "/api/v1/webhooks/x", { method: "DELETE", headers: PORTAL }],
    ["health", "/health", { headers: PORTAL }],
    ["an unknown path", "/nowhere", { headers: PORTAL }],
    ["a page that is posted to", "/docs", { method: "POST", body: "secret" }],
  ];
}

it("plain http is refused at every endpoint, before anything is read", async () => {
  leaveNoEvidence();
  const prepare = vi.spyOn(bindings.DB, "prepare");
  for (const [name, path, init] of await everyDoor()) {
    prepare.mockClear();
    const { request, response, json } = await ask(`http://webhooks.audit1.com${path}`, init);
    expect([name, response.status, response.headers.get("Location")]).toEqual([name, 403, null]);
    expect(json).toMatchObject({ error: "HTTPS required", code: "HTTPS_REQUIRED" });
    expect(json.message).toContain("was sent over HTTP");
    expect(json.request_id).toBe(response.headers.get("X-Audit1-Request-Id"));
    expect(request.bodyUsed, name).toBe(false);
    expect(prepare, name).not.toHaveBeenCalled();
  }
});

it.each(["SSLv3", "TLSv1", "TLSv1.0", "TLSv1.1"])(
  "%s is refused at every endpoint, in development as well",
  async (tlsVersion) => {
    for (const [name, path, init] of await everyDoor()) {
      for (const using of [DEPLOYED, bindings]) {
        const { response, json } = await ask(
          `https://webhooks.audit1.com${path}`,
          { ...init, cf: { tlsVersion } },
          using,
        );
        expect([name, response.status, json.error]).toEqual([name, 403, "HTTPS required"]);
        expect(json.message).toContain(tlsVersion);
      }
    }
  },
);

it("a rejected report is not stored, and is accepted over https", async () => {
  const connection = await createBoundConnection();
  const request = await signedRequest(connection);
  const path = inboundPath(connection);
  expect((await ask(`http://webhooks.audit1.com${path}`, request)).response.status).toBe(403);
  await expectNothingStored(connection);
  for (const cf of [
    { tlsVersion: "TLSv1.2" },
    { tlsVersion: "TLSv1.3" },
    { tlsVersion: "" },
    {},
    undefined,
  ]) {
    const { response } = await ask(`https://webhooks.audit1.com${path}`, { ...request, ...(cf && { cf }) });
    expect(response.status).toBe(202);
  }
});

it("a gateway for development accepts plain http, on any host", async () => {
  const connection = await createBoundConnection();
  for (const host of ["127.0.0.1:8787", "localhost:8787", "[::1]:8787", "172.17.0.2:8787"]) {
    const { response } = await ask(
      `http://${host}${inboundPath(connection)}`,
      await signedRequest(connection),
      bindings,
    );
    expect([host, response.status]).toEqual([host, 202]);
  }
});

it.each(["127.0.0.1:8787", "localhost", "[::1]"])(
  "a deployed gateway rejects plain http on every host: %s",
  async (host) => {
    const connection = await createBoundConnection();
    const { response } = await ask(
      `http://${host}${inboundPath(connection)}`,
      await signedRequest(connection),
    );
    expect(response.status).toBe(403);
  },
);

it.each(["/docs", "/docs/connections", "/openapi.json", "/docs?x=1"])(
  "a page leads to https: %s",
  async (path) => {
    for (const method of ["GET", "HEAD"]) {
      const { response } = await ask(`http://api.audit1.info${path}`, { method });
      expect(response.status).toBe(308);
      expect(response.headers.get("Location")).toBe(`https://api.audit1.info${path}`);
    }
    expect((await ask(`https://api.audit1.info${path}`)).response.status).toBe(200);
  },
);
