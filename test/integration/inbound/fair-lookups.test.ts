/** Lookups of names that an isolate does not know are shared fairly between addresses, at every endpoint that looks them up. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Bindings } from "../../../src/bindings.ts";
import { newObjectId } from "../../../src/crypto/ids.ts";
import { keySenders } from "../../../src/developer/key-sender.ts";
import { abuseLimiter } from "../../../src/inbound/abuse-limiter.ts";
import { connectionSenders } from "../../../src/inbound/inbound-routes.ts";
import { LookupTurns } from "../../../src/inbound/lookup-turns.ts";
import { createDeveloper, PAYROLL, payroll, submit } from "../../support/developer.ts";
import {
  type Answer,
  type Connection,
  createBoundConnection,
  createConnection,
  createEmployer,
  post,
  report,
  send,
} from "../../support/gateway.ts";
import { leaveNoEvidence, rotate } from "../../support/intake.ts";
import { intercepted, watched } from "../../support/interception.ts";

/** Failed lookups that an address may make at once; some of them come back each second. */
const ALLOWANCE = 120;
/** Lookups that may be in flight when the allowance ends. */
const IN_FLIGHT = 32;
/** More requests than are looked up, whatever is in flight. */
const FLOOD = ALLOWANCE + IN_FLIGHT + 8;
const HOSTILE = "203.0.113.66";
const ELSEWHERE = "198.51.100.7";

const from = (address: string) => ({ "CF-Connecting-IP": address });
const invented = (): Connection => ({ id: newObjectId(), secret: "s" });
const inventedKey = () => ({ token: `audit1_live_sk_${crypto.randomUUID().replaceAll("-", "")}` });

const knock = (connection: Connection, address: string, using?: Bindings, body = report()) =>
  post(connection, body, { headers: from(address) }, using);
const read = ({ token }: { token: string }, address: string, using?: Bindings) =>
  send("/api/v1/files", { headers: { Authorization: `Bearer ${token}`, ...from(address) } }, using);

const later = (seconds: number) => vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + seconds * 1_000 });

/** More than the address's allowance, all in one instant. */
async function flood(ask: () => Promise<Answer>): Promise<number[]> {
  later(0);
  const answers = await Promise.all(Array.from({ length: FLOOD }, ask));
  return answers.map(({ status }) => status);
}

function expectAskedToRepeat(answer: Answer): number {
  expect(answer).toMatchObject({ status: 429, json: { code: "TOO_MANY_REFUSED_REQUESTS" } });
  const seconds = Number(answer.headers.get("Retry-After"));
  expect(seconds).toBeGreaterThan(0);
  expect(answer.json.details.retry_after).toBe(seconds);
  return seconds;
}

/** Like an isolate that has just started. */
function forgetAll() {
  connectionSenders.clear();
  keySenders.clear();
  abuseLimiter.clear();
}

beforeEach(() => {
  forgetAll();
  leaveNoEvidence();
});
afterEach(() => {
  vi.useRealTimers();
});

