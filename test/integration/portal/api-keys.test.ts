import { afterEach, describe, expect, it, vi } from "vitest";
import { createDeveloper, PAYROLL, payroll, submit } from "../../support/developer.ts";
import { withBrokenGates } from "../../support/faults.ts";
import { catchWakeUps, runCron } from "../../support/forwarding.ts";
import { bindings, createApiKey, type Json, portal, send } from "../../support/gateway.ts";

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const OWNER = { owner_type: "payroll_company", owner_id: "acme" };
const keyOf = async (id: string): Promise<Json> => (await portal("GET", `/api-keys/${id}`)).json.apiKey;
const list = (query: Record<string, string>, client = "portal") =>
  portal("GET", `/api-keys?${new URLSearchParams(query)}`, undefined, client);
const idsOf = (answer: { json: Json }): string[] => answer.json.apiKeys.map((each: Json) => each._id);
/** An owner whom no other test uses. */
const newOwner = () => ({ owner_type: "user", owner_id: crypto.randomUUID() });

describe("GET /api-keys/{id}", () => {
  it("shows a key by either form of its id, without its token, with its version as the ETag", async () => {
    const { id, token } = await createApiKey({ plan: "enterprise" });
    for (const path of [id, `ak_${id}`, `ak_${id.toUpperCase()}`]) {
      const answer = await portal("GET", `/api-keys/${path}`);
      expect(answer).toMatchObject({
        status: 200,
        json: {
          apiKey: {
            _id: id,
            id: `ak_${id}`,
            key: `${token.slice(0, 19)}…`,
            environment: "production",
            plan: "enterprise",
            ...OWNER,
            is_active: true,
            last_used_at: null,
          },
        },
      });
      expect(answer.headers.get("ETag")).toBe(`"${answer.json.apiKey.version}"`);
      expect(JSON.stringify(answer.json)).not.toContain(token);
      expect(JSON.stringify(answer.json)).not.toMatch(/sha256|data_key|gate_version/);
    }
  });

  it.each(["nothing", "a".repeat(24), `ak_${"a".repeat(24)}`, `ak_ak_${"a".repeat(24)}`, "%00"])(
    "%s is 404",
    async (id) => {
      for (const [method, body] of [["GET"], ["PATCH", { is_active: true }], ["DELETE"]] as const)
        expect(await portal(method, `/api-keys/${id}`, body)).toMatchObject({
          status: 404,
          json: { error: "api_key_not_found" },
        });
    },
  );

  it("says when the key was last used, to the hour", async () => {
    const key = await createDeveloper();
    catchWakeUps();
    const before = Date.now();
    expect((await submit(key, PAYROLL, payroll(key))).status).toBe(202);
    expect(Date.parse((await keyOf(key.id)).last_used_at)).toBeGreaterThanOrEqual(before);
    const reader = await createApiKey();
    await send("/api/v1/files", { headers: { Authorization: `Bearer ${reader.token}` } });
    expect((await keyOf(reader.id)).last_used_at).not.toBeNull();
  });
});

