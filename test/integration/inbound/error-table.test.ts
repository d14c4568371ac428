/** The error table of the wire contract, row by row, over HTTP. */
import { beforeEach, describe, expect, it, vi } from "vitest";
import {
  type Answer,
  bindings,
  type Connection,
  createBoundConnection,
  createConnection,
  createEmployer,
  filesCreator,
  gateOf,
  inboundPath,
  type Json,
  post,
  report,
  send,
  sign,
  signedRequest,
} from "../../support/gateway.ts";
import {
  exhaust,
  expectNothingStored,
  rateHeadersOf,
  rowOf,
  setStatus,
  softDelete,
} from "../../support/intake.ts";
import { without } from "../../support/interception.ts";

const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const REQUEST_ID = /^req_(?:c[0-9a-f]{47}|o[0-9a-f]{23})$/;
const NO_RATE = [null, null, null];

interface Row {
  row: string;
  /** Creates what is needed and sends the request; `connection` must have nothing stored afterwards. */
  refuse(): Promise<{ answer: Answer; connection?: Connection }>;
  status: number;
  error: string;
  code: string;
  details?: Json;
  message?: RegExp;
  rated?: boolean;
  retryAfter?: boolean;
}

/** A request of a new bound connection whose headers are replaced; null takes one away. */
async function withHeaders(headers: Record<string, string | null>) {
  const connection = await createBoundConnection();
  const request = await signedRequest(connection);
  const changed = new Headers(request.headers);
  for (const [name, value] of Object.entries(headers)) {
    if (value === null) changed.delete(name);
    else changed.set(name, value);
  }
  return { answer: await send(inboundPath(connection), { ...request, headers: changed }), connection };
}

async function withTimestamp(timestamp: string) {
  const connection = await createBoundConnection();
  return { answer: await post(connection, report(), { timestamp }), connection };
}

async function withBody(body: string | Uint8Array<ArrayBuffer>) {
  const connection = await createBoundConnection();
  return { answer: await post(connection, body), connection };
}

async function withConnection(fields: Json, prepare?: (connection: Connection) => Promise<void>) {
  const connection = await createConnection({ employer_id: (await createEmployer()).id, ...fields });
  await prepare?.(connection);
  return { answer: await post(connection), connection };
}

const serverTime = { server_time: expect.any(Number), window_ms: 300_000 };

