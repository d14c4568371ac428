import { describe, expect, it, vi } from "vitest";
import { sha256Hex } from "../../../src/crypto/encoding.ts";
import { MAX_EVENTS_BYTES } from "../../../src/portal/events/event-contract.ts";
import {
  bindings,
  createConnection,
  createEmployer,
  type Json,
  portal,
  send,
} from "../../support/gateway.ts";

const OWNER = { owner_type: "payroll_company", owner_id: "acme" };
const HEADERS = { "X-Client-ID": "portal", "X-Client-Secret": "portal-secret" };

/** The field of the row as D1 holds it. */
function stored(table: string, id: string): Promise<Json | null> {
  return bindings.DB.prepare(`SELECT * FROM ${table} WHERE id = ?`).bind(id).first<Json>();
}

describe("bodies of every management endpoint", () => {
  const routes: [string, string][] = [
    ["POST", "/connections"],
    ["POST", "/api-keys"],
    ["PUT", "/employers/EMP_bodies"],
    ["POST", "/events"],
  ];

  it.each(routes)("%s %s refuses another content type", async (method, path) => {
    for (const type of ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""]) {
      const init = { method, headers: { ...HEADERS, "Content-Type": type }, body: "{}" };
      expect(await send(`/api/v1${path}`, init)).toMatchObject({
        status: 400,
        json: {
          error: "Validation Error",
          code: "VALIDATION_ERROR",
          details: { expected: "application/json", received: type },
        },
      });
    }
  });

  it.each(routes)(
    "%s %s accepts the content type with a charset and in any letter case",
    async (method, path) => {
      const init = {
        method,
        headers: { ...HEADERS, "Content-Type": "Application/JSON; charset=utf-8" },
        body: "[]",
      };
      const answer = await send(`/api/v1${path}`, init);
      expect(answer.status).toBe(400);
      expect(answer.json.details).not.toHaveProperty("expected");
    },
  );

  it.each(routes)("%s %s rejects a body that is not JSON", async (method, path) => {
    for (const body of ["", "{", "{'a':1}", "\u0000", '{"a":1}x']) {
      const init = { method, headers: { ...HEADERS, "Content-Type": "application/json" }, body };
      expect(await send(`/api/v1${path}`, init)).toMatchObject({
        status: 400,
        json: {
          error: "Validation Error",
          message: expect.stringMatching(body === "" ? /empty/ : /not valid JSON/),
        },
      });
    }
  });

  it.each(routes)(
    "%s %s rejects a body that a parser would repair, and names the problem",
    async (method, path) => {
      const latin1 = Uint8Array.from('{"description":"José"}', (char) => char.charCodeAt(0));
      for (const [body, expected] of [
        [latin1, { message: expect.stringContaining("(description): the byte E9") }],
        ["\ufeff{}", { message: expect.stringContaining("byte order mark") }],
        [Uint8Array.of(0x7b, 0, 0x7d, 0), { message: expect.stringContaining("UTF-16") }],
        ['{"a":{"b":1,"\\u0062":2}}', { details: { "a.b": "This name appears twice in its object" } }],
        ['{"a":["\\ud83d"]}', { details: { "a[0]": expect.stringContaining("surrogate") } }],
        ['{"a":"\\u0000"}', { details: { a: expect.stringContaining("NUL") } }],
        ['{"a":12345678901234567890}', { details: { a: expect.stringContaining("loses digits") } }],
        ['{"a":NaN}', { message: expect.stringContaining("column 6"), details: { line: 1, column: 6 } }],
      ] as const) {
        const init = { method, headers: { ...HEADERS, "Content-Type": "application/json" }, body };
        expect(await send(`/api/v1${path}`, init)).toMatchObject({ status: 400, json: expected });
      }
    },
  );

  it.each(routes)("%s %s rejects a compressed body", async (method, path) => {
    const headers = { ...HEADERS, "Content-Type": "application/json", "Content-Encoding": "gzip" };
    const answer = await send(`/api/v1${path}`, { method, headers, body: "{}" });
    expect(answer).toMatchObject({ status: 415, json: { code: "UNSUPPORTED_CONTENT_ENCODING" } });
  });

  it.each(routes)("%s %s rejects JSON that is not an object", async (method, path) => {
    for (const body of [null, [], 5, "text"]) {
      const answer = await portal(method, path, body);
      expect(answer).toMatchObject({ status: 400, json: { error: "Validation Error" } });
      expect(answer.json.details).toHaveProperty("body");
    }
  });

  it.each([
    ["POST", "/connections", { ...OWNER, plan_name: "enterprise", secrets: [] }, ["plan_name", "secrets"]],
    ["POST", "/api-keys", { ...OWNER, environment: "sandbox", is_active: false }, ["is_active"]],
    [
      "PUT",
      "/employers/EMP_bodies",
      { name: "X", owners: [{ ...OWNER, role: "admin" }], id: "E" },
      ["owners[0].role", "id"],
    ],
  ] as const)("%s %s refuses unknown fields by their name", async (method, path, body, names) => {
    const answer = await portal(method, path, body);
    expect(answer.status).toBe(400);
    expect(answer.json.details).toEqual(Object.fromEntries(names.map((name) => [name, "Unknown field"])));
  });

  it.each(routes)("%s %s rejects a declared length above the limit", async (method, path) => {
    const limit = path === "/events" ? MAX_EVENTS_BYTES : 1024 ** 2;
    const headers = { ...HEADERS, "Content-Type": "application/json", "Content-Length": String(limit + 1) };
    expect((await send(`/api/v1${path}`, { method, headers, body: "{}" })).status).toBe(413);
  });
});

