import { describe, expect, it } from "vitest";
import { FILE_LEASE_MS } from "../../../src/gate/file-lifecycle.ts";
import type { FileStatus, Outcome, ProgressReport } from "../../../src/gate/protocol.ts";
import {
  type Bench,
  DAY,
  HOUR,
  inGate,
  MINUTE,
  newGate,
  onInbox,
  randomBytes,
  SECOND,
  seqOf,
} from "../../support/gate.ts";

const FORWARDED: Outcome = { kind: "forwarded", recordsTotal: 3 };
const REFUSED: Outcome = { kind: "refused", responseStatus: 422, error: new Uint8Array([1]) };
const DEFERRED: Outcome = {
  kind: "deferred",
  responseStatus: 503,
  retryAfterMs: null,
  error: new Uint8Array([2]),
};
const POSTPONED: Outcome = { kind: "postponed", retryAfterMs: 10 * SECOND };

function tokenOf(bench: Bench, fileId: string): string {
  const claimed = bench.claim(fileId);
  if (claimed === undefined) throw new Error("it cannot be claimed");
  return claimed.token;
}

function report(
  bench: Bench,
  fileId: string,
  status: ProgressReport["status"],
  fields: Partial<ProgressReport> = {},
) {
  return bench.lifecycle.report(
    seqOf(fileId),
    { eventId: `evt_${status}`, status, ...fields },
    bench.clock.now,
  );
}

/** Brings a fresh file to a status in the ordinary way. */
function bring(bench: Bench, fileId: string, status: FileStatus): void {
  if (status === "queued") return;
  bench.forward(fileId, status === "failed" ? REFUSED : FORWARDED);
  if (status === "completed") report(bench, fileId, "completed", { eventId: "evt_earlier" });
}

describe("the way of a file", () => {
  const recordOf = (bench: Bench, fileId: string) => {
    const row = bench.row(fileId);
    return row && bench.lifecycle.record(row);
  };

  it("tells when it was signed, admitted and queued, and each attempt through restarts and a replay", async () => {
    await inGate(await newGate(), async (bench) => {
      const start = bench.clock.now;
      const fileId = bench.accept({ signed: { signature: "ab".repeat(32), timestampMs: start - 7 } });
      expect(recordOf(bench, fileId)).toMatchObject({
        signedAt: start - 7,
        admittedAt: start,
        queuedAt: start,
        tries: [],
        isArchived: false,
        archivedAt: null,
        archiveDueAt: null,
      });
      bench.clock.now += SECOND;
      bench.forward(fileId, DEFERRED);
      bench.clock.now += MINUTE;
      bench.forward(fileId, { ...DEFERRED, responseStatus: null });
      bench.restart();
      bench.clock.now += MINUTE;
      bench.forward(fileId, FORWARDED);
      report(bench, fileId, "failed");
      bench.clock.now += HOUR;
      bench.lifecycle.replay(seqOf(fileId), bench.clock.now);
      bench.clock.now += SECOND;
      bench.forward(fileId, REFUSED);
      const forwardedAt = start + SECOND + 2 * MINUTE;
      expect(recordOf(bench, fileId)).toMatchObject({
        queuedAt: forwardedAt + HOUR,
        forwardedAt,
        tries: [
          { generation: 1, at: start + SECOND, outcome: "deferred", responseStatus: 503 },
          { generation: 1, at: start + SECOND + MINUTE, outcome: "deferred", responseStatus: null },
          { generation: 1, at: forwardedAt, outcome: "forwarded", responseStatus: null },
          { generation: 2, at: forwardedAt + HOUR + SECOND, outcome: "refused", responseStatus: 422 },
        ],
      });
    });
  });

  it("costs a file that is forwarded at once no more than before, and its replays are told apart", async () => {
    await inGate(await newGate(), async (bench) => {
      const fileId = bench.accept();
      bring(bench, fileId, "completed");
      expect(bench.row(fileId)?.progress).not.toHaveProperty("tries");
      const first = { generation: 1, at: bench.clock.now, outcome: "forwarded", responseStatus: null };
      expect(recordOf(bench, fileId)?.tries).toEqual([first]);
      bench.clock.now += HOUR;
      bench.lifecycle.replay(seqOf(fileId), bench.clock.now);
      bench.forward(fileId, FORWARDED);
      expect(recordOf(bench, fileId)?.tries).toEqual([
        first,
        { ...first, generation: 2, at: bench.clock.now },
      ]);
    });
  });

  it("counts a report that overtakes the response as the attempt that it stands for", async () => {
    await inGate(await newGate(), async (bench) => {
      const fileId = bench.accept();
      bench.forward(fileId, DEFERRED);
      const token = tokenOf(bench, fileId);
      report(bench, fileId, "completed");
      bench.settle(fileId, token, FORWARDED);
      expect(recordOf(bench, fileId)?.tries.map(({ outcome }) => outcome)).toEqual(["deferred", "forwarded"]);
    });
  });

  it("keeps the newest twenty attempts", async () => {
    await inGate(await newGate(), async (bench) => {
      const fileId = bench.accept();
      for (let i = 0; i < 25; i++) {
        bench.clock.now += MINUTE;
        bench.forward(fileId, DEFERRED);
      }
      const record = recordOf(bench, fileId);
      expect([record?.attempts, record?.tries.length]).toEqual([25, 20]);
      expect(record?.tries.at(-1)?.at).toBe(bench.clock.now);
    });
  });

  it("says until when it is archived, and when it was", async () => {
    await inGate(await newGate(), async (bench) => {
      const fileId = bench.accept();
      bring(bench, fileId, "completed");
      const due = recordOf(bench, fileId)?.archiveDueAt ?? 0;
      await bench.runAlarmsUntil(due);
      expect(recordOf(bench, fileId)).toMatchObject({
        isArchived: true,
        archivedAt: due,
        archiveDueAt: null,
      });
    });
  });
});

