import { createMessageBatch, runDurableObjectAlarm } from "cloudflare:test";
import { describe, expect, it, vi } from "vitest";
import { CIRCUIT_BREAKER_NAME } from "../../../src/forwarding/circuit-breaker.ts";
import worker from "../../../src/index.ts";
import type { FileWakeUp } from "../../../src/messages.ts";
import { withBrokenGates, withFault } from "../../support/faults.ts";
import {
  ACCEPTED,
  accepted,
  advance,
  bringToTheEnd,
  creatorThat,
  deliver,
  deliverFiles,
  gateOfFile,
  recordOf,
  resetCircuitBreaker,
  stuckFileOf,
  wakeUpsOfEachTest,
} from "../../support/forwarding.ts";
import { bindings, createBoundConnection, report } from "../../support/gateway.ts";
import { without } from "../../support/interception.ts";

const wakeUps = wakeUpsOfEachTest();

/** A files-creator that responds after a moment, and measures how many files and bytes are in flight together. */
function meteredCreator(respond: () => Response = ACCEPTED) {
  const inFlight = new Map<string, number>();
  const meter = { mostFiles: 0, mostBytes: 0, alone: new Set<string>(), ended: [] as string[] };
  const creator = creatorThat(async ({ fileId, size }) => {
    inFlight.set(fileId, size);
    meter.mostFiles = Math.max(meter.mostFiles, inFlight.size);
    meter.mostBytes = Math.max(
      meter.mostBytes,
      [...inFlight.values()].reduce((sum, each) => sum + each, 0),
    );
    if (inFlight.size === 1) meter.alone.add(fileId);
    else for (const other of inFlight.keys()) meter.alone.delete(other);
    await scheduler.wait(10);
    inFlight.delete(fileId);
    meter.ended.push(fileId);
    return respond();
  });
  return { ...creator, meter };
}

async function acceptMany(count: number, body?: () => string): Promise<string[]> {
  const connection = await createBoundConnection();
  return Promise.all(Array.from({ length: count }, () => accepted(connection, body?.())));
}

describe("a message that is not a wake-up", () => {
  it.each([
    [null],
    ["FILE_1"],
    [{}],
    [{ file_ids: [] }],
    [{ file_ids: "FILE_1" }],
    [{ file_ids: [1] }],
    [{ file_ids: Array.from({ length: 101 }, () => "FILE_1") }],
  ])("is acknowledged and logged, and the others are forwarded: %j", async (malformed) => {
    const logged = vi.spyOn(console, "error");
    const { received, using } = creatorThat();
    const fileIds = await acceptMany(2);
    const batch = [{ file_ids: [fileIds[0]] }, malformed, { file_ids: [fileIds[1]] }];
    expect(await deliver(batch, using)).toMatchObject({
      acked: expect.arrayContaining([0, 1, 2]),
      retried: [],
    });
    expect(received.map(({ fileId }) => fileId).sort()).toEqual(fileIds.sort());
    expect(logged.mock.calls.flat().join()).toContain(
      "received a message in the files queue that is not a wake-up",
    );
  });

  it("may contain texts that are not file ids", async () => {
    const { received, using } = creatorThat();
    const [fileId = ""] = await acceptMany(1);
    await deliver([{ file_ids: ["", "FILE_", "../../etc", fileId.toLowerCase()] }], using);
    expect(received.map((file) => file.fileId)).toEqual([fileId]);
  });
});

describe("a gate that cannot be reached", () => {
  it("has its message retried later; the other messages of the batch are acknowledged", async () => {
    const { received, using } = creatorThat();
    const [broken = ""] = await acceptMany(1);
    const fine = await acceptMany(2);
    const away = gateOfFile(broken).name ?? "";
    const faulty = withBrokenGates(using, "claim", (name) => name === away);
    const messages = [fine[0], broken, fine[1]].map((fileId) => ({ file_ids: [fileId] }));
    const delivered = await deliver(messages, faulty);
    expect(delivered.acked.sort()).toEqual([0, 2]);
    expect(delivered.retried).toEqual([{ position: 1, delaySeconds: 30 }]);
    expect(received.map(({ fileId }) => fileId).sort()).toEqual(fine.sort());
    await deliverFiles([broken], using);
    expect(received.at(-1)?.fileId).toBe(broken);
  });

  it("while a file is settled, leaves the file leased; the batch goes on", async () => {
    const { received, using } = creatorThat();
    const [lost = "", ...others] = await acceptMany(3);
    const other = await acceptMany(1);
    const faulty = withBrokenGates(using, "settle", (name) => name === gateOfFile(lost).name);
    expect(await deliverFiles([lost, ...others, ...other], faulty)).toEqual({ acked: [0], retried: [] });
    expect(await recordOf(lost)).toMatchObject({ status: "queued" });
    expect(await recordOf(other[0] ?? "")).toMatchObject({ status: "processing" });
    await deliverFiles([lost], using);
    expect(received.filter(({ fileId }) => fileId === lost)).toHaveLength(1);
    await bringToTheEnd(lost, wakeUps, using);
    expect(received.filter(({ fileId }) => fileId === lost).map(({ key }) => key)).toEqual([lost, lost]);
  });
});