it.each([
  ["owner_id=Jos%E9", { owner_id: "Must be percent-encoded UTF-8" }],
  ["owner_id=%", { owner_id: "Must be percent-encoded UTF-8" }],
  ["owner%FF_id=a", { "owner%FF_id": "Must be percent-encoded UTF-8" }],
  ["owner_id=a%00b", { owner_id: "Contains the NUL character (%00)" }],
  ["owner_id=%ED%A0%80&limit=5", { owner_id: "Must be percent-encoded UTF-8" }],
  [`${"&".repeat(100)}owner_id=%FF`, { owner_id: "Must be percent-encoded UTF-8" }],
])("the query %s is refused, not repaired", async (query, details) => {
  for (const list of ["connections", "webhooks", "api-keys", "audit"])
    expect(await portal("GET", `/${list}?${query}`)).toMatchObject({ status: 400, json: { details } });
});

it("a management body of undeclared length is cut off at the limit", async () => {
  let sent = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      sent++;
      if (sent > 64) controller.close();
      else controller.enqueue(new Uint8Array(128 * 1024).fill(0x20));
    },
  });
  const headers = { ...HEADERS, "Content-Type": "application/json" };
  expect(await send("/api/v1/connections", { method: "POST", headers, body })).toMatchObject({
    status: 413,
    json: { message: "The body may have at most 1048576 bytes. Send it in parts." },
  });
  expect(sent).toBeLessThan(20);
});

const MANY = "{},".repeat(MAX_EVENTS_BYTES / 3 - 100);

it.each([
  ["a batch", `{"events":[${MANY}{}]}`],
  ["the data of one", `{"id":"a","type":"policy.created","data":{"a":[${MANY}{}]}}`],
  ["no JSON", "[{".repeat(1024 ** 2)],
])("events of too many values are refused before anything is made of them: %s", async (_what, body) => {
  const parse = vi.spyOn(JSON, "parse");
  const headers = { ...HEADERS, "Content-Type": "application/json" };
  const answer = await send("/api/v1/events", { method: "POST", headers, body });
  const parsed = parse.mock.calls.some(([text]) => text === body);
  parse.mockRestore();
  expect(answer).toMatchObject({
    status: 400,
    json: { message: "The body has more than 200000 values. Send it in parts." },
  });
  expect(parsed).toBe(false);
});