describe("how long an acceptance took", () => {
  it.each([
    ["forwarded", (bench: Bench, fileId: string, token: string) => bench.settle(fileId, token, FORWARDED)],
    ["refused", (bench: Bench, fileId: string, token: string) => bench.settle(fileId, token, REFUSED)],
    ["deferred", (bench: Bench, fileId: string, token: string) => bench.settle(fileId, token, DEFERRED)],
    ["postponed", (bench: Bench, fileId: string, token: string) => bench.settle(fileId, token, POSTPONED)],
    ["reported on first", (bench: Bench, fileId: string) => report(bench, fileId, "completed")],
  ])("is kept with the file once it is %s, through later claims and a replay", async (_how, settle) => {
    await inGate(await newGate(), (bench) => {
      const fileId = bench.accept();
      const token = bench.claim(fileId, 12)?.token ?? "";
      settle(bench, fileId, token);
      expect(bench.row(fileId)?.progress?.ms).toBe(12);
      bench.clock.now += HOUR;
      if (bench.row(fileId)?.state === "queued") bench.forward(fileId);
      report(bench, fileId, "completed", { eventId: "evt_later" });
      bench.lifecycle.replay(seqOf(fileId), bench.clock.now);
      bench.claim(fileId, 99);
      report(bench, fileId, "completed", { eventId: "evt_last" });
      expect(bench.row(fileId)?.progress?.ms).toBe(12);
    });
  });

  it("stays unknown if the wake-up that says it was lost", async () => {
    await inGate(await newGate(), (bench) => {
      const fileId = bench.accept();
      bench.claim(fileId, 12);
      bench.restart();
      bench.forward(fileId);
      expect(bench.row(fileId)?.progress).not.toHaveProperty("ms");
    });
  });
});

