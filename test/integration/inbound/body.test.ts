/** Reading bodies from real streams: the limit, the deadline, a sender that disconnects, and the isolate's budget. */
import { describe, expect, it } from "vitest";
import { utf8 } from "../../../src/crypto/encoding.ts";
import { readBody } from "../../../src/http/body.ts";
import { BodyBudget } from "../../../src/http/body-budget.ts";
import {
  bindings,
  createBoundConnection,
  inboundPath,
  post,
  report,
  send,
  sign,
} from "../../support/gateway.ts";
import { expectNothingStored } from "../../support/intake.ts";

const KIB = 1_024;
const MIB = 1_024 ** 2;
const PREFIX = utf8("1772323200000.");

/** A sender whose chunks are made when they are asked for, and what became of it. */
function sender(chunkBytes: number, chunks: number, then: "ends" | "stalls" | "breaks" = "ends") {
  const seen = { pulledBytes: 0, cancelled: null as unknown };
  let left = chunks;
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (left-- > 0) {
          seen.pulledBytes += chunkBytes;
          return controller.enqueue(new Uint8Array(chunkBytes).fill(chunks - left));
        }
        if (then === "ends") return controller.close();
        if (then === "breaks") return controller.error(new Error("the sender hung up"));
        return new Promise<void>(() => undefined);
      },
      cancel(reason) {
        seen.cancelled = reason;
      },
    },
    { highWaterMark: 0 },
  );
  return { stream, seen };
}

/** {@link readBody} of a request with this stream. */
function readStream(stream: ReadableStream<Uint8Array> | null, ...rest: Rest) {
  return readBody({ body: stream, arrayBuffer: () => new Response(stream).arrayBuffer() }, ...rest);
}
type Rest = Parameters<typeof readBody> extends [unknown, ...infer R] ? R : never;

/** True when the whole budget is free again: one more body of its size fits without waiting. */
function isFree(budget: BodyBudget, totalBytes: number): boolean {
  const share = budget.open();
  const waits = share.acquire(totalBytes);
  share.close();
  return waits === undefined;
}

