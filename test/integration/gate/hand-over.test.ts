import { afterEach, describe, expect, it, vi } from "vitest";
import type { Counts } from "../../../src/usage/counts.ts";
import { bucketOf } from "../../../src/usage/histogram.ts";
import {
  type Bench,
  countingRows,
  factsAt,
  HOUR,
  inGate,
  MINUTE,
  newGate,
  registeredGate,
  SECOND,
  seqOf,
  type TestGate,
} from "../../support/gate.ts";
import { bindings } from "../../support/gateway.ts";
import { intercepted } from "../../support/interception.ts";
import { usageOf } from "../../support/usage.ts";

const TEN = Date.UTC(2026, 4, 6, 10);
/** Within this, every change has been handed over. */
const SETTLED_MS = 10 * MINUTE;

afterEach(() => vi.restoreAllMocks());

async function handedOver({ address }: TestGate, at = TEN): Promise<Counts | null> {
  const [row] = await usageOf(`connection:${address.id}`, "hour", { from: at, to: at + 1 });
  return row?.counts ?? null;
}

/** A gate at half past ten, with a row in D1. */
async function atHalfPastTen(work: (bench: Bench, gate: TestGate) => Promise<void>): Promise<void> {
  const gate = await registeredGate();
  await inGate(gate, async (bench) => {
    bench.clock.now = TEN + 30 * MINUTE;
    bench.restart();
    await work(bench, gate);
  });
}

/** Runs the alarm when it is due, for as long as a change may wait. */
function settle(bench: Bench): Promise<number> {
  return bench.runAlarmsUntil(bench.clock.now + SETTLED_MS);
}

/** A database that does with each batch what `onBatch` says. */
function databaseThat(onBatch: (proceed: () => Promise<unknown>) => Promise<unknown>): D1Database {
  return intercepted((call, proceed) => (call === "DB.batch" ? onBatch(proceed) : proceed())).DB;
}

