import { evictDurableObject, listDurableObjectIds } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { mintFileId } from "../../../src/gate/file-id.ts";
import {
  accepted,
  advance,
  answering,
  creatorThat,
  deliverFiles,
  wakeUpsOfEachTest,
} from "../../support/forwarding.ts";
import {
  type Answer,
  bindings,
  createApiKey,
  createBoundConnection,
  fileStatus,
  gateOf,
  type Json,
  portal,
  post,
  send,
} from "../../support/gateway.ts";

wakeUpsOfEachTest();

const get = (path: string, token?: string) =>
  send(`/api/v1${path}`, token === undefined ? {} : { headers: { Authorization: `Bearer ${token}` } });
const list = (token: string, query: Record<string, string> = {}) =>
  get(`/files?${new URLSearchParams(query)}`, token);

/** What a caller learns from an answer, apart from when and as which request it was given. */
function learned({ status, json }: Answer) {
  return { status, ...json, request_id: "", timestamp: "" };
}

describe.each(["/files/status/FILE_1", "/files"])("GET %s with", (path) => {
  const refused = async (headers: Record<string, string>, message: string) => {
    const answer = await send(`/api/v1${path}`, { headers });
    expect(answer).toMatchObject({
      status: 401,
      json: { error: "Authentication Failed", message, code: "AUTHENTICATION_FAILED" },
    });
    expect(answer.headers.get("WWW-Authenticate")).toContain("Bearer");
    expect(answer.headers.has("X-RateLimit-Limit")).toBe(false);
  };
  const FORMAT = "Invalid API key format. Expected audit1_test_sk_* or audit1_live_sk_*";

  it("no Authorization is refused", async () => {
    await refused({}, "Missing Authorization header");
    await refused({ Authorization: "" }, "Missing Authorization header");
  });

  it.each([
    "Bearer",
    "Bearer x",
    "Basic dXNlcjpwYXNz",
    `Bearer audit1_test_sk_${"a".repeat(31)}`,
    `Bearer audit1_test_sk_${"a".repeat(33)}`,
    `Bearer audit1_demo_sk_${"a".repeat(32)}`,
    `Bearer audit1_live_sk_${"a".repeat(31)}-`,
    `Bearer audit1_live_sk_${"a".repeat(32)} more`,
    `audit1_live_sk_${"a".repeat(32)}`,
  ])("%j is refused for its form", async (header) => {
    await refused({ Authorization: header }, expect.stringContaining(FORMAT));
  });

  it("an unknown key is rejected", async () => {
    await refused({ Authorization: `Bearer audit1_live_sk_${"a".repeat(32)}` }, "API key not found");
  });

  it("the scheme in any letter case is accepted", async () => {
    const { token } = await createApiKey();
    const answer = await send(`/api/v1${path}`, { headers: { Authorization: `bearer ${token}` } });
    expect(answer.status).not.toBe(401);
  });

  it("a key under the other environment's prefix is refused", async () => {
    const sandbox = await createApiKey({ environment: "sandbox" });
    await refused(
      { Authorization: `Bearer ${sandbox.token.replace("_test_", "_live_")}` },
      "API key not found",
    );
    // Not even where the row says so.
    await bindings.DB.prepare("UPDATE api_keys SET environment = 'production' WHERE id = ?")
      .bind(sandbox.id)
      .run();
    await refused({ Authorization: `Bearer ${sandbox.token}` }, "API key not found");
  });

  it("a key is refused on the very next request after it was deactivated, and accepted when it is active again", async () => {
    const { id, token } = await createApiKey();
    const active = (value: number) =>
      bindings.DB.prepare("UPDATE api_keys SET is_active = ?, version = version + 1 WHERE id = ?")
        .bind(value, id)
        .run();
    expect((await get(path, token)).status).not.toBe(401);
    await active(0);
    await refused({ Authorization: `Bearer ${token}` }, "API key inactive");
    await active(1);
    expect((await get(path, token)).status).not.toBe(401);
  });

  // The portal lists files too.
  it.skipIf(path === "/files")("portal credentials is refused", async () => {
    await refused(
      { "X-Client-ID": "portal", "X-Client-Secret": "portal-secret" },
      "Missing Authorization header",
    );
  });
});

