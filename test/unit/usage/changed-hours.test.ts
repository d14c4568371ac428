import { describe, expect, it } from "vitest";
import { ChangedHours, HANDED_OVER_WITHIN_MS } from "../../../src/usage/changed-hours.ts";
import { HOUR_MS } from "../../../src/usage/periods.ts";

const TEN = Date.UTC(2026, 4, 6, 10);
const NOW = TEN + 30 * 60_000;

/** A mark that outlives its object, and counts how often it is written. */
function place() {
  let mark = "";
  let writes = 0;
  return {
    get: () => mark,
    set: (text: string) => {
      mark = text;
      writes++;
    },
    writes: () => writes,
  };
}

function marked(random = 0.5) {
  const at = place();
  return {
    at,
    hours: new ChangedHours(at, () => random),
    restarted: () => new ChangedHours(at, () => random),
  };
}

describe("the hours that have changed", () => {
  it("are marked once, however often they change", () => {
    const { at, hours } = marked();
    for (let i = 0; i < 1_000; i++) hours.mark(TEN + i, NOW + i);
    expect(at.writes()).toBe(1);
    expect(hours.take(24, NOW).hours).toEqual([TEN]);
  });

  it("are due within ten minutes, spread over five", () => {
    const dueAt = (random: number) => {
      const { hours } = marked(random);
      hours.mark(TEN, NOW);
      hours.mark(TEN - HOUR_MS, NOW + 60_000);
      return (hours.dueAt(NOW) ?? 0) - NOW;
    };
    expect(dueAt(0)).toBe(300_000);
    expect(dueAt(0.5)).toBe(450_000);
    expect(dueAt(0.999999)).toBeLessThan(HANDED_OVER_WITHIN_MS);
  });

  it("are due when nothing has changed: never", () => {
    const { hours } = marked();
    expect(hours.dueAt(NOW)).toBeNull();
    hours.mark(TEN, NOW);
    hours.take(24, NOW);
    hours.done();
    expect(hours.dueAt(NOW)).toBeNull();
  });

  it("are due soon, after a clock that ran ahead was set back", () => {
    const { hours } = marked();
    hours.mark(TEN, NOW + 365 * 24 * HOUR_MS);
    expect(hours.dueAt(NOW)).toBe(NOW + HANDED_OVER_WITHIN_MS);
    expect(hours.dueAt(NOW + 60_000)).toBe(NOW + HANDED_OVER_WITHIN_MS);
  });

  it("are handed over oldest first, so many at a time", () => {
    const { hours } = marked();
    for (const back of [1, 3, 0, 2]) hours.mark(TEN - back * HOUR_MS, NOW);
    expect(hours.take(3, NOW).hours).toEqual([TEN - 3 * HOUR_MS, TEN - 2 * HOUR_MS, TEN - HOUR_MS]);
    const dueAt = hours.dueAt(NOW);
    hours.done();
    expect(hours.dueAt(NOW)).toBe(dueAt);
    expect(hours.take(3, NOW).hours).toEqual([TEN]);
  });

  it("stay marked if they change while they are handed over", () => {
    const { hours, restarted } = marked();
    hours.mark(TEN, NOW);
    hours.take(24, NOW);
    hours.mark(TEN, NOW + 1);
    expect(hours.dueAt(NOW + 1)).toBe(NOW + 450_001);
    hours.done();
    expect(hours.dueAt(NOW + 1)).toBe(NOW + 450_001);
    expect(hours.take(24, NOW + 3).hours).toEqual([TEN]);
    expect(restarted().take(24, NOW + 3).hours).toEqual([TEN]);
  });

  it("stay marked if the hand-over fails, without being written again", () => {
    const { at, hours } = marked();
    hours.mark(TEN, NOW);
    hours.take(24, NOW);
    hours.failed(NOW + 1_000);
    expect(hours.dueAt(NOW)).toBe(NOW + 451_000);
    expect(at.writes()).toBe(1);
    expect(hours.take(24, NOW).hours).toEqual([TEN]);
  });

  it("outlive a restart at any moment", () => {
    const { hours, restarted } = marked();
    hours.mark(TEN, NOW);
    expect(restarted().dueAt(NOW)).toBe(NOW + 450_000);
    hours.take(24, NOW);
    hours.mark(TEN + HOUR_MS, NOW);
    expect(restarted().take(24, NOW).hours).toEqual([TEN, TEN + HOUR_MS]);
    hours.done();
    expect(restarted().take(24, NOW).hours).toEqual([TEN + HOUR_MS]);
  });
});

describe("versions", () => {
  it("grow from one hand-over to the next, whatever the clock does", () => {
    const { hours, restarted } = marked();
    hours.mark(TEN, NOW);
    const first = hours.take(24, NOW).version;
    hours.done();
    hours.mark(TEN, NOW - 24 * HOUR_MS);
    const second = hours.take(24, NOW - 24 * HOUR_MS).version;
    expect(second).toBeGreaterThan(first);
    hours.done();
    const after = restarted();
    after.mark(TEN, NOW);
    expect(after.take(24, NOW - 24 * HOUR_MS).version).toBeGreaterThan(second);
  });

  it("pass what the database has", () => {
    const { hours } = marked();
    hours.mark(TEN, NOW);
    hours.take(24, NOW);
    hours.learnVersion(NOW + 5_000);
    hours.failed(NOW);
    expect(hours.take(24, NOW).version).toBe(NOW + 5_001);
  });
});