it("a file that cannot be released untried stays leased, and its gate's alarm gets it forwarded", async () => {
  const { received, using } = creatorThat();
  const [fileId = ""] = await acceptMany(1);
  await bindings.FORWARDING_GOVERNOR.getByName(CIRCUIT_BREAKER_NAME).observe(0, 5);
  const faulty = withBrokenGates(using, "postpone", () => true);
  expect(await deliverFiles([fileId], faulty)).toEqual({ acked: [0], retried: [] });
  await resetCircuitBreaker();
  await deliverFiles([fileId], using);
  expect(received).toHaveLength(0);
  expect(await recordOf(fileId)).toMatchObject({ status: "queued", attempts: 0 });
  await bringToTheEnd(fileId, wakeUps, using);
  expect(received.map((file) => file.fileId)).toEqual([fileId]);
});

it("a payload that cannot be unsealed is deferred and listed as stuck; the other files are forwarded", async () => {
  const { received, using } = creatorThat();
  const [broken = "", fine = ""] = await acceptMany(2, () => report({ pad: "x".repeat(70_000) }));
  const archived = bindings.ARCHIVE.get.bind(bindings.ARCHIVE);
  vi.spyOn(bindings.ARCHIVE, "get").mockImplementation((async (key: string, options: R2GetOptions) => {
    const object = await archived(key, options);
    if (object === null || !key.includes(broken.slice(-20))) return object;
    const bytes = new Uint8Array(await object.arrayBuffer());
    bytes[100] = (bytes[100] ?? 0) ^ 1;
    return { arrayBuffer: async () => bytes.buffer } as R2ObjectBody;
  }) as typeof archived);
  await deliverFiles([broken, fine], using);
  expect(received.map(({ fileId }) => fileId)).toEqual([fine]);
  expect(await stuckFileOf(broken)).toMatchObject({ reason: "deferred", response_status: null });
});

it("a response that cannot be sealed leaves its file leased; what the batch found is recorded all the same", async () => {
  const logged = vi.spyOn(console, "error");
  const [unsealed = "", deferred = ""] = await acceptMany(2);
  const { received, using } = creatorThat(({ fileId }) =>
    Response.json({ error: `no room for ${fileId}` }, { status: 503 }),
  );
  const encrypt = crypto.subtle.encrypt.bind(crypto.subtle);
  vi.spyOn(crypto.subtle, "encrypt").mockImplementation(async (algorithm, key, plain) => {
    if (new TextDecoder().decode(plain).includes(unsealed)) throw new Error("out of memory");
    return encrypt(algorithm, key, plain);
  });
  expect(await deliverFiles([unsealed, deferred], using)).toEqual({ acked: [0], retried: [] });
  expect(logged.mock.calls.flat().join()).toContain("failed to settle a file");
  expect(await stuckFileOf(deferred)).toMatchObject({ reason: "deferred", response_status: 503 });
  expect(await stuckFileOf(unsealed)).toBeNull();
  expect(await recordOf(unsealed)).toMatchObject({ status: "queued", attempts: 0 });
  vi.mocked(crypto.subtle.encrypt).mockRestore();
  await bringToTheEnd(unsealed, wakeUps, creatorThat().using);
  expect(received.map(({ fileId }) => fileId).sort()).toEqual([unsealed, deferred].sort());
});

describe("a batch keeps in flight", () => {
  it("six files at most, in any order, from any number of gates", async () => {
    const { received, using, meter } = meteredCreator();
    const fileIds = [...(await acceptMany(8)), ...(await acceptMany(8))];
    await deliver(
      fileIds.toReversed().map((fileId) => ({ file_ids: [fileId] })),
      using,
    );
    expect(received).toHaveLength(16);
    expect(meter.mostFiles).toBe(6);
  });

  it("24 MiB of payloads at most: two reports of five megabytes, never three", async () => {
    const { received, using, meter } = meteredCreator();
    const fileIds = await acceptMany(4, () => report({ pad: "x".repeat(5 * 1024 ** 2) }));
    const small = await acceptMany(2);
    await deliverFiles([...fileIds, ...small], using);
    expect(received).toHaveLength(6);
    expect(meter.mostBytes).toBeGreaterThan(10 * 1024 ** 2);
    expect(meter.mostBytes).toBeLessThan(12 * 1024 ** 2);
  });
});

