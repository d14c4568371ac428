import { describe, expect, it } from "vitest";
import { app } from "../../../src/app.ts";
import { sha256Hex } from "../../../src/crypto/encoding.ts";
import { bindings, createApiKey, createConnection, portal, send } from "../../support/gateway.ts";

/** Endpoints that the portal does not guard: the signed intake, and the developer API. */
const OTHER_DOORS = [
  "POST /webhook/inbound",
  "POST /webhook/inbound/:connection_id",
  "POST /payroll/reports",
  "POST /employees/sync",
  "GET /files/status/:file_id",
  "GET /files",
];
/** At this path the developer API answers who brings a bearer key. */
const SHARED = "GET /events";

/** Every route there is, less those: a router that the portal gets later is in it by itself. */
const ROUTES = [...new Set(app.routes.map(({ method, path }) => `${method} ${path}`))]
  .filter((route) => !route.startsWith("ALL ") && route.includes(" /api/v1/"))
  .map((route) => route.replace("/api/v1", ""))
  .filter((route) => !OTHER_DOORS.includes(route))
  .map((route): [string, string] => {
    const [method = "", path = ""] = route.split(" ");
    return [method, path.replace(/:\w+/g, "a".repeat(24))];
  });

it("has the portal's routes behind its authentication", () => {
  expect(ROUTES.length).toBeGreaterThan(10);
});

function call(method: string, path: string, headers: Record<string, string>, using = bindings) {
  const body = method === "GET" ? {} : { body: "{}" };
  return send(
    `/api/v1${path}`,
    { method, headers: { "Content-Type": "application/json", ...headers }, ...body },
    using,
  );
}

describe.each(ROUTES)("%s %s", (method, path) => {
  it.each([
    ["nothing", {}],
    ["a client id alone", { "X-Client-ID": "portal" }],
    ["a secret alone", { "X-Client-Secret": "portal-secret" }],
    ["an empty pair", { "X-Client-ID": "", "X-Client-Secret": "" }],
    ["two secrets", { "X-Client-ID": "portal", "X-Client-Secret": "portal-secret, bound-secret" }],
    ["a wrong secret", { "X-Client-ID": "portal", "X-Client-Secret": "portal-secre" }],
    ["another client's secret", { "X-Client-ID": "bound", "X-Client-Secret": "portal-secret" }],
    ["an unknown client", { "X-Client-ID": "nobody", "X-Client-Secret": "portal-secret" }],
    [
      "the hash of the secret in its place",
      {
        "X-Client-ID": "portal",
        "X-Client-Secret": "9792ab9d5299bb82a4b403da1bfa99def25e8884e678dd67281da34aedf5e881",
      },
    ],
  ])("refuses %s with 401 and says nothing more", async (_name, headers) => {
    const answer = await call(method, path, headers as Record<string, string>);
    expect(answer.status).toBe(401);
    expect(answer.json).toMatchObject({ error: "Authentication Failed", code: "AUTHENTICATION_FAILED" });
    expect(answer.json).not.toHaveProperty("details");
  });

  it.skipIf(`${method} ${path}` === SHARED)(
    "refuses a developer's key with 403, a valid one too",
    async () => {
      const key = await createApiKey();
      for (const token of [key.token, "audit1_live_sk_unknown"]) {
        const answer = await call(method, path, { Authorization: `Bearer ${token}` });
        expect(answer).toMatchObject({ status: 403, json: { error: "Forbidden", code: "PORTAL_ONLY" } });
      }
    },
  );
});

it("accepts a pair whose headers were sent twice with the same values", async () => {
  const twice = (value: string) => `${value}, ${value}`;
  const headers = { "X-Client-ID": twice("portal"), "X-Client-Secret": twice("portal-secret") };
  expect((await call("GET", "/employers", headers)).status).toBe(200);
});

describe("a pair that is being rotated", () => {
  it("is in the list with both secrets, and either works", async () => {
    const pair = async (secret: string) => ({ id: "rotated", secret_sha256: await sha256Hex(secret) });
    const using = {
      ...bindings,
      PORTAL_CLIENTS: JSON.stringify([await pair("old-secret"), await pair("new-secret")]),
    };
    const path = `/connections/${"a".repeat(24)}`;
    for (const [secret, status] of [
      ["old-secret", 404],
      ["new-secret", 404],
      ["other-secret", 401],
    ] as const) {
      const headers = { "X-Client-ID": "rotated", "X-Client-Secret": secret };
      expect((await call("GET", path, headers, using)).status).toBe(status);
    }
  });
});

