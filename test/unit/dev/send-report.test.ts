import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { outcomeOf, retryAfterMs, sendReport, signReport } from "../../../dev/send-report.ts";
import { percentile, SendSummary } from "../../../dev/send-summary.ts";

describe("percentile", () => {
  const hundred = Array.from({ length: 100 }, (_, i) => i + 1);

  it.each([
    [50, 50],
    [90, 90],
    [99, 99],
    [100, 100],
    [0, 1],
  ])("p%i of 1 to 100 is %i", (p, expected) => {
    expect(percentile(hundred, p)).toBe(expected);
  });

  it("of a single value is that value", () => {
    expect([50, 99, 100].map((p) => percentile([7], p))).toEqual([7, 7, 7]);
  });

  it("of nothing is an error", () => {
    expect(() => percentile([], 50)).toThrow(RangeError);
  });
});

describe("outcomeOf", () => {
  it.each([
    [202, '{"duplicate":false}', { kind: "accepted" }],
    [200, '{"duplicate":false}', { kind: "accepted" }],
    [202, '{"duplicate":true}', { kind: "duplicate" }],
    [429, '{"error":"Rate Limit Exceeded"}', { kind: "limited" }],
    [
      401,
      '{"error":"Invalid webhook signature"}',
      { kind: "refused", reason: "401 Invalid webhook signature" },
    ],
    [502, "<html>", { kind: "refused", reason: "502" }],
    [500, "null", { kind: "refused", reason: "500" }],
  ])("%i %s", (status, text, expected) => {
    expect(outcomeOf(status, text)).toEqual(expected);
  });
});

describe("retryAfterMs", () => {
  const now = Date.parse("2026-03-16T10:30:00Z");

  it.each([
    [null, null],
    ["", null],
    ["soon", null],
    ["3", 3_000],
    ["0", 0],
    ["Mon, 16 Mar 2026 10:30:05 GMT", 5_000],
    ["Mon, 16 Mar 2026 10:29:00 GMT", 0],
  ])("%j is %j", (header, expected) => {
    expect(retryAfterMs(header, now)).toBe(expected);
  });
});

describe("SendSummary", () => {
  it("counts by outcome and is complete only without trouble", () => {
    const summary = new SendSummary();
    summary.add({ outcome: { kind: "accepted" }, latencyMs: 10, tries: 1 });
    summary.add({ outcome: { kind: "duplicate" }, latencyMs: 20, tries: 3 });
    expect(summary.complete).toBe(true);
    summary.add({
      outcome: { kind: "refused", reason: "401 Invalid webhook signature" },
      latencyMs: 30,
      tries: 1,
    });
    summary.add({ outcome: { kind: "no answer", reason: "ECONNREFUSED" }, latencyMs: 9_999, tries: 1 });
    expect(summary.complete).toBe(false);

    const lines = Object.fromEntries(
      summary
        .render(2_000)
        .split("\n")
        .map((line) => line.split(/\s{2,}/, 2)),
    );
    expect(lines).toMatchObject({
      accepted: "1",
      duplicates: "1",
      "limited (429)": "0",
      "refused: 401 Invalid webhook signature": "1",
      "no answer: ECONNREFUSED": "1",
      retries: "2",
      total: "4 in 2.0 s, 2.0 per second",
    });
    expect(summary.render(2_000)).toMatch(/p50 20\.0 ms {2}p90 30\.0 ms {2}p99 30\.0 ms {2}max 30\.0 ms/);
  });

  it("sums up a run without a single answer", () => {
    const summary = new SendSummary();
    summary.add({ outcome: { kind: "no answer", reason: "ECONNREFUSED" }, latencyMs: 1, tries: 1 });
    expect(summary.render(1_000)).not.toContain("p50");
  });
});

describe("sendReport", () => {
  const servers: ReturnType<typeof createServer>[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
  });

  async function gateway(listener: RequestListener): Promise<string> {
    const server = createServer(listener);
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  function report(url: string) {
    const body = new TextEncoder().encode("{}");
    return signReport({ url, connection: "c", secret: "s" }, body, Date.now(), {
      wait: 5,
      idempotencyKey: "k",
    });
  }

  it("repeats the very same request until it is accepted", async () => {
    const seen: unknown[] = [];
    const url = await gateway((request, response) => {
      seen.push(request.headers);
      response.writeHead(seen.length < 3 ? 503 : 202, { "retry-after": "0" }).end('{"duplicate":false}');
    });
    expect(await sendReport(report(url), true)).toMatchObject({ outcome: { kind: "accepted" }, tries: 3 });
    expect(seen[0]).toMatchObject({ prefer: "wait=5", "idempotency-key": "k" });
    expect(new Set(seen.map((headers) => JSON.stringify(headers))).size).toBe(1);
  });

  it("does not repeat unless asked to", async () => {
    const url = await gateway((_, response) => response.writeHead(503).end("{}"));
    expect(await sendReport(report(url), false)).toMatchObject({
      outcome: { kind: "refused", reason: "503" },
      tries: 1,
    });
  });

  it("does not repeat a refusal", async () => {
    const url = await gateway((_, response) => response.writeHead(401).end('{"error":"x"}'));
    expect(await sendReport(report(url), true)).toMatchObject({ tries: 1 });
  });

  it("does not wait longer than the signature verifies", async () => {
    const url = await gateway((_, response) => response.writeHead(429, { "retry-after": "3600" }).end("{}"));
    expect(await sendReport(report(url), true)).toMatchObject({ outcome: { kind: "limited" }, tries: 1 });
  });

  it("names the reason when there is no answer", async () => {
    const url = await gateway((request) => request.socket.destroy());
    expect(await sendReport(report(url), false)).toMatchObject({
      outcome: { kind: "no answer" },
      answer: null,
    });
  });
});
