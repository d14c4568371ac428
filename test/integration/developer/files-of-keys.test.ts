import { listDurableObjectIds } from "cloudflare:test";
import { beforeEach, describe, expect, it } from "vitest";
import { changes, createDeveloper, EMPLOYEES, PAYROLL, payroll, submit } from "../../support/developer.ts";
import { catchWakeUps } from "../../support/forwarding.ts";
import { bindings, createApiKey, createBoundConnection, type Json, send } from "../../support/gateway.ts";

beforeEach(() => {
  catchWakeUps();
});

const list = (token: string, query: Record<string, string> = {}) =>
  send(`/api/v1/files?${new URLSearchParams(query)}`, { headers: { Authorization: `Bearer ${token}` } });
const idsOf = ({ json }: { json: Json }): string[] => json.files.map(({ file_id }: Json) => file_id);

describe("the files of an API key", () => {
  it("are its own by default, and another key's of the owner by either form of its id", async () => {
    const key = await createDeveloper();
    const sent: string[] = [];
    for (const [path, body] of [
      [PAYROLL, payroll(key)],
      [EMPLOYEES, changes(key)],
    ] as const)
      sent.unshift((await submit(key, path, body)).json.file_id);
    const own = await list(key.token);
    expect(idsOf(own)).toEqual(sent);
    expect(own.json.files.map(({ kind }: Json) => kind)).toEqual(["employee_sync", "payroll_report"]);
    const { token } = await createApiKey();
    expect(idsOf(await list(token))).toEqual([]);
    for (const id of [key.id, `ak_${key.id}`, `ak_${key.id.toUpperCase()}`])
      expect(idsOf(await list(token, { api_key_id: id }))).toEqual(sent);
  });

  it("are listed page by page, and accept no cursor of another key's", async () => {
    const [key, other] = [await createDeveloper(), await createDeveloper()];
    for (let i = 0; i < 3; i++) await submit(key, PAYROLL, payroll(key));
    const first = await list(other.token, { api_key_id: key.id, limit: "2" });
    const cursor = first.json.next_cursor;
    const second = await list(other.token, { api_key_id: key.id, limit: "2", cursor });
    expect(new Set([...idsOf(first), ...idsOf(second)]).size).toBe(3);
    expect(second.json.next_cursor).toBeNull();
    expect((await list(other.token, { cursor })).json.details).toEqual({
      cursor: "Not a cursor of this list",
    });
  });

  it.each([
    ["another owner's", { owner_id: "other" }],
    ["of the other environment", { environment: "sandbox" }],
  ])("that is %s are those of a key that does not exist, which creates no object", async (_whose, fields) => {
    const key = await createApiKey(fields);
    const { token } = await createApiKey();
    await list(token);
    const before = await listDurableObjectIds(bindings.CONNECTION_GATE);
    const learned = async (id: string) => {
      const { status, json } = await list(token, { api_key_id: id });
      return { status, ...json, request_id: "", timestamp: "" };
    };
    expect(await learned(key.id)).toEqual(await learned("e".repeat(24)));
    expect(await learned(key.id)).toMatchObject({ status: 404, error: "api_key_not_found" });
    expect(await listDurableObjectIds(bindings.CONNECTION_GATE)).toHaveLength(before.length);
  });

  it("are listed for one sender, named by its id", async () => {
    const { token, id } = await createApiKey();
    const connection = await createBoundConnection();
    expect((await list(token, { api_key_id: "ak_1" })).json.details).toEqual({
      api_key_id: "Must be ak_ and 24 hex characters",
    });
    const both = await list(token, { api_key_id: id, connection_id: connection.id });
    expect(both).toMatchObject({
      status: 400,
      json: { details: { api_key_id: "Cannot be combined with connection_id" } },
    });
  });
});
