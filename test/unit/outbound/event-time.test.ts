import { describe, expect, it } from "vitest";
import { eventTime, fileEventTime } from "../../../src/outbound/event-time.ts";

const NOW = Date.parse("2026-11-27T12:00:00.000Z");
const MINUTE = 60_000;
const DAY = 86_400_000;
const iso = (ms: number) => new Date(ms).toISOString();

describe("when an event happened", () => {
  it.each([
    ["no time", {}, NOW],
    ["created_at", { created_at: "2026-11-27T11:00:00Z" }, NOW - 60 * MINUTE],
    ["timestamp", { timestamp: "2026-11-27T11:00:00Z" }, NOW - 60 * MINUTE],
    [
      "both, one moment in two offsets",
      { created_at: "2026-11-27T11:00:00Z", timestamp: "2026-11-27T13:00:00.000+02:00" },
      NOW - 60 * MINUTE,
    ],
    ["microseconds", { created_at: "2026-11-27T11:59:59.123456Z" }, NOW - 877],
    ["a second ahead", { created_at: iso(NOW + 1_000) }, NOW],
    ["5 minutes ahead", { timestamp: iso(NOW + 5 * MINUTE) }, NOW],
    ["90 days back", { created_at: iso(NOW - 90 * DAY) }, NOW - 90 * DAY],
  ])("%s", (_name, given, at) => {
    expect(eventTime(given, NOW)).toEqual({ ok: true, value: at });
  });

  it.each([
    ["more than 5 minutes ahead", { created_at: iso(NOW + 5 * MINUTE + 1) }, "created_at", "5 minutes ahead"],
    ["more than 90 days back", { timestamp: iso(NOW - 90 * DAY - 1) }, "timestamp", "90 days back"],
    [
      "two moments",
      { created_at: iso(NOW - 1), timestamp: iso(NOW - 2) },
      "created_at",
      "name different moments",
    ],
    [
      "two moments that both count as now",
      { created_at: iso(NOW + 1), timestamp: iso(NOW + 2) },
      "created_at",
      "name different moments",
    ],
    [
      "one that is wrong beside one that is not",
      { created_at: "x", timestamp: iso(NOW) },
      "created_at",
      '"x"',
    ],
    ["no offset", { created_at: "2026-11-27T11:00:00" }, "created_at", "with its offset"],
    ["a day that is none", { created_at: "2026-02-30T11:00:00Z" }, "created_at", "Must be a time"],
    ["seconds as a number", { timestamp: 1_795_780_800 }, "timestamp", "received 1795780800"],
    ["null", { created_at: null }, "created_at", "received null"],
    ["a long text", { created_at: "x".repeat(200) }, "created_at", "…"],
  ] as const)("is refused: %s", (_name, given, field, problem) => {
    expect(eventTime(given, NOW)).toEqual({
      ok: false,
      error: { field, message: expect.stringContaining(problem) },
    });
  });
});

describe("when a file's event happened", () => {
  const gate = { receivedAt: NOW - 10 * MINUTE, ownTime: NOW - MINUTE, now: NOW };

  it.each([
    ["as its sender says", { created_at: iso(NOW - 2 * MINUTE) }, NOW - 2 * MINUTE],
    ["now, where its sender's clock is a little ahead", { timestamp: iso(NOW + MINUTE) }, NOW],
    ["by the gate's time without one", {}, gate.ownTime],
    ["by the gate's time where it is no time", { timestamp: "yesterday" }, gate.ownTime],
    ["by the gate's time where it is a number", { created_at: 5 }, gate.ownTime],
    ["by the gate's time where it is far ahead", { timestamp: iso(NOW + DAY) }, gate.ownTime],
    ["by the gate's time where it is long ago", { timestamp: iso(NOW - 100 * DAY) }, gate.ownTime],
    ["by the gate's time before the file was received", { timestamp: iso(NOW - 11 * MINUTE) }, gate.ownTime],
    ["by the gate's time where two differ", { timestamp: iso(NOW), created_at: iso(NOW - 1) }, gate.ownTime],
  ])("%s", (_name, given, at) => {
    expect(fileEventTime(given, gate)).toBe(at);
  });
});
