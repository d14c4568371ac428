import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  BACKGROUND_LIMITS,
  DeadlineExceeded,
  isOutage,
  REQUEST_LIMITS,
  r2DeadlineMs,
  withDeadline,
} from "../../src/deadline.ts";

const MIB = 1024 ** 2;

describe("the deadlines of a request", () => {
  it("are those of the wire contract", () => {
    expect([REQUEST_LIMITS.d1Ms, REQUEST_LIMITS.objectMs]).toEqual([2_000, 3_000]);
  });

  it.each([
    [0, 5_000],
    [MIB / 2, 5_500],
    [MIB, 6_000],
    [10 * MIB, 15_000],
  ])("grow with what is put into the archive: %i bytes, %i ms", (bytes, ms) => {
    expect(r2DeadlineMs(REQUEST_LIMITS, bytes)).toBe(ms);
  });

  it("are shorter than those in the background", () => {
    for (const [name, ms] of Object.entries(REQUEST_LIMITS))
      expect(ms).toBeLessThanOrEqual(BACKGROUND_LIMITS[name as keyof typeof BACKGROUND_LIMITS]);
  });
});

describe("withDeadline", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("answers what the work answers, and leaves no timer behind", async () => {
    await expect(withDeadline("DB.all", 100, async () => "rows")).resolves.toBe("rows");
    expect(vi.getTimerCount()).toBe(0);
  });

  it.each<[string, () => Promise<never>]>([
    ["rejects", () => Promise.reject(new Error("away"))],
    [
      "throws",
      () => {
        throw new Error("away");
      },
    ],
  ])("fails as work that %s, and leaves no timer behind", async (_, work) => {
    await expect(withDeadline("DB.all", 100, work)).rejects.toThrow("away");
    expect(vi.getTimerCount()).toBe(0);
  });

  it("rejects at the deadline and not before, and says which call", async () => {
    const failed = vi.fn();
    const waiting = withDeadline("DB.all", 100, () => new Promise(() => undefined)).catch(failed);
    await vi.advanceTimersByTimeAsync(99);
    expect(failed).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    await waiting;
    const [error] = failed.mock.calls[0] ?? [];
    expect(error).toBeInstanceOf(DeadlineExceeded);
    expect(error).toMatchObject({ call: "DB.all", message: "DB.all did not respond within 100 ms" });
  });

  it("ignores what late work does, a rejection too", async () => {
    const late = Promise.withResolvers<never>();
    const waiting = withDeadline("DB.all", 100, () => late.promise);
    const failed = expect(waiting).rejects.toBeInstanceOf(DeadlineExceeded);
    await vi.advanceTimersByTimeAsync(100);
    await failed;
    // An unhandled rejection would fail this test run.
    late.reject(new Error("too late"));
    await vi.advanceTimersByTimeAsync(1);
  });
});

describe("isOutage", () => {
  const error = (message: string, marks: object = {}) => Object.assign(new Error(message), marks);

  it.each([
    ["a deadline", new DeadlineExceeded("DB.all", 1)],
    ["a call that may be repeated", error("x", { retryable: true, remote: true })],
    ["an overloaded object", error("x", { overloaded: true, remote: true })],
    ["an object that was reset", error("x", { durableObjectReset: true })],
    ["a lost connection", error("Network connection lost.")],
    ["an error of the platform", error("internal error; reference = abc")],
    ["D1 away", error("D1_ERROR: Network connection lost.")],
    ["D1 overloaded", error("D1_ERROR: D1 DB is overloaded. Requests queued for too long.")],
    ["D1 busy", error("D1_ERROR: database is locked: SQLITE_BUSY")],
    ["an object made by newer code", error("layout 9: deploy newer code", { remote: true })],
  ])("%s is one", (_, thrown) => {
    expect(isOutage(thrown)).toBe(true);
  });

  it.each<[string, unknown]>([
    ["a bug of ours", error("x is not a function")],
    ["a bug inside an object", error("x is not a function", { remote: true })],
    ["a statement that cannot run", error("D1_ERROR: no such column: x at offset 7: SQLITE_ERROR")],
    ["a broken constraint", error("D1_ERROR: UNIQUE constraint failed: t.id: SQLITE_CONSTRAINT")],
    ["what is no error", "lost"],
  ])("%s is none", (_, thrown) => {
    expect(isOutage(thrown)).toBe(false);
  });
});