describe("readBody", () => {
  it("returns the body's bytes in order, and the signed bytes with the prefix before them, in one piece", async () => {
    const budget = new BodyBudget();
    const read = await readStream(sender(3, 4).stream, PREFIX, 100, budget);
    if (!read.ok) throw new Error(read.error);
    expect([...read.value.body]).toEqual([1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]);
    expect([...read.value.signed]).toEqual([...PREFIX, ...read.value.body]);
    expect(read.value.body.buffer).toBe(read.value.signed.buffer);
    read.value.release();
  });

  it.each([
    { what: "no body", stream: null },
    { what: "an empty stream", stream: sender(1, 0).stream },
    { what: "empty chunks", stream: sender(0, 3).stream },
  ])("reads $what as zero bytes", async ({ stream }) => {
    const read = await readStream(stream, PREFIX, 100, new BodyBudget());
    expect(read).toMatchObject({ ok: true, value: { body: new Uint8Array(0), signed: PREFIX } });
  });

  it.each([
    { bytes: 100, ok: true },
    { bytes: 101, ok: false },
  ])("with a limit of 100 bytes accepts $bytes: $ok", async ({ bytes, ok }) => {
    expect((await readStream(sender(1, bytes).stream, PREFIX, 100, new BodyBudget())).ok).toBe(ok);
  });

  it("stops an endless body at the limit: no more is pulled, the sender is cancelled, nothing is held", async () => {
    const budget = new BodyBudget(2 * MIB);
    const { stream, seen } = sender(64 * KIB, Number.POSITIVE_INFINITY);
    expect(await readStream(stream, PREFIX, MIB, budget)).toEqual({ ok: false, error: "too_large" });
    expect(seen.pulledBytes).toBeLessThanOrEqual(MIB + 64 * KIB);
    expect(seen.cancelled).toBe("too_large");
    expect(isFree(budget, 2 * MIB)).toBe(true);
  });

  it("does not hold a single chunk that is larger than the limit", async () => {
    const budget = new BodyBudget(MIB);
    const { stream, seen } = sender(4 * MIB, 2);
    expect(await readStream(stream, PREFIX, MIB, budget)).toEqual({ ok: false, error: "too_large" });
    expect(seen.pulledBytes).toBe(4 * MIB);
    expect(isFree(budget, MIB)).toBe(true);
  });

  it("gives up on a sender that stalls, at the deadline for the whole body", async () => {
    const budget = new BodyBudget(MIB);
    const { stream, seen } = sender(KIB, 5, "stalls");
    expect(await readStream(stream, PREFIX, MIB, budget, 50)).toEqual({ ok: false, error: "timeout" });
    expect(seen.cancelled).toBe("timeout");
    expect(isFree(budget, MIB)).toBe(true);
  });

  it("gives up on a sender that trickles: the deadline is for the body, not for each byte", async () => {
    const stream = new ReadableStream<Uint8Array>({
      async pull(controller) {
        await scheduler.wait(10);
        controller.enqueue(new Uint8Array(1));
      },
    });
    const startedAt = Date.now();
    expect(await readStream(stream, PREFIX, MIB, new BodyBudget(), 100)).toEqual({
      ok: false,
      error: "timeout",
    });
    expect(Date.now() - startedAt).toBeLessThan(1_000);
  });

  it("gives up at the deadline while it waits for the budget, and leaves the line", async () => {
    const budget = new BodyBudget(MIB);
    const [holder, favoured] = [budget.open(), budget.open()];
    await holder.acquire(MIB);
    await favoured.acquire(MIB);
    const { stream, seen } = sender(512 * KIB, 2);
    expect(await readStream(stream, PREFIX, MIB, budget, 50)).toEqual({ ok: false, error: "timeout" });
    expect(seen.cancelled).toBe("timeout");
    holder.close();
    favoured.close();
    expect(isFree(budget, MIB)).toBe(true);
  });

  it("tells a sender who hung up, and holds nothing", async () => {
    const budget = new BodyBudget(MIB);
    const { stream } = sender(KIB, 5, "breaks");
    expect(await readStream(stream, PREFIX, MIB, budget)).toEqual({ ok: false, error: "aborted" });
    expect(isFree(budget, MIB)).toBe(true);
  });

  it("allocates little more than was sent, in larger pieces for larger bodies", async () => {
    const rooms: number[] = [];
    let left = 1 * MIB;
    const stream = new ReadableStream({
      type: "bytes",
      pull(controller) {
        const view = controller.byobRequest?.view;
        if (!view) throw new Error("nobody made room");
        rooms.push(view.byteLength);
        left -= view.byteLength;
        controller.byobRequest?.respond(view.byteLength);
        if (left <= 0) controller.close();
      },
    });
    const read = await readStream(stream, PREFIX, 2 * MIB, new BodyBudget());
    expect(read.ok && read.value.body.byteLength).toBeGreaterThanOrEqual(1 * MIB);
    let sent = 0;
    for (const room of rooms) {
      expect(room).toBeLessThanOrEqual(sent + 4 * KIB);
      sent += room;
    }
    expect(rooms.at(-1)).toBe(64 * KIB);
  });

  it("holds what it read until it is released, and no longer", async () => {
    const budget = new BodyBudget(MIB);
    const read = await readStream(sender(64 * KIB, 16).stream, PREFIX, MIB, budget);
    if (!read.ok) throw new Error(read.error);
    expect(isFree(budget, 512 * KIB)).toBe(false);
    read.value.release();
    read.value.release();
    expect(isFree(budget, MIB)).toBe(true);
  });
});

