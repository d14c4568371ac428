/** How long a gate keeps evidence, and what a clock that jumps does to it. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { KEEP_EVIDENCE_MS, MAX_SAMPLES } from "../../../src/evidence/evidence-store.ts";
import type { Note, RequestEntry } from "../../../src/evidence/request-entry.ts";
import { Bench, countingRows, DAY, HOUR, inGate, MINUTE, newGate } from "../../support/gate.ts";

afterEach(() => vi.restoreAllMocks());

let ids = 0;

function noteAt(at: number, n: number): Note {
  const samples = Array.from({ length: n }, (): RequestEntry => {
    const requestId = `req_${ids++}`;
    return {
      ...{ requestId, at, outcome: "refused", status: 401, code: "INVALID_SIGNATURE", diagnosis: [] },
      ...{ bytes: 1, fileId: null, ms: 1, callerRequestId: null, contentType: null, userAgent: null },
      ...{ country: null, clockSkewMs: null },
    };
  });
  const counts = [{ minute: Math.floor(at / MINUTE), code: "INVALID_SIGNATURE", n }];
  return { id: `note_${ids++}`, counts, samples };
}

function refuse(bench: Bench, n: number): void {
  bench.state.note(bench.gate.address, noteAt(bench.clock.now, n), bench.clock.now);
}

function kept(bench: Bench): { minutes: number; samples: number } {
  const sums = "SELECT count(*) AS minutes, coalesce(sum(sampled), 0) AS samples FROM evidence";
  const { minutes, samples } = bench.sql.exec(sums).one();
  return { minutes: Number(minutes), samples: Number(samples) };
}

describe("a gate that only ever saw refusals", () => {
  it("has its alarm delete them after 30 days, and then rests", async () => {
    await inGate(await newGate(), async (bench) => {
      const start = bench.clock.now;
      refuse(bench, 3);
      await bench.runAlarmsUntil(start + KEEP_EVIDENCE_MS - HOUR);
      expect(kept(bench)).toEqual({ minutes: 1, samples: 3 });
      await bench.runAlarmsUntil(start + KEEP_EVIDENCE_MS + HOUR);
      expect(kept(bench)).toEqual({ minutes: 0, samples: 0 });
      await bench.runAlarmsUntil(start + KEEP_EVIDENCE_MS + DAY);
      expect(bench.state.evidence.nextAt()).toBeNull();
    });
  });
});

describe("details", () => {
  it("are about a thousand: those of the oldest minutes go first, and all counts stay", async () => {
    await inGate(await newGate(), async (bench) => {
      const first = Math.floor(bench.clock.now / MINUTE);
      for (let i = 0; i < 100; i++) {
        refuse(bench, 20);
        bench.clock.now += MINUTE;
      }
      bench.state.evidence.purge(bench.clock.now);
      expect(kept(bench)).toEqual({ minutes: 100, samples: MAX_SAMPLES });
      const [oldest] = bench.sql.exec("SELECT min(minute) AS m FROM evidence WHERE sampled > 0").toArray();
      expect(Number(oldest?.m)).toBe(first + 50);
      expect(bench.state.evidence.countsBetween(first, first + 100)).toEqual({
        "refused:INVALID_SIGNATURE": 2_000,
      });
    });
  });

  it("that are too many are found without reading the minutes that have none", async () => {
    await inGate(await newGate(), async (bench) => {
      refuse(bench, 20);
      const { sql, read } = countingRows(bench.sql);
      const counted = new Bench(bench.gate, sql);
      for (let i = 0; i < 500; i++) {
        const minute = Math.floor(bench.clock.now / MINUTE) + i - 1_000;
        const counts = [{ minute, code: "DUPLICATE", n: 1 }];
        counted.state.evidence.note({ id: `note_${ids++}`, counts, samples: [] }, bench.clock.now, {
          inDetail: true,
        });
      }
      expect(kept(bench).minutes).toBeGreaterThan(490);
      const before = read();
      counted.state.evidence.purge(bench.clock.now);
      expect(read() - before).toBeLessThan(10);
    });
  });

  it("and counts survive a restart and a clock that is set back", async () => {
    await inGate(await newGate(), (bench) => {
      const first = Math.floor(bench.clock.now / MINUTE);
      refuse(bench, 2);
      bench.restart();
      bench.clock.now -= HOUR;
      refuse(bench, 2);
      bench.restart();
      expect(kept(bench)).toEqual({ minutes: 2, samples: 4 });
      expect(bench.state.evidence.countsBetween(first - 60, first + 1)).toEqual({
        "refused:INVALID_SIGNATURE": 4,
      });
    });
  });
});

describe("counts by code", () => {
  it("of a month pause again and again, and an hour is counted once until it changes", async () => {
    await inGate(await newGate(), async (bench) => {
      const { evidence } = bench.state;
      const hours = 100;
      bench.clock.now = Math.floor(bench.clock.now / HOUR) * HOUR;
      const start = bench.clock.now;
      for (let i = 0; i < hours; i++) {
        refuse(bench, 1);
        refuse(bench, 2);
        bench.clock.now += HOUR;
      }
      const counting = vi.spyOn(evidence, "countsBetween");
      let pauses = 0;
      const counted = async (since: number, until: number) => {
        counting.mockClear();
        pauses = 0;
        const codes = await evidence.codes.between(since, until, async () => void pauses++);
        return [codes.INVALID_SIGNATURE, counting.mock.calls.length];
      };
      expect(await counted(0, Number.MAX_SAFE_INTEGER)).toEqual([3 * hours, hours + 2]);
      expect(pauses).toBe(8);
      expect(await counted(0, Number.MAX_SAFE_INTEGER)).toEqual([3 * hours, 2]);
      expect(await counted(start + MINUTE, start + 2 * HOUR + MINUTE)).toEqual([6, 2]);
      bench.clock.now = start + HOUR;
      refuse(bench, 4);
      expect(await counted(start, start + 3 * HOUR)).toEqual([13, 1]);
      evidence.purge(start + 2 * HOUR + KEEP_EVIDENCE_MS);
      expect(await counted(0, Number.MAX_SAFE_INTEGER)).toEqual([3 * (hours - 2), 2]);
    });
  });
});