const ROWS: Row[] = [
  {
    row: "1, an id that is too short",
    refuse: async () => ({ answer: await post({ id: "abc", secret: "s" }) }),
    status: 400,
    error: "Invalid connection_id",
    code: "INVALID_CONNECTION_ID",
  },
  {
    row: "1, 24 characters that are not all hex",
    refuse: async () => ({ answer: await post({ id: "0123456789abcdef0123456g", secret: "s" }) }),
    status: 400,
    error: "Invalid connection_id",
    code: "INVALID_CONNECTION_ID",
  },
  {
    row: "1, an id in broken percent-encoding",
    refuse: async () => ({ answer: await post({ id: "%zz", secret: "s" }) }),
    status: 400,
    error: "Invalid connection_id",
    code: "INVALID_CONNECTION_ID",
  },
  {
    row: "2, no signature",
    refuse: () => withHeaders({ "X-Webhook-Signature": null }),
    status: 401,
    error: "Missing required headers",
    code: "MISSING_HEADERS",
    details: { missing: ["X-Webhook-Signature"] },
  },
  {
    row: "2, no timestamp",
    refuse: () => withHeaders({ "X-Webhook-Timestamp": null }),
    status: 401,
    error: "Missing required headers",
    code: "MISSING_HEADERS",
    details: { missing: ["X-Webhook-Timestamp"] },
  },
  {
    row: "2, both empty",
    refuse: () => withHeaders({ "X-Webhook-Signature": "", "X-Webhook-Timestamp": "" }),
    status: 401,
    error: "Missing required headers",
    code: "MISSING_HEADERS",
    details: { missing: ["X-Webhook-Signature", "X-Webhook-Timestamp"] },
  },
  {
    row: "3, too old",
    refuse: () => withTimestamp(String(Date.now() - 301_000)),
    status: 401,
    error: "Request timestamp expired",
    code: "TIMESTAMP_EXPIRED",
    details: serverTime,
    message: /clock/,
  },
  {
    row: "3, too far ahead",
    refuse: () => withTimestamp(String(Date.now() + 302_000)),
    status: 401,
    error: "Request timestamp expired",
    code: "TIMESTAMP_EXPIRED",
    details: serverTime,
  },
  {
    row: "3, seconds instead of milliseconds",
    refuse: () => withTimestamp(String(Math.floor(Date.now() / 1_000))),
    status: 401,
    error: "Request timestamp expired",
    code: "TIMESTAMP_EXPIRED",
    details: serverTime,
    message: /seconds/,
  },
  {
    row: "3, not an integer",
    refuse: () => withTimestamp(new Date().toISOString()),
    status: 401,
    error: "Request timestamp expired",
    code: "TIMESTAMP_EXPIRED",
    details: serverTime,
    message: /digits only/,
  },
  {
    row: "4, a compressed body",
    refuse: () => withHeaders({ "Content-Encoding": "gzip" }),
    status: 415,
    error: "Unsupported content encoding",
    code: "UNSUPPORTED_CONTENT_ENCODING",
  },
  {
    row: "5, a body declared too large",
    refuse: () => withHeaders({ "Content-Length": String(10 * 1024 ** 2 + 1) }),
    status: 413,
    error: "Payload too large",
    code: "PAYLOAD_TOO_LARGE",
    details: { limit_bytes: 10 * 1024 ** 2 },
  },
  {
    row: "5, an undeclared body over the limit",
    refuse: async () => {
      const connection = await createBoundConnection();
      const using = { ...bindings, MAX_BODY_BYTES: "1024" };
      return { answer: await post(connection, report({ note: "x".repeat(1_024) }), {}, using), connection };
    },
    status: 413,
    error: "Payload too large",
    code: "PAYLOAD_TOO_LARGE",
    details: { limit_bytes: 1_024 },
  },
  {
    row: "6, an unknown connection",
    refuse: async () => ({ answer: await post({ id: "0123456789abcdef01234567", secret: "s" }) }),
    status: 404,
    error: "Webhook connection not found",
    code: "CONNECTION_NOT_FOUND",
  },
  {
    row: "6, a deleted connection",
    refuse: () => withConnection({}, softDelete),
    status: 404,
    error: "Webhook connection not found",
    code: "CONNECTION_NOT_FOUND",
  },
  {
    row: "7, a connection of another type",
    refuse: () => withConnection({ type: "sftp" }),
    status: 400,
    error: "Connection is not a webhook type",
    code: "NOT_A_WEBHOOK_CONNECTION",
  },
  {
    row: "8, an inactive connection",
    refuse: () => withConnection({}, (connection) => setStatus(connection, "inactive")),
    status: 403,
    error: "Webhook connection is inactive",
    code: "CONNECTION_INACTIVE",
  },
  {
    row: "9, a signature of another secret",
    refuse: async () => {
      const connection = await createBoundConnection();
      return { answer: await post({ ...connection, secret: "another" }), connection };
    },
    status: 401,
    error: "Invalid webhook signature",
    code: "INVALID_SIGNATURE",
  },
  {
    row: "9, a header that cannot be a signature",
    refuse: () => withHeaders({ "X-Webhook-Signature": "not hex" }),
    status: 401,
    error: "Invalid webhook signature",
    code: "INVALID_SIGNATURE",
  },
  {
    row: "10, a body that is no JSON",
    refuse: () => withBody('{"employees":[{}]'),
    status: 400,
    error: "Invalid JSON body",
    code: "INVALID_JSON",
    rated: true,
  },
  {
    row: "10, a body that is no object",
    refuse: () => withBody('[{"employees":[{}]}]'),
    status: 400,
    error: "Invalid JSON body",
    code: "INVALID_JSON",
    message: /object/,
    rated: true,
  },
  {
    row: "10, a body that is not UTF-8",
    refuse: () => withBody(new Uint8Array([0x22, 0xff, 0x22])),
    status: 400,
    error: "Invalid JSON body",
    code: "INVALID_JSON",
    message: /UTF-8/,
    rated: true,
  },
  {
    row: "10, no body at all",
    refuse: async () => {
      const connection = await createBoundConnection();
      const { body: _, ...bodiless } = await signedRequest(connection, "");
      return { answer: await send(inboundPath(connection), bodiless), connection };
    },
    status: 400,
    error: "Invalid JSON body",
    code: "INVALID_JSON",
    rated: true,
  },
  {
    row: "11, no employees",
    refuse: () => withBody('{"policy_number":"WC1"}'),
    status: 400,
    error: "Missing or empty employees array",
    code: "NO_EMPLOYEES",
    rated: true,
  },
  {
    row: "11, an empty array of employees",
    refuse: () => withBody('{"employees":[]}'),
    status: 400,
    error: "Missing or empty employees array",
    code: "NO_EMPLOYEES",
    rated: true,
  },
  {
    row: "12, a bound connection that names another employer",
    refuse: async () => withBody(report({ employer_id: (await createEmployer()).id })),
    status: 404,
    error: "Could not resolve employer",
    code: "EMPLOYER_NOT_RESOLVED",
    message: /bound to one employer/,
    rated: true,
  },
  {
    row: "12, an unbound connection that names nobody",
    refuse: async () => {
      const connection = await createConnection();
      return { answer: await post(connection), connection };
    },
    status: 404,
    error: "Could not resolve employer",
    code: "EMPLOYER_NOT_RESOLVED",
    message: /employer_fein/,
    rated: true,
  },
  {
    row: "13, the plan's minute used up",
    refuse: () => withConnection({ plan: "sandbox" }, exhaust),
    status: 429,
    error: "Rate Limit Exceeded",
    code: "RATE_LIMIT_EXCEEDED",
    details: { retry_after: expect.any(Number), limit: 100, window: "1 minute" },
    message: /retry after \d+ seconds/,
    rated: true,
    retryAfter: true,
  },
  {
    row: "503, the gate gives no answer",
    refuse: async () => {
      const connection = await createBoundConnection();
      return { answer: await post(connection, report(), {}, without("CONNECTION_GATE.admit")), connection };
    },
    status: 503,
    error: "Service unavailable",
    code: "SERVICE_UNAVAILABLE",
    message: /Repeat the same request/,
    retryAfter: true,
  },
  {
    row: "500, a bug",
    refuse: async () => {
      const connection = await createBoundConnection();
      const using = {
        ...bindings,
        DB: new Proxy(bindings.DB, {
          get() {
            throw new Error("a detail of ours");
          },
        }),
      };
      return { answer: await post(connection, report(), {}, using), connection };
    },
    status: 500,
    error: "Internal error",
    code: "INTERNAL_ERROR",
  },
];