describe("readBody, for a body that is declared as small", () => {
  it("returns the same bytes, and holds them until they are released", async () => {
    const budget = new BodyBudget(MIB);
    const read = await readStream(sender(3, 4).stream, PREFIX, 100, budget, 5_000, 12);
    if (!read.ok) throw new Error(read.error);
    expect([...read.value.signed]).toEqual([...PREFIX, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]);
    expect(read.value.body).toEqual(read.value.signed.subarray(PREFIX.byteLength));
    expect(isFree(budget, MIB)).toBe(false);
    read.value.release();
    expect(isFree(budget, MIB)).toBe(true);
  });

  it("holds the declared size from the start: senders that declare a body and send none are counted", async () => {
    const budget = new BodyBudget(MIB);
    const reading = readStream(sender(1, 1, "stalls").stream, PREFIX, MIB, budget, 50, 64 * KIB);
    expect(isFree(budget, MIB - 32 * KIB)).toBe(false);
    expect(await reading).toEqual({ ok: false, error: "timeout" });
    expect(isFree(budget, MIB)).toBe(true);
  });

  it("reads no more than the limit, whatever was declared", async () => {
    const budget = new BodyBudget(MIB);
    const read = await readStream(sender(50, 4).stream, PREFIX, 100, budget, 5_000, 12);
    expect(read).toEqual({ ok: false, error: "too_large" });
    expect(isFree(budget, MIB)).toBe(true);
  });

  it("tells a sender who hung up, and holds nothing", async () => {
    const budget = new BodyBudget(MIB);
    const { stream } = sender(KIB, 5, "breaks");
    expect(await readStream(stream, PREFIX, MIB, budget, 5_000, 8 * KIB)).toEqual({
      ok: false,
      error: "aborted",
    });
    expect(isFree(budget, MIB)).toBe(true);
  });
});

describe("the budget", () => {
  const read = async (budget: BodyBudget, bytes: number) => {
    const body = await readStream(sender(64 * KIB, bytes / (64 * KIB)).stream, PREFIX, bytes, budget, 5_000);
    if (body.ok) body.value.release();
    return body.ok;
  };

  it.each([2, 3, 5, 12])("never deadlocks: %i full bodies at once all arrive", async (bodies) => {
    const budget = new BodyBudget(4 * MIB);
    const reads = await Promise.all(Array.from({ length: bodies }, () => read(budget, 3 * MIB)));
    expect(reads).toEqual(Array(bodies).fill(true));
    expect(isFree(budget, 4 * MIB)).toBe(true);
  });

  it("is exceeded by one body at most", async () => {
    const budget = new BodyBudget(4 * MIB);
    const shares = Array.from({ length: 8 }, () => budget.open());
    let held = 0;
    let highest = 0;
    await Promise.all(
      shares.map(async (share) => {
        for (let taken = 0; taken < 3 * MIB; taken += 512 * KIB) {
          await share.acquire(512 * KIB);
          held += 512 * KIB;
          highest = Math.max(highest, held);
          await scheduler.wait(0);
        }
        share.close();
        held -= 3 * MIB;
      }),
    );
    expect(highest).toBeLessThanOrEqual(7 * MIB);
    expect(held).toBe(0);
  });

  it("is not used up by slow senders: they hold only what they sent", async () => {
    const budget = new BodyBudget(4 * MIB);
    const slow = Array.from({ length: 6 }, () =>
      readStream(sender(64 * KIB, 8, "stalls").stream, PREFIX, 3 * MIB, budget, 800),
    );
    const reads = await Promise.all(Array.from({ length: 4 }, () => read(budget, 3 * MIB)));
    expect(reads).toEqual([true, true, true, true]);
    expect(await Promise.all(slow)).toEqual(slow.map(() => ({ ok: false, error: "timeout" })));
  });

  it("recovers when slow senders hold all of it", async () => {
    const budget = new BodyBudget(4 * MIB);
    const slow = Array.from({ length: 4 }, () => budget.open());
    for (const share of slow) await share.acquire(MIB);
    expect(await Promise.all(Array.from({ length: 4 }, () => read(budget, 3 * MIB)))).toEqual([
      true,
      true,
      true,
      true,
    ]);
    for (const share of slow) share.close();
    expect(isFree(budget, 4 * MIB)).toBe(true);
  });

  it("never lets a small body wait", async () => {
    const budget = new BodyBudget(MIB);
    const [holder, waiting] = [budget.open(), budget.open()];
    await holder.acquire(MIB);
    const favoured = budget.open();
    await favoured.acquire(MIB);
    const waits = waiting.acquire(MIB);
    expect(waits).toBeInstanceOf(Promise);
    const small = budget.open();
    expect(small.acquire(256 * KIB)).toBeUndefined();
    expect(small.acquire(1)).toBeInstanceOf(Promise);
    for (const share of [holder, favoured, small]) share.close();
    await waits;
    waiting.close();
    expect(isFree(budget, MIB)).toBe(true);
  });

  it("serves waiting bodies in the order in which they arrived", async () => {
    const budget = new BodyBudget(MIB);
    const [holder, favoured] = [budget.open(), budget.open()];
    await holder.acquire(MIB);
    await favoured.acquire(MIB);
    const order: number[] = [];
    const shares = [1, 2, 3].map((number) => ({ number, share: budget.open() }));
    const waits = shares.map(async ({ number, share }) => {
      await share.acquire(MIB);
      order.push(number);
      await scheduler.wait(0);
      share.close();
    });
    holder.close();
    favoured.close();
    await Promise.all(waits);
    expect(order).toEqual([1, 2, 3]);
  });

  it("gets a share back once, even if it is closed twice", () => {
    const budget = new BodyBudget(MIB);
    const [one, other] = [budget.open(), budget.open()];
    one.acquire(512 * KIB);
    other.acquire(512 * KIB);
    one.close();
    one.close();
    expect(isFree(budget, 512 * KIB)).toBe(true);
    expect(isFree(budget, 512 * KIB + 1)).toBe(false);
  });
});