describe("a claim", () => {
  it("hands out the payload, the facts, and the number of the attempt", async () => {
    await inGate(await newGate(), (bench) => {
      const sealed = randomBytes(50);
      const fileId = bench.accept({ sealed });
      expect(bench.claim(fileId)).toMatchObject({
        fileId,
        attempt: 1,
        generation: 1,
        suspect: false,
        facts: { kind: "payroll_report", employerId: "EMP_1" },
        payload: { sealed },
      });
    });
  });

  it("is refused to a second consumer until the lease expires", async () => {
    await inGate(await newGate(), (bench) => {
      const fileId = bench.accept();
      expect(bench.claim(fileId)).toBeDefined();
      bench.clock.now += FILE_LEASE_MS - 1;
      expect(bench.claim(fileId)).toBeUndefined();
      bench.clock.now += 1;
      expect(bench.claim(fileId)).toBeDefined();
    });
  });

  it("is granted once when one message names a file twice", async () => {
    await inGate(await newGate(), (bench) => {
      const fileId = bench.accept();
      expect(bench.lifecycle.claim([fileId, fileId], bench.clock.now).files).toHaveLength(1);
    });
  });

  it.each<[string, (bench: Bench) => string]>([
    ["an unknown file", (bench) => bench.admission().fileId],
    ["what is no file id", () => "FILE_"],
    ["a reservation", (bench) => bench.accept({ sealed: null })],
    [
      "a file whose payload is nowhere",
      (bench) => {
        const fileId = bench.accept();
        onInbox(bench.sql, "UPDATE inbox SET payload = NULL WHERE seq = ?", seqOf(fileId));
        return fileId;
      },
    ],
    ...(["processing", "completed", "failed"] as const).map((status): [string, (bench: Bench) => string] => [
      `a file that is ${status}`,
      (bench) => {
        const fileId = bench.accept();
        bring(bench, fileId, status);
        return fileId;
      },
    ]),
  ])("returns nothing for %s, and still returns the others", async (_name, make) => {
    await inGate(await newGate(), (bench) => {
      const fileId = make(bench);
      const other = bench.accept();
      const { files } = bench.lifecycle.claim([fileId, other], bench.clock.now);
      expect(files.map((file) => file.fileId)).toEqual([other]);
    });
  });

  it("is empty at a gate without a snapshot", async () => {
    const gate = await newGate();
    expect(await gate.stub.claim([])).toEqual({ wrappedKey: "", files: [] });
  });
});