describe("a file's status", () => {
  it("shows the file's kind, owner and progress", async () => {
    const connection = await createBoundConnection();
    const { token } = await createApiKey();
    const fileId = await accepted(connection, undefined, { headers: { "X-Request-Id": "req-9" } });
    const moment = expect.stringMatching(/Z$/);
    const lifecycle = {
      signed_at: moment,
      received_at: moment,
      admitted_at: moment,
      queued_at: moment,
      attempts: [] as Json[],
      forwarded_at: null,
      completed_at: null,
      failed_at: null,
      archived: false,
      archived_at: null,
      archive_due_at: null,
    };
    const shape = {
      file_id: fileId,
      status: "queued",
      records_total: null,
      records_processed: null,
      records_failed: null,
      kind: "payroll_report",
      environment: "production",
      employer_id: connection.employerId,
      connection_id: connection.id,
      request_id: expect.stringMatching(new RegExp(`^req_c${connection.id}[0-9a-f]{23}$`)),
      caller_request_id: "req-9",
      size: expect.any(Number),
      generation: 1,
      attempts: 0,
      next_attempt_at: null,
      received_at: expect.stringMatching(/Z$/),
      updated_at: expect.stringMatching(/Z$/),
      warnings: {},
      lifecycle,
    };
    expect((await fileStatus(token, fileId)).json).toEqual(shape);
    await deliverFiles([fileId], creatorThat(answering(503)).using);
    const deferred = (await fileStatus(token, fileId)).json;
    const attempts = [{ generation: 1, at: moment, outcome: "deferred", response_status: 503 }];
    expect(deferred).toEqual({
      ...shape,
      attempts: 1,
      next_attempt_at: moment,
      lifecycle: { ...lifecycle, attempts },
    });
    advance(60_000);
    await deliverFiles([fileId], creatorThat().using);
    expect((await fileStatus(token, fileId)).json).toEqual({
      ...shape,
      status: "processing",
      attempts: 2,
      records_total: 1,
      lifecycle: {
        ...lifecycle,
        attempts: [...attempts, { generation: 1, at: moment, outcome: "forwarded", response_status: null }],
        forwarded_at: moment,
        archive_due_at: moment,
      },
    });
    expect((await fileStatus(token, fileId.toLowerCase())).json.file_id).toBe(fileId);
  });

  const missing = () => mintFileId({ kind: "connection", id: "e".repeat(24) }, Date.now());

  it.each([
    ["another owner's", { owner_id: "other" }, {}],
    ["another owner's of the same id but another type", { owner_type: "user" }, {}],
    ["a production file's, to a sandbox key,", {}, { environment: "sandbox" }],
    ["a sandbox file's, to a production key,", { environment: "sandbox" }, {}],
  ])("%s is that of a file that does not exist", async (_whose, connectionFields, keyFields) => {
    const connection = await createBoundConnection(connectionFields);
    const { token } = await createApiKey(keyFields);
    const fileId = await accepted(connection);
    const answer = await fileStatus(token, fileId);
    expect(answer).toMatchObject({ status: 404, json: { error: "file_not_found" } });
    expect(learned(answer)).toEqual(learned(await fileStatus(token, missing())));
  });

  it("of a connection that was deactivated or deleted is still shown to its owner", async () => {
    const connection = await createBoundConnection();
    const { token } = await createApiKey();
    const fileId = await accepted(connection);
    await bindings.DB.prepare("UPDATE connections SET status = 'inactive', deleted_at = 1 WHERE id = ?")
      .bind(connection.id)
      .run();
    expect((await fileStatus(token, fileId)).json.status).toBe("queued");
  });

  it("asked under a forged id creates no object", async () => {
    const { token } = await createApiKey();
    await fileStatus(token, "x");
    const before = await listDurableObjectIds(bindings.CONNECTION_GATE);
    for (let i = 0; i < 5; i++) {
      const id = crypto.randomUUID().replaceAll("-", "").slice(0, 24);
      for (const kind of ["connection", "key"] as const)
        expect((await fileStatus(token, mintFileId({ kind, id }, Date.now()))).status).toBe(404);
      expect((await list(token, { connection_id: id })).status).toBe(404);
    }
    expect(await listDurableObjectIds(bindings.CONNECTION_GATE)).toHaveLength(before.length);
  });

  it.each(["x", "FILE_", `FILE_${"I".repeat(40)}`, "..%2f..%2f", "%00"])("of %j is 404", async (id) => {
    const { token } = await createApiKey();
    expect((await get(`/files/status/${id}`, token)).status).toBe(404);
  });
});

