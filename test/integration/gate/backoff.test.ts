import { describe, expect, it } from "vitest";
import {
  GIVE_UP_AFTER_MS,
  postponeDelayMs,
  retryDelayMs,
  wakeAgainDelayMs,
} from "../../../src/gate/backoff.ts";
import { HOUR, MINUTE, SECOND } from "../../support/gate.ts";

/** `random` that gives neither more nor less than the plain delay, where the jitter is symmetric. */
const EVEN = 0.5;

describe("a deferred file is retried", () => {
  it.each([
    [1, 5 * SECOND],
    [2, 10 * SECOND],
    [3, 20 * SECOND],
    [8, 640 * SECOND],
    [10, 2_560 * SECOND],
    [11, HOUR],
    [12, HOUR],
    [10_000, HOUR],
  ])("after its attempt %i in %i ms", (attempts, expected) => {
    expect(retryDelayMs(attempts, null, EVEN)).toBe(expected);
  });

  it.each([
    [0, 3.75 * SECOND],
    [0.999999, 6.25 * SECOND],
  ])("with a quarter of jitter on either side (random %d)", (random, expected) => {
    expect(Math.abs(retryDelayMs(1, null, random) - expected)).toBeLessThan(2);
  });

  it.each([
    { name: "later when asked to", attempts: 1, retryAfterMs: MINUTE, expected: MINUTE },
    { name: "no sooner when asked to", attempts: 11, retryAfterMs: MINUTE, expected: HOUR },
    { name: "as usual when asked for no wait", attempts: 1, retryAfterMs: 0, expected: 5 * SECOND },
    { name: "after six hours when asked for more", attempts: 1, retryAfterMs: 48 * HOUR, expected: 6 * HOUR },
  ])("$name", ({ attempts, retryAfterMs, expected }) => {
    expect(retryDelayMs(attempts, retryAfterMs, EVEN)).toBe(expected);
  });

  it("often enough: at least thirty times before it is given up", () => {
    let tries = 0;
    for (let waited = 0; waited < GIVE_UP_AFTER_MS; tries++) waited += retryDelayMs(tries + 1, null, EVEN);
    expect(tries).toBeGreaterThan(30);
  });
});

describe("the consumer is woken again for a file", () => {
  it.each([
    [0, 2 * MINUTE],
    [1, 4 * MINUTE],
    [2, 8 * MINUTE],
    [4, 32 * MINUTE],
    [5, HOUR],
    [1_000, HOUR],
  ])("after %i wake-ups in %i ms", (wakeUps, expected) => {
    expect(wakeAgainDelayMs(wakeUps, EVEN)).toBe(expected);
    expect(wakeAgainDelayMs(wakeUps, 0)).toBe(expected * 0.75);
    expect(wakeAgainDelayMs(wakeUps, 0.999999)).toBeLessThanOrEqual(expected * 1.25);
  });
});

describe("a postponed file is tried", () => {
  it.each([
    {
      name: "at the time the circuit breaker gives, when the file has just come",
      retryAfterMs: SECOND,
      waitedMs: 0,
      least: SECOND,
    },
    {
      name: "after as long again as it has waited",
      retryAfterMs: SECOND,
      waitedMs: 10 * MINUTE,
      least: 10 * MINUTE,
    },
    {
      name: "every quarter of an hour at the rarest",
      retryAfterMs: SECOND,
      waitedMs: 20 * HOUR,
      least: 15 * MINUTE,
    },
    {
      name: "never before the time the circuit breaker gives",
      retryAfterMs: HOUR,
      waitedMs: 20 * HOUR,
      least: HOUR,
    },
  ])("$name", ({ retryAfterMs, waitedMs, least }) => {
    expect(postponeDelayMs(retryAfterMs, waitedMs, 0)).toBe(least);
    expect(postponeDelayMs(retryAfterMs, waitedMs, 0.999999)).toBeLessThanOrEqual(least * 1.5);
  });
});