describe("settling", () => {
  it.each([
    {
      name: "a success",
      outcome: FORWARDED,
      settled: { applied: true, status: "processing", attempts: 1, nextAttemptAt: null },
    },
    {
      name: "a refusal",
      outcome: REFUSED,
      settled: { applied: true, status: "failed", attempts: 1, nextAttemptAt: null },
    },
    { name: "a deferral", outcome: DEFERRED, settled: { applied: true, status: "queued", attempts: 1 } },
    { name: "a postponement", outcome: POSTPONED, settled: { applied: true, status: "queued", attempts: 0 } },
  ])("with the current token applies $name", async ({ outcome, settled }) => {
    await inGate(await newGate(), (bench) => {
      const fileId = bench.accept();
      expect(bench.forward(fileId, outcome)).toMatchObject(settled);
    });
  });

  it.each([
    { name: "a success", outcome: FORWARDED, applied: true, status: "processing" },
    { name: "a refusal", outcome: REFUSED, applied: false, status: "queued" },
    { name: "a deferral", outcome: DEFERRED, applied: false, status: "queued" },
    { name: "a postponement", outcome: POSTPONED, applied: false, status: "queued" },
  ])("with an expired token: $name is applied $applied", async ({ outcome, applied, status }) => {
    await inGate(await newGate(), (bench) => {
      const fileId = bench.accept();
      const stale = tokenOf(bench, fileId);
      bench.clock.now += FILE_LEASE_MS;
      const current = tokenOf(bench, fileId);
      expect(bench.settle(fileId, stale, outcome)).toMatchObject({ applied, status });
      expect(bench.settle(fileId, current, FORWARDED)).toMatchObject({
        applied: !applied,
        status: "processing",
      });
    });
  });

  it.each([
    ["refusal", REFUSED],
    ["deferral", DEFERRED],
  ])("a %s never undoes a success that came from another token", async (_name, outcome) => {
    await inGate(await newGate(), (bench) => {
      const fileId = bench.accept();
      const stale = tokenOf(bench, fileId);
      bench.clock.now += FILE_LEASE_MS;
      const current = tokenOf(bench, fileId);
      bench.settle(fileId, stale, FORWARDED);
      expect(bench.settle(fileId, current, outcome)).toMatchObject({ applied: false, status: "processing" });
    });
  });

  it("accepts a success from a token that the gate forgot in a restart", async () => {
    await inGate(await newGate(), (bench) => {
      const fileId = bench.accept();
      const token = tokenOf(bench, fileId);
      bench.restart();
      expect(bench.settle(fileId, token, DEFERRED)).toMatchObject({ applied: false });
      expect(bench.settle(fileId, token, FORWARDED)).toMatchObject({ applied: true, status: "processing" });
    });
  });

  it("is idempotent: the same settlement twice is applied once", async () => {
    await inGate(await newGate(), (bench) => {
      const fileId = bench.accept();
      const token = tokenOf(bench, fileId);
      bench.settle(fileId, token, DEFERRED);
      expect(bench.settle(fileId, token, DEFERRED)).toMatchObject({ applied: false, attempts: 1 });
    });
  });

  it("releases the lease: a deferred file can be claimed at once", async () => {
    await inGate(await newGate(), (bench) => {
      const fileId = bench.accept();
      bench.forward(fileId, DEFERRED);
      expect(bench.claim(fileId)).toMatchObject({ attempt: 2 });
    });
  });

  it("says when the next attempt is, and wakes the consumer then", async () => {
    await inGate(await newGate(), async (bench) => {
      const start = bench.clock.now;
      const fileId = bench.accept();
      const { nextAttemptAt } = bench.forward(fileId, { ...DEFERRED, retryAfterMs: 10 * MINUTE });
      expect(nextAttemptAt).toBe(start + 10 * MINUTE);
      expect(bench.lifecycle.record(bench.row(fileId) ?? fail())?.nextAttemptAt).toBe(nextAttemptAt);
      await bench.runAlarmsUntil(start + 10 * MINUTE - SECOND);
      expect(bench.woken).toEqual([]);
      await bench.runAlarmsUntil(start + 10 * MINUTE + SECOND);
      expect(bench.woken).toEqual([[fileId]]);
    });
  });

  it("gives up after 24 hours of deferrals, not before, and the file can be replayed", async () => {
    await inGate(await newGate(), (bench) => {
      const start = bench.clock.now;
      const fileId = bench.accept();
      bench.clock.now = start + DAY - 1;
      expect(bench.forward(fileId, DEFERRED)).toMatchObject({ status: "queued" });
      bench.clock.now = start + DAY;
      expect(bench.forward(fileId, DEFERRED)).toMatchObject({ status: "failed", attempts: 2 });
      expect(bench.lifecycle.replay(seqOf(fileId), bench.clock.now)).toMatchObject({ outcome: "queued" });
      expect(bench.forward(fileId, DEFERRED)).toMatchObject({ status: "queued", attempts: 1 });
    });
  });

  it("never gives up on a file that was only postponed", async () => {
    await inGate(await newGate(), (bench) => {
      const fileId = bench.accept();
      bench.clock.now += 3 * DAY;
      expect(bench.forward(fileId, POSTPONED)).toMatchObject({ status: "queued", attempts: 0 });
    });
  });

  it("is not applied for a file that does not exist", async () => {
    await inGate(await newGate(), (bench) => {
      bench.accept();
      expect(bench.settle(bench.admission().fileId, "1.x", FORWARDED).applied).toBe(false);
    });
  });
});