describe.each([
  { who: "ids", refusedWith: 404, ask: () => knock(invented(), HOSTILE) },
  {
    who: "keys under reports",
    refusedWith: 401,
    ask: () => submit(inventedKey(), PAYROLL, {}, from(HOSTILE)),
  },
  { who: "keys under reads", refusedWith: 401, ask: () => read(inventedKey(), HOSTILE) },
])("an address that invents $who", ({ refusedWith, ask }) => {
  it("is held back once its allowance is used up", async () => {
    const statuses = await flood(ask);
    expect(new Set(statuses)).toEqual(new Set([refusedWith, 429]));
    // Requests in flight when the allowance ends are looked up as well.
    expect(statuses.filter((status) => status === refusedWith).length).toBeLessThanOrEqual(
      ALLOWANCE + IN_FLIGHT,
    );
    expectAskedToRepeat(await ask());
  });

  it("costs the database nothing more while it is held back", async () => {
    await flood(ask);
    const { calls, using } = watched();
    for (let i = 0; i < 20; i++) {
      await knock(invented(), HOSTILE, using);
      await read(inventedKey(), HOSTILE, using);
      await submit(inventedKey(), PAYROLL, {}, from(HOSTILE), using);
    }
    expect(calls).toEqual([]);
  });

  it("delays no uncached sender at another address: a connection, a key's report, a key's read", async () => {
    const [connection, key] = [await createBoundConnection(), await createDeveloper()];
    forgetAll();
    await flood(ask);
    expect((await knock(connection, ELSEWHERE)).status).toBe(202);
    expect((await submit(key, PAYROLL, payroll(key), from(ELSEWHERE))).status).toBe(202);
    expect((await read(key, ELSEWHERE)).status).toBe(200);
  });

  it("does not affect cached senders behind the same address", async () => {
    const [connection, key, reader] = [
      await createBoundConnection(),
      await createDeveloper(),
      await createDeveloper(),
    ];
    forgetAll();
    expect((await knock(connection, HOSTILE)).status).toBe(202);
    expect((await submit(key, PAYROLL, payroll(key), from(HOSTILE))).status).toBe(202);
    expect((await read(reader, HOSTILE)).status).toBe(200);
    await flood(ask);
    expect((await knock(connection, HOSTILE)).status).toBe(202);
    expect((await submit(key, PAYROLL, payroll(key), from(HOSTILE))).status).toBe(202);
    expect((await read(key, HOSTILE)).status).toBe(200);
    expect((await read(reader, HOSTILE)).status).toBe(200);
    // Nor when their rows have expired and must be read again.
    later(61);
    await flood(ask);
    expect((await knock(connection, HOSTILE)).status).toBe(202);
    expect((await submit(key, PAYROLL, payroll(key), from(HOSTILE))).status).toBe(202);
  });

  it("makes an uncached sender behind the same address repeat its request, which then succeeds", async () => {
    const [connection, key] = [await createBoundConnection(), await createDeveloper()];
    forgetAll();
    await flood(ask);
    const seconds = expectAskedToRepeat(await knock(connection, HOSTILE));
    expectAskedToRepeat(await submit(key, PAYROLL, payroll(key), from(HOSTILE)));
    expectAskedToRepeat(await read(key, HOSTILE));
    later(seconds);
    expect((await knock(connection, HOSTILE)).status).toBe(202);
    expect((await submit(key, PAYROLL, payroll(key), from(HOSTILE))).status).toBe(202);
    expect((await read(key, HOSTILE)).status).toBe(200);
  });
});

describe("an IPv6 caller", () => {
  it("has one allowance for all addresses of a /64, apart from those of another /64", async () => {
    const connection = await createBoundConnection();
    forgetAll();
    let host = 0;
    await flood(() => knock(invented(), `2001:db8:0:9::${(++host).toString(16)}`));
    expectAskedToRepeat(await knock(connection, "2001:db8:0:9:ffff:ffff:ffff:ffff"));
    expect((await knock(connection, "2001:db8:0:a::1")).status).toBe(202);
  });

  it("with an IPv4-mapped address counts as that IPv4 address", async () => {
    const connection = await createBoundConnection();
    forgetAll();
    await flood(() => knock(invented(), `::ffff:${HOSTILE}`));
    expectAskedToRepeat(await knock(connection, HOSTILE));
  });
});

describe("a vendor that sends for many connections from one address", () => {
  it("is not treated as a flood by an isolate that has none of them cached, although some were deleted", async () => {
    const [connections, { fein }] = [await manyConnections(FLOOD), await createEmployer()];
    const deleted = Array.from({ length: 30 }, invented);
    forgetAll();
    const body = () => report({ employer_fein: fein });
    const everyone = [...connections, ...deleted].sort(() => Math.random() - 0.5);
    const answers = await Promise.all(
      everyone.map(
        async (connection) => [connection, await knock(connection, ELSEWHERE, undefined, body())] as const,
      ),
    );
    const statuses = answers.map(([connection, { status }]) => [deleted.includes(connection), status]);
    expect(statuses.filter(([gone]) => gone)).toEqual(deleted.map(() => [true, 404]));
    expect(statuses.filter(([gone]) => !gone)).toEqual(connections.map(() => [false, 202]));
  }, 120_000);

  it("may keep sending for deleted connections: they are looked up ever less often", async () => {
    const deleted = Array.from({ length: 10 }, invented);
    const cold = await createBoundConnection();
    forgetAll();
    const { calls, using } = watched();
    later(0);
    for (let second = 0; second < 30; second++) {
      const statuses = await Promise.all(deleted.map((one) => knock(one, ELSEWHERE, using)));
      expect(new Set(statuses.map(({ status }) => status))).toEqual(new Set([404]));
      vi.setSystemTime(Date.now() + 1_000);
    }
    // At 0, 1, 2, 4, 8, 16 and 26 seconds.
    expect(calls.filter((call) => call.startsWith("DB."))).toHaveLength(10 * 7);
    expect((await knock(cold, ELSEWHERE)).status).toBe(202);
  });
});