describe("lists of files", () => {
  async function sevenFiles() {
    const connection = await createBoundConnection();
    const { token } = await createApiKey();
    const fileIds: string[] = [];
    for (let i = 0; i < 7; i++) {
      fileIds.push(await accepted(connection));
      // Within one millisecond the order is not that of arrival.
      advance(1);
    }
    return { connection, token, newest: fileIds.toReversed() };
  }
  const ids = ({ json }: Answer): string[] => json.files.map((file: Json) => file.file_id);

  /** Every page, from the first to the last. */
  async function pages(token: string, query: Record<string, string>): Promise<string[][]> {
    const all: string[][] = [];
    for (let cursor: string | null = ""; cursor !== null; ) {
      const answer: Answer = await list(token, { ...query, ...(cursor === "" ? {} : { cursor }) });
      expect(answer.status).toBe(200);
      all.push(ids(answer));
      cursor = answer.json.next_cursor;
      if (all.length > 20) throw new Error("the pages do not end");
    }
    return all;
  }

  it("are newest first, page by page, each file once", async () => {
    const { connection, token, newest } = await sevenFiles();
    const query = { connection_id: connection.id };
    expect(ids(await list(token, query))).toEqual(newest);
    for (const limit of [1, 2, 3, 6, 7, 8, 100]) {
      const all = await pages(token, { ...query, limit: String(limit) });
      expect(all.flat()).toEqual(newest);
      expect(Math.max(...all.map((page) => page.length))).toBeLessThanOrEqual(limit);
    }
  });

  it("may be of one status", async () => {
    const { connection, token, newest } = await sevenFiles();
    const [a = "", b = "", c = "", d = "", ...queued] = newest;
    await deliverFiles([a, c], creatorThat().using);
    await deliverFiles([b], creatorThat(answering(422)).using);
    await portal("POST", "/events", { id: "evt_d", type: "file.processed", data: { fileId: d } });
    const query = { connection_id: connection.id };
    for (const [status, expected] of [
      ["processing", [a, c]],
      ["failed", [b]],
      ["completed", [d]],
      ["queued", queued],
    ] as const) {
      for (const limit of ["1", "2", "100"])
        expect((await pages(token, { ...query, status, limit })).flat()).toEqual(expected);
    }
  });

  it("without a connection are those of the key itself", async () => {
    const { token } = await createApiKey();
    expect((await list(token)).json).toEqual({ files: [], next_cursor: null, count: 0 });
  });

  it("accept the connection's id in either letter case", async () => {
    const { connection, token, newest } = await sevenFiles();
    expect(ids(await list(token, { connection_id: connection.id.toUpperCase() }))).toEqual(newest);
  });

  it.each([
    ["another owner's", { owner_id: "other" }, {}],
    ["another environment's", {}, { environment: "sandbox" }],
  ])("of %s connection are those of one that does not exist", async (_whose, connectionFields, keyFields) => {
    const { id } = await createBoundConnection(connectionFields);
    const { token } = await createApiKey(keyFields);
    const answer = await list(token, { connection_id: id });
    expect(answer).toMatchObject({ status: 404, json: { error: "connection_not_found" } });
    expect(learned(answer)).toEqual(learned(await list(token, { connection_id: "e".repeat(24) })));
  });

  it("start from any file id of the connection, and refuse a cursor of another list", async () => {
    const { connection, token, newest } = await sevenFiles();
    const query = { connection_id: connection.id };
    expect(ids(await list(token, { ...query, cursor: newest[4]?.toLowerCase() ?? "" }))).toEqual(
      newest.slice(5),
    );
    const foreign = await accepted(await createBoundConnection());
    const refused = await list(token, { ...query, cursor: foreign });
    expect(refused).toMatchObject({
      status: 400,
      json: { error: "Validation Error", details: { cursor: "Not a cursor of this list" } },
    });
  });

  it.each([
    [{ cursor: "next" }, { cursor: "Not a cursor of this list" }],
    [{ connection_id: "abc" }, { connection_id: "Must be 24 hex characters" }],
    [{ status: "done" }, { status: expect.any(String) }],
    [{ limit: "0" }, { limit: expect.any(String) }],
    [{ limit: "101" }, { limit: expect.any(String) }],
    [{ limit: "ten" }, { limit: expect.any(String) }],
    [{ limit: "" }, { limit: expect.any(String) }],
    [{ page: "2" }, { page: "Unknown field" }],
  ])("refuse %j by its name", async (query, details) => {
    const { token } = await createApiKey();
    const answer = await list(token, query as Record<string, string>);
    expect(answer.status).toBe(400);
    expect(answer.json.details).toEqual(details);
  });
});

