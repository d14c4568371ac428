/** The diagnosis of refused signatures at the door: with real secrets, after the response, never in it, and bounded. */
import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Bindings } from "../../../src/bindings.ts";
import { bounded } from "../../../src/bounded.ts";
import { toBase64, toHex, utf8 } from "../../../src/crypto/encoding.ts";
import { findSecretsOfOwner } from "../../../src/db/connections.ts";
import { REQUEST_LIMITS } from "../../../src/deadline.ts";
import { readSettings } from "../../../src/env.ts";
import { BodyBudget } from "../../../src/http/body-budget.ts";
import { AbuseLimiter } from "../../../src/inbound/abuse-limiter.ts";
import { examinationTurns } from "../../../src/inbound/diagnosis/examination.ts";
import { connectionSenders } from "../../../src/inbound/inbound-routes.ts";
import { receiveSigned } from "../../../src/inbound/signed-intake.ts";
import worker from "../../../src/index.ts";
import { catchWakeUps } from "../../support/forwarding.ts";
import {
  BASE,
  bindings,
  type Connection,
  createBoundConnection,
  createConnection,
  createEmployer,
  inboundPath,
  post,
  report,
  send,
  signedRequest,
} from "../../support/gateway.ts";
import { expectNothingStored, rotate, setStatus, softDelete } from "../../support/intake.ts";
import { hanging, intercepted, without } from "../../support/interception.ts";
import { withQueryLog } from "../../support/query-plans.ts";

beforeEach(() => {
  catchWakeUps();
  examinationTurns.clear();
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

interface Sent {
  secret?: string;
  body?: string;
  /** What is signed, from the timestamp and the body. */
  signed?: (timestamp: string, body: string) => string;
  written?: (signature: Uint8Array) => string;
}

/** A request whose signature is made in a way of its own. */
async function slipped({ secret: connections }: Connection, sent: Sent): Promise<RequestInit> {
  const { secret = connections, body = report(), signed, written = toHex } = sent;
  const timestamp = String(Date.now());
  const key = await crypto.subtle.importKey("raw", utf8(secret), { name: "HMAC", hash: "SHA-256" }, false, [
    "sign",
  ]);
  const text = signed?.(timestamp, body) ?? `${timestamp}.${body}`;
  const signature = written(new Uint8Array(await crypto.subtle.sign("HMAC", key, utf8(text))));
  const headers = { "X-Webhook-Signature": signature, "X-Webhook-Timestamp": timestamp };
  return { method: "POST", headers, body };
}

/** Receives a request as the intake does, with a budget of its own. */
async function receive(connection: Connection, init: RequestInit, using: Bindings = bindings) {
  const ctx = createExecutionContext();
  const budget = new BodyBudget();
  const open = new Set<object>();
  const release = budget.release.bind(budget);
  const openShare = budget.open.bind(budget);
  budget.open = (...args) => {
    const share = openShare(...args);
    open.add(share);
    return share;
  };
  budget.release = (share) => {
    open.delete(share);
    release(share);
  };
  const env = bounded(using, REQUEST_LIMITS);
  const received = await receiveSigned(
    connection.id,
    new Request(`${BASE}${inboundPath(connection)}`, init),
    "req_test",
    connectionSenders,
    {
      env,
      settings: readSettings(env),
      budget,
      account: new AbuseLimiter().account("192.0.2.1", connection.id),
      waitUntil: (work) => ctx.waitUntil(work),
    },
  );
  const heldBytes = [...open].reduce<number>((sum, share) => sum + (share as { held: number }).held, 0);
  const diagnosis = received.diagnosis === undefined ? null : await received.diagnosis;
  await waitOnExecutionContext(ctx);
  return { outcome: received.outcome, diagnosis, heldBytes, open };
}

async function diagnose(connection: Connection, sent: Sent, using?: Bindings) {
  examinationTurns.clear();
  const { outcome, diagnosis } = await receive(connection, await slipped(connection, sent), using);
  expect(outcome).toMatchObject({ ok: false, error: { kind: "invalid_signature" } });
  return diagnosis;
}

const bodyAlone = (_: string, body: string) => body;

describe("the secrets that count", () => {
  it("those in force, the newest and the one in its overlap", async () => {
    const first = await createBoundConnection();
    const second = await rotate(first, 3_600);
    for (const { secret } of [first, second]) {
      expect(await diagnose(first, { secret, signed: bodyAlone })).toEqual(["body_without_timestamp"]);
      expect(await diagnose(first, { secret: `${secret}\n` })).toEqual(["newline_after_secret"]);
    }
  });

  it("those that have ended, by a rotation or by their overlap's end", async () => {
    const first = await createBoundConnection();
    const second = await rotate(first, 0);
    await rotate(first, 60);
    expect(await diagnose(first, { secret: first.secret })).toEqual(["ended_secret"]);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 61_000 });
    expect(await diagnose(first, { secret: second.secret, signed: bodyAlone })).toEqual([
      "body_without_timestamp",
      "ended_secret",
    ]);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 30 * 86_400_000 });
    for (const { secret } of [first, second]) expect(await diagnose(first, { secret })).toEqual(["unknown"]);
  });

  it("those of the owner's twenty newest other connections, and of nobody else's", async () => {
    const owner_id = `owner-${crypto.randomUUID()}`;
    const own = await createConnection({ owner_id });
    const oldest = await createConnection({ owner_id });
    const others: Connection[] = [];
    for (let i = 0; i < 20; i++) others.push(await createConnection({ owner_id }));
    const newest = others[19] ?? oldest;
    const foreign = await createConnection({ owner_id: `${owner_id}-2` });
    await setStatus(newest, "inactive");
    expect(await diagnose(own, { secret: newest.secret })).toEqual(["other_connection"]);
    expect(await diagnose(own, { secret: others[0]?.secret ?? "", written: toBase64 })).toEqual([
      "base64",
      "other_connection",
    ]);
    expect(await diagnose(own, { secret: oldest.secret })).toEqual(["unknown"]);
    expect(await diagnose(own, { secret: foreign.secret })).toEqual(["unknown"]);
    await softDelete(newest);
    expect(await diagnose(own, { secret: newest.secret })).toEqual(["unknown"]);
    expect(await diagnose(own, { secret: oldest.secret })).toEqual(["other_connection"]);
  });

  it("one that cannot be unsealed stands in no other's way", async () => {
    const owner_id = `owner-${crypto.randomUUID()}`;
    const [own, other, broken] = [
      await createConnection({ owner_id }),
      await createConnection({ owner_id }),
      await createConnection({ owner_id }),
    ];
    await bindings.DB.prepare("UPDATE connections SET data_key = '' WHERE id = ?").bind(broken.id).run();
    expect(await diagnose(own, { secret: other.secret })).toEqual(["other_connection"]);
    expect(await diagnose(own, { secret: broken.secret })).toEqual(["unknown"]);
  });

  it("are read by index", async () => {
    const connection = await createConnection();
    const { DB, plans } = withQueryLog(bindings.DB);
    await findSecretsOfOwner(DB, connection.id, { type: "payroll_company", id: "acme" });
    const steps = await plans();
    expect(steps).toHaveLength(2);
    for (const step of steps) expect(step).toMatch(/^SEARCH connections USING INDEX/);
  });
});