describe("wrong signatures for a cached connection", () => {
  it("do not delay its honest sender at another address, not even right after a rotation", async () => {
    const connection = await createBoundConnection();
    expect((await knock(connection, ELSEWHERE)).status).toBe(202);
    let host = 0;
    const wrong = () => knock({ ...connection, secret: "another" }, `192.0.2.${host++ % 100}`);
    const flooding = flood(wrong);
    expect((await knock(connection, ELSEWHERE)).status).toBe(202);
    const next = await rotate(connection, 0);
    expect((await knock(next, ELSEWHERE)).status).toBe(202);
    expect(new Set(await flooding)).toEqual(new Set([401]));
  });

  it("share one confirming read when they arrive together, at most fifty per second", async () => {
    const connection = await createBoundConnection();
    await knock(connection, ELSEWHERE);
    const { calls, using } = watched();
    const startedAt = performance.now();
    let host = 0;
    for (let i = 0; i < 25; i++) {
      await knock({ ...connection, secret: "another" }, `192.0.2.${host++}`, using);
    }
    expect(performance.now() - startedAt).toBeGreaterThan(24 * 20);
    expect(calls.filter((call) => call.startsWith("DB."))).toHaveLength(25);
  });

  it("are charged to their address, so that it cannot try every connection it knows", async () => {
    const connections = await manyConnections(ALLOWANCE);
    const cold = await createBoundConnection();
    forgetAll();
    later(0);
    const answers = await Promise.all(
      connections.map((connection) => knock({ ...connection, secret: "another" }, HOSTILE)),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([401]));
    expectAskedToRepeat(await knock(cold, HOSTILE));
  }, 120_000);
});

it("repeated requests for one deleted connection do not make others behind the address repeat theirs", async () => {
  const [deleted, cold] = [invented(), await createBoundConnection()];
  forgetAll();
  expect(await flood(() => knock(deleted, HOSTILE))).not.toContain(202);
  expect((await knock(cold, HOSTILE)).status).toBe(202);
});

it("a verified sender whose row has changed is served behind a hostile address", async () => {
  const connection = await createBoundConnection();
  await knock(connection, HOSTILE);
  await flood(() => knock(invented(), HOSTILE));
  // Its gate knows a newer row than this isolate, which must read it.
  await rotate(connection, 3_600);
  expect((await knock(connection, HOSTILE)).status).toBe(202);
});

it("an unavailable database charges no address", async () => {
  const connection = await createBoundConnection();
  forgetAll();
  const away = intercepted((call, proceed) =>
    call.startsWith("DB.") ? Promise.reject(new Error("D1_ERROR: injected")) : proceed(),
  );
  const statuses = await flood(() => knock(invented(), HOSTILE, away));
  expect(new Set(statuses)).toEqual(new Set([503]));
  expect((await knock(connection, HOSTILE)).status).toBe(202);
});

describe("LookupTurns", () => {
  const settled = async (promise: unknown) => {
    const nothing = Symbol();
    await scheduler.wait(0);
    return (await Promise.race([promise, Promise.resolve(nothing)])) !== nothing;
  };

  it("an address has 32 at a time, and other addresses get theirs at once", async () => {
    const turns = new LookupTurns();
    const own = Array.from({ length: 40 }, () => turns.acquire("a"));
    expect(own.filter((turn) => turn instanceof Promise)).toHaveLength(8);
    const other = turns.acquire("b");
    expect(other).not.toBeInstanceOf(Promise);
  });

  it("waiting addresses are served in rotation", async () => {
    const turns = new LookupTurns();
    const full = Array.from({ length: 8 }, (_, i) =>
      Array.from({ length: 32 }, () => turns.acquire(`full${i}`)),
    );
    const order: string[] = [];
    const wait = async (address: string) => {
      await turns.acquire(address);
      order.push(address);
    };
    const waiting = ["a", "a", "a", "b", "c"].map(wait);
    for (const turn of full.flat().slice(0, 5)) if (!(turn instanceof Promise)) turns.release(turn);
    await Promise.all(waiting);
    expect(order).toEqual(["a", "b", "c", "a", "a"]);
  });

  it("the turn of a request that is gone expires, and passes to a waiting request", async () => {
    vi.useFakeTimers({ toFake: ["performance", "setInterval", "setTimeout"] });
    const turns = new LookupTurns();
    for (let i = 0; i < 32; i++) turns.acquire("a");
    const waiting = turns.acquire("a");
    vi.advanceTimersByTime(3_900);
    expect(await settled(waiting)).toBe(false);
    vi.advanceTimersByTime(400);
    expect(await waiting).toMatchObject({ address: "a" });
  });
});

/** Of one owner, bound to no employer. */
async function manyConnections(count: number): Promise<Connection[]> {
  const connections: Connection[] = [];
  while (connections.length < count)
    connections.push(...(await Promise.all(Array.from({ length: 10 }, () => createConnection()))));
  return connections;
}