it("at most a hundred unknown fields are named", async () => {
  const fields = Array.from({ length: 10_000 }, (_, i) => [`field_${i}`, 1]);
  const answer = await portal("POST", "/connections", { ...OWNER, ...Object.fromEntries(fields) });
  expect(answer.status).toBe(400);
  expect(Object.keys(answer.json.details)).toHaveLength(100);
});

describe("POST /connections", () => {
  it("returns the connection with its URL, and the secret once", async () => {
    const answer = await portal("POST", "/connections", { ...OWNER, description: "ADP" });
    expect(answer.status).toBe(201);
    const { success, connection, secret } = answer.json;
    expect(success).toBe(true);
    expect(secret).toMatch(/^whsec_[A-Za-z0-9]{43}$/);
    expect(connection).toMatchObject({
      ...OWNER,
      type: "webhook",
      status: "active",
      plan: "sandbox",
      environment: "sandbox",
      employer_id: null,
      default_wait_seconds: 0,
      same_body: "accept",
      retention_years: 7,
      description: "ADP",
      url: `https://webhooks.audit1.com/api/v1/webhook/inbound/${connection.id}`,
      secrets: [{ id: expect.stringMatching(/^[0-9a-f]{24}$/), expires_at: null }],
    });
    expect(connection.id).toMatch(/^[0-9a-f]{24}$/);
    expect(connection.created_at).toBe(connection.updated_at);
    const read = await portal("GET", `/connections/${connection.id}`);
    expect(read).toMatchObject({ status: 200, json: { connection } });
    for (const hidden of ["secret", "data_key", "gate_version", "deleted_at", "sealed"])
      expect(JSON.stringify(read.json)).not.toContain(`"${hidden}"`);
    expect(JSON.stringify(read.json)).not.toContain(secret);
  });

  it("returns an address at the public inbound host, whatever host the portal uses", async () => {
    const using = { ...bindings, INBOUND_ORIGIN: "https://in.receiver-audit.com" };
    const made = await portal("POST", "/connections", OWNER, "portal", using);
    const { id } = made.json.connection;
    const url = `https://in.receiver-audit.com/api/v1/webhook/inbound/${id}`;
    const patched = await portal("PATCH", `/connections/${id}`, { description: "ADP" }, "portal", using);
    const read = await portal("GET", `/connections/${id}`, undefined, "portal", using);
    const rotated = await portal("POST", `/connections/${id}/rotate-secret`, {}, "portal", using);
    for (const answer of [made, patched, read, rotated]) expect(answer.json.connection.url).toBe(url);
    const list = await portal(
      "GET",
      `/connections?${new URLSearchParams(OWNER)}`,
      undefined,
      "portal",
      using,
    );
    for (const { url } of list.json.connections) expect(url).toMatch(/^https:\/\/in\.receiver-audit\.com\//);
  });

  it.each([
    [{ owner_type: "user" }, "owner_id_required", "The owner_id field is required"],
    [{}, "owner_id_required", "The owner_id field is required"],
    [{ owner_id: "acme" }, "owner_type_required", "The owner_type field is required"],
  ])("asks for what is missing of the owner: %j", async (body, error, message) => {
    for (const [path, rest] of [
      ["/connections", {}],
      ["/api-keys", { environment: "sandbox" }],
    ] as const) {
      expect(await portal("POST", path, { ...rest, ...body })).toMatchObject({
        status: 400,
        json: { error, message, code: "VALIDATION_ERROR" },
      });
    }
  });

  it.each([
    [
      { owner_type: "company" },
      "owner_type",
      'Must be one of user, employer, payroll_company, software_company; "company" was given',
    ],
    [{ owner_id: "a/b" }, "owner_id", "Must be 1 to 64 characters of A-Za-z0-9_.:-"],
    [{ owner_id: "" }, "owner_id", "Must be 1 to 64 characters of A-Za-z0-9_.:-"],
    [{ type: "Web Hook" }, "type", "Must be a word such as webhook"],
    [{ plan: "gold" }, "plan", null],
    [{ environment: "live" }, "environment", null],
    [{ employer_id: "a b" }, "employer_id", "Must be 1 to 64 characters of A-Za-z0-9_-"],
    [{ default_wait_seconds: 31 }, "default_wait_seconds", null],
    [{ default_wait_seconds: 0.5 }, "default_wait_seconds", null],
    [{ same_body: "drop" }, "same_body", null],
    [{ retention_years: 0 }, "retention_years", null],
    [{ retention_years: 11 }, "retention_years", null],
    [{ description: "x".repeat(501) }, "description", null],
  ])("refuses %j by its path", async (fields, path, text) => {
    const answer = await portal("POST", "/connections", { ...OWNER, ...fields });
    expect(answer).toMatchObject({
      status: 400,
      json: { error: "Validation Error", message: "The request has invalid fields." },
    });
    expect(Object.keys(answer.json.details)).toEqual([path]);
    if (text !== null) expect(answer.json.details[path]).toBe(text);
  });

  it("accepts ids in either letter case when a connection is read", async () => {
    const { id } = await createConnection();
    expect((await portal("GET", `/connections/${id.toUpperCase()}`)).json.connection.id).toBe(id);
  });

  it.each(["x", "0".repeat(24), "'; --", "%00"])("answers 404 for the id %j", async (id) => {
    const answer = await portal("GET", `/connections/${encodeURIComponent(id)}`);
    expect(answer).toMatchObject({ status: 404, json: { error: "connection_not_found", code: "NOT_FOUND" } });
  });

  it("answers 404 for a deleted connection", async () => {
    const { id } = await createConnection();
    await bindings.DB.prepare("UPDATE connections SET deleted_at = 1 WHERE id = ?").bind(id).run();
    for (const [method, action, body] of [
      ["GET", "", undefined],
      ["PATCH", "", { status: "active" }],
      ["POST", "/rotate-secret", {}],
    ] as const)
      expect((await portal(method, `/connections/${id}${action}`, body)).status).toBe(404);
  });
});

describe("PUT /employers/{id}", () => {
  it("creates an employer, then replaces it and its grants as a whole", async () => {
    const id = `EMP_put_${Date.now()}`;
    const first = {
      fein: "21-1234567",
      name: "First",
      owners: [OWNER, { owner_type: "user", owner_id: "u1" }],
    };
    expect(await portal("PUT", `/employers/${id}`, first)).toMatchObject({
      status: 201,
      json: { success: true, employer: { ...first, id, fein: "211234567" } },
    });
    expect(await stored("employers", id)).toMatchObject({ fein: "211234567", name: "First" });
    const second = { fein: "211234568", name: "Second", owners: [] };
    expect(await portal("PUT", `/employers/${id}`, second)).toMatchObject({
      status: 200,
      json: { employer: { ...second, id } },
    });
    expect(await stored("employers", id)).toMatchObject({ fein: "211234568", name: "Second" });
    const grants = await bindings.DB.prepare("SELECT 1 FROM employer_grants WHERE employer_id = ?")
      .bind(id)
      .all();
    expect(grants.results).toEqual([]);
  });

  it("may be repeated unchanged, with a grant named twice, and without a FEIN", async () => {
    const id = `EMP_again_${Date.now()}`;
    const body = { name: "Again", owners: [OWNER, OWNER] };
    expect((await portal("PUT", `/employers/${id}`, body)).status).toBe(201);
    expect((await portal("PUT", `/employers/${id}`, body)).status).toBe(200);
    expect(await stored("employers", id)).toMatchObject({ fein: null });
  });

  it.each(["*", '"0"', '"1"'])(
    "with If-Match: %s creates none: there is nothing that could match",
    async (match) => {
      const id = `EMP_absent_${Date.now()}`;
      const headers = { ...HEADERS, "Content-Type": "application/json", "If-Match": match };
      const init = { method: "PUT", headers, body: JSON.stringify({ name: "Absent" }) };
      expect(await send(`/api/v1/employers/${id}`, init)).toMatchObject({
        status: 412,
        json: { error: "precondition_failed" },
      });
      expect(await stored("employers", id)).toBeNull();
    },
  );

  it("with If-None-Match: * creates one, and replaces none", async () => {
    const id = `EMP_only_new_${Date.now()}`;
    const headers = { ...HEADERS, "Content-Type": "application/json", "If-None-Match": "*" };
    const put = (name: string) =>
      send(`/api/v1/employers/${id}`, { method: "PUT", headers, body: JSON.stringify({ name }) });
    expect((await put("First")).status).toBe(201);
    expect(await put("Second")).toMatchObject({ status: 412, json: { error: "precondition_failed" } });
    expect(await stored("employers", id)).toMatchObject({ name: "First" });
  });

  it("answers 409 for a FEIN that another employer has, however it is written, and changes nothing", async () => {
    const taken = await createEmployer();
    const id = `EMP_taken_${Date.now()}`;
    for (const fein of [taken.fein, taken.fein.replace("-", "")]) {
      expect(await portal("PUT", `/employers/${id}`, { fein, name: "X", owners: [OWNER] })).toMatchObject({
        status: 409,
        json: { error: "fein_taken", code: "CONFLICT", details: { fein: "Another employer has this FEIN." } },
      });
    }
    expect(await stored("employers", id)).toBeNull();
  });

  it("answers 409 as well when two take a FEIN at the same time", async () => {
    const fein = `31-${String(Math.floor(Math.random() * 1e7)).padStart(7, "0")}`;
    const stamp = Date.now();
    const answers = await Promise.all(
      Array.from({ length: 6 }, (_, i) =>
        portal("PUT", `/employers/EMP_race_${stamp}_${i}`, { fein, name: "X" }),
      ),
    );
    const statuses = answers.map(({ status }) => status).sort();
    expect(statuses).toEqual([201, 409, 409, 409, 409, 409]);
  });

  it.each([
    [{ fein: "12-345678" }, { fein: "Must be a FEIN of nine digits, such as 12-3456789" }],
    [{ fein: 123456789 }, { fein: expect.any(String) }],
    [{ name: "" }, { name: "Must not be empty" }],
    [{ name: "x".repeat(201) }, { name: "Must have at most 200 characters" }],
    [{ owners: {} }, { owners: expect.any(String) }],
    [{ owners: [OWNER, { owner_type: "user" }] }, { "owners[1].owner_id": "Required field missing" }],
    [
      { owners: [{ owner_type: "boss", owner_id: "" }] },
      {
        "owners[0].owner_type":
          'Must be one of user, employer, payroll_company, software_company; "boss" was given',
        "owners[0].owner_id": "Must be 1 to 64 characters of A-Za-z0-9_.:-",
      },
    ],
  ])("names what is wrong by its path: %j", async (fields, details) => {
    const answer = await portal("PUT", "/employers/EMP_bad", { name: "Bad", ...fields });
    expect(answer).toMatchObject({ status: 400, json: { error: "Validation Error" } });
    expect(answer.json.details).toEqual(details);
  });

  it("names missing fields together", async () => {
    expect(await portal("PUT", "/employers/EMP_bad", {})).toMatchObject({
      status: 400,
      json: { message: "Missing required fields: name", details: { required: ["name"] } },
    });
  });

  it.each(["a b", "ä", "x".repeat(65), "a.b"])("refuses the id %j", async (id) => {
    const answer = await portal("PUT", `/employers/${encodeURIComponent(id)}`, { name: "X" });
    expect(answer).toMatchObject({ status: 400, json: { details: { id: expect.any(String) } } });
  });
});

describe("POST /api-keys", () => {
  it.each([
    ["sandbox", "audit1_test_sk_"],
    ["production", "audit1_live_sk_"],
  ])("makes a %s key that begins with %s, shown once and stored as a hash", async (environment, prefix) => {
    const answer = await portal("POST", "/api-keys", { ...OWNER, environment });
    expect(answer.status).toBe(201);
    const { apiKey, secret } = answer.json;
    expect(secret).toMatch(new RegExp(`^${prefix}[A-Za-z0-9]{32}$`));
    expect(apiKey).toEqual({
      _id: expect.stringMatching(/^[0-9a-f]{24}$/),
      id: `ak_${apiKey._id}`,
      key: `${secret.slice(0, prefix.length + 4)}…`,
      environment,
      plan: environment,
      ...OWNER,
      is_active: true,
      erase_at: null,
      last_used_at: null,
      version: expect.any(Number),
      created_at: expect.stringMatching(/Z$/),
      updated_at: apiKey.created_at,
    });
    const row = await stored("api_keys", apiKey._id);
    expect(row).toMatchObject({ token_sha256: await sha256Hex(secret) });
    expect(JSON.stringify(row)).not.toContain(secret.slice(-20));
  });

  it("accepts a plan", async () => {
    const answer = await portal("POST", "/api-keys", {
      ...OWNER,
      environment: "production",
      plan: "enterprise",
    });
    expect(answer.json.apiKey.plan).toBe("enterprise");
  });

  it("requires the environment", async () => {
    expect(await portal("POST", "/api-keys", OWNER)).toMatchObject({
      status: 400,
      json: { error: "environment_required", message: "The environment field is required" },
    });
  });

  it("refuses another environment by its path", async () => {
    const answer = await portal("POST", "/api-keys", { ...OWNER, environment: "test" });
    expect(answer.json.details).toEqual({
      environment: 'Must be one of sandbox, production; "test" was given',
    });
  });
});

describe("paths", () => {
  it.each([
    ["PUT", "/connections", "POST"],
    ["POST", `/connections/${"a".repeat(24)}`, "GET, PATCH"],
    ["GET", `/connections/${"a".repeat(24)}/rotate-secret`, "POST"],
    ["GET", "/files/FILE_1/replay", "POST"],
  ])("%s %s is 405 and names what is allowed", async (method, path, allow) => {
    const answer = await portal(method, path, method === "GET" ? undefined : {});
    expect(answer.status).toBe(405);
    const allowed = new Set(answer.headers.get("Allow")?.split(", "));
    for (const name of allow.split(", ")) expect(allowed).toContain(name);
    expect(allowed).not.toContain(method);
  });

  it.each([
    ["GET", "/connections/x//"],
    ["POST", "/webhook/inbound/x//"],
  ])("with two slashes at the end are none: %s %s", async (method, path) => {
    expect((await portal(method, path, method === "GET" ? undefined : {})).status).toBe(404);
  });

  it("return the request's id in every response, including errors", async () => {
    const headers = { ...HEADERS, "X-Request-Id": "portal-7" };
    const answer = await send("/api/v1/connections/x", { headers });
    expect(answer.headers.get("X-Request-Id")).toBe("portal-7");
    expect(answer.json).toMatchObject({
      request_id: answer.headers.get("X-Audit1-Request-Id"),
      timestamp: expect.stringMatching(/Z$/),
    });
  });
});

describe("what a pair bound to an owner may not set", () => {
  it("is a connection's employer that is not granted to the owner", async () => {
    const employer = await createEmployer([{ owner_type: "payroll_company", owner_id: "other" }]);
    for (const client of ["bound", "portal"]) {
      const owner = client === "portal" ? { owner_type: "payroll_company", owner_id: "acme" } : {};
      const answer = await portal("POST", "/connections", { ...owner, employer_id: employer.id }, client);
      const unknown = await portal("POST", "/connections", { ...owner, employer_id: "nobody" }, client);
      expect(answer).toMatchObject({ status: 404, json: { error: "employer_not_found" } });
      expect(answer.json.message).toBe(unknown.json.message);
    }
  });

  it.each(["/connections", "/api-keys"])("is a plan: %s", async (path) => {
    const body = { environment: "production", plan: "enterprise" };
    expect(await portal("POST", path, body, "bound")).toMatchObject({
      status: 400,
      json: { details: { plan: expect.any(String) } },
    });
    const answer = await portal("POST", path, { environment: "production" }, "bound");
    expect((answer.json.connection ?? answer.json.apiKey).plan).toBe("production");
  });
});