describe("the answer", () => {
  it("is the same whether a slip fits or not", async () => {
    const connection = await createBoundConnection();
    const body = report();
    const answers = [];
    for (const sent of [
      { body, secret: "whsec_strange" },
      { body, signed: bodyAlone },
      { body, secret: `${connection.secret}\n` },
    ]) {
      const { status, headers, json } = await send(inboundPath(connection), await slipped(connection, sent));
      const { request_id: _id, timestamp: _at, ...rest } = json;
      answers.push({ status, names: [...headers.keys()].sort(), rest });
    }
    expect(answers[0]?.status).toBe(401);
    expect(answers[1]).toEqual(answers[0]);
    expect(answers[2]).toEqual(answers[0]);
    await expectNothingStored(connection);
  });

  it("is there before the secrets are read, and before anything is compared with them", async () => {
    const connection = await createBoundConnection();
    await post(connection);
    const order: string[] = [];
    const using = intercepted((call, proceed) => {
      if (call === "DB.batch") order.push("secrets are read");
      return proceed();
    });
    const request = new Request(
      `${BASE}${inboundPath(connection)}`,
      await slipped(connection, { signed: bodyAlone }),
    );
    const ctx = createExecutionContext();
    const response = await worker.fetch(request as Parameters<typeof worker.fetch>[0], using, ctx);
    order.push(`answered ${response.status}`);
    const verify = vi.spyOn(crypto.subtle, "verify");
    await waitOnExecutionContext(ctx);
    expect(order).toEqual(["answered 401", "secrets are read"]);
    expect(verify).toHaveBeenCalled();
  });

  it.each([
    ["throws", without("DB.batch")],
    ["hangs", hanging("DB.batch")],
  ])(
    "is the same when the database %s afterwards, and the request counts as not examined",
    async (_, using) => {
      const connection = await createBoundConnection();
      await post(connection);
      expect(await diagnose(connection, { signed: bodyAlone }, using)).toEqual([]);
      examinationTurns.clear();
      const answer = await send(
        inboundPath(connection),
        await slipped(connection, { signed: bodyAlone }),
        using,
      );
      expect(answer).toMatchObject({ status: 401, json: { code: "INVALID_SIGNATURE" } });
      expect((await post(connection)).status).toBe(202);
    },
  );
});

