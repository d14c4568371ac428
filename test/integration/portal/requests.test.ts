/** The lists of requests: pages, filters, and what a client may see. */
import { beforeEach, describe, expect, it } from "vitest";
import { newObjectId } from "../../../src/crypto/ids.ts";
import { evidence } from "../../../src/evidence/collector.ts";
import { abuseLimiter } from "../../../src/inbound/abuse-limiter.ts";
import { catchWakeUps } from "../../support/forwarding.ts";
import {
  type Connection,
  createApiKey,
  createBoundConnection,
  type Json,
  portal,
  post,
  report,
  send,
} from "../../support/gateway.ts";

const OWNER = "owner_type=payroll_company&owner_id=acme";
const WRONG = { secret: "another" };

beforeEach(() => {
  catchWakeUps();
  abuseLimiter.clear();
  evidence.clear();
});

async function list(connection: { id: string }, query = ""): Promise<Json> {
  const { status, json } = await portal("GET", `/connections/${connection.id}/requests?${query}`);
  expect(status).toBe(200);
  return json;
}

async function mixed(): Promise<Connection> {
  const connection = await createBoundConnection();
  for (let i = 0; i < 4; i++) {
    await post(connection, report({ note: i }));
    await post({ ...connection, ...WRONG });
    await post(connection, "{");
  }
  return connection;
}

describe("a connection's requests", () => {
  it("have the contract's fields, and no other", async () => {
    const connection = await createBoundConnection();
    const { json } = await post({ ...connection, ...WRONG });
    const { requests, counts, next_cursor } = await list(connection);
    expect(requests).toHaveLength(1);
    expect(Object.keys(requests[0]).sort()).toEqual(
      [
        ...["at", "bytes", "caller_request_id", "clock_skew_ms", "code", "content_type", "country"],
        ...["diagnosis", "file_id", "ms", "outcome", "request_id", "status", "user_agent"],
      ].sort(),
    );
    expect(requests[0]).toMatchObject({
      request_id: json.request_id,
      outcome: "refused",
      status: 401,
      code: "INVALID_SIGNATURE",
      diagnosis: ["unknown"],
      file_id: null,
    });
    expect([counts, next_cursor]).toEqual([{ INVALID_SIGNATURE: 1 }, null]);
  });

  it("are paged newest first, each once, from rows and evidence together", async () => {
    const connection = await mixed();
    const seen: Json[] = [];
    for (let cursor = "", pages = 0; pages < 20; pages++) {
      const page = await list(connection, `limit=5${cursor}`);
      expect(page.requests.length).toBeLessThanOrEqual(5);
      expect(page.counts).toEqual({ ACCEPTED: 4, INVALID_SIGNATURE: 4, INVALID_JSON: 4 });
      seen.push(...page.requests);
      if (page.next_cursor === null) break;
      cursor = `&cursor=${page.next_cursor}`;
    }
    expect(new Set(seen.map(({ request_id }) => request_id)).size).toBe(12);
    expect(seen).toHaveLength(12);
    expect(seen.map(({ code }) => code)).toEqual(
      Array.from({ length: 4 }, () => ["INVALID_JSON", "INVALID_SIGNATURE", null]).flat(),
    );
  });

  it("are filtered by outcome, code and time", async () => {
    const connection = await mixed();
    expect((await list(connection, "outcome=accepted")).requests).toHaveLength(4);
    expect((await list(connection, "outcome=refused")).requests).toHaveLength(8);
    expect((await list(connection, "outcome=duplicate")).requests).toHaveLength(0);
    for (const [code, n] of Object.entries((await list(connection)).counts))
      expect((await list(connection, `code=${code}`)).requests).toHaveLength(Number(n));
    const all = await list(connection);
    const { at } = all.requests[5];
    const before = (await list(connection, `until=${at}`)).requests;
    const after = (await list(connection, `since=${at}`)).requests;
    expect(before.length + after.length).toBe(12);
  });

  it.each([
    ["outcome=lost", "outcome"],
    ["code=lower", "code"],
    ["since=yesterday", "since"],
    ["cursor=abc", "cursor"],
    ["status=401", "status"],
  ])("reject the filter %s by its name", async (query, field) => {
    const { id } = await createBoundConnection();
    const { status, json } = await portal("GET", `/connections/${id}/requests?${query}`);
    expect(status).toBe(400);
    expect(Object.keys(json.details)).toEqual([field]);
  });

  it("do not exist for another owner, like those of no connection", async () => {
    const { id } = await createBoundConnection();
    const ask = (which: string, query: string) =>
      portal("GET", `/connections/${which}/requests?${query}`).then(({ status, json }) => [
        status,
        json.error,
      ]);
    const theirs = await ask(id, "owner_id=somebody-else");
    expect(theirs).toEqual(await ask(newObjectId(), OWNER));
    expect(theirs[0]).toBe(404);
  });
});

describe("a key's requests", () => {
  it("are listed below the key", async () => {
    const key = await createApiKey();
    const headers = { Authorization: `Bearer ${key.token}` };
    const answer = await send("/api/v1/payroll/reports", { method: "POST", headers, body: "{" });
    const { json } = await portal("GET", `/api-keys/ak_${key.id}/requests`);
    expect(json.requests).toMatchObject([{ request_id: answer.json.request_id, code: answer.json.code }]);
  });
});

describe("requests for connections that do not exist", () => {
  it("are listed for operators only, and found by their id", async () => {
    const answer = await post({ id: newObjectId(), secret: "s" });
    const { json } = await portal("GET", "/requests?unknown=true&limit=100");
    expect(json.requests.map(({ request_id }: Json) => request_id)).toContain(answer.json.request_id);
    const times = json.requests.map(({ at }: Json) => at);
    expect(times).toEqual(times.toSorted().reverse());
    expect((await portal("GET", "/requests?unknown=true", undefined, "bound")).status).toBe(404);
    expect((await portal("GET", `/requests?unknown=true&${OWNER}`)).status).toBe(404);
    expect((await portal("GET", "/requests")).status).toBe(400);
    const found = await portal("GET", `/lookup/${answer.json.request_id}`);
    expect(found.json.summary).toMatchObject({ status: 404, outcome: "refused" });
    expect((await portal("GET", `/lookup/${answer.json.request_id}`, undefined, "bound")).status).toBe(404);
  });

  it("a refused request of a connection is found by its id", async () => {
    const connection = await createBoundConnection();
    const answer = await post({ ...connection, ...WRONG });
    const found = await portal("GET", `/lookup/${answer.json.request_id}`);
    expect(found.json.summary).toMatchObject({ status: 401, code: "INVALID_SIGNATURE" });
  });
});
