import { expect, it } from "vitest";
import { countsIn, periodsOf, sumOf, valuesIn } from "../../../src/console/pages/metrics/metric-periods.ts";

const HOUR_MS = 3_600_000;
const FROM = Date.UTC(2026, 4, 20);
const iso = (hour: number) => new Date(FROM + hour * HOUR_MS).toISOString();
const answer = { granularity: "hour" as const, since: iso(0), until: iso(5), as_of: iso(3.5) };
const series = {
  key: {},
  points: [
    { at: iso(1), value: 7 },
    { at: iso(4), value: 2 },
  ],
  total: 9,
};

it("a period without counts has none until it is counted, and a gap from then on", () => {
  const periods = periodsOf(answer, FROM + 5 * HOUR_MS);
  expect(periods.times.map((at) => (at - FROM) / HOUR_MS)).toEqual([0, 1, 2, 3, 4]);
  expect(countsIn(periods, series)).toEqual([0, 7, 0, 0, 2]);
  expect(countsIn(periods, undefined)).toEqual([0, 0, 0, 0, null]);
});

it("hours that are not kept any more are gaps, and so is a median of nothing", () => {
  const periods = periodsOf(answer, FROM + 1.5 * HOUR_MS + 90 * 24 * HOUR_MS);
  expect(countsIn(periods, { ...series, points: [] })).toEqual([null, null, 0, 0, null]);
  expect(valuesIn(periods, series, (value) => value * 2)).toEqual([null, 14, null, null, 4]);
});

it("days are kept", () => {
  const days = { granularity: "day" as const, since: iso(0), until: iso(48), as_of: iso(48) };
  expect(countsIn(periodsOf(days, FROM + 900 * 24 * HOUR_MS), undefined)).toEqual([0, 0]);
});

it("a sum of gaps is a gap", () => {
  expect(
    sumOf(
      [
        [1, null, 3],
        [2, null, null],
      ],
      3,
    ),
  ).toEqual([3, null, 3]);
  expect(sumOf([], 2)).toEqual([null, null]);
});
