import { describe, expect, it, vi } from "vitest";
import { errorContext } from "../../../src/crypto/contexts.ts";
import { unseal } from "../../../src/crypto/vault.ts";
import { mintFileId } from "../../../src/gate/file-id.ts";
import { columnOf, dataKeyOf, dumpArchive, dumpDatabase, dumpGate } from "../../support/at-rest.ts";
import {
  accepted,
  advance,
  answering,
  bringToTheEnd,
  catchWakeUps,
  creatorThat,
  deliverFiles,
  recordOf,
  resetCircuitBreaker,
  stuckFileOf,
  wakeUpsOfEachTest,
} from "../../support/forwarding.ts";
import {
  bindings,
  createBoundConnection,
  gateOf,
  post,
  report,
  signedRequest,
} from "../../support/gateway.ts";

const DAY_MS = 86_400_000;
const wakeUps = wakeUpsOfEachTest();

describe("when the files-creator refuses a report for good", () => {
  it.each([400, 413, 415, 422])("%i fails the file at once and lists it as stuck", async (status) => {
    const connection = await createBoundConnection();
    const { received, using } = creatorThat(answering(status));
    const fileId = await accepted(connection);
    await deliverFiles([fileId], using);
    expect(await recordOf(fileId)).toMatchObject({ status: "failed", attempts: 1, nextAttemptAt: null });
    expect(await stuckFileOf(fileId)).toMatchObject({
      reason: "refused",
      response_status: status,
      attempts: 1,
      next_attempt_at: null,
    });
    advance(DAY_MS);
    await deliverFiles([fileId], using);
    expect(received).toHaveLength(1);
  });

  it("a sender that repeats the report gets 502", async () => {
    const connection = await createBoundConnection();
    const request = await signedRequest(connection);
    const body = String(request.body);
    const timestamp = String(new Headers(request.headers).get("X-Webhook-Timestamp"));
    const fileId = await accepted(connection, body, { timestamp });
    await deliverFiles([fileId], creatorThat(answering(422)).using);
    const again = await post(connection, body, { timestamp });
    expect(again).toMatchObject({
      status: 502,
      json: { error: "File processing failed", details: { file_id: fileId } },
    });
  });

  it("its error text is stored sealed, and is nowhere in clear text", async () => {
    const marker = "row 17: 078-05-1120 is no class code";
    const connection = await createBoundConnection();
    const log = [vi.spyOn(console, "log"), vi.spyOn(console, "error")];
    const fileId = await accepted(connection);
    await deliverFiles([fileId], creatorThat(() => new Response(marker, { status: 422 })).using);
    const gate = { kind: "connection", id: connection.id } as const;
    const sealed = await columnOf(fileId, "error");
    if (!(sealed instanceof ArrayBuffer)) throw new Error("the error was not kept");
    const opened = await unseal(await dataKeyOf(gate), new Uint8Array(sealed), errorContext(gate, fileId));
    expect(new TextDecoder().decode(opened)).toBe(marker);
    const everywhere = [await dumpGate(fileId), await dumpDatabase(), await dumpArchive()].join("\n");
    expect(everywhere).toContain(fileId.slice(-20));
    expect(everywhere).not.toContain("078-05-1120");
    expect(JSON.stringify(log.map((spy) => spy.mock.calls))).not.toContain("078-05-1120");
  });

  it("stores no more than the first 16 KiB of a response, however long it is", async () => {
    const connection = await createBoundConnection();
    const fileId = await accepted(connection);
    let sent = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.enqueue(new Uint8Array(5_000).fill(120));
        sent += 5_000;
      },
    });
    await deliverFiles([fileId], creatorThat(() => new Response(endless, { status: 400 })).using);
    const gate = { kind: "connection", id: connection.id } as const;
    const sealed = await columnOf(fileId, "error");
    if (!(sealed instanceof ArrayBuffer)) throw new Error("the error was not kept");
    const opened = await unseal(await dataKeyOf(gate), new Uint8Array(sealed), errorContext(gate, fileId));
    expect(opened.byteLength).toBe(16 * 1024);
    expect(sent).toBeLessThan(64 * 1024);
  });
});

