import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { mintFileId } from "../../src/gate/file-id.ts";
import { type FileWakeUp, WakeUps, wakeUpsFor } from "../../src/messages.ts";

const metrics = { backlogCount: 0, backlogBytes: 0 };
/** The messages of each send. */
let sends: FileWakeUp[][];
const queue: Queue<FileWakeUp> = {
  metrics: async () => metrics,
  send: () => Promise.reject(new Error("wake-ups leave in batches")),
  sendBatch: async (messages) => {
    sends.push([...messages].map(({ body }) => body));
    return { metadata: { metrics } };
  },
};

beforeEach(() => {
  sends = [];
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

describe("wake-ups", () => {
  const idsOf = (gate: string, count: number) =>
    Array.from({ length: count }, () => mintFileId({ kind: "connection", id: gate.repeat(24) }, Date.now()));

  it("of many requests are sent together, ten files per message, sorted by gate", async () => {
    const all = new WakeUps();
    const ids = [...idsOf("a", 25), ...idsOf("b", 3)];
    await Promise.all(ids.map((id, index) => all.add(id, index, queue)));
    const [sent, ...more] = sends;
    expect(more).toEqual([]);
    expect(sent?.map(({ file_ids }) => file_ids.length)).toEqual([10, 10, 8]);
    expect(sent?.flatMap(({ file_ids }) => file_ids)).toEqual(ids.toSorted());
    const acceptedMs = sent?.flatMap(({ file_ids, accepted_ms }) =>
      file_ids.map((id, index) => [id, accepted_ms?.[index]]),
    );
    expect(acceptedMs).toEqual(ids.toSorted().map((id) => [id, ids.indexOf(id)]));
  });

  it("that exceed one send are split into several", async () => {
    const all = new WakeUps();
    const gates = Array.from({ length: 2_300 }, (_, i) => i.toString(16).padStart(24, "0"));
    const ids = gates.map((id) => mintFileId({ kind: "connection", id }, 0));
    await Promise.all(ids.map((id) => all.add(id, 1, queue)));
    expect(sends.map((sent) => sent.length)).toEqual([100, 100, 30]);
  });

  it("left behind by a request that died are sent by the next one", async () => {
    const all = new WakeUps();
    const [first = "", second = ""] = idsOf("a", 2);
    vi.spyOn(scheduler, "wait").mockReturnValueOnce(new Promise(() => undefined));
    all.add(first, 7, queue);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 200 });
    await all.add(second, 7, queue);
    expect(sends).toEqual([[{ file_ids: [first, second].sort(), accepted_ms: [7, 7] }]]);
  });

  it("added after a send are sent as well", async () => {
    const all = new WakeUps();
    const [first = "", second = ""] = idsOf("a", 2);
    await all.add(first, 7, queue);
    await all.add(second, 7, queue);
    expect(sends).toEqual([
      [{ file_ids: [first], accepted_ms: [7] }],
      [{ file_ids: [second], accepted_ms: [7] }],
    ]);
  });

  it("are as few as possible, whatever the gates", () => {
    const ids = [...idsOf("a", 2), ...idsOf("b", 2), ...idsOf("a", 1)];
    expect(wakeUpsFor(ids)).toEqual([{ file_ids: ids.toSorted() }]);
  });
});