describe("a report of the files-creator", () => {
  const STATUSES: FileStatus[] = ["queued", "processing", "completed", "failed"];
  const REPORTED = ["processing", "completed", "failed"] as const;
  const ALLOWED = new Set([
    "queued→processing",
    "queued→completed",
    "queued→failed",
    "processing→completed",
    "processing→failed",
  ]);
  const pairs = STATUSES.flatMap((from) =>
    REPORTED.map((to) => ({ from, to, moves: ALLOWED.has(`${from}→${to}`) })),
  );

  it.each(pairs)("of $to moves a file that is $from: $moves", async ({ from, to, moves }) => {
    await inGate(await newGate(), (bench) => {
      const fileId = bench.accept();
      bring(bench, fileId, from);
      expect(report(bench, fileId, to)).toMatchObject({
        outcome: moves ? "moved" : "unmoved",
        status: moves ? to : from,
      });
      expect(bench.row(fileId)?.state).toBe(moves ? to : from);
    });
  });

  it("that overtakes the response to the POST settles the file, and the response changes nothing", async () => {
    await inGate(await newGate(), (bench) => {
      const fileId = bench.accept();
      const token = tokenOf(bench, fileId);
      expect(report(bench, fileId, "completed", { recordsProcessed: 3 })).toMatchObject({ outcome: "moved" });
      for (const outcome of [FORWARDED, DEFERRED, REFUSED]) {
        expect(bench.settle(fileId, token, outcome)).toMatchObject({ applied: false, status: "completed" });
      }
      expect(bench.claim(fileId)).toBeUndefined();
      expect(bench.row(fileId)).toMatchObject({ state: "completed", attempts: 1 });
    });
  });

  it("counts once, also after a restart", async () => {
    await inGate(await newGate(), (bench) => {
      const fileId = bench.accept();
      bring(bench, fileId, "processing");
      expect(report(bench, fileId, "completed", { recordsProcessed: 1 }).outcome).toBe("moved");
      bench.restart();
      expect(report(bench, fileId, "completed", { recordsProcessed: 9 }).outcome).toBe("repeat");
      expect(bench.row(fileId)?.progress?.recordsProcessed).toBe(1);
    });
  });

  it("adds its counts to those of earlier reports, even if it does not move the file", async () => {
    await inGate(await newGate(), (bench) => {
      const fileId = bench.accept();
      bench.forward(fileId, FORWARDED);
      report(bench, fileId, "processing", { recordsProcessed: 2 });
      report(bench, fileId, "completed", { recordsFailed: 1 });
      expect(bench.lifecycle.record(bench.row(fileId) ?? fail())).toMatchObject({
        recordsTotal: 3,
        recordsProcessed: 2,
        recordsFailed: 1,
      });
    });
  });

  it("is unknown for a file that does not exist", async () => {
    await inGate(await newGate(), (bench) => {
      expect(report(bench, bench.admission().fileId, "completed")).toEqual({ outcome: "unknown" });
    });
  });

  it.each([
    { name: "was deferred", outcome: DEFERRED, wasDeferred: true },
    { name: "was held back", outcome: POSTPONED, wasDeferred: false },
  ])("says whether the file that it settles $name: $wasDeferred", async ({ outcome, wasDeferred }) => {
    await inGate(await newGate(), (bench) => {
      const fileId = bench.accept();
      bench.forward(fileId, outcome);
      expect(report(bench, fileId, "completed")).toMatchObject({ outcome: "moved", wasDeferred });
    });
  });

  it("that is repeated after a replay does not settle the new generation", async () => {
    await inGate(await newGate(), (bench) => {
      const fileId = bench.accept();
      bring(bench, fileId, "processing");
      report(bench, fileId, "failed");
      bench.lifecycle.replay(seqOf(fileId), bench.clock.now);
      expect(report(bench, fileId, "failed").outcome).toBe("repeat");
      expect(bench.claim(fileId)).toMatchObject({ generation: 2 });
    });
  });
});

