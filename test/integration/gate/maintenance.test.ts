import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, describe, expect, it, vi } from "vitest";
import { CROWDED_BYTES } from "../../../src/gate/maintenance.ts";
import {
  admissionAt,
  Bench,
  countingRows,
  DAY,
  eventually,
  HOUR,
  inGate,
  MINUTE,
  newGate,
  onInbox,
  randomBytes,
  SECOND,
  seqOf,
  unwoken,
} from "../../support/gate.ts";
import { createBoundConnection, filesCreator, gateOf, post } from "../../support/gateway.ts";

afterEach(() => {
  vi.useRealTimers();
});

describe("a file whose wake-up was lost", () => {
  it("is forwarded by its gate's alarm a minute later", async () => {
    const connection = await createBoundConnection();
    const gate = gateOf(connection);
    const { json } = await post(connection, undefined, {}, unwoken);
    const alarmAt = await runInDurableObject(gate, (_object, { storage }) => storage.getAlarm());
    expect(alarmAt).toBeLessThanOrEqual(Date.now() + MINUTE);
    expect(await filesCreator.receivedFile(json.file_id)).toEqual([]);
    vi.setSystemTime(Date.now() + MINUTE + SECOND);
    await runDurableObjectAlarm(gate);
    await eventually(async () => expect(await filesCreator.receivedFile(json.file_id)).toHaveLength(1));
    await eventually(async () => expect((await gate.status(json.file_id))?.status).toBe("processing"));
  });

  it("is woken once after a minute, then after doubling delays up to an hour", async () => {
    await inGate(await newGate(), async (bench) => {
      const start = bench.clock.now;
      const fileId = bench.accept();
      const at: number[] = [];
      bench.onCall = (call) => {
        if (call === "wake") at.push(Math.round((bench.clock.now - start) / MINUTE));
        return undefined;
      };
      await bench.runAlarmsUntil(start + 6 * HOUR);
      expect(at).toEqual([1, 3, 7, 15, 31, 63, 123, 183, 243, 303]);
      expect(new Set(bench.woken.flat())).toEqual(new Set([fileId]));
      expect(bench.row(fileId)).toMatchObject({ state: "queued", wakeUps: at.length });
    });
  });

  it("is not woken while it is leased, and such an alarm does not count as a wake-up", async () => {
    await inGate(await newGate(), async (bench) => {
      const start = bench.clock.now;
      const fileId = bench.accept();
      bench.claim(fileId);
      await bench.runAlarmsUntil(start + 9 * MINUTE);
      expect(bench.woken).toEqual([]);
      expect(bench.row(fileId)?.wakeUps).toBe(0);
      await bench.runAlarmsUntil(start + 13 * MINUTE);
      expect(bench.woken).toEqual([[fileId]]);
    });
  });

  it("is suspected of crashing the consumer from its third wake-up on, not before", async () => {
    await inGate(await newGate(), async (bench) => {
      const start = bench.clock.now;
      const fileId = bench.accept();
      await bench.runAlarmsUntil(start + 4 * MINUTE);
      expect(bench.claim(fileId)).toMatchObject({ suspect: false });
      bench.restart();
      await bench.runAlarmsUntil(start + 8 * MINUTE);
      expect(bench.claim(fileId)).toMatchObject({ suspect: true });
    });
  });
});

describe("many files that are due at once", () => {
  it("are woken five hundred at a time, each once, in messages of ten", async () => {
    await inGate(await newGate({ plan: "enterprise" }), async (bench) => {
      const ids = Array.from({ length: 1_200 }, () => bench.accept());
      bench.clock.now += MINUTE + SECOND;
      const perRun: number[] = [];
      while (bench.woken.flat().length < ids.length) {
        const before = bench.woken.flat().length;
        await bench.runAfter(SECOND);
        perRun.push(bench.woken.flat().length - before);
      }
      expect(perRun).toEqual([500, 500, 200]);
      expect(Math.max(...bench.woken.map((message) => message.length))).toBe(10);
      expect(bench.woken.flat().sort()).toEqual(ids.sort());
      await bench.runAfter(SECOND);
      expect(bench.woken.flat()).toHaveLength(ids.length);
    });
  });

  it("are five hundred in all, fresh and deferred ones together", async () => {
    await inGate(await newGate({ plan: "enterprise" }), async (bench) => {
      for (let i = 0; i < 400; i++) bench.forward(bench.accept(), deferred());
      for (let i = 0; i < 400; i++) bench.accept();
      await bench.runAfter(2 * MINUTE);
      expect(bench.woken.flat()).toHaveLength(500);
      await bench.runAfter(SECOND);
      expect(bench.woken.flat()).toHaveLength(800);
    });
  });

  it("do not circle through the queue: a day without a consumer costs each some thirty wake-ups", async () => {
    await inGate(await newGate({ plan: "production" }), async (bench) => {
      const ids = Array.from({ length: 20 }, () => bench.accept());
      await bench.runAlarmsUntil(bench.clock.now + DAY);
      expect(bench.woken.flat().length / ids.length).toBeLessThan(32);
    });
  });
});

