/** Portal clients have limits per minute; the files-creator's reports have none. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { sha256Hex } from "../../../src/crypto/encoding.ts";
import { ClientLimits, clientLimits } from "../../../src/portal/client-limits.ts";
import { bindings, createBoundConnection, type Json, portal, post, send } from "../../support/gateway.ts";

const BOUND = 600;
const UNBOUND = 60_000;
const OWNER = { type: "payroll_company" as const, id: "acme" };

/** Counts as `count` requests of this client. */
function use(actor: string, count: number, owner?: typeof OWNER) {
  const now = Date.now();
  for (let i = 0; i < count; i++) clientLimits.exceeded({ actor, owner }, now);
}

beforeEach(() => {
  clientLimits.clear();
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
});
afterEach(() => {
  clientLimits.clear();
  vi.useRealTimers();
});

describe.each([
  { client: "bound", limit: BOUND, owner: OWNER },
  { client: "portal", limit: UNBOUND, owner: undefined },
])("the client $client", ({ client, limit, owner }) => {
  it(`is answered 429 after ${limit} requests in a minute, with when to repeat, and is heard again afterwards`, async () => {
    use(`client:${client}`, limit - 1, owner);
    const path = `/webhooks?owner_type=${OWNER.type}&owner_id=${OWNER.id}`;
    expect((await portal("GET", path, undefined, client)).status).toBe(200);
    const answer = await portal("GET", path, undefined, client);
    expect(answer).toMatchObject({
      status: 429,
      json: {
        error: "Rate Limit Exceeded",
        code: "RATE_LIMIT_EXCEEDED",
        details: { limit, window: "1 minute" },
      },
    });
    const seconds = Number(answer.headers.get("Retry-After"));
    expect(seconds).toBeGreaterThanOrEqual(60);
    expect(answer.json.details.retry_after).toBe(seconds);
    vi.setSystemTime(Date.now() + seconds * 1_000);
    expect((await portal("GET", path, undefined, client)).status).toBe(200);
  });

  it("gets a 429 for every request, and changes nothing", async () => {
    use(`client:${client}`, limit, owner);
    const asked: [string, string, Json?][] = [
      ["POST", "/connections", { owner_type: OWNER.type, owner_id: OWNER.id }],
      ["GET", "/employers/EMP_1"],
      ["DELETE", `/webhooks/${"a".repeat(24)}`],
      ["POST", "/events", {}],
    ];
    for (const [method, path, body] of asked)
      expect((await portal(method, path, body, client)).status).toBe(429);
  });
});

it("requests count per client, and an unauthenticated request counts for nobody", async () => {
  use("client:bound", BOUND, OWNER);
  expect((await portal("GET", "/webhooks", undefined, "bound")).status).toBe(429);
  expect((await portal("GET", "/employers")).status).toBe(200);
  clientLimits.clear();
  use("client:bound", BOUND - 1, OWNER);
  const headers = { "X-Client-ID": "bound", "X-Client-Secret": "guessed" };
  for (let i = 0; i < 5; i++) expect((await send("/api/v1/webhooks", { headers })).status).toBe(401);
  expect((await portal("GET", "/webhooks", undefined, "bound")).status).toBe(200);
});

describe("the files-creator's pair", () => {
  const creator = async () => ({
    ...bindings,
    PORTAL_CLIENTS: JSON.stringify([
      { id: "portal", secret_sha256: await sha256Hex("portal-secret") },
      { id: "creator", secret_sha256: await sha256Hex("creator-secret"), role: "files_creator" },
    ]),
  });
  const event = (fileId: string) => ({
    id: `limits-${Date.now()}`,
    type: "file.processed",
    data: { fileId },
  });

  it("may report without limit, and is limited in everything else", async () => {
    const connection = await createBoundConnection();
    const { file_id } = (await post(connection)).json;
    const using = await creator();
    use("client:creator", UNBOUND);
    expect((await portal("POST", "/events", event(file_id), "creator", using)).status).toBe(202);
    expect((await portal("GET", "/employers", undefined, "creator", using)).status).toBe(429);
  });

  it("is not charged for its reports", async () => {
    const using = await creator();
    use("client:creator", UNBOUND - 1);
    for (let i = 0; i < 3; i++) await portal("POST", "/events", event("FILE_NONE"), "creator", using);
    expect((await portal("GET", "/employers", undefined, "creator", using)).status).toBe(200);
  });
});

it("remembers a bounded number of clients", () => {
  const limits = new ClientLimits();
  for (let i = 0; i < BOUND; i++) limits.exceeded({ actor: "first", owner: OWNER }, 0);
  expect(limits.exceeded({ actor: "first", owner: OWNER }, 0)).not.toBeNull();
  for (let i = 0; i < 1_000; i++) limits.exceeded({ actor: `access:${i}`, owner: undefined }, 0);
  expect(limits.exceeded({ actor: "first", owner: OWNER }, 0)).toBeNull();
});
