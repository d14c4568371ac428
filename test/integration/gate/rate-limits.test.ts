import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { afterEach, describe, expect, it, vi } from "vitest";
import { admissionAt, inGate, MINUTE, newGate, onInbox, SECOND, unwoken } from "../../support/gate.ts";
import {
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

afterEach(() => {
  vi.useRealTimers();
});

const SANDBOX = { plan: "sandbox", environment: "sandbox" };

function countOf(answers: { status: number }[], status: number): number {
  return answers.filter((answer) => answer.status === status).length;
}

function rowsOf(connection: { id: string }, kind?: "key"): Promise<number> {
  return runInDurableObject(
    gateOf(connection, kind),
    (_object, { storage }) => onInbox(storage.sql, "SELECT 1 FROM inbox").length,
  );
}

describe("a connection on the sandbox plan", () => {
  it("is accepted exactly a hundred times of two hundred at once, stays refused across eviction, and is accepted again after a minute", async () => {
    const connection = await createBoundConnection(SANDBOX);
    const answers = await Promise.all(
      Array.from({ length: 200 }, () => post(connection, report(), {}, unwoken)),
    );
    expect(countOf(answers, 202)).toBe(100);
    expect(countOf(answers, 429)).toBe(100);
    expect(await rowsOf(connection)).toBe(100);

    await evictDurableObject(gateOf(connection));
    const refused = await post(connection, report(), {}, unwoken);
    expect(refused.status).toBe(429);
    expect(refused.json).toMatchObject({
      error: "Rate Limit Exceeded",
      details: { limit: 100, window: "1 minute" },
    });
    expect(refused.headers.get("X-RateLimit-Limit")).toBe("100");
    expect(refused.headers.get("X-RateLimit-Remaining")).toBe("0");
    const resetAt = Number(refused.headers.get("X-RateLimit-Reset")) * 1_000;
    expect(resetAt).toBeGreaterThan(Date.now());
    expect(resetAt).toBeLessThanOrEqual(Date.now() + MINUTE + 2 * SECOND);

    vi.setSystemTime(resetAt);
    expect((await post(connection, report(), {}, unwoken)).status).toBe(202);
  });

  it("is accepted with the same request that was refused for its rate, once there is room", async () => {
    const connection = await createBoundConnection(SANDBOX);
    await Promise.all(Array.from({ length: 100 }, () => post(connection, report(), {}, unwoken)));
    const request = await signedRequest(connection);
    expect((await send(inboundPath(connection), request, unwoken)).status).toBe(429);
    vi.setSystemTime(Date.now() + MINUTE + 2 * SECOND);
    const accepted = await send(inboundPath(connection), request, unwoken);
    expect(accepted).toMatchObject({ status: 202, json: { duplicate: false } });
  });

  it("may repeat as often as it likes: repeats cost no quota", async () => {
    const connection = await createBoundConnection(SANDBOX);
    const request = await signedRequest(connection);
    const answers = await Promise.all(
      Array.from({ length: 150 }, () => send(inboundPath(connection), request, unwoken)),
    );
    expect(countOf(answers, 202)).toBe(150);
    const last = await post(connection, report(), {}, unwoken);
    expect(last.headers.get("X-RateLimit-Remaining")).toBe("98");
  });

  it("gets answers to repeats even when its quota is used up", async () => {
    const connection = await createBoundConnection(SANDBOX);
    const request = await signedRequest(connection);
    const first = await send(inboundPath(connection), request, unwoken);
    await Promise.all(Array.from({ length: 99 }, () => post(connection, report(), {}, unwoken)));
    const repeat = await send(inboundPath(connection), request, unwoken);
    expect(repeat).toMatchObject({ status: 202, json: { file_id: first.json.file_id, duplicate: true } });
  });

  it.each([
    { name: "no JSON", body: "{", status: 400, bound: true },
    { name: "no employees", body: "{}", status: 400, bound: true },
    {
      name: "an employer nobody knows",
      body: report({ employer_fein: "99-9999999" }),
      status: 404,
      bound: false,
    },
  ])("is charged for signed requests with $name, and nothing is written", async ({ body, status, bound }) => {
    const connection = bound ? await createBoundConnection(SANDBOX) : await createConnection(SANDBOX);
    const start = Date.now();
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_unused, i) =>
        post(connection, body, { timestamp: String(start - i) }, unwoken),
      ),
    );
    expect(countOf(answers, status)).toBe(100);
    expect(await rowsOf(connection)).toBe(0);
    const next = bound ? await post(connection, report(), {}, unwoken) : undefined;
    if (next !== undefined) expect(next.status).toBe(429);
    else {
      const answer = await post(connection, body, {}, unwoken);
      expect(answer.headers.get("X-RateLimit-Remaining")).toBe("0");
    }
  });

  it("is not charged for requests that are not signed", async () => {
    const connection = await createBoundConnection(SANDBOX);
    await post({ ...connection, secret: "another" }, report(), {}, unwoken);
    const answer = await post(connection, report(), {}, unwoken);
    expect(answer.headers.get("X-RateLimit-Remaining")).toBe("99");
  });
});