describe("while the queue is down", () => {
  it("no file becomes suspect, sending is retried every minute, and all wake-ups are sent when it is back", async () => {
    await inGate(await newGate(), async (bench) => {
      const start = bench.clock.now;
      const ids = [bench.accept(), bench.accept()];
      let tries = 0;
      bench.onCall = (call) => {
        if (call === "wake") tries++;
        return "before";
      };
      await bench.runAlarmsUntil(start + 30 * MINUTE);
      expect(tries).toBeGreaterThan(20);
      expect(tries).toBeLessThan(40);
      for (const id of ids) expect(bench.row(id)?.wakeUps).toBe(0);
      bench.onCall = () => undefined;
      await bench.runAlarmsUntil(bench.clock.now + 2 * MINUTE);
      expect(bench.woken.flat().sort()).toEqual(ids.sort());
      expect(bench.claim(ids[0] ?? "")).toMatchObject({ suspect: false });
    });
  });

  it("reservations are still dropped", async () => {
    await inGate(await newGate(), async (bench) => {
      const reserved = bench.accept({ sealed: null });
      bench.clock.now += 9 * MINUTE;
      bench.accept();
      bench.onCall = (call) => (call === "wake" ? "before" : undefined);
      await bench.runAfter(2 * MINUTE);
      expect(bench.row(reserved)).toBeNull();
    });
  });
});

describe("while the archive is down", () => {
  it("files that wait for it do not keep deferred files from being woken", async () => {
    await inGate(await newGate({ plan: "enterprise" }), async (bench) => {
      const settledLate = Array.from({ length: 600 }, () => bench.accept());
      for (const fileId of settledLate) bench.forward(fileId, deferred());
      bench.clock.now += MINUTE;
      for (const fileId of settledLate) bench.forward(fileId);
      bench.onCall = (call) => (call === "wake" ? undefined : "before");
      await bench.runAlarmsUntil(bench.clock.now + 2 * HOUR);
      const fileId = bench.accept();
      bench.forward(fileId, deferred());
      await bench.runAlarmsUntil(bench.clock.now + 2 * MINUTE);
      expect(bench.woken.flat()).toContain(fileId);
    });
  });

  it.each(["in the ordinary course", "late"])(
    "the alarm tries once a minute for what settled %s",
    async (how) => {
      await inGate(await newGate(), async (bench) => {
        const fileId = bench.accept();
        if (how === "late") bench.forward(fileId, deferred());
        bench.clock.now += SECOND;
        bench.forward(fileId);
        let tries = 0;
        bench.onCall = () => {
          tries++;
          return "before";
        };
        await bench.runAlarmsUntil(bench.clock.now + 2 * HOUR);
        tries = 0;
        const runs = await bench.runAlarmsUntil(bench.clock.now + HOUR);
        expect(runs).toBeLessThanOrEqual(61);
        expect(tries).toBeLessThanOrEqual(61);
        expect(tries).toBeGreaterThan(50);
        expect(bench.files.payload(seqOf(fileId))).not.toBeNull();
      });
    },
  );
});

describe("the watermark up to which the alarm has woken files", () => {
  it("does not hide a file whose id is older", async () => {
    await inGate(await newGate(), async (bench) => {
      bench.accept();
      await bench.runAfter(2 * MINUTE);
      bench.woken.length = 0;
      const admission = bench.admission();
      bench.clock.now += 59 * SECOND;
      await bench.maintenance.run();
      bench.clock.now += SECOND;
      await bench.maintenance.run();
      // Minted a minute ago by the Worker's clock, admitted only now.
      expect(bench.admit(admission).outcome).toBe("accepted");
      bench.woken.length = 0;
      await bench.runAlarmsUntil(bench.clock.now + 2 * MINUTE);
      expect(bench.woken.flat()).toContain(admission.fileId);
    });
  });

  it("does not hide a large file that was committed later", async () => {
    await inGate(await newGate(), async (bench) => {
      const reserved = bench.accept({ sealed: null });
      bench.accept();
      await bench.runAfter(5 * MINUTE);
      bench.woken.length = 0;
      expect(bench.admissions.commit(seqOf(reserved), bench.clock.now)).toBe(true);
      bench.restart();
      await bench.runAlarmsUntil(bench.clock.now + 2 * MINUTE);
      expect(bench.woken.flat()).toContain(reserved);
    });
  });

  it("does not hide new files after the clock ran a day ahead and was set back", async () => {
    await inGate(await newGate(), async (bench) => {
      const start = bench.clock.now;
      bench.forward(bench.accept());
      await bench.runAfter(DAY);
      bench.clock.now = start + MINUTE;
      const lost = bench.accept();
      const settled = bench.accept();
      bench.forward(settled);
      await bench.runAlarmsUntil(bench.clock.now + 2 * HOUR);
      expect(bench.woken.flat()).toContain(lost);
      expect(bench.row(settled)?.stored).not.toBeNull();
      expect(bench.files.payload(seqOf(settled))).toBeNull();
    });
  });
});