describe("GET /api-keys", () => {
  it("lists the owner's active keys, newest first, and inactive ones on request", async () => {
    const owner = newOwner();
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const ids: string[] = [];
    for (let i = 0; i < 3; i++) {
      ids.unshift((await createApiKey(owner)).id);
      vi.setSystemTime(Date.now() + 1);
    }
    await createApiKey(newOwner());
    expect(idsOf(await list(owner))).toEqual(ids);
    await portal("DELETE", `/api-keys/${ids[1]}`);
    expect(idsOf(await list(owner))).toEqual([ids[0], ids[2]]);
    const all = await list({ ...owner, include_inactive: "true" });
    expect(idsOf(all)).toEqual(ids);
    expect(all.json.apiKeys.map((each: Json) => each.is_active)).toEqual([true, false, true]);
    expect(all.json.next_cursor).toBeNull();
  });

  it("is paged without gaps or repeats, also for keys created in the same millisecond", async () => {
    const owner = newOwner();
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const ids = await Promise.all(Array.from({ length: 7 }, async () => (await createApiKey(owner)).id));
    const seen: string[] = [];
    let cursor: string | null = "";
    while (cursor !== null) {
      const page = await list({ ...owner, limit: "3", ...(cursor && { cursor }) });
      seen.push(...idsOf(page));
      cursor = page.json.next_cursor;
    }
    expect(seen.toSorted()).toEqual(ids.toSorted());
  });

  it.each([
    [{}, "owner_id_required"],
    [{ owner_id: "acme" }, "owner_type_required"],
  ])("asks for %j the owner", async (query, error) => {
    expect(await list(query as Record<string, string>)).toMatchObject({ status: 400, json: { error } });
  });

  it.each([
    ["limit", "0"],
    ["limit", "101"],
    ["cursor", "x"],
    ["include_inactive", "maybe"],
    ["status", "active"],
    ["owner_type", "robot"],
  ])("refuses %s=%s by its name", async (name, value) => {
    const answer = await list({ ...OWNER, [name]: value });
    expect(answer.status).toBe(400);
    expect(Object.keys(answer.json.details)).toEqual([name]);
  });
});

describe("PATCH /api-keys/{id}", () => {
  it("changes the plan at once, for the portal itself", async () => {
    const key = await createDeveloper({ environment: "sandbox" });
    catchWakeUps();
    const limit = async () => (await submit(key, PAYROLL, payroll(key))).headers.get("X-RateLimit-Limit");
    expect(await limit()).toBe("100");
    const changed = await portal("PATCH", `/api-keys/ak_${key.id}`, { plan: "enterprise" });
    expect(changed).toMatchObject({ status: 200, json: { apiKey: { plan: "enterprise", is_active: true } } });
    expect(await limit()).toBe("2000");
    const refused = await portal("PATCH", `/api-keys/${key.id}`, { plan: "sandbox" }, "bound");
    expect(refused).toMatchObject({
      status: 400,
      json: { details: { plan: "Only the portal itself can choose a plan" } },
    });
    expect((await keyOf(key.id)).plan).toBe("enterprise");
  });

  it.each<[Json, string]>([
    [{}, "body"],
    [{ is_active: "yes" }, "is_active"],
    [{ is_active: null }, "is_active"],
    [{ plan: "free" }, "plan"],
    [{ is_active: true, environment: "production" }, "environment"],
    [{ is_active: true, prefix: "other" }, "prefix"],
  ])("refuses %j by its path", async (body, path) => {
    const { id } = await createApiKey();
    const answer = await portal("PATCH", `/api-keys/${id}`, body);
    expect(answer.status).toBe(400);
    expect(Object.keys(answer.json.details)).toEqual([path]);
  });

  it("with If-Match is made only if the key has not changed since", async () => {
    const { id } = await createApiKey();
    const { version } = await keyOf(id);
    const patch = (etag: string) =>
      send(`/api/v1/api-keys/${id}`, {
        method: "PATCH",
        headers: {
          "X-Client-ID": "portal",
          "X-Client-Secret": "portal-secret",
          "Content-Type": "application/json",
          "If-Match": etag,
        },
        body: JSON.stringify({ is_active: false }),
      });
    expect(await patch(`"${version - 1}"`)).toMatchObject({
      status: 412,
      json: { error: "precondition_failed" },
    });
    expect((await keyOf(id)).is_active).toBe(true);
    expect((await patch(`"${version}"`)).status).toBe(200);
    expect((await keyOf(id)).is_active).toBe(false);
  });
});

