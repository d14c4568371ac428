/** A caller whose requests keep being refused is slowed down; others are not, and no plan is charged for it. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Bindings } from "../../../src/bindings.ts";
import { AbuseLimiter, abuseLimiter } from "../../../src/inbound/abuse-limiter.ts";
import { bindings, type Connection, createBoundConnection, post, report } from "../../support/gateway.ts";
import { leaveNoEvidence, rateHeadersOf } from "../../support/intake.ts";

/** A limiter that lets `limit` refusals of each key pass, and what it was asked. */
function limiter(limit: number): { using: Bindings; keys: string[] } {
  const keys: string[] = [];
  const REFUSALS: RateLimit = {
    limit: async ({ key }) => {
      keys.push(key);
      return { success: keys.filter((asked) => asked === key).length <= limit };
    },
  };
  return { using: { ...bindings, REFUSALS }, keys };
}

let addresses = 0;
const newAddress = () => `2001:db8:0:${(++addresses).toString(16)}::1`;

const from = (address: string, connection: Connection, using: Bindings, body = report()) =>
  post(connection, body, { headers: { "CF-Connecting-IP": address } }, using);

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
  leaveNoEvidence();
});
afterEach(() => {
  vi.restoreAllMocks();
  abuseLimiter.clear();
  vi.useRealTimers();
});

describe("an address that keeps sending wrong signatures", () => {
  it("is answered 429 for ten seconds, from memory, and is served again afterwards", async () => {
    const connection = await createBoundConnection();
    const wrong = { ...connection, secret: "another" };
    const address = newAddress();
    const { using, keys } = limiter(3);
    const statuses = [];
    for (let i = 0; i < 6; i++) statuses.push((await from(address, wrong, using)).status);
    expect(statuses).toEqual([401, 401, 401, 401, 429, 429]);
    expect(keys).toHaveLength(4);

    const answer = await from(address, connection, using);
    expect(answer.status).toBe(429);
    expect(answer.json).toMatchObject({
      error: "Rate Limit Exceeded",
      code: "TOO_MANY_REFUSED_REQUESTS",
      details: { retry_after: 10 },
    });
    expect(answer.headers.get("Retry-After")).toBe("10");
    expect(rateHeadersOf(answer)).toEqual([null, null, null]);

    vi.setSystemTime(Date.now() + 9_999);
    expect((await from(address, connection, using)).headers.get("Retry-After")).toBe("1");
    vi.setSystemTime(Date.now() + 1);
    expect((await from(address, connection, using)).status).toBe(202);
  });

  it("is held back whichever letter case it writes the id in", async () => {
    const connection = await createBoundConnection();
    const address = newAddress();
    const { using } = limiter(1);
    const upper = { id: connection.id.toUpperCase(), secret: "another" };
    await from(address, upper, using);
    await from(address, { ...connection, secret: "another" }, using);
    expect((await from(address, upper, using)).status).toBe(429);
    expect((await from(address, connection, using)).status).toBe(429);
  });

  it("does not hold back other addresses for that connection, and is not held back for other connections", async () => {
    const [connection, other] = [await createBoundConnection(), await createBoundConnection()];
    const address = newAddress();
    const { using } = limiter(0);
    await from(address, { ...connection, secret: "another" }, using);
    expect((await from(address, connection, using)).status).toBe(429);
    expect((await from(newAddress(), connection, using)).status).toBe(202);
    expect((await from(address, other, using)).status).toBe(202);
  });

  it("does not use up the connection's plan", async () => {
    const connection = await createBoundConnection();
    const { using } = limiter(2);
    const address = newAddress();
    for (let i = 0; i < 5; i++) await from(address, { ...connection, secret: "another" }, using);
    const answer = await from(newAddress(), connection, using);
    expect(answer.headers.get("X-RateLimit-Remaining")).toBe("499");
  });
});

it("an address that keeps asking for a connection that does not exist is answered 429", async () => {
  const unknown = { id: "c".repeat(24), secret: "s" };
  const address = newAddress();
  const { using } = limiter(2);
  const statuses = [];
  for (let i = 0; i < 5; i++) statuses.push((await from(address, unknown, using)).status);
  expect(statuses).toEqual([404, 404, 404, 429, 429]);
  expect((await from(newAddress(), unknown, using)).status).toBe(404);
});

it("only unknown connections and wrong signatures are counted, never an honest mistake or a success", async () => {
  const connection = await createBoundConnection();
  const address = newAddress();
  const { using, keys } = limiter(0);
  const bodies = [report(), "{", "{}", report({ employer_fein: "none" })];
  for (const body of bodies) await from(address, connection, using, body);
  await post(connection, report(), { timestamp: "1", headers: { "CF-Connecting-IP": address } }, using);
  await from(address, { id: "short", secret: "s" }, using);
  expect(keys).toEqual([]);
  expect((await from(address, connection, using)).status).toBe(202);
});

it("the platform's limiter is asked: 120 refusals a minute, then 429", async () => {
  const connection = await createBoundConnection();
  const address = newAddress();
  const statuses: number[] = [];
  const insist = async () => (await from(address, { ...connection, secret: "another" }, bindings)).status;
  // The limiter counts by the minute: when one ends meanwhile, it takes up to twice as many.
  while (!statuses.includes(429) && statuses.length < 250) {
    // Few enough per second for the address's allowance of lookups.
    vi.setSystemTime(Date.now() + 400);
    statuses.push(...(await Promise.all(Array.from({ length: 10 }, insist))));
  }
  expect(new Set(statuses)).toEqual(new Set([401, 429]));
  expect(statuses.filter((status) => status === 401).length).toBeGreaterThan(120);
});

describe("AbuseLimiter", () => {
  const never: RateLimit = { limit: async () => ({ success: false }) };

  it("is bounded: forgets the address that was held back longest ago", async () => {
    const limiter = new AbuseLimiter();
    for (let i = 0; i <= 10_000; i++) await limiter.count(`a${i}`, "c", never);
    expect(limiter.heldBack("a0", "c", Date.now())).toBeNull();
    expect(limiter.heldBack("a1", "c", Date.now())).toMatchObject({ retryAfterSeconds: 10 });
    expect(limiter.heldBack("a10000", "c", Date.now())).toMatchObject({ retryAfterSeconds: 10 });
  });

  it("holds back no address when the limiter does not answer", async () => {
    const limiter = new AbuseLimiter();
    await limiter.count("a", "c", { limit: () => Promise.reject(new Error("away")) });
    expect(limiter.heldBack("a", "c", Date.now())).toBeNull();
  });
});