describe("the limit of reads", () => {
  it("is the plan's, exact at any concurrency, survives the object, and frees up again", async () => {
    const { id, token } = await createApiKey({ environment: "sandbox" });
    const first = await list(token);
    expect(first.headers.get("X-RateLimit-Limit")).toBe("100");
    expect(first.headers.get("X-RateLimit-Remaining")).toBe("99");
    const answers = await Promise.all(Array.from({ length: 120 }, () => fileStatus(token, "FILE_1")));
    expect(answers.filter(({ status }) => status === 404)).toHaveLength(99);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(21);
    await evictDurableObject(gateOf({ id }, "key"));
    const blocked = await list(token);
    expect(blocked).toMatchObject({
      status: 429,
      json: {
        error: "Rate Limit Exceeded",
        code: "RATE_LIMIT_EXCEEDED",
        details: { limit: 100, window: "1 minute" },
      },
    });
    const retryAfter = Number(blocked.headers.get("Retry-After"));
    expect(blocked.json.details.retry_after).toBe(retryAfter);
    expect(retryAfter).toBeGreaterThan(0);
    expect(retryAfter).toBeLessThanOrEqual(61);
    expect(blocked.headers.get("X-RateLimit-Remaining")).toBe("0");
    const reset = Number(blocked.headers.get("X-RateLimit-Reset")) * 1_000 - Date.now();
    expect(reset).toBeGreaterThan(0);
    expect(reset).toBeLessThanOrEqual(62_000);
    advance(62_000);
    expect((await list(token)).status).toBe(200);
  });

  it("is each key's own, and no submission counts for it", async () => {
    const connection = await createBoundConnection({ plan: "sandbox" });
    const [a, b] = [await createApiKey({ plan: "sandbox" }), await createApiKey({ plan: "sandbox" })];
    await Promise.all(Array.from({ length: 100 }, () => fileStatus(a.token, "FILE_1")));
    expect((await list(a.token)).status).toBe(429);
    expect((await list(b.token)).headers.get("X-RateLimit-Remaining")).toBe("99");
    const answer = await post(connection);
    expect(answer.status).toBe(202);
    expect(answer.headers.get("X-RateLimit-Remaining")).toBe("99");
    expect((await list(b.token)).headers.get("X-RateLimit-Remaining")).toBe("98");
  });

  it("is in every response, including 404s and rejected queries", async () => {
    const { token } = await createApiKey();
    for (const [i, answer] of [
      await list(token),
      await fileStatus(token, "FILE_1"),
      await list(token, { limit: "0" }),
    ].entries()) {
      expect(answer.headers.get("X-RateLimit-Limit")).toBe("500");
      expect(answer.headers.get("X-RateLimit-Remaining")).toBe(String(499 - i));
      expect(Number(answer.headers.get("X-RateLimit-Reset"))).toBeGreaterThan(Date.now() / 1_000);
    }
  });
});

it("developer paths with another method are 405", async () => {
  const { token } = await createApiKey();
  for (const path of ["/files", "/files/status/FILE_1"]) {
    const answer = await send(`/api/v1${path}`, {
      method: "DELETE",
      headers: { Authorization: `Bearer ${token}` },
    });
    expect(answer).toMatchObject({ status: 405, json: { error: "Method Not Allowed" } });
    expect(answer.headers.get("Allow")).toBe("GET");
  }
});
