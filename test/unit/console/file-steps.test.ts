import { describe, expect, it } from "vitest";
import { type FollowedFile, stepsOfFile } from "../../../src/console/pages/setup/file-steps.ts";

const NOW = Date.parse("2026-03-16T10:40:00.000Z");
const FORWARDED = "2026-03-16T10:30:01.000Z";
const ENDED = "2026-03-16T10:30:02.000Z";

type Facts = FollowedFile["summary"];

function steps(facts: Partial<Omit<Facts, "lifecycle">>, lifecycle: Partial<Facts["lifecycle"]> = {}) {
  const summary = {
    status: "queued",
    employer_id: "EMP_1",
    received_at: "2026-03-16T10:30:00.000Z",
    attempts: 0,
    next_attempt_at: null,
    records_total: null,
    records_failed: null,
    ...facts,
    lifecycle: { forwarded_at: null, completed_at: null, failed_at: null, ...lifecycle },
  };
  const [received, handedOver, ended] = stepsOfFile({ summary } as FollowedFile, NOW);
  return { received, handedOver, ended };
}

describe("the way of the first report", () => {
  it("says of a report that waits that there is nothing to do", () => {
    const { received, handedOver, ended } = steps({});
    expect(received).toMatchObject({ meaning: "good", at: "2026-03-16T10:30:00.000Z" });
    expect(handedOver).toMatchObject({ meaning: "waiting", isNext: true });
    expect(ended).toMatchObject({ title: "Completed", meaning: "off", at: null });
  });

  it.each([
    {
      attempts: 1,
      next: "2026-03-16T10:45:00.000Z",
      text: "Tried once, and not taken yet. Next try in 5 min.",
    },
    {
      attempts: 3,
      next: "2026-03-16T10:39:00.000Z",
      text: "Tried 3 times, and not taken yet. Next try soon.",
    },
    { attempts: 2, next: null, text: "Tried 2 times, and not taken yet. Next try soon." },
  ])("says of one that was deferred $attempts times when it is tried next", ({ attempts, next, text }) => {
    const { handedOver } = steps({ attempts, next_attempt_at: next });
    expect(handedOver?.meaning).toBe("warning");
    expect(handedOver?.text).toContain(text);
    expect(handedOver?.text).toContain("do not send it again");
  });

  it("follows one that is being processed", () => {
    const { handedOver, ended } = steps({ status: "processing" }, { forwarded_at: FORWARDED });
    expect(handedOver).toMatchObject({ meaning: "good", at: FORWARDED });
    expect(ended).toMatchObject({ meaning: "waiting", isNext: true });
  });

  it.each([
    { records_total: null, records_failed: null, text: undefined },
    { records_total: 1, records_failed: 0, text: "1 record, none failed." },
    { records_total: 1_200, records_failed: 3, text: "1,200 records, 3 of them failed." },
  ])("counts the records of one that was completed: $text", ({ text, ...records }) => {
    const { ended } = steps({ status: "completed", ...records }, { completed_at: ENDED });
    expect(ended).toMatchObject({ title: "Completed", meaning: "good", at: ENDED });
    expect(ended?.text).toBe(text);
  });

  it("tells of one that failed that its signature was right, and what to do", () => {
    const { ended } = steps({ status: "failed" }, { failed_at: ENDED });
    expect(ended).toMatchObject({ title: "Failed", meaning: "bad", at: ENDED });
    expect(ended?.text).toContain("Send a corrected one");
  });
});
