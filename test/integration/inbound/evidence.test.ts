/** Evidence of refused and repeated requests: each counted once, in detail while there is room, after the answer. */
import { createExecutionContext, evictDurableObject, waitOnExecutionContext } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { claimedConnection } from "../../../src/evidence/claimed-senders.ts";
import { evidence, type Sender } from "../../../src/evidence/collector.ts";
import { KEEP_EVIDENCE_MS } from "../../../src/evidence/evidence-store.ts";
import type { RequestEntry } from "../../../src/evidence/request-entry.ts";
import { abuseLimiter } from "../../../src/inbound/abuse-limiter.ts";
import { connectionSenders } from "../../../src/inbound/inbound-routes.ts";
import worker from "../../../src/index.ts";
import type { FileWakeUp } from "../../../src/messages.ts";
import { countedOf, hasGate, requestsOf, requestsOfKey, unknownRequests } from "../../support/evidence.ts";
import { catchWakeUps, deliver } from "../../support/forwarding.ts";
import {
  BASE,
  bindings,
  createApiKey,
  createBoundConnection,
  createConnection,
  gateOf,
  inboundPath,
  post,
  report,
  send,
  signedRequest,
} from "../../support/gateway.ts";
import { exhaust, setStatus, softDelete } from "../../support/intake.ts";
import { hanging, intercepted, without } from "../../support/interception.ts";

let wakeUps: FileWakeUp[];

beforeEach(() => {
  wakeUps = catchWakeUps();
  abuseLimiter.clear();
  evidence.clear();
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
  evidence.pauseMs = 10;
});

const WRONG = { secret: "another" };

function refusal({ id }: { id: string }, number = 0): RequestEntry {
  return {
    requestId: `req_c${id}${String(number).padStart(23, "0")}`,
    callerRequestId: null,
    at: Date.now(),
    outcome: "refused",
    status: 401,
    code: "INVALID_SIGNATURE",
    diagnosis: [],
    clockSkewMs: 0,
    bytes: 100,
    contentType: null,
    userAgent: null,
    country: null,
    fileId: null,
    ms: 1,
  };
}

describe("a refused request leaves one entry, whose code is the answer's", () => {
  it.each([
    ["without headers", async (path: string) => send(path, { method: "POST" })],
    [
      "out of the time window",
      async (path: string, connection) => {
        const request = await signedRequest(connection, report(), {
          timestamp: String(Date.now() - 400_000),
        });
        return send(path, request);
      },
    ],
    [
      "with an encoding",
      async (path: string, connection) => {
        const request = await signedRequest(connection);
        return send(path, { ...request, headers: { ...request.headers, "Content-Encoding": "gzip" } });
      },
    ],
    ["with a wrong signature", async (_path: string, connection) => post({ ...connection, ...WRONG })],
    ["that is no JSON", async (_path: string, connection) => post(connection, "{")],
    ["without employees", async (_path: string, connection) => post(connection, "{}")],
    [
      "to an inactive connection",
      async (_path: string, connection) => {
        await setStatus(connection, "inactive");
        connectionSenders.clear();
        return post(connection);
      },
    ],
    [
      "over the limit",
      async (_path: string, connection) => {
        await exhaust(connection);
        return post(connection);
      },
    ],
    [
      "over http",
      async (path: string, connection) => {
        const ctx = createExecutionContext();
        const request = new Request(`http://webhooks.audit1.com${path}`, await signedRequest(connection));
        const using = { ...bindings, ALLOW_INSECURE_ENDPOINTS: "" };
        const response = await worker.fetch(request as never, using, ctx);
        const json = await response.json<{ code: string; request_id: string }>();
        await waitOnExecutionContext(ctx);
        return { status: response.status, headers: response.headers, json };
      },
    ],
  ] as [
    string,
    (path: string, connection: Awaited<ReturnType<typeof createBoundConnection>>) => ReturnType<typeof send>,
  ][])("%s", async (_, refuse) => {
    const connection = await createBoundConnection();
    const answer = await refuse(inboundPath(connection), connection);
    expect(answer.status).toBeGreaterThanOrEqual(400);
    const { entries, counts } = await requestsOf(connection);
    expect(entries.filter(({ outcome }) => outcome !== "accepted")).toMatchObject([
      {
        requestId: answer.json.request_id,
        status: answer.status,
        code: answer.json.code,
        outcome: "refused",
      },
    ]);
    const { ACCEPTED: _accepted, ...refused } = counts;
    expect(refused).toEqual({ [answer.json.code]: 1 });
  });

  it("for a bug, and for bindings that are away", async () => {
    const connection = await createBoundConnection();
    await post(connection);
    const buggy = intercepted((call, proceed) => {
      if (call === "CONNECTION_GATE.admit") throw new Error("a bug");
      return proceed();
    });
    expect((await post(connection, report(), {}, buggy)).status).toBe(500);
    expect((await post(connection, report(), {}, without("CONNECTION_GATE.admit"))).status).toBe(503);
    connectionSenders.clear();
    expect((await post(connection, report(), {}, without("DB.all", 2))).status).toBe(503);
    await post(connection, "{");
    const { ACCEPTED: _accepted, ...refused } = await countedOf(connection);
    expect(refused).toEqual({ INTERNAL_ERROR: 1, SERVICE_UNAVAILABLE: 2, INVALID_JSON: 1 });
  });

  it("for a caller that the limiter holds back", async () => {
    const connection = await createBoundConnection();
    const refusing = intercepted(async (call, proceed) =>
      call === "REFUSALS.limit" ? { success: false } : proceed(),
    );
    await post({ ...connection, ...WRONG }, report(), {}, refusing);
    const held = await post({ ...connection, ...WRONG });
    expect(held.status).toBe(429);
    expect(await countedOf(connection)).toEqual({ INVALID_SIGNATURE: 1, [held.json.code]: 1 });
  });

  it("at the endpoints for bearer keys", async () => {
    const key = await createApiKey();
    const bad = (token: string, path = "/api/v1/payroll/reports") =>
      send(path, { method: "POST", headers: { Authorization: `Bearer ${token}` }, body: "{" });
    const first = await bad(key.token);
    const second = await bad(key.token, "/api/v1/employees/sync");
    const { entries, counts } = await requestsOfKey(key);
    expect(entries.map(({ requestId }) => requestId).sort()).toEqual(
      [first.json.request_id, second.json.request_id].sort(),
    );
    expect(counts).toEqual({ [first.json.code]: 2 });
  });
});