describe("DELETE /api-keys/{id}", () => {
  it("deactivates: takes effect before the response, is safe to repeat, and can be undone", async () => {
    const key = await createDeveloper();
    catchWakeUps();
    const works = async () => (await submit(key, PAYROLL, payroll(key))).status;
    const reads = async () =>
      (await send("/api/v1/files", { headers: { Authorization: `Bearer ${key.token}` } })).status;
    expect([await works(), await reads()]).toEqual([202, 200]);
    for (const _again of [1, 2])
      expect(await portal("DELETE", `/api-keys/ak_${key.id}`)).toMatchObject({
        status: 200,
        json: { message: "api_key_deleted" },
      });
    expect([await works(), await reads()]).toEqual([401, 401]);
    expect((await keyOf(key.id)).is_active).toBe(false);
    await portal("PATCH", `/api-keys/${key.id}`, { is_active: true });
    expect([await works(), await reads()]).toEqual([202, 200]);
  });

  it("that cannot be propagated to the gate is a 503, and takes effect within the minute, or when it is repeated", async () => {
    catchWakeUps();
    const cutOff = withBrokenGates(bindings, "refresh");
    for (const converge of [() => runCron(), (id: string) => portal("DELETE", `/api-keys/${id}`)]) {
      const key = await createDeveloper();
      expect((await submit(key, PAYROLL, payroll(key))).status).toBe(202);
      const answer = await portal("DELETE", `/api-keys/${key.id}`, undefined, "portal", cutOff);
      expect(answer).toMatchObject({ status: 503, json: { error: "Service unavailable" } });
      await converge(key.id);
      expect((await submit(key, PAYROLL, payroll(key))).status).toBe(401);
    }
  });
});

describe("the tenants of API keys", () => {
  it("are separated: a client that is bound to an owner finds and changes only its owner's keys", async () => {
    const { id } = await createApiKey({ owner_id: "other" });
    const own = await createApiKey();
    for (const [method, body] of [["GET"], ["PATCH", { is_active: false }], ["DELETE"]] as const) {
      const foreign = await portal(method, `/api-keys/${id}`, body, "bound");
      const missing = await portal(method, `/api-keys/${"e".repeat(24)}`, body, "bound");
      const learned = ({ status, json }: typeof foreign) => ({
        status,
        ...json,
        request_id: "",
        timestamp: "",
      });
      expect(learned(foreign)).toEqual(learned(missing));
      expect(foreign.status).toBe(404);
    }
    expect((await keyOf(id)).is_active).toBe(true);
    expect(idsOf(await list({}, "bound"))).toContain(own.id);
    expect((await list({ owner_id: "other" }, "bound")).status).toBe(404);
    expect((await portal("DELETE", `/api-keys/${own.id}`, undefined, "bound")).status).toBe(200);
  });

  it("cannot manage with developer keys, nor without credentials", async () => {
    const { id, token } = await createApiKey();
    for (const [method, path] of [
      ["GET", "/api-keys"],
      ["GET", `/api-keys/${id}`],
      ["PATCH", `/api-keys/${id}`],
      ["DELETE", `/api-keys/${id}`],
    ] as const) {
      const headers = { Authorization: `Bearer ${token}` };
      expect((await send(`/api/v1${path}`, { method, headers })).status).toBe(403);
      expect((await send(`/api/v1${path}`, { method })).status).toBe(401);
    }
  });
});

it("the audit trail lists the changes of a key, without its token", async () => {
  const { id, token } = await createApiKey();
  await portal("PATCH", `/api-keys/${id}`, { plan: "enterprise" });
  await portal("DELETE", `/api-keys/${id}`);
  await portal("DELETE", `/api-keys/${id}`);
  await portal("PATCH", `/api-keys/${id}`, { is_active: true });
  const { json } = await portal("GET", `/audit?subject=api_key:${id}`);
  expect(
    json.audit.map(({ action, before, after }: Json) => ({ action, before, after })).reverse(),
  ).toMatchObject([
    { action: "api_key.created", before: null, after: { plan: "production", is_active: true } },
    { action: "api_key.updated", before: { plan: "production" }, after: { plan: "enterprise" } },
    { action: "api_key.deactivated", before: { is_active: true }, after: { is_active: false } },
    { action: "api_key.updated", before: { is_active: false }, after: { is_active: true } },
  ]);
  expect(JSON.stringify(json)).not.toContain(token);
});
