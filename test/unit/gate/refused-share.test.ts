import { beforeEach, describe, expect, it } from "vitest";
import { hasJumped, RefusedShare, requestsOf } from "../../../src/gate/refused-share.ts";
import { addCounts, type Counts } from "../../../src/usage/counts.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

describe("requestsOf", () => {
  it("counts what was refused among all, without the gateway's own failures", () => {
    const counts = {
      "refused:INVALID_SIGNATURE": 3,
      "refused:SERVICE_UNAVAILABLE": 100,
      "refused:INTERNAL_ERROR": 100,
      "refused:NOT_CONFIGURED": 100,
      duplicate: 2,
      "latency_completed:7": 100,
    };
    expect(requestsOf(counts)).toEqual({ total: 5, refused: 3 });
  });
});

describe("hasJumped", () => {
  const before = { total: 1_000, refused: 10 };
  it.each([
    [{ total: 20, refused: 10 }, before, true],
    [{ total: 19, refused: 19 }, before, false],
    [{ total: 100, refused: 49 }, before, false],
    [{ total: 100, refused: 100 }, { total: 100, refused: 10 }, true],
    [{ total: 100, refused: 100 }, { total: 100, refused: 11 }, false],
    [{ total: 100, refused: 100 }, { total: 0, refused: 0 }, true],
  ])("is for %j after %j: %s", (recent, day, expected) => {
    expect(hasJumped(recent, day, true)).toBe(expected);
  });

  it("is never for a sender that never worked", () => {
    expect(hasJumped({ total: 100, refused: 100 }, before, false)).toBe(false);
  });
});