beforeEach(() => filesCreator.reset());

describe("a refusal", () => {
  it.each(ROWS)("answers row $row, with $status, and stores nothing", async (row) => {
    const { answer, connection } = await row.refuse();
    expect(answer.json).toEqual({
      error: row.error,
      message: row.message ? expect.stringMatching(row.message) : expect.stringMatching(/.{20}/),
      code: row.code,
      ...(row.details && { details: row.details }),
      request_id: expect.stringMatching(REQUEST_ID),
      timestamp: expect.stringMatching(ISO_TIME),
    });
    expect(answer.status).toBe(row.status);
    expect(Math.abs(Date.now() - Date.parse(answer.json.timestamp))).toBeLessThan(5_000);
    expect(answer.headers.get("Content-Type")).toMatch(/^application\/json/);
    expect(answer.headers.get("X-Audit1-Request-Id")).toBe(answer.json.request_id);
    expect(answer.headers.get("X-Request-Id")).toBe(answer.json.request_id);
    expect(answer.headers.get("Retry-After")).toEqual(
      row.retryAfter ? expect.stringMatching(/^[1-9]\d*$/) : null,
    );
    expect(rateHeadersOf(answer)).toEqual(
      row.rated ? RATED.map((pattern) => expect.stringMatching(pattern)) : NO_RATE,
    );
    expect(JSON.stringify(answer.json)).not.toContain("a detail of ours");
    if (connection !== undefined) await expectNothingStored(connection);
  });
});

const RATED = [/^\d+$/, /^\d+$/, /^\d{10}$/];

describe("a report that the files-creator refuses", () => {
  it("is answered 502 to a caller who waits, and to everybody who repeats it", async () => {
    const connection = await createBoundConnection();
    await filesCreator.script({
      connection: connection.id,
      status: 422,
      body: '{"error":"bad class code of John"}',
    });
    const request = await signedRequest(connection, report(), {
      headers: { Prefer: "wait=5", "Idempotency-Key": "key-of-a-refused-report" },
    });
    const waited = await send(inboundPath(connection), request);
    expect(waited.status).toBe(502);
    expect(waited.json).toMatchObject({
      error: "File processing failed",
      code: "FILE_PROCESSING_FAILED",
      details: { file_id: expect.stringMatching(/^FILE_[0-9A-Z]{40}$/) },
    });
    expect(JSON.stringify(waited.json)).not.toContain("class code");
    expect(rateHeadersOf(waited)[1]).toBe("499");

    const repeated = await send(inboundPath(connection), request);
    expect(repeated.status).toBe(502);
    expect(repeated.json.details).toEqual(waited.json.details);
    expect(rateHeadersOf(repeated)[1]).toBe("499");

    const byKey = await post(connection, String(request.body), {
      timestamp: String(Date.now() + 1),
      headers: { "Idempotency-Key": "key-of-a-refused-report" },
    });
    expect(byKey.status).toBe(502);
    expect(byKey.json.details).toEqual(waited.json.details);
    expect(await filesCreator.receivedFile(waited.json.details.file_id)).toHaveLength(1);
    expect(await gateOf(connection).list(null, 10)).toHaveLength(1);
  });

  it("is answered 502 on repeats even when the plan is used up, because repeats come before the limit", async () => {
    const connection = await createBoundConnection({ plan: "sandbox" });
    await filesCreator.script({ connection: connection.id, status: 400 });
    const request = await signedRequest(connection, report(), { headers: { Prefer: "wait=5" } });
    expect((await send(inboundPath(connection), request)).status).toBe(502);
    await exhaust(connection);
    expect((await post(connection)).status).toBe(429);
    expect((await send(inboundPath(connection), request)).status).toBe(502);
  });
});