describe("a gate's counts", () => {
  it("are handed over while their hour runs: accepted, bytes, what became of them, and how long it took", () =>
    atHalfPastTen(async (bench, gate) => {
      const { now } = bench.clock;
      const [waiting, done, refused] = [10, 20, 30].map((size) =>
        bench.accept({
          facts: JSON.stringify(factsAt(now, { size })),
          signed: { signature: `${size}`.repeat(32), timestampMs: now - 4 * SECOND },
        }),
      ) as [string, string, string];
      bench.clock.now += SECOND;
      bench.forward(done);
      bench.forward(refused, { kind: "refused", responseStatus: 422, error: new Uint8Array() });
      bench.clock.now += 25 * SECOND;
      bench.lifecycle.report(seqOf(done), { eventId: "evt_1", status: "completed" }, bench.clock.now);
      expect(bench.row(waiting)?.state).toBe("queued");

      await settle(bench);

      expect(await handedOver(gate)).toEqual({
        accepted: 3,
        bytes: 60,
        completed: 1,
        failed: 1,
        [`latency_forwarded:${bucketOf(SECOND)}`]: 1,
        [`latency_completed:${bucketOf(30 * SECOND)}`]: 1,
      });
    }));

  it("belong to the hour in which a file was minted, whenever it changes", () =>
    atHalfPastTen(async (bench, gate) => {
      const fileId = bench.accept();
      await settle(bench);
      expect(await handedOver(gate)).toEqual({ accepted: 1, bytes: 100 });

      bench.clock.now += 5 * HOUR;
      bench.forward(fileId, { kind: "refused", responseStatus: 422, error: new Uint8Array() });
      await settle(bench);
      expect(await handedOver(gate)).toEqual({ accepted: 1, bytes: 100, failed: 1 });

      bench.lifecycle.replay(seqOf(fileId), bench.clock.now);
      await settle(bench);
      expect(await handedOver(gate)).toEqual({ accepted: 1, bytes: 100 });

      bench.lifecycle.report(seqOf(fileId), { eventId: "evt_1", status: "completed" }, bench.clock.now);
      await settle(bench);
      expect(await handedOver(gate)).toMatchObject({ accepted: 1, completed: 1 });
      for (const later of [1, 2, 3, 4, 5, 6]) expect(await handedOver(gate, TEN + later * HOUR)).toBeNull();
    }));

  it("do not have reservations, until their payload has come", () =>
    atHalfPastTen(async (bench, gate) => {
      const fileId = bench.accept({ sealed: null });
      bench.accept();
      // After ten minutes, the reservation would expire.
      await bench.runAlarmsUntil(bench.clock.now + 8 * MINUTE);
      expect(await handedOver(gate)).toMatchObject({ accepted: 1 });

      bench.admissions.commit(seqOf(fileId), bench.clock.now);
      await settle(bench);
      expect(await handedOver(gate)).toMatchObject({ accepted: 2 });
    }));

  it("are counted from every partition and every page of the hour, and from no other hour", () =>
    atHalfPastTen(async (bench, gate) => {
      bench.clock.now = TEN - 1;
      bench.accept();
      bench.clock.now = TEN;
      for (let i = 0; i < 2_040; i++) {
        bench.clock.now = TEN + i;
        bench.admit(bench.admission({ known: { ...gate.snapshot, plan: "enterprise", version: 2 } }));
      }
      bench.clock.now = TEN + HOUR;
      bench.accept({ known: 2 });
      await settle(bench);
      await settle(bench);
      const rows = bench.files.list(null, 5_000).filter(({ admittedAt }) => admittedAt < TEN + HOUR);
      expect(rows.length).toBeGreaterThan(1_500);
      expect(await handedOver(gate)).toMatchObject({ accepted: rows.length - 1 });
      expect(await handedOver(gate, TEN - HOUR)).toMatchObject({ accepted: 1 });
      expect(await handedOver(gate, TEN + HOUR)).toMatchObject({ accepted: 1 });
    }));

  it("come with the months of the employers that were reported on", () =>
    atHalfPastTen(async (bench, gate) => {
      const facts = (employerId: string) => JSON.stringify(factsAt(bench.clock.now, { employerId }));
      bench.accept({ facts: facts("EMP_A") });
      bench.accept({ facts: facts("EMP_B") });
      bench.accept({ facts: facts("EMP_A") });
      await settle(bench);

      const { results } = await bindings.DB.prepare(
        "SELECT employer_id, month FROM employer_months WHERE scope = ? ORDER BY employer_id",
      )
        .bind(`connection:${gate.address.id}`)
        .all();
      expect(results).toEqual([
        { employer_id: "EMP_A", month: "2026-05" },
        { employer_id: "EMP_B", month: "2026-05" },
      ]);
    }));
});

describe("the alarm", () => {
  it("does not ring for counts when nothing has changed", () =>
    atHalfPastTen(async (bench) => {
      const { using, batches } = countingBatches();
      bench.db = using;
      bench.restart();
      bench.forward(bench.accept());
      await bench.runAlarmsUntil(TEN + 24 * HOUR);
      expect(batches()).toBe(1);
      expect(bench.state.changedHours.dueAt(bench.clock.now)).toBeNull();
    }));

  it("rings once for many changes", () =>
    atHalfPastTen(async (bench) => {
      const { using, batches } = countingBatches();
      bench.db = using;
      const rows = countingRows(bench.sql);
      Object.assign(bench, { sql: rows.sql });
      bench.restart();
      for (let i = 0; i < 100; i++) bench.accept();
      expect(rows.written()).toBeGreaterThan(100);
      expect(rows.written()).toBeLessThan(110);
      await settle(bench);
      expect(batches()).toBe(1);
    }));
});

function countingBatches() {
  let n = 0;
  const using = databaseThat((proceed) => {
    n++;
    return proceed();
  });
  return { using, batches: () => n };
}

