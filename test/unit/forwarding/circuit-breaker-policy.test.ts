import { describe, expect, it } from "vitest";
import { type Course, OPEN_COURSE, observe, permit } from "../../../src/forwarding/circuit-breaker.ts";

/** Downs the files-creator at time 0. */
const down = () => observe(OPEN_COURSE, 0, 5, 0);

/** Asks for one file every 100 ms; each one permitted is answered, or not, at once. Answers when files were tried. */
function simulate(
  start: Course,
  answers: (at: number) => boolean,
  { from = 0, to, wanted = 1 }: { from?: number; to: number; wanted?: number },
) {
  let course = start;
  const tried: { at: number; granted: number }[] = [];
  for (let at = from; at <= to; at += 100) {
    const asked = permit(course, wanted, at);
    course = asked.course;
    if (asked.granted === 0) continue;
    tried.push({ at, granted: asked.granted });
    course = answers(at) ? observe(course, asked.granted, 0, at) : observe(course, 0, asked.granted, at);
  }
  return { course, tried };
}

describe("while the files-creator answers", () => {
  it("everything is granted", () => {
    expect(permit(OPEN_COURSE, 1_000, 0)).toEqual({ granted: 1_000, retryAfterMs: 0, course: OPEN_COURSE });
  });

  it.each([
    [1, 99],
    [1, 1_000],
    [50, 4],
  ])("%i good and %i failing reports of a batch hold nothing back", (answered, unanswered) => {
    expect(observe(OPEN_COURSE, answered, unanswered, 0)).toEqual(OPEN_COURSE);
  });

  it("failing batches with good ones between them hold nothing back", () => {
    let course = OPEN_COURSE;
    for (let batch = 0; batch < 100; batch++) {
      course = observe(course, 0, 4, batch * 1_000);
      expect(permit(course, 10, batch * 1_000).granted).toBe(10);
      course = observe(course, 6, 4, batch * 1_000 + 500);
    }
    expect(course).toEqual(OPEN_COURSE);
  });

  it("a batch that learned nothing changes nothing", () => {
    expect(observe(OPEN_COURSE, 0, 0, 5)).toEqual(OPEN_COURSE);
    expect(observe(down(), 0, 0, 5)).toEqual(down());
  });
});

describe("while the files-creator is down", () => {
  it("five failures in a row, over any batches, hold files back", () => {
    let course = OPEN_COURSE;
    for (let failure = 1; failure <= 4; failure++) {
      course = observe(course, 0, 1, failure);
      expect(permit(course, 10, failure).granted).toBe(10);
    }
    expect(permit(observe(course, 0, 1, 5), 10, 5).granted).toBe(0);
  });

  it("probes one file at a time, doubling the pause from a second to half a minute", () => {
    const { tried } = simulate(down(), () => false, { to: 200_000, wanted: 100 });
    expect(tried.every(({ granted }) => granted === 1)).toBe(true);
    const times = [0, ...tried.map(({ at }) => at)];
    const pauses = times.slice(1).map((at, i) => at - (times[i] ?? 0));
    expect(pauses.slice(0, 8)).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
  });

  it("tells those who are held back to wait at least a second, and about until the next probe", () => {
    const course = observe(permit(down(), 1, 1_000).course, 0, 1, 0);
    expect(permit(course, 10, 0)).toMatchObject({ granted: 0, retryAfterMs: 2_000 });
    expect(permit(course, 10, 1_900)).toMatchObject({ granted: 0, retryAfterMs: 1_000 });
    expect(permit(course, 10, 2_000)).toMatchObject({ granted: 1, retryAfterMs: 2_000 });
  });

  it("is not made longer by batches that were under way when it began", () => {
    let course = down();
    for (let batch = 0; batch < 6; batch++) course = observe(course, 0, 6, 100 * batch);
    expect(permit(course, 10, 1_000).granted).toBe(1);
  });

  it("grants one probe among any number of batches that ask at once", () => {
    let course = down();
    let granted = 0;
    for (let batch = 0; batch < 50; batch++) {
      const asked = permit(course, 100, 1_000);
      granted += asked.granted;
      course = asked.course;
    }
    expect(granted).toBe(1);
  });
});

describe("when the files-creator is back", () => {
  it("doubles what it grants every second until nothing is held back", () => {
    const { course, tried } = simulate(down(), () => true, { to: 20_000, wanted: 1_000 });
    const ramp = tried.filter(({ granted }) => granted < 1_000);
    expect(ramp.map(({ granted }) => granted)).toEqual([1, 2, 4, 8, 16, 32, 64, 128]);
    for (const [i, { at }] of ramp.entries()) expect(at).toBe(1_000 * (i + 1));
    expect(course).toEqual(OPEN_COURSE);
  });

  it("is found within half a minute, however long it was away", () => {
    const back = 3_600_000;
    const { tried } = simulate(down(), (at) => at >= back, { to: back + 60_000 });
    expect(tried.find(({ at }) => at >= back)?.at).toBeLessThanOrEqual(back + 30_000);
  });

  it("falls back to single probes when it fails again on the way", () => {
    const { course } = simulate(down(), () => true, { to: 4_500, wanted: 1_000 });
    expect(course.level).toBe(16);
    const fallen = observe(course, 0, 8, 4_600);
    expect(permit(fallen, 1_000, 4_700).granted).toBe(0);
    expect(permit(fallen, 1_000, 10_000).granted).toBe(1);
  });

  it.each([1, 5, 20])("is never sent more than the ramp allows by %i concurrent batches", (batches) => {
    let course = down();
    let most = 0;
    for (let second = 1; second <= 6; second++) {
      let granted = 0;
      for (let batch = 0; batch < batches; batch++) {
        const asked = permit(course, 100, second * 1_000);
        granted += asked.granted;
        course = asked.course;
      }
      most = Math.max(most, granted);
      expect(granted).toBeLessThanOrEqual(2 ** (second - 1));
      course = observe(course, granted, 0, second * 1_000);
    }
    expect(most).toBe(32);
  });
});