describe("the alarm", () => {
  it("is not set when everything is settled, archived and not yet old", async () => {
    await inGate(await newGate(), async (bench) => {
      for (let i = 0; i < 5; i++) bench.forward(bench.accept());
      await bench.runAlarmsUntil(bench.clock.now + 3 * HOUR);
      expect(await bench.runAlarmsUntil(bench.clock.now + 80 * DAY)).toBe(0);
      expect(bench.maintenance.nextAt()).toBeGreaterThan(bench.clock.now + 9 * DAY);
    });
  });

  it("is no longer set when the last row is gone", async () => {
    await inGate(await newGate(), async (bench) => {
      bench.forward(bench.accept());
      await bench.runAlarmsUntil(bench.clock.now + 97 * DAY + HOUR);
      expect(bench.state.dueFiles.firstFrom("")).toBeNull();
      expect(bench.maintenance.nextAt()).toBeNull();
    });
  });

  it("that deletes old reads runs about once per hour under constant reading", async () => {
    const gate = await newGate({}, "key");
    await inGate(gate, async (bench) => {
      const start = bench.clock.now;
      let runs = 0;
      let alarmAt = Number.POSITIVE_INFINITY;
      for (let at = start; at < start + 10 * HOUR; at += 30 * SECOND) {
        bench.clock.now = at;
        if (alarmAt <= at) {
          await bench.maintenance.run();
          runs++;
          alarmAt = Number.POSITIVE_INFINITY;
        }
        bench.admissions.read(gate.snapshot, at);
        alarmAt = Math.min(alarmAt, bench.maintenance.nextAt() ?? alarmAt);
      }
      expect(runs).toBeGreaterThan(3);
      expect(runs).toBeLessThanOrEqual(10);
      expect(Number(bench.sql.exec("SELECT count(*) AS n FROM reads").one().n)).toBeLessThanOrEqual(260);
    });
  });

  it.each<[string, (gate: Awaited<ReturnType<typeof newGate>>) => Promise<unknown>]>([
    ["a poke", ({ stub }) => stub.poke()],
    ["a claim", ({ stub }) => stub.claim([])],
    ["another admission", (gate) => gate.stub.admit(admissionAt(gate, Date.now()))],
    ["a refresh", ({ stub, snapshot }) => stub.refresh(snapshot)],
  ])("is set again by %s after the platform has dropped it", async (_name, call) => {
    const gate = await newGate();
    const alarm = () => runInDurableObject(gate.stub, (_object, { storage }) => storage.getAlarm());
    await gate.stub.admit(admissionAt(gate, Date.now()));
    await runInDurableObject(gate.stub, (_object, { storage }) => storage.deleteAlarm());
    await evictDurableObject(gate.stub);
    await call(gate);
    expect(await alarm()).toBeLessThanOrEqual(Date.now() + MINUTE);
    // Dropped while the object stays in memory: it still expects an alarm that is long overdue.
    await runInDurableObject(gate.stub, (_object, { storage }) => storage.deleteAlarm());
    vi.setSystemTime(Date.now() + 3 * MINUTE);
    await call(gate);
    expect(await alarm()).not.toBeNull();
  });
});