describe("the hour's limit", () => {
  it("is exact across restarts of the gate, from its rows alone", async () => {
    await inGate(await newGate({ plan: "sandbox" }), (bench) => {
      const start = bench.clock.now;
      let accepted = 0;
      for (let minute = 0; minute < 59; minute++) {
        bench.clock.now = start + minute * MINUTE;
        bench.restart();
        for (let i = 0; i < 50; i++) if (bench.admit(bench.admission()).outcome === "accepted") accepted++;
      }
      expect(accepted).toBe(1_000);
      bench.restart();
      const limited = bench.admit(bench.admission());
      expect(limited).toMatchObject({ outcome: "limited", rate: { limit: 1_000, window: "1 hour" } });
      const resetAt = limited.outcome === "limited" ? limited.rate.resetAt : 0;
      bench.clock.now = resetAt - 1;
      bench.restart();
      expect(bench.admit(bench.admission()).outcome).toBe("limited");
      bench.clock.now = resetAt;
      bench.restart();
      expect(bench.admit(bench.admission()).outcome).toBe("accepted");
    });
  });

  it("is not widened by a clock that is set back", async () => {
    await inGate(await newGate({ plan: "sandbox" }), (bench) => {
      for (let i = 0; i < 100; i++) bench.accept();
      for (const back of [500, 30 * SECOND, 10 * MINUTE]) {
        bench.clock.now -= back;
        expect(bench.admit(bench.admission()).outcome).toBe("limited");
        bench.restart();
        expect(bench.admit(bench.admission()).outcome).toBe("limited");
      }
    });
  });
});

describe("reads with a key", () => {
  it("are limited exactly, at once and across eviction, apart from submissions", async () => {
    const key = await createApiKey({ environment: "sandbox" });
    const read = () => send("/api/v1/files", { headers: { Authorization: `Bearer ${key.token}` } });
    const answers = await Promise.all(Array.from({ length: 130 }, read));
    expect(countOf(answers, 200)).toBe(100);
    expect(countOf(answers, 429)).toBe(30);
    await evictDurableObject(gateOf(key, "key"));
    const refused = await read();
    expect(refused.status).toBe(429);
    expect(refused.json).toMatchObject({ error: "Rate Limit Exceeded", details: { limit: 100 } });
    vi.setSystemTime(Number(refused.headers.get("X-RateLimit-Reset")) * 1_000);
    expect((await read()).status).toBe(200);
  });

  it("use no quota of submissions, and submissions use none of theirs", async () => {
    const gate = await newGate({ plan: "sandbox" }, "key");
    for (let i = 0; i < 101; i++) await gate.stub.read(gate.snapshot);
    expect(await gate.stub.read(gate.snapshot)).toMatchObject({ rate: { allowed: false } });
    const admitted = await gate.stub.admit(admissionAt(gate, Date.now(), { signed: null }));
    expect(admitted).toMatchObject({ outcome: "accepted", rate: { remaining: 99 } });
    expect(await gate.stub.charge(gate.snapshot)).toMatchObject({ rate: { remaining: 98 } });
  });

  it("are not allowed again by a clock that is set back", async () => {
    const gate = await newGate({ plan: "sandbox" }, "key");
    await inGate(gate, (bench) => {
      const start = bench.clock.now;
      const allowed = (at: number) => {
        const charged = bench.admissions.read(gate.snapshot, at);
        return charged.outcome === "charged" && charged.rate.allowed;
      };
      for (let i = 0; i < 100; i++) expect(allowed(start)).toBe(true);
      expect(allowed(start + 2 * MINUTE)).toBe(true);
      for (const back of [0, 500, 30 * SECOND]) expect(allowed(start + back)).toBe(false);
    });
  });

  it("are limited by the hour across restarts", async () => {
    const gate = await newGate({ plan: "sandbox" }, "key");
    await inGate(gate, (bench) => {
      const start = bench.clock.now;
      let allowed = 0;
      for (let minute = 0; minute < 59; minute++) {
        bench.clock.now = start + minute * MINUTE;
        bench.restart();
        for (let i = 0; i < 50; i++) {
          const charged = bench.admissions.read(gate.snapshot, bench.clock.now);
          if (charged.outcome === "charged" && charged.rate.allowed) allowed++;
        }
      }
      expect(allowed).toBe(1_000);
    });
  });
});