describe("other outcomes", () => {
  it("a repeat is kept as refusals are, with the first file's id", async () => {
    const connection = await createBoundConnection();
    const request = await signedRequest(connection);
    const first = await send(inboundPath(connection), request);
    const second = await send(inboundPath(connection), request);
    const { entries, counts } = await requestsOf(connection);
    expect(counts).toEqual({ ACCEPTED: 1, DUPLICATE: 1 });
    expect(entries).toMatchObject([
      { outcome: "duplicate", code: "DUPLICATE", status: 202, fileId: first.json.file_id },
      { outcome: "accepted", code: null, status: 202, fileId: second.json.file_id },
    ]);
  });

  it("an accepted request is read from its row, with what is known of its caller", async () => {
    const connection = await createBoundConnection();
    const request = await signedRequest(connection);
    const headers = {
      ...request.headers,
      "User-Agent": "curl/8.9.1 (x; y)",
      "CF-IPCountry": "US",
      "Content-Type": "application/json; charset=utf-8",
      "X-Request-Id": "run-7",
    };
    const answer = await send(inboundPath(connection), { ...request, headers });
    const { entries } = await requestsOf(connection);
    expect(entries).toMatchObject([
      {
        requestId: answer.headers.get("X-Audit1-Request-Id"),
        callerRequestId: "run-7",
        contentType: "application/json",
        userAgent: "curl/8.9.1",
        country: "US",
        bytes: report().length,
        diagnosis: [],
      },
    ]);
    expect(Math.abs(entries[0]?.clockSkewMs ?? Number.NaN)).toBeLessThan(60_000);
    expect(entries[0]?.ms).toBeNull();
    // The wake-up says how long the acceptance took.
    await deliver(wakeUps);
    const [accepted] = (await requestsOf(connection)).entries;
    expect(accepted?.ms).toBe(wakeUps[0]?.accepted_ms?.[0]);
  });

  it("a refused timestamp says what is wrong with it", async () => {
    const connection = await createBoundConnection();
    const at = async (timestamp: string) =>
      send(inboundPath(connection), {
        method: "POST",
        headers: { "X-Webhook-Signature": "a".repeat(64), "X-Webhook-Timestamp": timestamp },
      });
    await at(String(Date.now() + 400_000));
    await at(String(Date.now() - 400_000));
    await at(String(Math.floor(Date.now() / 1_000)));
    await at("yesterday");
    const { entries } = await requestsOf(connection);
    expect(entries.flatMap(({ diagnosis }) => diagnosis).toSorted()).toEqual([
      "clock_ahead",
      "clock_behind",
      "not_a_number",
      "seconds",
    ]);
  });
});

