import { describe, expect, it } from "vitest";
import { type BreakerState, CLOSED, grant, record } from "../../../src/forwarding/circuit-breaker-policy.ts";

/** The files-creator goes down at time 0. */
const opened = () => record(CLOSED, 0, 5, 0);

/** Requests `wanted` files every 100 ms; each file granted is answered, or not, at once. Returns when files were granted. */
function simulate(
  start: BreakerState,
  answers: (at: number) => boolean,
  { from = 0, to, wanted = 1 }: { from?: number; to: number; wanted?: number },
) {
  let state = start;
  const grants: { at: number; granted: number }[] = [];
  for (let at = from; at <= to; at += 100) {
    const answer = grant(state, wanted, at);
    state = answer.state;
    if (answer.granted === 0) continue;
    grants.push({ at, granted: answer.granted });
    state = answers(at) ? record(state, answer.granted, 0, at) : record(state, 0, answer.granted, at);
  }
  return { state, grants };
}

describe("while the files-creator answers", () => {
  it("every file is granted", () => {
    expect(grant(CLOSED, 1_000, 0)).toEqual({ granted: 1_000, retryAfterMs: 0, state: CLOSED });
  });

  it.each([
    [1, 99],
    [1, 1_000],
    [50, 4],
  ])("%i answered and %i unanswered posts of a batch leave the breaker closed", (answered, unanswered) => {
    expect(record(CLOSED, answered, unanswered, 0)).toEqual(CLOSED);
  });

  it("failing batches with good ones between them leave the breaker closed", () => {
    let state = CLOSED;
    for (let batch = 0; batch < 100; batch++) {
      state = record(state, 0, 4, batch * 1_000);
      expect(grant(state, 10, batch * 1_000).granted).toBe(10);
      state = record(state, 6, 4, batch * 1_000 + 500);
    }
    expect(state).toEqual(CLOSED);
  });

  it("a batch without posts changes nothing", () => {
    expect(record(CLOSED, 0, 0, 5)).toEqual(CLOSED);
    expect(record(opened(), 0, 0, 5)).toEqual(opened());
  });
});

describe("while the files-creator is down", () => {
  it("five failures in a row, across any batches, open the breaker", () => {
    let state = CLOSED;
    for (let failure = 1; failure <= 4; failure++) {
      state = record(state, 0, 1, failure);
      expect(grant(state, 10, failure).granted).toBe(10);
    }
    expect(grant(record(state, 0, 1, 5), 10, 5).granted).toBe(0);
  });

  it("probes one file at a time, doubling the pause from a second to half a minute", () => {
    const { grants } = simulate(opened(), () => false, { to: 200_000, wanted: 100 });
    expect(grants.every(({ granted }) => granted === 1)).toBe(true);
    const times = [0, ...grants.map(({ at }) => at)];
    const pauses = times.slice(1).map((at, i) => at - (times[i] ?? 0));
    expect(pauses.slice(0, 8)).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
  });

  it("tells files that are not granted to wait until the next probe, at least a second", () => {
    const state = record(grant(opened(), 1, 1_000).state, 0, 1, 0);
    expect(grant(state, 10, 0)).toMatchObject({ granted: 0, retryAfterMs: 2_000 });
    expect(grant(state, 10, 1_900)).toMatchObject({ granted: 0, retryAfterMs: 1_000 });
    expect(grant(state, 10, 2_000)).toMatchObject({ granted: 1, retryAfterMs: 2_000 });
  });

  it("the pause is not lengthened by batches that were in flight when the outage began", () => {
    let state = opened();
    for (let batch = 0; batch < 6; batch++) state = record(state, 0, 6, 100 * batch);
    expect(grant(state, 10, 1_000).granted).toBe(1);
  });

  it("grants one probe to any number of batches that ask at once", () => {
    let state = opened();
    let granted = 0;
    for (let batch = 0; batch < 50; batch++) {
      const answer = grant(state, 100, 1_000);
      granted += answer.granted;
      state = answer.state;
    }
    expect(granted).toBe(1);
  });
});

describe("when the files-creator is back", () => {
  it("doubles the limit every second until the breaker closes", () => {
    const { state, grants } = simulate(opened(), () => true, { to: 20_000, wanted: 1_000 });
    const ramp = grants.filter(({ granted }) => granted < 1_000);
    expect(ramp.map(({ granted }) => granted)).toEqual([1, 2, 4, 8, 16, 32, 64, 128]);
    for (const [i, { at }] of ramp.entries()) expect(at).toBe(1_000 * (i + 1));
    expect(state).toEqual(CLOSED);
  });

  it("is noticed within half a minute, however long it was down", () => {
    const back = 3_600_000;
    const { grants } = simulate(opened(), (at) => at >= back, { to: back + 60_000 });
    expect(grants.find(({ at }) => at >= back)?.at).toBeLessThanOrEqual(back + 30_000);
  });

  it("drops back to single probes when it fails again during the ramp", () => {
    const { state } = simulate(opened(), () => true, { to: 4_500, wanted: 1_000 });
    expect(state.limit).toBe(16);
    const reopened = record(state, 0, 8, 4_600);
    expect(grant(reopened, 1_000, 4_700).granted).toBe(0);
    expect(grant(reopened, 1_000, 10_000).granted).toBe(1);
  });

  it.each([1, 5, 20])("receives no more than the ramp allows from %i concurrent batches", (batches) => {
    let state = opened();
    let most = 0;
    for (let second = 1; second <= 6; second++) {
      let granted = 0;
      for (let batch = 0; batch < batches; batch++) {
        const answer = grant(state, 100, second * 1_000);
        granted += answer.granted;
        state = answer.state;
      }
      most = Math.max(most, granted);
      expect(granted).toBeLessThanOrEqual(2 ** (second - 1));
      state = record(state, granted, 0, second * 1_000);
    }
    expect(most).toBe(32);
  });
});