describe("a file that was claimed three times and never settled", () => {
  /** The consumer claims the file and dies, `times` times. */
  async function killsConsumer(fileId: string, times: number) {
    for (let i = 0; i < times; i++) {
      await gateOfFile(fileId).claim([fileId]);
      advance(2 * 3_600_000);
      wakeUps.length = 0;
      await runDurableObjectAlarm(gateOfFile(fileId));
      expect(wakeUps).toHaveLength(1);
    }
  }

  it("is forwarded alone, after all other files are settled", async () => {
    const { received, using, meter } = meteredCreator();
    const [suspect = ""] = await acceptMany(1);
    await killsConsumer(suspect, 3);
    const others = await acceptMany(7);
    await deliverFiles([suspect, ...others], using);
    expect(received).toHaveLength(8);
    expect(meter.ended.at(-1)).toBe(suspect);
    expect(meter.alone.has(suspect)).toBe(true);
    expect(received.at(-1)?.headers.get("X-Audit1-Attempt")).toBe("1");
  });

  it("is forwarded alone even among other suspects", async () => {
    const { using, meter } = meteredCreator();
    const suspects: string[] = [];
    for (let i = 0; i < 3; i++) suspects.push(...(await acceptMany(1)));
    for (const suspect of suspects) await killsConsumer(suspect, 3);
    await deliverFiles(suspects, using);
    expect(meter.mostFiles).toBe(1);
    expect(meter.ended).toHaveLength(3);
  });

  it("is released untried when the suspects before it took too long, and is tried in a later batch", async () => {
    const suspects: string[] = [];
    for (let i = 0; i < 3; i++) suspects.push(...(await acceptMany(1)));
    for (const suspect of suspects) await killsConsumer(suspect, 3);
    const { received, using } = creatorThat(() => {
      advance(61_000);
      return ACCEPTED();
    });
    await deliverFiles(suspects, using);
    expect(received).toHaveLength(1);
    const left = suspects.filter((fileId) => fileId !== received[0]?.fileId);
    for (const fileId of left)
      expect(await recordOf(fileId)).toMatchObject({ status: "queued", attempts: 0 });
    for (const fileId of left) await deliverFiles([fileId], using);
    expect(new Set(received.map(({ fileId }) => fileId))).toEqual(new Set(suspects));
  });

  it("is no longer a suspect once the files-creator has answered", async () => {
    const [file = ""] = await acceptMany(1);
    await killsConsumer(file, 3);
    await deliverFiles([file], creatorThat(() => new Response(null, { status: 503 })).using);
    advance(10_000);
    expect((await gateOfFile(file).claim([file])).files).toMatchObject([{ suspect: false, attempt: 2 }]);
  });

  it("is still a suspect after it was released untried", async () => {
    const [suspect = ""] = await acceptMany(1);
    await killsConsumer(suspect, 3);
    await bindings.FORWARDING_GOVERNOR.getByName("files-creator").observe(0, 5);
    const { received, using } = creatorThat();
    await deliverFiles([suspect], using);
    expect(received).toEqual([]);
    await resetCircuitBreaker();
    advance(3_600_000);
    await runDurableObjectAlarm(gateOfFile(suspect));
    expect((await gateOfFile(suspect).claim([suspect])).files).toMatchObject([{ suspect: true }]);
  });

  it("is not yet a suspect after two claims", async () => {
    const [file = ""] = await acceptMany(1);
    await killsConsumer(file, 2);
    expect((await gateOfFile(file).claim([file])).files).toMatchObject([{ suspect: false }]);
  });
});