describe("when the files-creator is unavailable", () => {
  const unavailable = (status: number) => () =>
    status === 302
      ? new Response(null, { status, headers: { Location: "https://elsewhere.test/" } })
      : new Response("later", { status });

  it.each([302, 401, 403, 404, 408, 409, 425, 429, 500, 502, 503, 504])(
    "%i defers the file and lists it as stuck; a later success removes it from the list",
    async (status) => {
      const connection = await createBoundConnection();
      const fileId = await accepted(connection);
      await deliverFiles([fileId], creatorThat(unavailable(status)).using);
      const deferred = await recordOf(fileId);
      expect(deferred).toMatchObject({ status: "queued", attempts: 1 });
      const wait = (deferred.nextAttemptAt ?? 0) - deferred.updatedAt;
      expect(wait).toBeGreaterThanOrEqual(3_750);
      expect(wait).toBeLessThanOrEqual(6_250);
      expect(await stuckFileOf(fileId)).toMatchObject({
        reason: "deferred",
        response_status: status,
        attempts: 1,
        next_attempt_at: deferred.nextAttemptAt,
      });
      advance(10_000);
      await deliverFiles([fileId], creatorThat().using);
      expect(await recordOf(fileId)).toMatchObject({ status: "processing", attempts: 2 });
      expect(await stuckFileOf(fileId)).toBeNull();
    },
  );

  it.each([
    ["the connection breaks", () => Promise.reject(new Error("Network connection lost."))],
    [
      "its response breaks off",
      () =>
        new Response(
          new ReadableStream({
            pull(controller) {
              controller.error(new Error("reset by peer"));
            },
          }),
          { status: 202 },
        ),
    ],
  ])("defers the file when %s", async (_name, respond) => {
    const connection = await createBoundConnection();
    const fileId = await accepted(connection);
    await deliverFiles([fileId], creatorThat(respond).using);
    expect(await recordOf(fileId)).toMatchObject({ status: "queued", attempts: 1 });
    expect(await stuckFileOf(fileId)).toMatchObject({ reason: "deferred", response_status: null });
  });

  it("waits longer after each attempt, up to an hour, with jitter", async () => {
    const connection = await createBoundConnection();
    const { using } = creatorThat(() => new Response(null, { status: 503 }));
    const fileIds = await Promise.all(Array.from({ length: 4 }, () => accepted(connection)));
    const waits: number[][] = [];
    for (let attempt = 1; attempt <= 13; attempt++) {
      await resetCircuitBreaker();
      await deliverFiles(fileIds, using);
      const records = await Promise.all(fileIds.map(recordOf));
      waits.push(records.map((record) => (record.nextAttemptAt ?? 0) - record.updatedAt));
      advance(3_600_000);
    }
    for (const [i, each] of waits.entries()) {
      const step = Math.min(3_600_000, 5_000 * 2 ** i);
      for (const wait of each) {
        expect(wait).toBeGreaterThanOrEqual(0.75 * step);
        expect(wait).toBeLessThanOrEqual(1.25 * step);
      }
      expect(new Set(each).size).toBeGreaterThan(1);
    }
  });

  it.each([
    ["120", 120_000],
    ["1", null],
    [() => new Date(Date.now() + 300_000).toUTCString(), 300_000],
    ["99999999", 6 * 3_600_000],
  ])("Retry-After %s lengthens the wait, never shortens it", async (header, expected) => {
    const connection = await createBoundConnection();
    const value = typeof header === "string" ? header : header();
    const headers = { "Retry-After": value };
    const fileId = await accepted(connection);
    await deliverFiles([fileId], creatorThat(() => new Response(null, { status: 429, headers })).using);
    const record = await recordOf(fileId);
    const wait = (record.nextAttemptAt ?? 0) - record.updatedAt;
    if (expected === null) expect(wait).toBeGreaterThanOrEqual(3_750);
    else expect(Math.abs(wait - expected)).toBeLessThanOrEqual(1_500);
  });

  it("posts a deferred file again once its gate's alarm wakes it", async () => {
    const connection = await createBoundConnection();
    const { received, using } = creatorThat(answering(503));
    const fileId = await accepted(connection);
    await deliverFiles([fileId], using);
    await bringToTheEnd(fileId, wakeUps, using);
    expect(received).toHaveLength(2);
    expect(await stuckFileOf(fileId)).toBeNull();
  });

  it("retries a file for a day, then fails it and lists it as stuck", async () => {
    const connection = await createBoundConnection();
    const { using } = creatorThat(() => new Response(null, { status: 503 }));
    const fileId = await accepted(connection);
    const { receivedAt } = (await recordOf(fileId)).facts;
    await deliverFiles([fileId], using);
    advance(receivedAt + DAY_MS - 60_000 - Date.now());
    await deliverFiles([fileId], using);
    expect(await recordOf(fileId)).toMatchObject({ status: "queued", attempts: 2 });
    advance(120_000);
    await deliverFiles([fileId], using);
    expect(await recordOf(fileId)).toMatchObject({ status: "failed", attempts: 3, nextAttemptAt: null });
    expect(await stuckFileOf(fileId)).toMatchObject({
      reason: "gave_up",
      response_status: 503,
      attempts: 3,
      next_attempt_at: null,
    });
  });
});