describe("a replay", () => {
  it.each([
    { from: "queued", outcome: { outcome: "unsettled" } },
    { from: "processing", outcome: { outcome: "unsettled" } },
    { from: "completed", outcome: { outcome: "queued", generation: 2 } },
    { from: "failed", outcome: { outcome: "queued", generation: 2 } },
  ] as const)("of a file that is $from answers $outcome.outcome", async ({ from, outcome }) => {
    await inGate(await newGate(), (bench) => {
      const fileId = bench.accept();
      bring(bench, fileId, from);
      expect(bench.lifecycle.replay(seqOf(fileId), bench.clock.now)).toEqual(outcome);
    });
  });

  it("resets the attempts, the records and the time to give up, under the next generation", async () => {
    await inGate(await newGate(), async (bench) => {
      const fileId = bench.accept();
      bring(bench, fileId, "completed");
      bench.clock.now += 2 * DAY;
      bench.lifecycle.replay(seqOf(fileId), bench.clock.now);
      expect(bench.lifecycle.record(bench.row(fileId) ?? fail())).toMatchObject({
        status: "queued",
        generation: 2,
        attempts: 0,
        recordsTotal: null,
        recordsProcessed: null,
      });
      expect(bench.forward(fileId, DEFERRED)).toMatchObject({ status: "queued" });
      bench.forward(fileId, REFUSED);
      expect(bench.lifecycle.replay(seqOf(fileId), bench.clock.now)).toMatchObject({ generation: 3 });
    });
  });

  it("whose wake-up was lost is woken a minute later", async () => {
    await inGate(await newGate(), async (bench) => {
      const fileId = bench.accept();
      bring(bench, fileId, "failed");
      await bench.runAlarmsUntil(bench.clock.now + 5 * HOUR);
      bench.lifecycle.replay(seqOf(fileId), bench.clock.now);
      await bench.runAlarmsUntil(bench.clock.now + MINUTE + SECOND);
      expect(bench.woken).toEqual([[fileId]]);
    });
  });

  it("is not settled by a success that was meant for the generation before", async () => {
    await inGate(await newGate(), (bench) => {
      const fileId = bench.accept();
      const stale = tokenOf(bench, fileId);
      bench.clock.now += FILE_LEASE_MS;
      bench.forward(fileId, REFUSED);
      bench.lifecycle.replay(seqOf(fileId), bench.clock.now);
      expect(bench.settle(fileId, stale, FORWARDED)).toMatchObject({ applied: false, status: "queued" });
      expect(bench.claim(fileId)).toMatchObject({ generation: 2 });
    });
  });
});

describe("waiting for a file", () => {
  it.each([
    { name: "a success", outcome: FORWARDED, status: "processing" },
    { name: "a refusal", outcome: REFUSED, status: "failed" },
  ])("ends with $name, for everyone who waits", async ({ outcome, status }) => {
    await inGate(await newGate(), async (bench) => {
      const fileId = bench.accept();
      const waits = [1, 2].map(() => bench.lifecycle.wait(seqOf(fileId), 10_000));
      bench.forward(fileId, outcome);
      expect(await Promise.all(waits)).toEqual([status, status]);
    });
  });

  it("ends with a report", async () => {
    await inGate(await newGate(), async (bench) => {
      const fileId = bench.accept();
      const wait = bench.lifecycle.wait(seqOf(fileId), 10_000);
      report(bench, fileId, "completed");
      expect(await wait).toBe("completed");
    });
  });

  it("continues through a deferral, and ends when its time is up", async () => {
    await inGate(await newGate(), async (bench) => {
      const fileId = bench.accept();
      const wait = bench.lifecycle.wait(seqOf(fileId), 20);
      bench.forward(fileId, DEFERRED);
      expect(await wait).toBe("queued");
    });
  });

  it.each(["processing", "completed", "failed"] as const)(
    "is over at once for a file that is %s",
    async (status) => {
      await inGate(await newGate(), async (bench) => {
        const fileId = bench.accept();
        bring(bench, fileId, status);
        expect(await bench.lifecycle.wait(seqOf(fileId), 10_000)).toBe(status);
      });
    },
  );

  it.each<[string, (bench: Bench) => string]>([
    ["an unknown file", (bench) => bench.admission().fileId],
    ["a reservation", (bench) => bench.accept({ sealed: null })],
  ])("answers null for %s", async (_name, make) => {
    await inGate(await newGate(), async (bench) => {
      expect(await bench.lifecycle.wait(seqOf(make(bench)), 10_000)).toBeNull();
    });
  });
});

function fail(): never {
  throw new Error("the row is gone");
}