describe("a hand-over", () => {
  it("is repeated while D1 is away, without a stampede, and then has everything", () =>
    atHalfPastTen(async (bench, gate) => {
      let tries = 0;
      bench.db = databaseThat(() => {
        tries++;
        return Promise.reject(new Error("D1 is away"));
      });
      vi.spyOn(console, "error").mockImplementation(() => undefined);
      bench.restart();
      const fileId = bench.accept();
      await bench.runAlarmsUntil(bench.clock.now + 3 * HOUR);
      expect(tries).toBeGreaterThan(10);
      expect(tries).toBeLessThan(40);
      bench.forward(fileId);
      bench.accept();

      bench.db = bindings.DB;
      bench.restart();
      await settle(bench);
      expect(await handedOver(gate)).toMatchObject({ accepted: 1 });
      expect(await handedOver(gate, TEN + 3 * HOUR)).toMatchObject({ accepted: 1 });
    }));

  it.each(["before", "after"])("whose answer is lost %s it took effect counts once", (when) =>
    atHalfPastTen(async (bench, gate) => {
      let lost = 0;
      bench.db = databaseThat(async (proceed) => {
        if (when === "after") await proceed();
        lost++;
        throw new Error("the answer was lost");
      });
      vi.spyOn(console, "error").mockImplementation(() => undefined);
      bench.restart();
      bench.accept();
      await settle(bench);
      expect(lost).toBe(1);
      bench.accept();
      bench.db = bindings.DB;
      bench.restart();
      await settle(bench);
      expect(await handedOver(gate)).toMatchObject({ accepted: 2, bytes: 200 });
    }),
  );

  it("has what changes while it is under way: in the next", () =>
    atHalfPastTen(async (bench, gate) => {
      let during = () => void bench.accept();
      bench.db = databaseThat((proceed) => {
        during();
        during = () => undefined;
        return proceed();
      });
      bench.restart();
      bench.accept();
      await settle(bench);
      expect(await handedOver(gate)).toMatchObject({ accepted: 1 });
      await settle(bench);
      expect(await handedOver(gate)).toMatchObject({ accepted: 2 });
    }));

  it("is not hidden by an earlier one under a clock that was set back since, nor by a crash before the mark was cleared", () =>
    atHalfPastTen(async (bench, gate) => {
      bench.accept();
      bench.clock.now += 24 * HOUR;
      bench.db = databaseThat(async (proceed) => {
        await proceed();
        throw new Error("the object dies");
      });
      vi.spyOn(console, "error").mockImplementation(() => undefined);
      bench.restart();
      await bench.maintenance.run();
      expect(await handedOver(gate)).toMatchObject({ accepted: 1 });

      bench.clock.now = TEN + 31 * MINUTE;
      bench.db = bindings.DB;
      bench.restart();
      bench.accept();
      await settle(bench);
      await settle(bench);
      expect(await handedOver(gate)).toMatchObject({ accepted: 2 });
    }));

  it("does not wait until a clock that was set back has caught up", () =>
    atHalfPastTen(async (bench, gate) => {
      bench.clock.now += 24 * HOUR;
      bench.accept();
      bench.clock.now -= 24 * HOUR;
      await settle(bench);
      expect(await handedOver(gate, TEN + 24 * HOUR)).toMatchObject({ accepted: 1 });
    }));

  it("has all hours that changed within ten minutes, however many there are", () =>
    atHalfPastTen(async (bench, gate) => {
      const hours = Array.from({ length: 60 }, (_, i) => TEN + i * HOUR);
      const files = hours.map((at) => {
        bench.clock.now = at;
        return bench.accept();
      });
      await settle(bench);
      for (const fileId of files)
        bench.forward(fileId, { kind: "refused", responseStatus: 422, error: new Uint8Array() });
      await settle(bench);
      for (const at of hours) expect(await handedOver(gate, at)).toMatchObject({ failed: 1 });
    }));

  it("leaves an hour alone whose files have been purged", () =>
    atHalfPastTen(async (bench, gate) => {
      const kept = bench.accept();
      bench.forward(bench.accept());
      await settle(bench);
      await bench.runAlarmsUntil(TEN + 98 * 24 * HOUR);
      expect(bench.files.list(null, 10)).toHaveLength(1);
      bench.forward(kept, { kind: "refused", responseStatus: 422, error: new Uint8Array() });
      expect(bench.state.changedHours.dueAt(bench.clock.now)).toBeNull();
      await settle(bench);
      expect(await handedOver(gate)).toMatchObject({ accepted: 2 });
      expect(bench.maintenance.nextAt()).not.toBe(bench.clock.now + 1_000);
    }));

  it("of a gate without a row in D1 is given up", async () => {
    const logged = vi.spyOn(console, "error").mockImplementation(() => undefined);
    await inGate(await newGate(), async (bench) => {
      bench.accept();
      await settle(bench);
      expect(bench.state.changedHours.dueAt(bench.clock.now)).toBeNull();
    });
    expect(JSON.stringify(logged.mock.calls)).toContain("failed to hand counts over");
  });
});