describe("requests of nobody", () => {
  it("are kept for operators, and make no gate", async () => {
    const unknown = { id: `${"0".repeat(23)}7`, secret: "s" };
    const before = (await unknownRequests()).counts;
    const answer = await post(unknown);
    await send("/api/v1/webhook/inbound/short", { method: "POST" });
    await send("/api/v1/payroll/reports", { method: "POST" });
    const token = `audit1_live_sk_${"x".repeat(32)}`;
    await send("/api/v1/payroll/reports", { method: "POST", headers: { Authorization: `Bearer ${token}` } });
    const { entries, counts } = await unknownRequests();
    expect(entries.map(({ requestId }) => requestId)).toContain(answer.json.request_id);
    const sum = (all: Record<string, number>) => Object.values(all).reduce((total, n) => total + n, 0);
    expect(sum(counts) - sum(before)).toBe(4);
    expect(await hasGate(unknown)).toBe(false);
  });

  it("but those of a deleted connection are its own", async () => {
    const connection = await createBoundConnection();
    await softDelete(connection);
    connectionSenders.clear();
    expect((await post(connection)).status).toBe(404);
    expect(Object.values(await countedOf(connection))).toEqual([1]);
  });
});

describe("a flood of wrong signatures", () => {
  it("costs counts, not rows, and leaves honest reports where they were", async () => {
    const connection = await createBoundConnection();
    await post(connection);
    const gate = { kind: "connection", id: connection.id } as const;
    evidence.pauseMs = 1_000;
    const rows: number[] = [];
    const counting = intercepted(async (call, proceed) => {
      if (call === "CONNECTION_GATE.note") rows.push(1);
      return proceed();
    });
    // Simulated time: the isolate's clock and its pauses run a minute in which 10,000 requests come.
    const begin = Math.ceil(Date.now() / 60_000) * 60_000;
    vi.useFakeTimers({ toFake: ["Date"], now: begin });
    const wait = vi.spyOn(scheduler, "wait").mockImplementation(async (ms) => {
      await Promise.resolve();
      if (ms > 0) vi.setSystemTime(Date.now() + ms);
    });
    const sending: Promise<void>[] = [];
    for (let i = 0; i < 10_000; i++) {
      vi.setSystemTime(begin + i * 5.9);
      sending.push(evidence.addRequest({ gate }, refusal(connection, i), counting));
      if (i % 170 === 169) await Promise.all(sending.splice(0));
    }
    await Promise.all(sending);
    wait.mockRestore();
    vi.useRealTimers();
    expect(rows.length).toBeLessThan(100);
    const { entries, counts } = await requestsOf(connection, { outcome: "refused" });
    expect(counts.INVALID_SIGNATURE).toBe(10_000);
    const numbers = entries.map(({ requestId }) => Number(requestId.slice(-23))).toSorted((a, b) => a - b);
    expect(numbers.slice(0, 10)).toEqual(Array.from({ length: 10 }, (_, i) => i));
    expect(numbers.slice(-10)).toEqual(Array.from({ length: 10 }, (_, i) => 9_990 + i));
    expect((await post(connection)).status).toBe(202);
    expect((await post(connection)).headers.get("X-RateLimit-Remaining")).toBe("497");
  });
});

describe("when what evidence needs is away", () => {
  it("the answer comes all the same, while a note hangs", async () => {
    const connection = await createBoundConnection();
    let hangs = true;
    const using = intercepted((call, proceed) =>
      call === "CONNECTION_GATE.note" && hangs ? new Promise(() => undefined) : proceed(),
    );
    const ctx = createExecutionContext();
    const answered = worker.fetch(
      new Request(BASE + inboundPath(connection), await signedRequest({ ...connection, ...WRONG })) as never,
      using,
      ctx,
    );
    const first = await Promise.race([answered, scheduler.wait(1_500).then(() => null)]);
    expect(first?.status).toBe(401);
    hangs = false;
    await waitOnExecutionContext(ctx);
  });

  it.each([
    ["throws", (call: string) => without(call)],
    ["hangs", (call: string) => hanging(call)],
  ])("a gate that %s gets the counts later, each once", async (_, failing) => {
    const connection = await createBoundConnection();
    await post({ ...connection, ...WRONG });
    for (let i = 0; i < 3; i++)
      await post({ ...connection, ...WRONG }, report(), {}, failing("CONNECTION_GATE.note"));
    await post({ ...connection, ...WRONG });
    expect(await countedOf(connection)).toEqual({ INVALID_SIGNATURE: 5 });
  });

  it("a note whose answer was lost counts once", async () => {
    const connection = await createBoundConnection();
    await post({ ...connection, ...WRONG }, report(), {}, hanging("CONNECTION_GATE.note", { took: true }));
    await evictDurableObject(gateOf(connection));
    await post({ ...connection, ...WRONG });
    expect(await countedOf(connection)).toEqual({ INVALID_SIGNATURE: 2 });
  });

  it("a gate that is away for a moment gets the note from the same request", async () => {
    const connection = await createBoundConnection();
    await post({ ...connection, ...WRONG }, report(), {}, without("CONNECTION_GATE.note", 1));
    const { entries, counts } = await requestsOf(connection);
    expect(counts).toEqual({ INVALID_SIGNATURE: 1 });
    expect(entries).toHaveLength(1);
  });

  it("a gate that was away gets its counts with the next refused request of another", async () => {
    const [away, other] = [await createBoundConnection(), await createBoundConnection()];
    await post({ ...away, ...WRONG }, report(), {}, without("CONNECTION_GATE.note"));
    expect(await countedOf(away)).toEqual({});
    await post({ ...other, ...WRONG });
    expect(await countedOf(away)).toEqual({ INVALID_SIGNATURE: 1 });
  });

  it.each([
    ["throws", without("REQUEST_LOG.note")],
    ["hangs", hanging("REQUEST_LOG.note")],
  ])("a request log that %s gets the counts later", async (_, using) => {
    const total = async () => Object.values((await unknownRequests()).counts).reduce((sum, n) => sum + n, 0);
    const before = await total();
    for (const bound of [using, bindings])
      await send("/api/v1/webhook/inbound/short", { method: "POST" }, bound);
    expect((await total()) - before).toBe(2);
  });

  it.each([
    ["throws", without("DB")],
    ["hangs", hanging("DB")],
  ])("a database that %s leaves the counts of senders to be resolved later", async (_, using) => {
    const connection = await createConnection();
    connectionSenders.clear();
    await send(inboundPath(connection), { method: "POST" }, using);
    expect(await hasGate(connection)).toBe(false);
    await send(inboundPath(connection), { method: "POST" });
    expect(Object.values(await countedOf(connection))).toEqual([2]);
  });
});

