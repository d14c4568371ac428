import { expect, it } from "vitest";
import { WaitingFiles } from "../../../src/gate/waiting-files.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

it("raises the condition again, and clears it in time, although the clock was set back", async () => {
  let now = 100 * HOUR_MS;
  let queuedAt: number | null = now - 11 * MINUTE_MS;
  let mark = "";
  const calls: string[] = [];
  const waiting = new WaitingFiles({
    oldestQueuedAt: () => queuedAt,
    raisedAt: {
      get: () => mark,
      set: (at) => {
        mark = at;
      },
    },
    raise: async () => calls.push("raise") > 0,
    clear: async () => calls.push("clear") > 0,
    now: () => now,
  });
  await waiting.run();
  now -= 5 * HOUR_MS;
  queuedAt -= 10 * HOUR_MS;
  await waiting.run();
  expect(calls).toEqual(["raise", "raise"]);
  now -= 5 * HOUR_MS;
  queuedAt = null;
  waiting.settled();
  await waiting.run();
  expect(calls).toEqual(["raise", "raise", "clear"]);
  expect(mark).toBe("");
});
