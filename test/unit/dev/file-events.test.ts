import { describe, expect, it } from "vitest";
import { fileEvents, nextReportAt } from "../../../dev/files-creator/file-events.ts";

const file = { fileId: "FILE_1", employerId: "EMP_1", idempotencyKey: "FILE_1" };
const table = { columns: ["name"], rows: [["A"], ["B"]], total: 3, unreadable: [1] };
const now = new Date("2026-03-16T10:30:00.000Z");

describe("fileEvents", () => {
  it("reports a file with rows as validated, then processed", async () => {
    const events = await fileEvents(file, table, now);
    expect(events.map(({ type }) => type)).toEqual(["file.validated", "file.processed"]);
    expect(events[1]).toEqual({
      id: expect.stringMatching(/^evt_[0-9a-f]{32}$/),
      type: "file.processed",
      timestamp: "2026-03-16T10:30:00.000Z",
      data: {
        fileId: "FILE_1",
        employerId: "EMP_1",
        status: "processed",
        recordsTotal: 3,
        recordsProcessed: 2,
        recordsFailed: 1,
      },
    });
  });

  it("reports a file without a single row as failed, with a bounded list of details", async () => {
    const unreadable = Array.from({ length: 1_000 }, (_, i) => i);
    const [event, ...more] = await fileEvents(file, { columns: [], rows: [], total: 1_000, unreadable }, now);
    expect(more).toEqual([]);
    expect(event).toMatchObject({ type: "file.failed", data: { status: "failed", recordsFailed: 1_000 } });
    expect(event?.data.error).toMatchObject({ code: "NO_READABLE_EMPLOYEES", details: { length: 20 } });
  });

  it("gives a repeated report the same ids and a new generation others", async () => {
    const ids = async (key: string, at: Date) =>
      (await fileEvents({ ...file, idempotencyKey: key }, table, at)).map(({ id }) => id);
    const first = await ids("FILE_1", now);
    expect(await ids("FILE_1", new Date(0))).toEqual(first);
    expect(new Set([...first, ...(await ids("FILE_1.2", now))]).size).toBe(4);
  });
});

describe("nextReportAt", () => {
  it.each([
    [1, 1_000],
    [2, 2_000],
    [5, 16_000],
    [11, 300_000],
  ])("after failure %i waits %i ms", (tries, wait) => {
    expect(nextReportAt(5_000, tries, 12)).toBe(5_000 + wait);
  });

  it("gives up after the last try", () => {
    expect(nextReportAt(5_000, 12, 12)).toBeNull();
  });
});