describe("purging", () => {
  it("deletes a file within a week after its 90 days, not before", async () => {
    await inGate(await newGate(), async (bench) => {
      const start = bench.clock.now;
      const fileId = bench.accept();
      bench.forward(fileId);
      await bench.runAlarmsUntil(start + 90 * DAY - MINUTE);
      await bench.maintenance.run();
      expect(bench.row(fileId)).not.toBeNull();
      await bench.runAlarmsUntil(start + 97 * DAY + 2 * MINUTE);
      expect(bench.row(fileId)).toBeNull();
    });
  });

  it("keeps settled files for a week only when the gate is nearly full", async () => {
    await inGate(await newGate(), async (bench) => {
      const start = bench.clock.now;
      const settled = bench.accept();
      bench.forward(settled);
      const queued = bench.accept();
      await bench.runAlarmsUntil(start + 6 * DAY);
      Object.defineProperty(bench.files, "size", { value: CROWDED_BYTES + 1 });
      await bench.maintenance.run();
      expect(bench.row(settled)).not.toBeNull();
      await bench.runAfter(DAY + HOUR);
      expect(bench.row(settled)).toBeNull();
      expect(bench.row(queued)).not.toBeNull();
    });
  });

  it("continues at once if more files are old than one run deletes", async () => {
    await inGate(await newGate({ plan: "enterprise" }), async (bench) => {
      bench.forward(bench.accept());
      const queued = bench.accept();
      await bench.runAlarmsUntil(bench.clock.now + 2 * HOUR);
      onInbox(
        bench.sql,
        `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6000)
         INSERT INTO inbox (key, seq, state, admitted_at, body_mac, facts, generation, attempts, wake_ups, queued_at, updated_at, stored)
         SELECT key + 2048 * i, substr(seq, 1, 14) || printf('%06d', i), state, admitted_at, body_mac, facts, 1, 1, 0, queued_at, updated_at, stored
         FROM (SELECT * FROM inbox WHERE payload IS NULL), n`,
      );
      bench.restart();
      const rows = () => onInbox(bench.sql, "SELECT seq FROM inbox");
      expect(rows()).toHaveLength(6_002);
      await bench.runAfter(91 * DAY);
      expect(rows()).toHaveLength(1_002);
      expect(bench.maintenance.nextAt()).toBe(bench.clock.now + SECOND);
      await bench.runAfter(SECOND);
      expect(rows()).toEqual([{ seq: seqOf(queued) }]);
    });
  });

  it("keeps files that are unsettled or could not be archived, for as long as that takes", async () => {
    await inGate(await newGate(), async (bench) => {
      const queued = bench.accept();
      const unarchived = bench.accept();
      bench.forward(unarchived);
      bench.onCall = (call) => (call.startsWith("put") ? "before" : undefined);
      bench.clock.now += 100 * DAY;
      await bench.maintenance.run();
      expect(bench.row(queued)).not.toBeNull();
      expect(bench.files.payload(seqOf(unarchived))).not.toBeNull();
    });
  });

  it("reads only old rows, however many files there are", async () => {
    await inGate(await newGate({ plan: "enterprise" }), async (bench) => {
      for (let i = 0; i < 1_500; i++) bench.forward(bench.accept());
      await bench.runAlarmsUntil(bench.clock.now + 2 * HOUR);
      let run: Promise<void> | undefined;
      const rowsRead = rowsReadBy(bench, (counted) => {
        run = counted.maintenance.run();
      });
      await run;
      expect(rowsRead).toBeLessThan(100);
    });
  });
});

describe("one step that fails", () => {
  it.each([
    ["the queue", (call: string) => call === "wake"],
    ["the key object", (call: string) => call.startsWith("put keys/")],
    ["a segment", (call: string) => call.startsWith("put archive/")],
    ["a deletion", (call: string) => call.startsWith("delete")],
  ])("does not stop the others: %s", async (_name, fails) => {
    await inGate(await newGate(), async (bench) => {
      const start = bench.clock.now;
      const settled = bench.accept();
      bench.forward(settled);
      const reserved = bench.accept({ sealed: null });
      bench.archive.set(bench.row(reserved)?.stored?.key ?? "", randomBytes(1));
      const queued = bench.accept();
      bench.clock.now = start + 2 * HOUR;
      bench.onCall = (call) => (fails(call) ? "before" : undefined);
      await bench.maintenance.run();
      if (!fails("wake")) expect(bench.woken.flat()).toContain(queued);
      if (!fails("delete")) expect(bench.row(reserved)).toBeNull();
      if (!fails("put keys/") && !fails("put archive/")) expect(bench.row(settled)?.stored).not.toBeNull();
      bench.onCall = () => undefined;
      await bench.runAlarmsUntil(bench.clock.now + 3 * MINUTE);
      expect(bench.woken.flat()).toContain(queued);
      expect(bench.row(reserved)).toBeNull();
      expect(bench.row(settled)?.stored).not.toBeNull();
    });
  });
});

function deferred() {
  return { kind: "deferred", responseStatus: 503, retryAfterMs: null, error: randomBytes(8) } as const;
}

/** The rows that SQLite reads for what `work` does before it first waits. */
function rowsReadBy(bench: Bench, work: (counted: Bench) => unknown): number {
  const { sql, read } = countingRows(bench.sql);
  const counted = new Bench(bench.gate, sql);
  counted.clock.now = bench.clock.now;
  const before = read();
  work(counted);
  return read() - before;
}