describe("a pair that was removed from the list", () => {
  it("is rejected from then on, like one that was never on it", async () => {
    const secret_sha256 = await sha256Hex("leaving-secret");
    const listing = (...pairs: object[]) => ({ ...bindings, PORTAL_CLIENTS: JSON.stringify(pairs) });
    const headers = { "X-Client-ID": "leaving", "X-Client-Secret": "leaving-secret" };
    const path = `/connections/${"a".repeat(24)}`;
    const before = listing(
      { id: "leaving", secret_sha256 },
      { id: "staying", secret_sha256: "0".repeat(64) },
    );
    expect((await call("GET", path, headers, before)).status).toBe(404);
    const after = listing({ id: "staying", secret_sha256: "0".repeat(64) });
    const [gone, never] = await Promise.all([
      call("GET", path, headers, after),
      call("GET", path, { ...headers, "X-Client-ID": "never" }, after),
    ]);
    expect(gone.status).toBe(401);
    const learned = ({ json }: typeof gone) => ({ ...json, request_id: "", timestamp: "" });
    expect(learned(gone)).toEqual(learned(never));
  });
});

describe("a pair bound to one owner", () => {
  const acme = { owner_type: "payroll_company", owner_id: "acme" };
  const other = { owner_type: "payroll_company", owner_id: "other" };

  it("need not name its owner", async () => {
    const answer = await portal("POST", "/connections", {}, "bound");
    expect(answer).toMatchObject({ status: 201, json: { connection: acme } });
    const key = await portal("POST", "/api-keys", { environment: "sandbox" }, "bound");
    expect(key).toMatchObject({ status: 201, json: { apiKey: acme } });
  });

  it.each([other, { owner_type: "user", owner_id: "acme" }, { owner_id: "other" }, { owner_type: "user" }])(
    "cannot act for %j",
    async (owner) => {
      for (const [path, body] of [
        ["/connections", owner],
        ["/api-keys", { ...owner, environment: "sandbox" }],
      ] as const) {
        const answer = await portal("POST", path, body, "bound");
        expect(answer).toMatchObject({ status: 404, json: { error: "owner_not_found" } });
      }
    },
  );

  it("cannot tell another owner's connection from one that does not exist", async () => {
    const theirs = await createConnection(other);
    for (const [method, action, body] of [
      ["GET", "", undefined],
      ["PATCH", "", { status: "inactive" }],
      ["POST", "/rotate-secret", {}],
    ] as const) {
      const answers = await Promise.all(
        [theirs.id, "a".repeat(24)].map((id) => portal(method, `/connections/${id}${action}`, body, "bound")),
      );
      const [existing, missing] = answers.map(({ status, json }) => ({
        status,
        ...json,
        request_id: "",
        timestamp: "",
      }));
      expect(existing).toEqual(missing);
      expect(existing).toMatchObject({ status: 404, error: "connection_not_found" });
    }
    expect((await portal("GET", `/connections/${theirs.id}`)).json.connection.status).toBe("active");
  });

  it("cannot write employers, whose grants decide who reports for whom", async () => {
    const answer = await portal("PUT", "/employers/EMP_bound", { name: "X", owners: [acme] }, "bound");
    expect(answer).toMatchObject({ status: 404, json: { error: "employer_not_found" } });
    const row = await bindings.DB.prepare("SELECT 1 FROM employers WHERE id = 'EMP_bound'").first();
    expect(row).toBeNull();
  });
});

describe("a gateway without usable clients", () => {
  it.each([undefined, "", "not json", "{}", '[{"id":"a"}]', '[{"id":"a","secret_sha256":"zz"}]'])(
    "serves nobody, and says no more than that: %j",
    async (clients) => {
      const using = { ...bindings, PORTAL_CLIENTS: clients as string };
      const headers = { "X-Client-ID": "a", "X-Client-Secret": "b" };
      const answer = await call("GET", `/connections/${"a".repeat(24)}`, headers, using);
      expect(answer).toMatchObject({ status: 503, json: { error: "Service unavailable" } });
    },
  );
});