describe("a caller who waits", () => {
  it("is answered 200 and the status when the files-creator accepts the report in time", async () => {
    const connection = await createBoundConnection();
    const answer = await post(connection, report(), { headers: { Prefer: "wait=5" } });
    expect(answer.status).toBe(200);
    expect(answer.json).toMatchObject({ success: true, status: "processing", duplicate: false });
    expect(answer.headers.get("Preference-Applied")).toBe("wait=5");
  });

  it("is answered 202 when the files-creator does not respond in time", async () => {
    const connection = await createBoundConnection();
    await filesCreator.script({ connection: connection.id, delayMs: 1_200 });
    const answer = await post(connection, report(), { headers: { Prefer: "wait=1" } });
    expect(answer.status).toBe(202);
    expect(answer.json).toMatchObject({ success: true, status: "queued" });
    await vi.waitFor(
      async () => expect((await gateOf(connection).status(answer.json.file_id))?.status).toBe("processing"),
      { timeout: 5_000 },
    );
  });

  it("waits for its connection's default time when its request names none", async () => {
    const connection = await createBoundConnection({ default_wait_seconds: 5 });
    expect((await post(connection)).status).toBe(200);
    expect((await post(connection, report(), { headers: { Prefer: "wait=0" } })).status).toBe(202);
  });
});

describe("an Idempotency-Key", () => {
  it("that is malformed is answered 400, and nothing is stored", async () => {
    const connection = await createBoundConnection();
    const answer = await post(connection, report(), { headers: { "Idempotency-Key": "k".repeat(256) } });
    expect(answer.status).toBe(400);
    expect(answer.json).toMatchObject({ error: "Invalid Idempotency-Key", code: "INVALID_IDEMPOTENCY_KEY" });
    await expectNothingStored(connection);
  });

  it("that names another body is answered 409", async () => {
    const connection = await createBoundConnection();
    const headers = { "Idempotency-Key": "one key" };
    expect((await post(connection, report(), { headers })).status).toBe(202);
    const answer = await post(connection, report(), { headers });
    expect(answer.status).toBe(409);
    expect(answer.json).toMatchObject({
      error: "Idempotency-Key reused with a different body",
      code: "IDEMPOTENCY_KEY_REUSED",
    });
    expect(rateHeadersOf(answer)[1]).toBe("499");
    expect(await gateOf(connection).list(null, 10)).toHaveLength(1);
  });
});

describe("a request id", () => {
  it.each([
    ["a", "a"],
    ["trace-1.2_3", "trace-1.2_3"],
    ["x".repeat(64), "x".repeat(64)],
    ["x".repeat(65), null],
    ["", null],
    ["with a space", null],
    ["semi;colon", null],
    ['quote"', null],
  ])("%j of the caller is kept beside ours when it is well-formed", async (given, kept) => {
    const connection = await createBoundConnection();
    const headers = { "X-Request-Id": given };
    const refused = await post({ ...connection, secret: "another" }, report(), { headers });
    const accepted = await post(connection, report(), { headers });
    expect(refused.json.request_id).toBe(refused.headers.get("X-Audit1-Request-Id"));
    for (const { headers: answered } of [refused, accepted]) {
      expect(answered.get("X-Audit1-Request-Id")).toMatch(REQUEST_ID);
      expect(answered.get("X-Request-Id")).toBe(kept ?? answered.get("X-Audit1-Request-Id"));
    }
  });

  it("of ours that the caller sends is ignored", async () => {
    const connection = await createBoundConnection();
    const answer = await post(connection, report(), { headers: { "X-Audit1-Request-Id": "forged" } });
    expect(answer.headers.get("X-Audit1-Request-Id")).toMatch(REQUEST_ID);
    expect(answer.headers.get("X-Request-Id")).toBe(answer.headers.get("X-Audit1-Request-Id"));
  });
});

