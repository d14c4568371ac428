import { describe, expect, it } from "vitest";
import { classifyResponse, idempotencyKeyOf } from "../../../src/forwarding/files-creator.ts";
import { retryAfterMs } from "../../../src/http/retry-after.ts";

const NOW = Date.parse("2026-03-16T10:30:00Z");

describe("the response of the files-creator", () => {
  it.each([200, 201, 202, 204, 299])("%i accepts the file", (status) => {
    expect(classifyResponse(status, new Headers(), "", NOW)).toEqual({
      kind: "accepted",
      responseStatus: status,
      recordsTotal: null,
    });
  });

  it.each([400, 413, 415, 422])("%i refuses the file for good", (status) => {
    expect(classifyResponse(status, new Headers(), "bad row", NOW)).toEqual({
      kind: "refused",
      responseStatus: status,
      text: "bad row",
    });
  });

  it.each([
    300, 301, 302, 303, 304, 307, 308, 401, 402, 403, 404, 405, 407, 408, 409, 410, 411, 412, 414, 416, 418,
    421, 423, 425, 428, 429, 431, 451, 500, 501, 502, 503, 504, 520, 524, 599,
  ])("%i leaves the file to be retried", (status) => {
    expect(classifyResponse(status, new Headers({ "Retry-After": "7" }), "later", NOW)).toEqual({
      kind: "unavailable",
      responseStatus: status,
      retryAfterMs: 7_000,
      text: "later",
    });
  });

  it.each([
    ['{"records_total":12}', 12],
    ['{"records_total":0,"more":true}', 0],
    ["{}", null],
    ["", null],
    ["taken", null],
    ["[]", null],
    ["null", null],
    ['{"records_total":-1}', null],
    ['{"records_total":1.5}', null],
    ['{"records_total":"12"}', null],
    ['{"records_total":1', null],
  ])(
    "the body %j gives records_total %j, and never makes the file count as not accepted",
    (text, recordsTotal) => {
      expect(classifyResponse(202, new Headers(), text, NOW)).toEqual({
        kind: "accepted",
        responseStatus: 202,
        recordsTotal,
      });
    },
  );
});

describe("Retry-After", () => {
  it.each([
    ["0", 0],
    ["1", 1_000],
    [" 120 ", 120_000],
    ["999999999", 999_999_999_000],
    ["Mon, 16 Mar 2026 10:31:00 GMT", 60_000],
    ["Monday, 16-Mar-26 10:31:00 GMT", 60_000],
    ["Mon Mar 16 10:31:00 2026", 60_000],
    ["Mon, 16 Mar 2026 10:00:00 GMT", 0],
  ])("%j is read as %i ms", (value, expected) => {
    expect(retryAfterMs(new Headers({ "Retry-After": value }), NOW)).toBe(expected);
  });

  it.each(["", "soon", "-5", "1.5", "1e3", "0x10", "2026-03-16", "1234567890", "try in 2099", "10 minutes"])(
    "%j is not a Retry-After",
    (value) => {
      expect(retryAfterMs(new Headers({ "Retry-After": value }), NOW)).toBeNull();
    },
  );

  it("is optional", () => {
    expect(retryAfterMs(new Headers(), NOW)).toBeNull();
  });
});

it("gives each generation of a file an idempotency key of its own; the first is the file id", () => {
  expect([1, 2, 3].map((generation) => idempotencyKeyOf("FILE_X", generation))).toEqual([
    "FILE_X",
    "FILE_X.2",
    "FILE_X.3",
  ]);
});