describe("over HTTP", () => {
  const chunked = async (body: ReadableStream<Uint8Array>, signedBody: string, using = bindings) => {
    const connection = await createBoundConnection();
    const timestamp = String(Date.now());
    const headers = {
      "X-Webhook-Timestamp": timestamp,
      "X-Webhook-Signature": await sign(connection.secret, timestamp, signedBody),
    };
    return {
      connection,
      answer: await send(inboundPath(connection), { method: "POST", headers, body }, using),
    };
  };

  it("an undeclared body in many chunks is the body that was signed", async () => {
    const body = report({ note: "Zoë 李 😀".repeat(20) });
    const bytes = utf8(body);
    let at = 0;
    const stream = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (at >= bytes.byteLength) return controller.close();
        controller.enqueue(bytes.slice(at, at + 7));
        at += 7;
      },
    });
    expect((await chunked(stream, body)).answer.status).toBe(202);
  });

  it("an undeclared body that does not end is answered 413 and cancelled", async () => {
    const { stream, seen } = sender(4 * KIB, Number.POSITIVE_INFINITY);
    const { connection, answer } = await chunked(stream, "", { ...bindings, MAX_BODY_BYTES: "65536" });
    expect(answer.status).toBe(413);
    expect(seen.pulledBytes).toBeLessThan(512 * KIB);
    await expectNothingStored(connection);
  });

  it("a body that breaks off is answered 503, and nothing is stored", async () => {
    const { stream } = sender(KIB, 2, "breaks");
    const { connection, answer } = await chunked(stream, "");
    expect(answer.status).toBe(503);
    await expectNothingStored(connection);
  });

  it("several bodies of ten MiB at once are all accepted", async () => {
    const connection = await createBoundConnection();
    const answers = await Promise.all(
      Array.from({ length: 4 }, (_, i) =>
        post(connection, report({ i, note: "x".repeat(10 * MIB - 1_000) })),
      ),
    );
    expect(answers.map((answer) => answer.status)).toEqual(answers.map(() => 202));
  });
});