describe("RefusedShare", () => {
  let now: number;
  let minutes: Map<number, Counts>;
  /** Accepted reports, by minute. */
  let accepted: Map<number, number>;
  let calls: string[];
  let away: boolean;
  let mark: string;
  let share: RefusedShare;

  beforeEach(() => {
    now = 100 * DAY_MS;
    minutes = new Map();
    accepted = new Map();
    calls = [];
    away = false;
    mark = "";
    share = started();
  });

  /** As after a restart of the gate. */
  function started(): RefusedShare {
    const call = async (name: string) => {
      calls.push(name);
      return !away;
    };
    return new RefusedShare({
      countsBetween(from, to) {
        const sum: Counts = {};
        for (const [minute, counts] of minutes) if (minute >= from && minute < to) addCounts(sum, counts);
        return sum;
      },
      acceptedBetween: (from, to, most) => {
        const minutesOf = [...accepted].filter(
          ([minute]) => minute * MINUTE_MS >= from && minute * MINUTE_MS < to,
        );
        return Math.min(
          most,
          minutesOf.reduce((sum, [, n]) => sum + n, 0),
        );
      },
      acceptedBefore: () => true,
      raisedAt: {
        get: () => mark,
        set: (at) => {
          mark = at;
        },
      },
      raise: ({ facts }) => call(`raise ${facts.refused}/${facts.requests}`),
      clear: () => call("clear"),
      now: () => now,
    });
  }

  /** Requests of this minute, the note that reports them, and the reports that were accepted beside them. */
  function note(counts: Counts, acceptedNow = 0): void {
    const minute = Math.floor(now / MINUTE_MS);
    accepted.set(minute, (accepted.get(minute) ?? 0) + acceptedNow);
    minutes.set(minute, { ...minutes.get(minute), ...counts });
    share.noted(counts["refused:INVALID_SIGNATURE"] ?? 0);
  }

  async function pass(minutesPassed: number): Promise<void> {
    for (let i = 0; i < minutesPassed; i++) {
      now += MINUTE_MS;
      const at = share.nextAt();
      if (at !== null && at <= now) await share.run();
    }
  }

  it("asks for no alarm and raises nothing while few are refused", async () => {
    for (let i = 0; i < 30; i++) {
      note({ "refused:INVALID_SIGNATURE": 9 }, 11);
      expect(share.nextAt()).toBeNull();
      await pass(1);
    }
    expect(calls).toEqual([]);
  });

  it("raises a jump once and again while it lasts, and clears it afterwards", async () => {
    note({ "refused:INVALID_SIGNATURE": 30 });
    expect(share.nextAt()).toBe(now);
    await share.run();
    await pass(4);
    expect(calls).toEqual(["raise 30/30"]);
    await pass(8);
    expect(calls).toEqual(["raise 30/30", "raise 30/30", "raise 30/30"]);
    await pass(10);
    expect(calls.slice(3)).toEqual(["clear"]);
    expect(share.nextAt()).toBeNull();
  });

  it("goes on while the share stays high for more than a day", async () => {
    for (let i = 0; i < 40 * 60; i++) {
      note({ "refused:INVALID_SIGNATURE": 5 });
      await pass(1);
    }
    expect(calls.length).toBeGreaterThan(400);
    expect(calls).not.toContain("clear");
  });

  it("stays raised by a gate that restarts hours into a flood, and is cleared by one that restarts after it", async () => {
    for (let i = 0; i < 3 * 60; i++) {
      note({ "refused:INVALID_SIGNATURE": 5 });
      await pass(1);
    }
    calls = [];
    share = started();
    for (let i = 0; i < 10; i++) {
      note({ "refused:INVALID_SIGNATURE": 5 });
      await pass(1);
    }
    expect(calls).toEqual(["raise 70/70", "raise 70/70"]);
    now += 20 * MINUTE_MS;
    share = started();
    await pass(1);
    expect(calls.slice(2)).toEqual(["clear"]);
    share = started();
    expect(share.nextAt()).toBeNull();
  });

  it("clears the condition in time although the clock was set back", async () => {
    note({ "refused:INVALID_SIGNATURE": 30 });
    await share.run();
    now -= 5 * 60 * MINUTE_MS;
    await share.run();
    expect(calls).toEqual(["raise 30/30", "clear"]);
  });

  it("tries again a minute later if the watch does not answer", async () => {
    away = true;
    note({ "refused:INVALID_SIGNATURE": 30 });
    await share.run();
    await pass(2);
    expect(calls).toHaveLength(3);
    away = false;
    await pass(4);
    expect(calls).toHaveLength(4);
  });

  it("looks at once when many were refused, else every 15 seconds, so that no burst is missed", () => {
    note({ "refused:INVALID_SIGNATURE": 1 });
    for (let i = 0; i < 2; i++) {
      now += 1_000;
      note({ "refused:INVALID_SIGNATURE": 9 + i });
    }
    note({ "refused:INVALID_SIGNATURE": 15 }, 5);
    expect(share.nextAt()).toBe(now);
  });

  it("reads no rows for single refusals that come close together", () => {
    let looks = 0;
    const counting = new RefusedShare({
      countsBetween: () => {
        looks++;
        return {};
      },
      acceptedBetween: () => 0,
      acceptedBefore: () => true,
      raisedAt: { get: () => "", set: () => undefined },
      raise: async () => true,
      clear: async () => true,
      now: () => now,
    });
    for (let i = 0; i < 9; i++) {
      counting.noted(1);
      now += 1_000;
    }
    expect(looks).toBe(1);
    now += 15_000;
    counting.noted(1);
    expect(looks).toBe(2);
  });

  it("reads the day before only every 15 seconds in a flood that is no jump", () => {
    let days = 0;
    const flooded = new RefusedShare({
      countsBetween(from, to) {
        if (to - from > 60) days++;
        return { "refused:INVALID_SIGNATURE": 10_000 };
      },
      acceptedBetween: () => 0,
      acceptedBefore: () => true,
      raisedAt: { get: () => "", set: () => undefined },
      raise: async () => true,
      clear: async () => true,
      now: () => now,
    });
    for (let i = 0; i < 600; i++) {
      flooded.noted(100);
      now += 100;
    }
    expect(days).toBe(4);
  });
});
