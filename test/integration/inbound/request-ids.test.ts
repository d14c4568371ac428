/** A request's id says where the record of the request is, whatever answers it. */
import { describe, expect, it, vi } from "vitest";
import { sha256Hex } from "../../../src/crypto/encoding.ts";
import { parseRequestId } from "../../../src/http/request-id.ts";
import {
  type Answer,
  createApiKey,
  createBoundConnection,
  gateOf,
  inboundPath,
  portal,
  post,
  report,
  send,
  signedRequest,
} from "../../support/gateway.ts";

const UNKNOWN = "00112233445566778899aabb";

function idOf(answer: Answer) {
  const minted = answer.headers.get("X-Audit1-Request-Id") ?? "";
  if (answer.json.request_id !== undefined) expect(answer.json.request_id).toBe(minted);
  return parseRequestId(minted);
}

/** Every character percent-encoded. */
const encoded = (text: string) =>
  [...text].map((char) => `%${char.charCodeAt(0).toString(16).padStart(2, "0")}`).join("");

describe("the id of a request to the signed intake", () => {
  it("names the connection and the time, for an accepted and for a rejected request", async () => {
    const connection = await createBoundConnection();
    const before = Date.now();
    const accepted = await post(connection);
    const refused = await post({ ...connection, secret: "another" });
    for (const answer of [accepted, refused]) {
      const id = idOf(answer);
      expect(id).toMatchObject({ kind: "connection", address: connection.id });
      expect(id?.at).toBeGreaterThanOrEqual(before);
      expect(id?.at).toBeLessThanOrEqual(Date.now());
    }
    const [file] = await gateOf(connection).list(null, 1);
    expect(file?.facts.requestId).toBe(accepted.headers.get("X-Audit1-Request-Id"));
  });

  it.each([
    ["in upper case", (id: string) => inboundPath({ id: id.toUpperCase() })],
    ["percent-encoded", (id: string) => inboundPath({ id: encoded(id) })],
    ["with a slash at the end", (id: string) => `${inboundPath({ id })}/`],
    ["with a query", (id: string) => `${inboundPath({ id })}?x=1`],
    ["below an encoded path", (id: string) => inboundPath({ id }).replace("webhook", encoded("webhook"))],
  ])("names the connection that the request reached, by a path %s", async (_how, pathOf) => {
    const connection = await createBoundConnection();
    const answer = await send(pathOf(connection.id), await signedRequest(connection));
    expect(answer.status).toBe(202);
    expect(answer.json.connection_id).toBe(connection.id);
    expect(idOf(answer)).toMatchObject({ kind: "connection", address: connection.id });
  });

  it("names a connection that does not exist, too", async () => {
    const answer = await post({ id: UNKNOWN, secret: "any" });
    expect(answer.status).toBe(404);
    expect(idOf(answer)).toMatchObject({ kind: "connection", address: UNKNOWN });
  });

  it("names none for a path whose id is encoded twice, which reaches none", async () => {
    const connection = await createBoundConnection();
    const path = inboundPath({ id: encoded(connection.id).replaceAll("%", "%25") });
    const answer = await send(path, await signedRequest(connection));
    expect(answer.json.error).toBe("Invalid connection_id");
    expect(idOf(answer)).toMatchObject({ kind: "other", address: "" });
  });
});

describe("the id of a request with a bearer key", () => {
  const sent = (token: string | null) =>
    send("/api/v1/payroll/reports", {
      method: "POST",
      headers: { "Content-Type": "application/json", ...(token !== null && { Authorization: token }) },
      body: report(),
    });

  it("names the key by the hash of its token, known or not", async () => {
    const { token } = await createApiKey();
    const unknown = `audit1_live_sk_${"x".repeat(32)}`;
    for (const each of [token, unknown]) {
      const answer = await sent(`Bearer ${each}`);
      expect(idOf(answer)).toMatchObject({ kind: "key", address: (await sha256Hex(each)).slice(0, 24) });
      expect(answer.headers.get("X-Audit1-Request-Id")).not.toContain(each.slice(-32));
    }
  });

  it.each([null, "", "Bearer", "Bearer secret", "Basic dXNlcjpwYXNz"])(
    "names no key for %j",
    async (token) => {
      const answer = await sent(token);
      expect(answer.status).toBe(401);
      expect(idOf(answer)).toMatchObject({ kind: "other" });
    },
  );

  it("names the key on an answer that comes before any route", async () => {
    const { token } = await createApiKey();
    const log = vi.spyOn(console, "log");
    const answer = await send("/api/v1/employees/sync/", {
      method: "GET",
      headers: { Authorization: `Bearer ${token}` },
    });
    expect(answer.status).toBe(405);
    expect(idOf(answer)).toMatchObject({ kind: "key" });
    expect(log.mock.calls.flat().join("\n")).toContain(answer.json.request_id);
  });
});

it.each([
  ["portal", () => portal("GET", "/audit?owner_type=user&owner_id=nobody")],
  ["portal", () => send("/api/v1/connections")],
  ["other", () => send("/health")],
  ["other", () => send("/api/v1/files", { headers: { Authorization: "Bearer x" } })],
  ["other", () => send("/nowhere")],
])("a request elsewhere has an id of the kind %s", async (kind, request) => {
  expect(idOf(await request())).toMatchObject({ kind, address: "" });
});
