import { expect, it } from "vitest";
import type { Counts } from "../../../src/usage/counts.ts";
import { type CountedFile, countFile } from "../../../src/usage/file-counts.ts";
import { bucketOf } from "../../../src/usage/histogram.ts";

const FILE: CountedFile = {
  status: "queued",
  bytes: 100,
  sentAt: 1_000,
  receivedAt: 1_200,
  acceptedMs: null,
  forwardedAt: null,
  completedAt: null,
};

function countsOf(...files: Partial<CountedFile>[]): Counts {
  const counts: Counts = {};
  for (const file of files) countFile(counts, { ...FILE, ...file });
  return counts;
}

it("counts every accepted file with its bytes, and each by how it ended", () => {
  const files = (["queued", "processing", "failed", "completed", "completed"] as const).map((status) => ({
    status,
  }));
  expect(countsOf(...files)).toEqual({ accepted: 5, bytes: 500, failed: 1, completed: 2 });
});

it("times the acceptance of a file, if it is known", () => {
  expect(countsOf({ acceptedMs: 12 }, {})).toEqual({
    accepted: 2,
    bytes: 200,
    [`latency_accepted:${bucketOf(12)}`]: 1,
  });
});

it("times a file from its 202 to the files-creator, and from the sender's timestamp to its completion", () => {
  expect(countsOf({ status: "completed", forwardedAt: 1_500, completedAt: 61_000 })).toEqual({
    accepted: 1,
    bytes: 100,
    completed: 1,
    [`latency_forwarded:${bucketOf(300)}`]: 1,
    [`latency_completed:${bucketOf(60_000)}`]: 1,
  });
});

it("puts a time that runs backwards, as between two clocks, into the first bucket", () => {
  expect(countsOf({ forwardedAt: 1_100 })).toMatchObject({ "latency_forwarded:1": 1 });
});