describe("a request that the platform cuts off loses no counts", () => {
  /** Bindings with which the request goes no further. Resolves once it is there. */
  function cutOffAt(binding: string) {
    const { promise: reached, resolve } = Promise.withResolvers<void>();
    const using = intercepted((call, proceed) => {
      if (!call.startsWith(binding)) return proceed();
      resolve();
      return new Promise(() => undefined);
    });
    return { using, reached };
  }

  it.each<[string, string, (id: string) => Sender]>([
    ["while it sends a note", "CONNECTION_GATE.note", (id) => ({ gate: { kind: "connection", id } })],
    ["while it looks up a sender", "DB", claimedConnection],
  ])("%s", async (_, binding, senderOf) => {
    const [first, second] = [await createBoundConnection(), await createBoundConnection()];
    const { using, reached } = cutOffAt(binding);
    void evidence.addRequest(senderOf(first.id), refusal(first), using);
    await reached;
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 20_000 });
    await evidence.addRequest(senderOf(second.id), refusal(second), bindings);
    for (const connection of [first, second])
      expect(await countedOf(connection)).toEqual({ INVALID_SIGNATURE: 1 });
  });
});

describe("hostile texts", () => {
  it.each([
    ["long", "A".repeat(5_000)],
    ["HTML", "<script>alert(1)</script>"],
    ["latin", "caf\u00e9/1.0"],
    ["a quote", '"x"/1'],
    ["what ends an attribute", "x/1'&`"],
  ])("%s end bounded and in plain characters", async (_, text) => {
    const connection = await createBoundConnection();
    const headers = { "User-Agent": text, "Content-Type": text, "X-Request-Id": text, "CF-IPCountry": text };
    await send(inboundPath(connection), { method: "POST", headers });
    const { entries } = await requestsOf(connection);
    expect(entries).toHaveLength(1);
    const [{ userAgent, contentType, callerRequestId, country } = {}] = entries;
    for (const shown of [userAgent, contentType, callerRequestId, country])
      expect(shown ?? "").toMatch(/^[A-Za-z0-9!#$%*+./^_|~-]{0,100}$/);
  });
});

describe("erasure", () => {
  it("takes the details along and keeps the counts; later requests are only counted", async () => {
    const connection = await createBoundConnection();
    await post(connection);
    await post({ ...connection, ...WRONG });
    const { snapshotOfConnection } = await import("../../support/intake.ts");
    const snapshot = await snapshotOfConnection(connection);
    await gateOf(connection).refresh({ ...snapshot, version: snapshot.version + 1, wrappedKey: "" });
    await post({ ...connection, ...WRONG });
    const { entries, counts } = await requestsOf(connection);
    expect(counts).toEqual({ ACCEPTED: 1, INVALID_SIGNATURE: 2 });
    expect(entries.map(({ outcome }) => outcome)).toEqual(["accepted"]);
    expect(entries[0]).toMatchObject({ userAgent: null, country: null, callerRequestId: null });
  });
});

describe("one connection's evidence", () => {
  it("is not another's", async () => {
    const [one, other] = [await createBoundConnection(), await createBoundConnection()];
    await post({ ...one, ...WRONG });
    expect(await countedOf(other)).toEqual({});
    expect(await countedOf(one)).toEqual({ INVALID_SIGNATURE: 1 });
    expect(KEEP_EVIDENCE_MS).toBe(30 * 86_400_000);
  });
});
