import { afterEach, describe, expect, it, vi } from "vitest";
import type { Bindings } from "../../../src/bindings.ts";
import { mintFileId } from "../../../src/gate/file-id.ts";
import { withBrokenGates } from "../../support/faults.ts";
import { bindings, createApiKey, createConnection, fileStatus, portal, send } from "../../support/gateway.ts";
import { intercepted } from "../../support/interception.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

/** D1 as it is away: every query fails, with the error that D1 gives. */
function withoutDatabase(): Bindings {
  return intercepted((call, proceed) =>
    call.startsWith("DB.") ? Promise.reject(new Error("D1_ERROR: Network connection lost.")) : proceed(),
  );
}

describe("with D1 unavailable", () => {
  const marker = "Marker Company";
  const owner = { owner_type: "payroll_company", owner_id: "acme" };

  it.each([
    ["POST", "/connections", { ...owner, description: marker }],
    ["GET", `/connections/${"a".repeat(24)}`, undefined],
    ["PATCH", `/connections/${"a".repeat(24)}`, { status: "inactive" }],
    ["POST", `/connections/${"a".repeat(24)}/rotate-secret`, {}],
    ["PUT", "/employers/EMP_away", { name: marker, fein: "12-3456789" }],
    ["POST", "/api-keys", { ...owner, environment: "sandbox" }],
  ])("%s %s says so, and logs nothing of what it was given", async (method, path, body) => {
    const logs = [vi.spyOn(console, "log"), vi.spyOn(console, "error")];
    const answer = await portal(method, path, body, "portal", withoutDatabase());
    expect(answer).toMatchObject({ status: 503, json: { error: "Service unavailable" } });
    expect(Number(answer.headers.get("Retry-After"))).toBeGreaterThan(0);
    const said = JSON.stringify([answer.json, logs.map((log) => log.mock.calls)]);
    expect(said).toContain("D1_ERROR");
    for (const secret of [marker, "123456789", "params", "insert into", "D1_ERROR"])
      expect(JSON.stringify(answer.json)).not.toContain(secret);
    for (const secret of [marker, "123456789", "params"]) expect(said).not.toContain(secret);
  });

  it.each([
    ["POST", "/connections", "key-1", "at most one object results from it"],
    ["POST", "/connections", undefined, null],
    ["POST", "/events", "key-1", null],
    ["GET", `/connections/${"a".repeat(24)}`, undefined, null],
  ])("%s %s with the Idempotency-Key %s promises %s", async (method, path, key, promise) => {
    const headers = {
      "X-Client-ID": "portal",
      "X-Client-Secret": "portal-secret",
      "Content-Type": "application/json",
      ...(key !== undefined && { "Idempotency-Key": key }),
    };
    const event = { id: "e1", type: "policy.created", data: {} };
    const body = JSON.stringify({ ...owner, ...(path === "/events" && event) });
    const init = { method, headers, ...(method === "POST" && { body }) };
    const { status, json } = await send(`/api/v1${path}`, init, withoutDatabase());
    expect(status).toBe(503);
    if (promise === null) expect(json.message).not.toMatch(/repeat|at most/i);
    else expect(json.message).toContain(promise);
  });

  it("a developer's read is a 503 too", async () => {
    const key = await createApiKey();
    const logs = vi.spyOn(console, "error");
    const answer = await send(
      "/api/v1/files",
      { headers: { Authorization: `Bearer ${key.token}` } },
      withoutDatabase(),
    );
    expect(answer).toMatchObject({ status: 503, json: { error: "Service unavailable" } });
    expect(JSON.stringify(logs.mock.calls)).not.toContain("params");
  });
});

describe("with a gate unavailable", () => {
  it.each([
    ["report", "/events", { id: "evt_1", type: "file.failed" }],
    ["replay", "/files/{id}/replay", undefined],
  ])("a %s says so", async (method, path, event) => {
    const { id } = await createConnection();
    const fileId = mintFileId({ kind: "connection", id }, Date.now());
    const body = event && { ...event, data: { fileId } };
    const using = withBrokenGates(bindings, method);
    const answer = await portal("POST", path.replace("{id}", fileId), body, "portal", using);
    expect(answer).toMatchObject({ status: 503, json: { error: "Service unavailable" } });
    expect(JSON.stringify(answer.json)).not.toContain("the gate is unreachable");
  });

  it("a developer's read is a 503, and is not admitted without a limit", async () => {
    const key = await createApiKey();
    const headers = { Authorization: `Bearer ${key.token}` };
    const answer = await send("/api/v1/files", { headers }, withBrokenGates(bindings, "read"));
    expect(answer).toMatchObject({ status: 503, json: { error: "Service unavailable" } });
    expect(JSON.stringify(answer.json)).not.toContain("the gate is unreachable");
    expect((await fileStatus(key.token, "FILE_1")).status).toBe(404);
  });

  it("a developer's read during a change of the key is a 503, not an inactive key", async () => {
    const key = await createApiKey();
    const headers = { Authorization: `Bearer ${key.token}` };
    expect((await send("/api/v1/files", { headers })).status).toBe(200);
    await bindings.DB.prepare("UPDATE api_keys SET version = version - 1 WHERE id = ?").bind(key.id).run();
    expect(await send("/api/v1/files", { headers })).toMatchObject({
      status: 503,
      json: { error: "Service unavailable" },
    });
  });

  it("a change of a connection is a 503 that says that it is stored", async () => {
    const { id } = await createConnection();
    const using = withBrokenGates(bindings, "refresh");
    const answer = await portal("PATCH", `/connections/${id}`, { status: "inactive" }, "portal", using);
    expect(answer.status).toBe(503);
    expect((await portal("GET", `/connections/${id}`)).json.connection.status).toBe("inactive");
  });
});
