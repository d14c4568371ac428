import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Bindings } from "../../../src/bindings.ts";
import { withBrokenGates } from "../../support/faults.ts";
import { advance, catchWakeUps, runCron } from "../../support/forwarding.ts";
import { bindings, createBoundConnection, type Json, portal, post } from "../../support/gateway.ts";
import { racing } from "../../support/interception.ts";

const HOUR_S = 3_600;
const DAY_S = 24 * HOUR_S;

beforeEach(() => {
  catchWakeUps();
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const patch = (id: string, status: string, using?: Bindings) =>
  portal("PATCH", `/connections/${id}`, { status }, "portal", using);
const rotate = (id: string, body: Json = {}, using?: Bindings) =>
  portal("POST", `/connections/${id}/rotate-secret`, body, "portal", using);
const works = async (id: string, secret: string) => {
  const { status } = await post({ id, secret });
  expect([202, 401]).toContain(status);
  return status === 202;
};

describe("PATCH /connections/{id}", () => {
  it("takes effect before the response, both ways, in an isolate that has cached the connection", async () => {
    const connection = await createBoundConnection();
    expect((await post(connection)).status).toBe(202);
    for (const [status, expected] of [
      ["inactive", 403],
      ["active", 202],
      ["active", 202],
      ["inactive", 403],
    ] as const) {
      expect(await patch(connection.id, status)).toMatchObject({
        status: 200,
        json: { success: true, connection: { id: connection.id, status } },
      });
      expect((await post(connection)).status).toBe(expected);
    }
  });

  it("raises the version each time, and shows no secret", async () => {
    const { id, secret } = await createBoundConnection();
    const first = await patch(id, "inactive");
    const second = await patch(id, "active");
    expect(second.json.connection.version).toBeGreaterThan(first.json.connection.version);
    expect(first.json).not.toHaveProperty("secret");
    expect(JSON.stringify(second.json)).not.toContain(secret);
  });

  it.each([
    [{ status: "paused" }, "status"],
    [{ status: "active", type: "sftp" }, "type"],
    [{ plan: "free" }, "plan"],
    [{ environment: "test" }, "environment"],
    [{ default_wait_seconds: 31 }, "default_wait_seconds"],
    [{ same_body: "drop" }, "same_body"],
    [{ retention_years: 0 }, "retention_years"],
    [{ description: "x".repeat(501) }, "description"],
    [{ employer_id: "no spaces" }, "employer_id"],
    [{ status: "active", version: 1 }, "version"],
    [JSON.parse('{"status":"active","__proto__":{}}'), "__proto__"],
    [{}, "body"],
    [{ status: "active", type: "other" }, "type"],
  ])("refuses %j by its path", async (body, path) => {
    const { id } = await createBoundConnection();
    const answer = await portal("PATCH", `/connections/${id}`, body);
    expect(answer.status).toBe(400);
    expect(Object.keys(answer.json.details)).toEqual([path]);
  });
});

describe("POST /connections/{id}/rotate-secret", () => {
  it("lets the old secret work for a day beside the new one", async () => {
    const { id, secret } = await createBoundConnection();
    const answer = await rotate(id);
    expect(answer).toMatchObject({ status: 200, json: { success: true } });
    const next = answer.json.secret;
    expect(next).toMatch(/^whsec_[A-Za-z0-9]{43}$/);
    expect(next).not.toBe(secret);
    expect([await works(id, secret), await works(id, next)]).toEqual([true, true]);
    advance((DAY_S - 60) * 1_000);
    expect([await works(id, secret), await works(id, next)]).toEqual([true, true]);
    advance(61_000);
    expect([await works(id, secret), await works(id, next)]).toEqual([false, true]);
  });

  it("with no overlap ends the old secret at once", async () => {
    const { id, secret } = await createBoundConnection();
    expect(await works(id, secret)).toBe(true);
    const { json } = await rotate(id, { overlap_seconds: 0 });
    expect([await works(id, secret), await works(id, json.secret)]).toEqual([false, true]);
    expect(json.connection.secrets).toHaveLength(1);
  });

  it("repeated never removes a secret that is still in its overlap", async () => {
    const { id, secret } = await createBoundConnection();
    const secrets = [secret];
    for (let i = 0; i < 6; i++) {
      secrets.push((await rotate(id, { overlap_seconds: HOUR_S })).json.secret);
      advance(1_000);
    }
    for (const each of secrets) expect(await works(id, each)).toBe(true);
  });

  it("is rejected while ten secrets would stay active, and accepted without an overlap", async () => {
    const { id } = await createBoundConnection();
    for (let i = 0; i < 9; i++) expect((await rotate(id)).status).toBe(200);
    expect(await rotate(id)).toMatchObject({ status: 409, json: { error: "too_many_secrets" } });
    expect((await rotate(id, { overlap_seconds: 0 })).json.connection.secrets).toHaveLength(1);
  });

  it("repeated never extends an expiring secret, and may shorten it", async () => {
    const { id, secret: first } = await createBoundConnection();
    const { secret: second } = (await rotate(id, { overlap_seconds: HOUR_S })).json;
    const { secret: third } = (await rotate(id, { overlap_seconds: 7 * DAY_S })).json;
    const all = () => Promise.all([first, second, third].map((each) => works(id, each)));
    expect(await all()).toEqual([true, true, true]);
    advance((HOUR_S + 1) * 1_000);
    expect(await all()).toEqual([false, true, true]);
    const { json } = await rotate(id, { overlap_seconds: 60 });
    expect(await all()).toEqual([false, true, true]);
    // What has ended is forgotten; what is ending is shown with its time.
    expect(json.connection.secrets.map((each: Json) => each.expires_at !== null)).toEqual([
      false,
      true,
      true,
    ]);
    advance(61_000);
    expect(await all()).toEqual([false, false, false]);
    expect(await works(id, json.secret)).toBe(true);
  });

  it.each([
    [{ overlap_seconds: -1 }, "overlap_seconds"],
    [{ overlap_seconds: 7 * DAY_S + 1 }, "overlap_seconds"],
    [{ overlap_seconds: 1.5 }, "overlap_seconds"],
    [{ overlap_seconds: "60" }, "overlap_seconds"],
    [{ overlap: 60 }, "overlap"],
  ])("refuses %j by its path", async (body, path) => {
    const { id, secret } = await createBoundConnection();
    const answer = await rotate(id, body);
    expect(answer.status).toBe(400);
    expect(Object.keys(answer.json.details)).toEqual([path]);
    expect(await works(id, secret)).toBe(true);
  });
});

describe("when the gate cannot be notified", () => {
  const cutOff = withBrokenGates(bindings, "refresh");

  it("a deactivation is a 503, and takes effect everywhere within the next minute", async () => {
    const connection = await createBoundConnection();
    expect((await post(connection)).status).toBe(202);
    const answer = await patch(connection.id, "inactive", cutOff);
    expect(answer).toMatchObject({ status: 503, json: { error: "Service unavailable" } });
    expect(answer.headers.get("Retry-After")).toBe("5");
    await runCron();
    expect((await post(connection)).status).toBe(403);
  });

  it("a repeated deactivation takes effect before the response", async () => {
    const connection = await createBoundConnection();
    expect((await post(connection)).status).toBe(202);
    await patch(connection.id, "inactive", cutOff);
    expect((await patch(connection.id, "inactive")).status).toBe(200);
    expect((await post(connection)).status).toBe(403);
  });

  it("a rotation returns no secret that may not work, and repeating it removes none that does", async () => {
    const { id, secret } = await createBoundConnection();
    const answer = await rotate(id, {}, cutOff);
    expect(answer.status).toBe(503);
    expect(JSON.stringify(answer.json)).not.toContain("whsec_");
    const again = await rotate(id);
    expect(again.status).toBe(200);
    expect([await works(id, secret), await works(id, again.json.secret)]).toEqual([true, true]);
  });
});

describe("changes at the same time", () => {
  it("a change that was overtaken is a 409, and undoes nothing", async () => {
    const connection = await createBoundConnection();
    let next = "";
    const answer = await patch(
      connection.id,
      "inactive",
      racing(async () => {
        next = (await rotate(connection.id, { overlap_seconds: 0 })).json.secret;
      }),
    );
    expect(answer).toMatchObject({ status: 409, json: { error: "connection_changed", code: "CONFLICT" } });
    expect((await portal("GET", `/connections/${connection.id}`)).json.connection.status).toBe("active");
    expect([await works(connection.id, connection.secret), await works(connection.id, next)]).toEqual([
      false,
      true,
    ]);
  });

  it("a rotation that was overtaken by another is refused, and the other's secret works", async () => {
    const { id, secret } = await createBoundConnection();
    let next = "";
    const answer = await rotate(
      id,
      {},
      racing(async () => {
        next = (await rotate(id)).json.secret;
      }),
    );
    expect(answer.status).toBe(409);
    expect(answer.json).not.toHaveProperty("secret");
    expect([await works(id, secret), await works(id, next)]).toEqual([true, true]);
  });

  it("of many, every one with a 200 was applied", async () => {
    const { id, secret } = await createBoundConnection();
    const answers = await Promise.all([
      ...Array.from({ length: 6 }, () => rotate(id)),
      ...Array.from({ length: 3 }, () => patch(id, "active")),
    ]);
    expect(answers.every(({ status }) => status === 200 || status === 409)).toBe(true);
    const versions = answers
      .filter(({ status, json }) => status === 200 && json.secret !== undefined)
      .map(({ json }) => json.connection.version);
    expect(versions.length).toBeGreaterThan(0);
    expect(new Set(versions).size).toBe(versions.length);
    const secrets = answers.flatMap(({ json }) => (json.secret === undefined ? [] : [json.secret]));
    for (const each of [secret, ...secrets]) expect(await works(id, each)).toBe(true);
  });
});
