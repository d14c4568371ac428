import { evictDurableObject, runDurableObjectAlarm } from "cloudflare:test";
import { describe, expect, it, vi } from "vitest";
import { type Fault, withFault } from "../../support/faults.ts";
import {
  ACCEPTED,
  accepted,
  advance,
  answering,
  bringToTheEnd,
  creatorThat,
  deliver,
  deliverFiles,
  gateOfFile,
  recordOf,
  runCron,
  stuckFileOf,
  wakeUpsOfEachTest,
} from "../../support/forwarding.ts";
import {
  bindings,
  createBoundConnection,
  portal,
  post,
  report,
  signedRequest,
} from "../../support/gateway.ts";

const HOUR_MS = 3_600_000;
const wakeUps = wakeUpsOfEachTest();

describe("a consumer that fails between any two of its steps", () => {
  // A large report on its second attempt uses every binding.
  const steps = [
    "gate.claim",
    "circuit-breaker.permit",
    "archive.get",
    "files-creator.fetch",
    "gate.settle",
    "circuit-breaker.observe",
    "db.batch",
  ];
  const large = () => report({ pad: "x".repeat(70_000) });

  it("performs these steps", async () => {
    const fileId = await accepted(await createBoundConnection(), large());
    await deliverFiles([fileId], creatorThat(answering(503)).using);
    advance(HOUR_MS);
    const { using, calls } = withFault(creatorThat().using, null);
    await deliverFiles([fileId], using);
    expect(calls).toEqual(steps);
  });

  const cases = steps.flatMap((step, i) =>
    (["before it took effect", "after it took effect"] as const).flatMap((took) =>
      (
        [
          ["throws", "and lives on"],
          ["throws", "and dies"],
          ["pends", "and lives on"],
        ] as const
      ).map(([how, then]): [string, string, Fault] => [
        `${step} ${how} ${took} ${then}`,
        step,
        { call: i + 1, took, how, then },
      ]),
    ),
  );

  it.each(cases)("still makes exactly one file: %s", async (_name, step, fault) => {
    const { received, using } = creatorThat(answering(503));
    const fileId = await accepted(await createBoundConnection(), large());
    await deliverFiles([fileId], using);
    expect(await stuckFileOf(fileId)).toMatchObject({ reason: "deferred" });
    advance(HOUR_MS);

    const message = await deliverFiles([fileId], withFault(using, fault).using);
    expect(message.acked.length + message.retried.length).toBe(1);
    // The queue delivers the message again: the file is leased, settled, or free to be claimed.
    if (message.retried.length > 0) await deliverFiles([fileId], using);
    await bringToTheEnd(fileId, wakeUps, using);

    const posted = received.slice(1);
    // The files-creator sees a repeat only after a lost answer, or when the consumer died before it settled the file.
    const unknown =
      (step === "files-creator.fetch" && fault.took === "after it took effect") ||
      (step === "gate.settle" && fault.took === "before it took effect" && fault.then === "and dies");
    expect(posted).toHaveLength(unknown ? 2 : 1);
    expect(new Set(received.map(({ key }) => key))).toEqual(new Set([fileId]));
    expect(new Set(received.map(({ sha256 }) => sha256)).size).toBe(1);
    expect(await recordOf(fileId)).toMatchObject({ status: "processing", generation: 1 });
    await runCron(advance(3 * HOUR_MS));
    expect(await stuckFileOf(fileId)).toBeNull();
    await deliverFiles([fileId], using);
    expect(received.slice(1)).toHaveLength(posted.length);
  });
});

describe("an object that is evicted", () => {
  it("between admission and wake-up still has the report", async () => {
    const { received, using } = creatorThat();
    const fileId = await accepted(await createBoundConnection());
    await evictDurableObject(gateOfFile(fileId));
    await deliverFiles([fileId], using);
    expect(received.map(({ key }) => key)).toEqual([fileId]);
  });

  it("before its only wake-up was sent wakes the consumer with its alarm", async () => {
    const { received, using } = creatorThat();
    const fileId = await accepted(await createBoundConnection());
    wakeUps.length = 0;
    await evictDurableObject(gateOfFile(fileId));
    advance(61_000);
    expect(await runDurableObjectAlarm(gateOfFile(fileId))).toBe(true);
    expect(wakeUps).toEqual([{ file_ids: [fileId] }]);
    await deliver(wakeUps, using);
    expect(received).toHaveLength(1);
  });

  it("while a consumer is posting still accepts that consumer's success", async () => {
    const { received, using } = creatorThat(async ({ fileId }) => {
      await evictDurableObject(gateOfFile(fileId));
      return ACCEPTED();
    });
    const fileId = await accepted(await createBoundConnection());
    await deliverFiles([fileId], using);
    expect(received).toHaveLength(1);
    expect(await recordOf(fileId)).toMatchObject({ status: "processing", attempts: 1 });
  });
});

