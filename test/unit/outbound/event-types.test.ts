import { describe, expect, it } from "vitest";
import {
  checkEventPatterns,
  EVENT_TYPES,
  envelopeOf,
  eventBody,
  isEventType,
  matches,
} from "../../../src/outbound/event-types.ts";

const EVENT = {
  id: "evt_1",
  type: "file.failed",
  createdAt: Date.UTC(2026, 2, 16, 10, 30),
  source: "audit1_system",
  environment: "sandbox",
  sequence: 1_816_224_768_004_096,
} as const;

describe("a webhook's events", () => {
  it.each([
    [["file.processed"], "file.processed", true],
    [["file.processed"], "file.failed", false],
    [["file.*"], "file.failed", true],
    [["file.*"], "audit.failed", false],
    [["audit.completed", "*"], "payment.refunded", true],
    [["policy.*"], "policy.premium_adjusted", true],
    [["webhook.*"], "webhook.test", true],
    [[], "file.failed", false],
  ] as const)("%j ask for %s: %s", (patterns, type, expected) => {
    expect(matches(patterns, type)).toBe(expected);
  });

  it("can be every documented type, every family, and all", () => {
    const families = [...new Set(EVENT_TYPES.map((type) => `${type.split(".")[0]}.*`))];
    const all = [...EVENT_TYPES, ...families, "*"];
    expect(checkEventPatterns(all)).toEqual({ ok: true, value: all });
    expect(EVENT_TYPES).toHaveLength(20);
    expect(families).toEqual(["file.*", "audit.*", "employee.*", "policy.*", "payment.*", "webhook.*"]);
  });

  it("are kept once each, in the order given", () => {
    expect(checkEventPatterns(["*", "file.failed", "*", "file.failed", "audit.*"])).toEqual({
      ok: true,
      value: ["*", "file.failed", "audit.*"],
    });
  });

  it("are refused by name and place when they are unknown", () => {
    const unknown = ["file.lost", "File.Failed", "file", "*.failed", "file.**", "", "toString", "__proto__"];
    expect(checkEventPatterns(["file.failed", ...unknown])).toEqual({
      ok: false,
      error: Object.fromEntries(
        unknown.map((name, index) => [`events[${index + 1}]`, `Unknown event "${name}"`]),
      ),
    });
    for (const name of unknown) expect(isEventType(name)).toBe(false);
  });

  it("are refused shortly when they are long, many or none", () => {
    expect(checkEventPatterns(["x".repeat(1_000)])).toEqual({
      ok: false,
      error: { "events[0]": `Unknown event "${"x".repeat(64)}…"` },
    });
    expect(checkEventPatterns(Array(101).fill("*"))).toMatchObject({ ok: false });
    expect(checkEventPatterns([])).toMatchObject({ ok: false });
  });
});

describe("an event's body", () => {
  it("is the documented envelope, printed as JSON.stringify prints it", () => {
    const data = { fileId: "FILE_1", error: { code: "X", details: ["a"] } };
    const envelope = envelopeOf(EVENT, data);
    expect(envelope).toEqual({
      id: "evt_1",
      type: "file.failed",
      timestamp: "2026-03-16T10:30:00.000Z",
      created_at: "2026-03-16T10:30:00.000Z",
      data,
      metadata: { source: "audit1_system", environment: "sandbox", sequence: 1_816_224_768_004_096 },
    });
    expect(eventBody(EVENT, JSON.stringify(data))).toBe(JSON.stringify(envelope));
  });
});