describe("when a payload cannot be read", () => {
  it("defers the file without a POST, and forwards it once the payload can be read", async () => {
    const connection = await createBoundConnection();
    const { received, using } = creatorThat();
    const fileId = await accepted(connection, report({ pad: "x".repeat(70_000) }));
    const archive = vi.spyOn(bindings.ARCHIVE, "get").mockRejectedValueOnce(new Error("R2 is down"));
    await deliverFiles([fileId], using);
    expect(archive).toHaveBeenCalledOnce();
    expect(received).toEqual([]);
    expect(await stuckFileOf(fileId)).toMatchObject({ reason: "deferred", response_status: null });
    await bringToTheEnd(fileId, wakeUps, using);
    expect(received).toHaveLength(1);
  });

  it("does not open the circuit breaker", async () => {
    const connection = await createBoundConnection();
    const { received, using } = creatorThat();
    const large = await Promise.all(
      Array.from({ length: 6 }, () => accepted(connection, report({ pad: "x".repeat(70_000) }))),
    );
    const archive = vi.spyOn(bindings.ARCHIVE, "get").mockRejectedValue(new Error("R2 is down"));
    await deliverFiles(large, using);
    archive.mockRestore();
    const small = await accepted(connection);
    await deliverFiles([small], using);
    expect(received.map(({ fileId }) => fileId)).toEqual([small]);
  });
});

describe("wake-ups", () => {
  it("contain file ids and the time of acceptance, nothing else, whether from the intake, the alarm or a replay", async () => {
    const connection = await createBoundConnection();
    const fileId = await accepted(connection, report({ secret: "marker-of-the-payload" }));
    await bringToTheEnd(fileId, wakeUps);
    const sent = [
      ...vi.mocked(bindings.FILES.sendBatch).mock.calls,
      ...vi.mocked(bindings.FILES.send).mock.calls,
      // The alarms of gates that other tests left behind also send wake-ups.
    ].filter(([messages]) => JSON.stringify(messages).includes(fileId));
    expect(sent.length).toBeGreaterThanOrEqual(2);
    for (const [messages] of sent) {
      const [{ body }] = messages as [{ body: Record<string, unknown> }];
      expect(messages).toEqual([{ body }]);
      const { file_ids, accepted_ms = [], ...others } = body;
      expect(file_ids).toEqual([expect.stringMatching(/^FILE_[0-9A-Z]{40}$/)]);
      expect([[], [expect.any(Number)]]).toContainEqual(accepted_ms);
      expect(others).toEqual({});
      expect(JSON.stringify(messages)).not.toContain("marker");
    }
  });

  it("that cannot be sent fail no request, and the gate's alarm sends them again", async () => {
    const connection = await createBoundConnection();
    vi.mocked(bindings.FILES.sendBatch).mockRejectedValue(new Error("the queue is down"));
    const { received, using } = creatorThat();
    const fileId = await accepted(connection);
    expect(wakeUps).toEqual([]);
    catchWakeUps(wakeUps);
    await bringToTheEnd(fileId, wakeUps, using);
    expect(received).toHaveLength(1);
  });
});

it("a gate that was never used has nothing to forward", async () => {
  const { received, using } = creatorThat();
  const stranger = mintFileId({ kind: "connection", id: "f".repeat(24) }, Date.now());
  expect(await deliverFiles([stranger], using)).toEqual({ acked: [0], retried: [] });
  expect(received).toEqual([]);
  expect(await gateOf({ id: "f".repeat(24) }).status(stranger)).toBeNull();
});