describe("consumers that overlap", () => {
  /** A consumer whose POST hangs; meanwhile the file's gate restarts and loses the lease. */
  async function slowConsumer(fileId: string, answer: () => Response) {
    const { promise: answered, resolve } = Promise.withResolvers<Response>();
    const { received, using } = creatorThat(() => answered);
    const ended = deliverFiles([fileId], using);
    await vi.waitFor(() => expect(received).toHaveLength(1));
    await evictDurableObject(gateOfFile(fileId));
    return {
      finish: () => {
        resolve(answer());
        return ended;
      },
    };
  }

  it("never undo a success with a late deferral", async () => {
    const fileId = await accepted(await createBoundConnection());
    const slow = await slowConsumer(fileId, () => new Response(null, { status: 503 }));
    await deliverFiles([fileId], creatorThat().using);
    await slow.finish();
    expect(await recordOf(fileId)).toMatchObject({ status: "processing", attempts: 1 });
    expect(await stuckFileOf(fileId)).toBeNull();
  });

  it("never undo a success with a late refusal", async () => {
    const fileId = await accepted(await createBoundConnection());
    const slow = await slowConsumer(fileId, () => new Response(null, { status: 422 }));
    await deliverFiles([fileId], creatorThat().using);
    await slow.finish();
    expect(await recordOf(fileId)).toMatchObject({ status: "processing" });
    expect(await stuckFileOf(fileId)).toBeNull();
  });

  it("settle a file with a late success although it was deferred meanwhile", async () => {
    const { received, using } = creatorThat(answering(503));
    const fileId = await accepted(await createBoundConnection());
    const slow = await slowConsumer(fileId, ACCEPTED);
    await deliverFiles([fileId], using);
    await slow.finish();
    expect(await recordOf(fileId)).toMatchObject({ status: "processing" });
    advance(HOUR_MS);
    await deliverFiles([fileId], using);
    expect(received).toHaveLength(1);
  });

  it("do not count a late success of an earlier generation for the current one", async () => {
    const fileId = await accepted(await createBoundConnection());
    const slow = await slowConsumer(fileId, ACCEPTED);
    await portal("POST", "/events", { id: "evt_slow", type: "file.processed", data: { fileId } });
    expect((await portal("POST", `/files/${fileId}/replay`)).json).toMatchObject({ generation: 2 });
    await slow.finish();
    expect(await recordOf(fileId)).toMatchObject({ status: "queued", generation: 2 });
    const { received, using } = creatorThat();
    await deliverFiles([fileId], using);
    expect(received.map(({ key }) => key)).toEqual([`${fileId}.2`]);
  });

  it("forward a file once when messages are delivered twice, at once or one after the other", async () => {
    const { received, using } = creatorThat();
    const connection = await createBoundConnection();
    const fileIds = await Promise.all(Array.from({ length: 5 }, () => accepted(connection)));
    const messages = fileIds.map((fileId) => ({ file_ids: [fileId] }));
    await Promise.all([
      deliver([...messages, ...messages], using),
      deliver(messages.toReversed(), using),
      deliver([{ file_ids: [...fileIds, ...fileIds] }], using),
    ]);
    await deliver(messages, using);
    expect(received.map(({ key }) => key).sort()).toEqual(fileIds.sort());
  });
});

describe("when every wake-up is lost", () => {
  it("the gate's alarm gets each report forwarded once", async () => {
    const { received, using } = creatorThat();
    const connection = await createBoundConnection();
    const fileIds = [];
    for (let i = 0; i < 25; i++) fileIds.push(await accepted(connection));
    wakeUps.length = 0;
    advance(61_000);
    await runDurableObjectAlarm(gateOfFile(fileIds[0] ?? ""));
    expect(wakeUps.map(({ file_ids }) => file_ids.length)).toEqual([10, 10, 5]);
    await deliver(wakeUps, using);
    expect(received.map(({ key }) => key).sort()).toEqual(fileIds.sort());
  });

  it("for hours, and the queue is down too, no file is lost or becomes a suspect, and the backlog drains", async () => {
    const { received, using } = creatorThat();
    const connection = await createBoundConnection();
    const fileIds = await Promise.all([accepted(connection), accepted(connection)]);
    const [fileId = ""] = fileIds;
    const queue = vi.mocked(bindings.FILES.sendBatch);
    for (let minute = 0; minute < 30; minute++) {
      queue.mockRejectedValueOnce(new Error("the queue is down"));
      advance(7 * 60_000);
      await runDurableObjectAlarm(gateOfFile(fileId));
    }
    queue.mockClear();
    wakeUps.length = 0;
    advance(7 * 60_000);
    await runDurableObjectAlarm(gateOfFile(fileId));
    expect(wakeUps).toHaveLength(1);
    const claim = await gateOfFile(fileId).claim(fileIds);
    expect(claim.files.map(({ suspect }) => suspect)).toEqual([false, false]);
    await evictDurableObject(gateOfFile(fileId));
    await deliver(wakeUps, using);
    expect(received.map(({ key }) => key).sort()).toEqual(fileIds.sort());
  });
});

it("the same signed request, sent many times while its file is forwarded, makes one file", async () => {
  const { received, using } = creatorThat();
  const connection = await createBoundConnection();
  const request = await signedRequest(connection);
  const timestamp = String(new Headers(request.headers).get("X-Webhook-Timestamp"));
  const again = () => post(connection, String(request.body), { timestamp });
  const answers = await Promise.all(Array.from({ length: 8 }, again));
  await deliver(wakeUps.splice(0), using);
  answers.push(await again());
  await deliver(wakeUps.splice(0), using);
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]));
  const fileIds = new Set(answers.map(({ json }) => json.file_id));
  expect(fileIds.size).toBe(1);
  expect(received.map(({ key }) => key)).toEqual([...fileIds]);
  expect(answers.filter(({ json }) => !json.duplicate)).toHaveLength(1);
});
