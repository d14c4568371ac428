import { describe, expect, it } from "vitest";
import type { Attempt } from "../../../src/outbound/attempt-result.ts";
import {
  DISABLE_AFTER_FAILURES,
  DISABLE_AFTER_MS,
  type Health,
  healthAfter,
  UNTRIED,
} from "../../../src/outbound/auto-disable.ts";
import { isSlow, laneOf } from "../../../src/outbound/lanes.ts";

type Outcome = Omit<Attempt, "startedAt">;

const NOW = Date.UTC(2026, 10, 24);
const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

const delivered = (ms = 50): Outcome => ({
  kind: "delivered",
  status: 200,
  ms,
  answer: "",
  retryAfterMs: null,
});
const failed = (status = 500, ms = 50): Outcome => ({
  kind: "status",
  status,
  ms,
  answer: "",
  retryAfterMs: null,
});
const timedOut: Outcome = { kind: "timeout", status: null, ms: 10_000, answer: null, retryAfterMs: null };

function after(outcomes: [at: number, outcome: Outcome][], from: Health = UNTRIED) {
  let health = from;
  const disabled: (string | null)[] = [];
  for (const [at, outcome] of outcomes) {
    const step = healthAfter(health, { ...outcome, startedAt: at - outcome.ms });
    health = step.health;
    disabled.push(step.disable);
  }
  return { health, disabled };
}

describe("an endpoint's health", () => {
  it("is not touched by what the gateway could not send", () => {
    const own: Outcome = { kind: "internal", status: null, ms: 0, answer: null, retryAfterMs: null };
    const { health: before } = after(Array.from({ length: 20 }, () => [NOW, failed()]));
    const { health, disabled } = after([[NOW + 6 * DAY, own]], before);
    expect(health).toEqual(before);
    expect(disabled).toEqual([null]);
  });

  it("counts failures in a row, and from when", () => {
    const { health } = after([
      [NOW, failed()],
      [NOW + 1, timedOut],
      [NOW + 2, failed()],
    ]);
    expect(health).toMatchObject({ consecutiveFailures: 3, failingSince: NOW, lastSuccessAt: null });
  });

  it("starts over with a success", () => {
    const { health } = after([
      [NOW, failed()],
      [NOW + 1, delivered()],
    ]);
    expect(health).toMatchObject({ consecutiveFailures: 0, failingSince: null, lastSuccessAt: NOW + 1 });
    expect(after([[NOW + 5, failed()]], health).health.failingSince).toBe(NOW + 5);
  });

  it("disables after five days of nothing but failures, and not a millisecond earlier", () => {
    const { health } = after(Array.from({ length: DISABLE_AFTER_FAILURES }, (_, i) => [NOW + i, failed()]));
    const { disabled } = after(
      [
        [NOW + 2 * DAY, timedOut],
        [NOW + DISABLE_AFTER_MS - 1, failed()],
        [NOW + DISABLE_AFTER_MS, failed()],
      ],
      health,
    );
    expect(disabled).toEqual([null, null, "failing"]);
  });

  it("needs ten failed attempts to call five days failing: two lone ones say nothing of the days between", () => {
    const later = Array.from({ length: 9 }, (_, i): [number, Outcome] => [
      NOW + DISABLE_AFTER_MS + i,
      failed(),
    ]);
    const { disabled } = after([[NOW, failed()], ...later]);
    expect(disabled).toEqual([...Array.from({ length: 9 }, () => null), "failing"]);
  });

  it("forgives five days of failures for one success", () => {
    const { disabled } = after([
      [NOW, failed()],
      [NOW + 4 * DAY, delivered()],
      [NOW + 6 * DAY, failed()],
      [NOW + 10 * DAY, failed()],
    ]);
    expect(disabled).toEqual([null, null, null, null]);
  });

  it("keeps its latest failure until a success", () => {
    const walled: Outcome = { ...failed(403), botWall: true } as Attempt;
    const { health } = after([
      [NOW, timedOut],
      [NOW + 1, walled],
    ]);
    expect(health.lastFailure).toEqual({ kind: "status", status: 403, bot_wall: true });
    expect(after([[NOW + 2, delivered()]], health).health.lastFailure).toBeNull();
  });

  it.each([
    ["a quick success", delivered(2_000), "quick"],
    ["a quick error", failed(500), "quick"],
    ["a late success", delivered(2_001), "slow"],
    ["a timeout", timedOut, "slow"],
    ["a refused connection", { ...timedOut, kind: "refused", ms: 3 } as Attempt, "new"],
  ])("is new until it has answered: %s decides on its lane until it answers in time", (_, outcome, lane) => {
    expect(laneOf(UNTRIED, NOW)).toBe("new");
    const { health } = after([[NOW, outcome]]);
    expect(laneOf(health, NOW)).toBe(lane);
    expect(health.provenAt).toBe(lane === "quick" ? NOW : null);
    expect(laneOf(health, NOW + 11 * MINUTE)).toBe(lane);
    const proven = after([[NOW + MINUTE, failed()]], health).health;
    expect(laneOf(proven, NOW + 11 * MINUTE)).toBe("quick");
  });

  it("disables at once an endpoint that says it is gone", () => {
    expect(after([[NOW, failed(410)]]).disabled).toEqual(["gone"]);
  });

  it.each([
    ["a timeout", timedOut],
    ["a late success", delivered(2_001)],
    ["a late error", failed(500, 9_000)],
  ])("is slow for ten minutes after %s, whatever comes in between", (_, outcome) => {
    const { health } = after([
      [NOW, outcome],
      [NOW + 1, delivered()],
      [NOW + 2, failed()],
    ]);
    expect(isSlow(health, NOW + 10 * MINUTE - 1)).toBe(true);
    expect(isSlow(health, NOW + 10 * MINUTE)).toBe(false);
  });

  it("is not slow for failing quickly, nor untried", () => {
    expect(isSlow(after([[NOW, failed()]]).health, NOW)).toBe(false);
    expect(isSlow(after([[NOW, delivered(2_000)]]).health, NOW)).toBe(false);
    expect(isSlow(UNTRIED, NOW)).toBe(false);
  });
});
