/** What bearer keys may not do, whatever this isolate has cached. Every test of a revocation warms the cache first. */
import { listDurableObjectIds } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { nextVersion } from "../../../src/db/gates.ts";
import { keySenders } from "../../../src/developer/key-sender.ts";
import { snapshotOf } from "../../../src/gate/propagate.ts";
import {
  changes,
  createDeveloper,
  type Developer,
  EMPLOYEES,
  PAYROLL,
  payroll,
  submission,
  submit,
} from "../../support/developer.ts";
import { catchWakeUps } from "../../support/forwarding.ts";
import {
  bindings,
  createEmployer,
  fileStatus,
  gateOf,
  type Json,
  portal,
  send,
} from "../../support/gateway.ts";
import { leaveNoEvidence } from "../../support/intake.ts";
import { watched } from "../../support/interception.ts";

beforeEach(() => {
  catchWakeUps();
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const bodyFor = (path: string, key: Developer): Json => (path === PAYROLL ? payroll(key) : changes(key));
const stored = async (key: Developer) => (await gateOf(key, "key").list(null, 10)).length;

describe.each([PAYROLL, EMPLOYEES])("POST %s with", (path) => {
  const refused = async (headers: Record<string, string>, message: string) => {
    const answer = await send(`/api/v1${path}`, {
      method: "POST",
      headers: { "Content-Type": "application/json", ...headers },
      body: "{}",
    });
    expect(answer).toMatchObject({ status: 401, json: { error: "Authentication Failed", message } });
    expect(answer.headers.get("WWW-Authenticate")).toContain("Bearer");
    expect(answer.headers.has("X-RateLimit-Limit")).toBe(false);
  };

  it("no Authorization, another scheme, or no key is refused for its form", async () => {
    await refused({}, "Missing Authorization header");
    const expected = "Invalid API key format. Expected audit1_test_sk_* or audit1_live_sk_*";
    const key = `audit1_live_sk_${"a".repeat(32)}`;
    for (const [header, what] of [
      ["Bearer x", ""],
      ["Basic dXNlcjpwYXNz", "another scheme"],
      ["Bearer", "No key follows"],
      [`Bearer audit1_live_sk_${"a".repeat(31)}`, "32 letters and digits"],
      [key, "must come before the key"],
      [`Bearer Bearer ${key}`, "appears twice"],
      [`Bearer "${key}"`, "quotes"],
      [`Bearer ${key}\\n`, "an escape"],
      [`Bearer ${key} ${key}`, "more text follows"],
      [`Bearer: ${key}`, "nothing else"],
      [`Bearer\t${key}`, "nothing else"],
      [`Bearer ${key}, Bearer ${key.replace("live", "test")}`, "sent twice, with different keys"],
      ["Bearer undefined", "placeholder"],
      ["Bearer whsec_abc", "signing secret"],
    ] as const)
      await refused(
        { Authorization: header },
        what === ""
          ? expected
          : expect.stringMatching(new RegExp(`^${RegExp.escape(expected)}\\. .*${what}`)),
      );
  });

  it("a repeated, equal key counts once", async () => {
    const key = await createDeveloper();
    const headers = { Authorization: `Bearer ${key.token}, Bearer ${key.token}` };
    const request = submission(key.token, bodyFor(path, key), headers);
    expect((await send(`/api/v1${path}`, request)).status).toBe(202);
  });

  it("portal credentials is refused", async () => {
    await refused(
      { "X-Client-ID": "portal", "X-Client-Secret": "portal-secret" },
      "Missing Authorization header",
    );
  });

  it("an unknown key is refused, and creates no object", async () => {
    const before = await listDurableObjectIds(bindings.CONNECTION_GATE);
    await refused({ Authorization: `Bearer audit1_live_sk_${"a".repeat(32)}` }, "API key not found");
    expect(await listDurableObjectIds(bindings.CONNECTION_GATE)).toHaveLength(before.length);
  });

  it("a key under the other environment's prefix is refused, even if the row says so", async () => {
    const key = await createDeveloper({ environment: "sandbox" });
    const live = key.token.replace("_test_", "_live_");
    await refused({ Authorization: `Bearer ${live}` }, "API key not found");
    await bindings.DB.prepare("UPDATE api_keys SET environment = 'production' WHERE id = ?")
      .bind(key.id)
      .run();
    await refused({ Authorization: `Bearer ${key.token}` }, "API key not found");
  });

  it("a key that was just created is accepted, although it was refused a moment ago", async () => {
    const key = await createDeveloper();
    const row = await bindings.DB.prepare("SELECT token_sha256 FROM api_keys WHERE id = ?")
      .bind(key.id)
      .first<{ token_sha256: string }>();
    const rename = (hash: string | undefined) =>
      bindings.DB.prepare("UPDATE api_keys SET token_sha256 = ? WHERE id = ?").bind(hash, key.id).run();
    await rename("not-yet");
    await refused({ Authorization: `Bearer ${key.token}` }, "API key not found");
    await rename(row?.token_sha256);
    expect((await submit(key, path, bodyFor(path, key))).status).toBe(202);
  });

  it("a deactivated key is refused from the very next request, and accepted again from the one after its activation", async () => {
    const key = await createDeveloper();
    expect((await submit(key, path, bodyFor(path, key))).status).toBe(202);
    const activate = (is_active: boolean) => portal("PATCH", `/api-keys/${key.id}`, { is_active });
    expect((await activate(false)).status).toBe(200);
    for (const _again of [1, 2])
      expect(await submit(key, path, bodyFor(path, key))).toMatchObject({
        status: 401,
        json: { message: "API key inactive" },
      });
    expect(await stored(key)).toBe(1);
    expect((await activate(true)).status).toBe(200);
    expect((await submit(key, path, bodyFor(path, key))).status).toBe(202);
  });

  it("a deactivated key is refused as inactive whatever it sends", async () => {
    const key = await createDeveloper();
    expect((await submit(key, path, bodyFor(path, key))).status).toBe(202);
    await portal("DELETE", `/api-keys/${key.id}`);
    for (const body of [{}, "{", bodyFor(path, { ...key, employerId: "EMP_NOBODY" })]) {
      const answer = await submit(key, path, body);
      expect(answer).toMatchObject({ status: 401, json: { message: "API key inactive" } });
    }
  });

  it("a key whose change only the gate knows is answered 503, warm and cold", async () => {
    const key = await createDeveloper();
    expect((await submit(key, path, bodyFor(path, key))).status).toBe(202);
    const row = await bindings.DB.prepare(
      "SELECT id, version, plan, environment, 7 AS retention_years, data_key FROM api_keys WHERE id = ?",
    )
      .bind(key.id)
      .first<Parameters<typeof snapshotOf>[1]>();
    if (row === null) throw new Error("no such key");
    const version = nextVersion(row.version, Date.now());
    await gateOf(key, "key").refresh(snapshotOf("key", { ...row, version }));
    expect((await submit(key, path, bodyFor(path, key))).status).toBe(503);
    keySenders.clear();
    expect((await submit(key, path, bodyFor(path, key))).status).toBe(503);
    expect(await stored(key)).toBe(1);
  });

  it("an employer of another owner is answered like an unknown one", async () => {
    const key = await createDeveloper();
    const foreign = await createEmployer([{ owner_type: "payroll_company", owner_id: "other" }]);
    const learned = async (employerId: string) => {
      const { status, json } = await submit(key, path, bodyFor(path, { ...key, employerId }));
      return { status, ...json, request_id: "", timestamp: "" };
    };
    expect(await learned(foreign.id)).toEqual(await learned("EMP_NOBODY"));
  });

  it("an employer that was granted a moment ago is accepted", async () => {
    const key = await createDeveloper();
    const { id, fein } = await createEmployer([]);
    const body = () => bodyFor(path, { ...key, employerId: id });
    expect((await submit(key, path, body())).status).toBe(404);
    const owners = [{ owner_type: "payroll_company", owner_id: "acme" }];
    await portal("PUT", `/employers/${id}`, { fein, name: "Granted", owners });
    expect((await submit(key, path, body())).status).toBe(202);
  });

  it("a key of one environment, makes files that keys of the other do not find", async () => {
    const sandbox = await createDeveloper({ environment: "sandbox" });
    const live = await createDeveloper();
    const { json } = await submit(sandbox, path, bodyFor(path, sandbox));
    expect(json.file_id).toBeDefined();
    expect((await fileStatus(live.token, json.file_id)).status).toBe(404);
    expect((await fileStatus(sandbox.token, json.file_id)).json.environment).toBe("sandbox");
  });
});

it("refusals on a cached row are confirmed by the primary once a request, for as long as the plan allows", async () => {
  const key = await createDeveloper();
  await submit(key, PAYROLL, payroll(key));
  vi.setSystemTime(Date.now() + 30_000);
  const { calls, using } = watched();
  const statuses: number[] = [];
  for (let i = 0; i < 60; i++) {
    const body = payroll({ employerId: "EMP_NOBODY" });
    statuses.push((await submit(key, PAYROLL, body, {}, using)).status);
  }
  expect(new Set(statuses)).toEqual(new Set([404]));
  expect(calls.filter((call) => call.startsWith("DB.")).length).toBeLessThanOrEqual(122);
  expect((await submit(key, PAYROLL, payroll(key))).status).toBe(202);
});

describe("an address that keeps sending", () => {
  const from = (address: string) => ({ "CF-Connecting-IP": address });
  const made = () => ({ token: `audit1_live_sk_${crypto.randomUUID().replaceAll("-", "")}` });

  /** Until it is held back. */
  async function insist(address: string, key: () => { token: string }) {
    leaveNoEvidence();
    const statuses: number[] = [];
    // The limiter counts by the minute: when one ends meanwhile, it takes up to twice as many.
    while (!statuses.includes(429) && statuses.length < 250) {
      const ask = async () => (await submit(key(), PAYROLL, {}, from(address))).status;
      statuses.push(...(await Promise.all(Array.from({ length: 10 }, ask))));
    }
    expect(statuses).toContain(429);
  }

  it("unknown keys is held back, except for cached keys, and others are not", async () => {
    const key = await createDeveloper();
    expect((await submit(key, PAYROLL, payroll(key))).status).toBe(202);
    await insist("192.0.2.7", made);
    const answer = await submit(made(), PAYROLL, {}, from("192.0.2.7"));
    expect(answer).toMatchObject({ status: 429, json: { code: "TOO_MANY_REFUSED_REQUESTS" } });
    expect((await submit(made(), PAYROLL, {}, from("192.0.2.8"))).status).not.toBe(429);
    expect((await submit(key, PAYROLL, payroll(key), from("192.0.2.7"))).status).toBe(202);
  });

  it("an inactive key is held back with that key alone", async () => {
    const [key, other] = [await createDeveloper(), await createDeveloper()];
    await portal("DELETE", `/api-keys/${key.id}`);
    await insist("192.0.2.9", () => key);
    expect((await submit(other, PAYROLL, payroll(other), from("192.0.2.9"))).status).toBe(202);
  });
});

it("no log line contains the key or the body", async () => {
  const lines: string[] = [];
  for (const level of ["log", "error", "warn"] as const)
    vi.spyOn(console, level).mockImplementation((...said) => void lines.push(said.map(String).join(" ")));
  const key = await createDeveloper();
  const body = payroll(key, { period_end: "a-secret-date", employees: [{ name: "A Secret Name" }] });
  await submit(key, PAYROLL, body);
  await submit(key, PAYROLL, payroll(key));
  const { headers } = submission(key.token, body);
  expect(headers).toMatchObject({ Authorization: `Bearer ${key.token}` });
  const said = lines.join("\n");
  expect(said).toContain(key.id);
  for (const secret of [key.token, "a-secret-date", "A Secret Name", "John Smith"])
    expect(said).not.toContain(secret);
});