describe("rate headers", () => {
  it("count down with every admission, and describe the window that would block first", async () => {
    const connection = await createBoundConnection();
    const before = Date.now();
    const answers = [await post(connection), await post(connection), await post(connection, "{}")];
    expect(answers.map((answer) => answer.status)).toEqual([202, 202, 400]);
    expect(answers.map((answer) => rateHeadersOf(answer).slice(0, 2))).toEqual([
      ["500", "499"],
      ["500", "498"],
      ["500", "497"],
    ]);
    for (const answer of answers) {
      const reset = Number(answer.headers.get("X-RateLimit-Reset")) * 1_000;
      expect(reset).toBeGreaterThanOrEqual(before + 60_000);
      expect(reset).toBeLessThanOrEqual(Date.now() + 63_000);
    }
  });

  it("of a 429 agree with its Retry-After and details", async () => {
    const connection = await createBoundConnection({ plan: "sandbox" });
    await exhaust(connection);
    const answer = await post(connection);
    const seconds = answer.json.details.retry_after;
    expect(answer.headers.get("Retry-After")).toBe(String(seconds));
    expect(rateHeadersOf(answer).slice(0, 2)).toEqual(["100", "0"]);
    expect(
      Math.abs(Number(answer.headers.get("X-RateLimit-Reset")) - (Date.now() / 1_000 + seconds)),
    ).toBeLessThan(2);
    expect(seconds).toBeGreaterThan(50);
    expect(seconds).toBeLessThanOrEqual(61);
  });
});

describe("the path", () => {
  it.each(["GET", "PUT", "PATCH", "DELETE", "OPTIONS"])("answers %s with 405 and Allow", async (method) => {
    const answer = await send(inboundPath({ id: "0123456789abcdef01234567" }), { method });
    expect(answer.status).toBe(405);
    expect(answer.headers.get("Allow")).toBe("POST");
    expect(answer.json).toMatchObject({ error: "Method Not Allowed", code: "METHOD_NOT_ALLOWED" });
  });

  it.each([
    "/api/v1/webhook/inbound/0123456789abcdef01234567/more",
    "/api/v2/webhook/inbound/0123456789abcdef01234567",
    "/",
  ])("%s is nothing", async (path) => {
    const answer = await send(path, { method: "POST" });
    expect(answer.status).toBe(404);
    expect(answer.json).toMatchObject({ error: "Not Found", code: "NOT_FOUND" });
  });

  it.each(["/api/v1/webhook/inbound", "/api/v1/webhook/inbound/"])(
    "%s lacks the connection's id",
    async (path) => {
      const answer = await send(path, { method: "POST" });
      expect(answer).toMatchObject({ status: 400, json: { error: "Invalid connection_id" } });
    },
  );

  it("may end with a slash", async () => {
    const connection = await createBoundConnection();
    const answer = await send(`${inboundPath(connection)}/`, await signedRequest(connection));
    expect(answer.status).toBe(202);
  });

  it("accepts the connection's id in either letter case, and continues in lower case", async () => {
    const connection = await createBoundConnection();
    const upper = { ...connection, id: connection.id.toUpperCase() };
    const body = report();
    const timestamp = String(Date.now());
    const first = await post(upper, body, { timestamp });
    expect(first.status).toBe(202);
    expect(first.json.connection_id).toBe(connection.id);
    const again = await post(connection, body, { timestamp });
    expect(again.json).toMatchObject({ file_id: first.json.file_id, duplicate: true });
  });
});

it.each([
  ["does not open", (key: string) => `${key.slice(0, -8)}AAAAAAA=`],
  ["is no base64", (key: string) => `${key.slice(0, -8)}?`],
])("answers 503 for a row whose key %s, without details", async (_what, breaking) => {
  const connection = await createBoundConnection();
  const { data_key } = await rowOf(connection);
  const broken = breaking(data_key);
  await bindings.DB.prepare("UPDATE connections SET data_key = ? WHERE id = ?")
    .bind(broken, connection.id)
    .run();
  const answer = await post(connection);
  expect(answer.status).toBe(503);
  expect(JSON.stringify(answer.json)).not.toMatch(/test-1|data-key/);
});

it("verifies only the exact bytes: the same report in another formatting needs its own signature", async () => {
  const connection = await createBoundConnection();
  const body = report();
  const timestamp = String(Date.now());
  const signature = await sign(connection.secret, timestamp, body);
  const answer = await post(connection, `${body} `, {
    timestamp,
    headers: { "X-Webhook-Signature": signature },
  });
  expect(answer.json.error).toBe("Invalid webhook signature");
});