describe("the bounds", () => {
  it("one a second and connection", async () => {
    const [first, second] = [await createBoundConnection(), await createBoundConnection()];
    const now = Date.now();
    const at = async (connection: Connection, ms: number) => {
      vi.useFakeTimers({ toFake: ["Date"], now: now + ms });
      return (await receive(connection, await slipped(connection, { signed: bodyAlone }))).diagnosis;
    };
    expect(await at(first, 0)).toEqual(["body_without_timestamp"]);
    expect(await at(first, 999)).toBeNull();
    expect(await at(second, 999)).toEqual(["body_without_timestamp"]);
    expect(await at(first, 1_000)).toEqual(["body_without_timestamp"]);
  });

  it("two at a time, and those that never end are forgotten", async () => {
    const connections = await Promise.all([1, 2, 3].map(() => createBoundConnection()));
    for (const connection of connections) await post(connection);
    const requests = await Promise.all(connections.map((each) => slipped(each, { signed: bodyAlone })));
    const found = await Promise.all(
      connections.map((each, i) => receive(each, requests[i] ?? {}).then(({ diagnosis }) => diagnosis)),
    );
    expect(found.filter((each) => each === null)).toHaveLength(1);

    examinationTurns.clear();
    const now = Date.now();
    for (const { id } of connections.slice(0, 2)) expect(examinationTurns.take(id, 1, now)).not.toBeNull();
    const last = connections[2]?.id ?? "";
    expect(examinationTurns.take(last, 1, now + 2_999)).toBeNull();
    expect(examinationTurns.take(last, 1, now + 3_000)).not.toBeNull();
  });

  it("five per second and isolate, whichever connections they are for", () => {
    const now = Date.now();
    const take = (connection: number, at: number) => {
      const end = examinationTurns.take(String(connection), 1, at);
      end?.();
      return end !== null;
    };
    expect([1, 2, 3, 4, 5, 6].map((connection) => take(connection, now))).toEqual([
      ...Array(5).fill(true),
      false,
    ]);
    expect(take(6, now + 999)).toBe(false);
    expect(take(6, now + 1_000)).toBe(true);
  });

  it("bodies of 64 KB, which the budget counts until the examination ends, whatever becomes of it", async () => {
    const connection = await createBoundConnection();
    await post(connection);
    const body = report({ note: "x".repeat(60_000) });
    for (const using of [bindings, without("DB.batch")]) {
      examinationTurns.clear();
      const { diagnosis, heldBytes, open } = await receive(
        connection,
        await slipped(connection, { body, signed: bodyAlone }),
        using,
      );
      expect(diagnosis).toEqual(using === bindings ? ["body_without_timestamp"] : []);
      expect(heldBytes).toBe(utf8(body).byteLength);
      expect(open.size).toBe(0);
    }
  });

  it("a larger body, and every request that is refused for another reason, is let go at once", async () => {
    const connection = await createBoundConnection();
    await post(connection);
    const large = report({ note: "x".repeat(64 * 1_024) });
    const others = [
      await slipped(connection, { body: large, signed: bodyAlone }),
      await signedRequest(connection, "{}"),
      await signedRequest(connection, "no JSON"),
      await signedRequest(connection, report({ employer_fein: (await createEmployer()).fein })),
    ];
    for (const init of others) {
      examinationTurns.clear();
      const { outcome, diagnosis, heldBytes, open } = await receive(connection, init);
      expect(outcome.ok).toBe(false);
      expect({ diagnosis, heldBytes, open: open.size }).toEqual({ diagnosis: null, heldBytes: 0, open: 0 });
    }
  });

  it("a flood is examined once", async () => {
    const connection = await createBoundConnection();
    await post(connection);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    let batches = 0;
    const using = intercepted((call, proceed) => {
      if (call === "DB.batch") batches++;
      return proceed();
    });
    const requests = await Promise.all(
      Array.from({ length: 60 }, () => slipped(connection, { signed: bodyAlone })),
    );
    await Promise.all(requests.map((init) => receive(connection, init, using)));
    expect(batches).toBe(1);
  });
});