describe("the circuit breaker", () => {
  it("when it cannot be reached, every file is posted", async () => {
    const { received, using } = creatorThat();
    const fileIds = await acceptMany(3);
    const unreachable = without("FORWARDING_GOVERNOR", Number.POSITIVE_INFINITY, using);
    const delivered = await deliverFiles(fileIds, unreachable);
    expect(delivered).toEqual({ acked: [0], retried: [] });
    expect(received).toHaveLength(3);
  });

  it("is asked once per batch, and updated at most once: after failures, and after the first successes that follow them", async () => {
    const asked = async (status: number) => {
      const fileIds = [...(await acceptMany(2)), ...(await acceptMany(2))];
      const answering = creatorThat(() => (status === 200 ? ACCEPTED() : new Response(null, { status })));
      const { using, calls } = withFault(answering.using, null);
      await deliver(
        fileIds.map((fileId) => ({ file_ids: [fileId] })),
        using,
      );
      return calls.filter((call) => call.startsWith("circuit-breaker"));
    };
    expect(await asked(200)).toEqual(["circuit-breaker.permit"]);
    expect(await asked(503)).toEqual(["circuit-breaker.permit", "circuit-breaker.observe"]);
    expect(await asked(200)).toEqual(["circuit-breaker.permit", "circuit-breaker.observe"]);
    expect(await asked(200)).toEqual(["circuit-breaker.permit"]);
  });

  it("holds files back during an outage without counting an attempt, and lets every file through afterwards", async () => {
    // Time stands still: on a busy machine, the breaker would send its first probe meanwhile.
    advance(0);
    let up = false;
    const { received, using } = creatorThat(() => (up ? ACCEPTED() : new Response(null, { status: 503 })));
    const fileIds = await acceptMany(12);
    await deliverFiles(fileIds, using);
    expect(received).toHaveLength(12);
    received.length = 0;
    const more = await acceptMany(12);
    await deliverFiles(more, using);
    expect(received).toEqual([]);
    for (const fileId of more)
      expect(await recordOf(fileId)).toMatchObject({ status: "queued", attempts: 0 });
    expect(await stuckFileOf(more[0] ?? "")).toBeNull();

    for (let minute = 0; minute < 10; minute++) {
      advance(60_000);
      await deliverFiles([...fileIds, ...more], using);
    }
    expect(received.length).toBeLessThanOrEqual(10);
    up = true;
    received.length = 0;
    for (let round = 0; round < 12; round++) {
      advance(20 * 60_000);
      await deliverFiles([...fileIds, ...more], using);
    }
    expect(received.map(({ key }) => key).sort()).toEqual([...fileIds, ...more].sort());
  });

  it("ignores reports that the files-creator refuses", async () => {
    const { using } = creatorThat(() => new Response(null, { status: 422 }));
    await deliverFiles(await acceptMany(10), using);
    const { received, using: fine } = creatorThat();
    await deliverFiles(await acceptMany(3), fine);
    expect(received).toHaveLength(3);
  });
});

describe("queues", () => {
  it.each(["audit1-files", "audit1-files-staging", "audit1-files-dead", "audit1-files-dead-staging"])(
    "%s has a consumer",
    async (queue) => {
      expect(await deliver([{ file_ids: ["no file"] }], bindings, queue)).toEqual({
        acked: [0],
        retried: [],
      });
    },
  );

  it.each(["audit1-elsewhere", "audit1-files-production", "x-audit1-files", ""])(
    "an unknown queue throws: %j",
    async (queue) => {
      const batch = createMessageBatch<FileWakeUp>(queue, []);
      await expect(worker.queue(batch, bindings)).rejects.toThrow(
        `no consumer is known for the queue ${queue}`,
      );
    },
  );
});

describe("the dead-letter queue", () => {
  const dead = (bodies: unknown[], using = bindings) => deliver(bodies, using, "audit1-files-dead");

  it("pokes the files' gates, lists the files that are still queued, and acknowledges", async () => {
    const fileIds = await acceptMany(2);
    const [done = ""] = await acceptMany(1);
    await deliverFiles([done], creatorThat().using);
    const { using, calls } = withFault(bindings, null);
    expect(await dead([{ file_ids: [...fileIds, done] }], using)).toEqual({ acked: [0], retried: [] });
    expect(calls.filter((call) => call === "gate.poke")).toHaveLength(3);
    for (const fileId of fileIds) {
      expect(await stuckFileOf(fileId)).toMatchObject({
        reason: "consumer_died",
        response_status: null,
        attempts: 0,
      });
    }
    expect(await stuckFileOf(done)).toBeNull();
  });

  it("loses nothing: the gate's alarm gets the file forwarded", async () => {
    const { received, using } = creatorThat();
    const [fileId = ""] = await acceptMany(1);
    wakeUps.length = 0;
    await dead([{ file_ids: [fileId] }]);
    await bringToTheEnd(fileId, wakeUps, using);
    expect(received.map(({ key }) => key)).toEqual([fileId]);
  });

  it("retries a message whose gate cannot be reached; the others are acknowledged", async () => {
    const [broken = ""] = await acceptMany(1);
    const [fine = ""] = await acceptMany(1);
    const using = withBrokenGates(bindings, "poke", (name) => name === gateOfFile(broken).name);
    const messages = [{ file_ids: [broken] }, { file_ids: [fine] }];
    expect(await dead(messages, using)).toEqual({
      acked: [1],
      retried: [{ position: 0, delaySeconds: 60 }],
    });
    expect(await stuckFileOf(fine)).toMatchObject({ reason: "consumer_died" });
    expect(await stuckFileOf(broken)).toBeNull();
  });

  it.each([[null], [{}], [{ file_ids: ["nonsense"] }]])(
    "acknowledges a message without file ids: %j",
    async (body) => {
      expect(await dead([body])).toEqual({ acked: [0], retried: [] });
    },
  );
});
