/** `npm run proof -- simulate`, smaller: what the back-pressure of an outage promises. */
import { beforeAll, describe, expect, it } from "vitest";
import { type Second, simulate } from "../proofs/cost/outage.ts";
import { seeded } from "../support/random.ts";

const CONSUMERS = 10;
const ANSWER_MS = 50;
const DOWN_FROM = 60;
const DOWN_UNTIL = 60 + 1_800;
const RATE = 100;

describe("after half an hour without the files-creator", () => {
  let seconds: Second[] = [];
  const after = () => seconds.slice(DOWN_UNTIL);
  const during = () => seconds.slice(DOWN_FROM, DOWN_UNTIL);
  const sum = (part: Second[], of: (second: Second) => number) => part.reduce((total, s) => total + of(s), 0);

  beforeAll(() => {
    seconds = simulate({
      reportsPerSecond: RATE,
      downFrom: DOWN_FROM,
      downUntil: DOWN_UNTIL,
      until: DOWN_UNTIL + 3_600,
      gates: 50,
      consumers: CONSUMERS,
      answerMs: ANSWER_MS,
      callMs: 10,
      random: seeded(1),
    });
  });

  it("nothing waited before it, and everything had gathered at its end", () => {
    expect(seconds[DOWN_FROM - 1]?.waiting).toBeLessThan(2 * RATE);
    expect(seconds[DOWN_UNTIL - 1]?.waiting).toBeGreaterThan(0.99 * RATE * (DOWN_UNTIL - DOWN_FROM));
  });

  it("the backlog has drained within as long again", () => {
    expect(after().length).toBeLessThan(DOWN_UNTIL - DOWN_FROM);
    expect(seconds.at(-1)?.waiting).toBeLessThan(2 * RATE);
  });

  it("the files-creator is sent a few at first, and never more than the consumers hold in flight", () => {
    const first = after().findIndex(({ posted }) => posted > 0);
    expect(first).toBeLessThanOrEqual(31);
    for (const [i, { posted }] of after()
      .slice(first, first + 4)
      .entries())
      expect(posted).toBeLessThanOrEqual(2 ** (i + 2));
    const most = (CONSUMERS * 6 * 1_000) / ANSWER_MS;
    for (const { posted } of after()) expect(posted).toBeLessThanOrEqual(most);
  });

  it("it is left alone meanwhile but for single probes", () => {
    expect(sum(during().slice(60), ({ posted }) => posted)).toBeLessThan(1_800 / 20);
  });

  it("reports do not circle: a handful of times through the queue each, which does not fill", () => {
    const reports = RATE * (DOWN_UNTIL - DOWN_FROM);
    expect(sum(during(), ({ postponed }) => postponed) / reports).toBeLessThan(8);
    for (const { inQueue } of during()) expect(inQueue).toBeLessThan(20 * RATE);
  });
});
