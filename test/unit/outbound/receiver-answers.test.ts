import { describe, expect, it } from "vitest";
import { attemptDelivery } from "../../../src/outbound/attempt.ts";
import { answeredKind } from "../../../src/outbound/attempt-result.ts";

const EXCHANGE = {
  url: "https://receiver.example/hook",
  headers: {},
  body: new Uint8Array(),
  policy: { ownZones: [], allowedHosts: [], allowInsecure: false },
};

describe("an answer", () => {
  it.each([
    [200, "", "delivered"],
    [204, "", "delivered"],
    [299, "", "delivered"],
    [300, "", "redirect"],
    [301, "", "redirect"],
    [304, "", "redirect"],
    [399, "", "redirect"],
    [400, "", "status"],
    [410, "", "status"],
    [429, "", "status"],
    [500, "", "status"],
    [504, "", "status"],
    [520, "", "reset"],
    [521, "", "refused"],
    [522, "", "timeout"],
    [523, "", "network"],
    [524, "", "timeout"],
    [525, "", "tls"],
    [526, "", "tls"],
    [527, "", "status"],
    [530, "error code: 1016", "dns"],
    [530, "error code: 1001", "dns"],
    [530, "error code: 1033", "network"],
    [599, "", "status"],
  ])("of %i %j is: %s", (status, text, kind) => {
    expect(answeredKind(status, text)).toBe(kind);
  });
});

describe("a failure that the runtime does not explain", () => {
  it.each([
    ["Network connection lost.", true, "reset"],
    ["Network connection lost.", false, "refused"],
    ["internal error; reference = abc", true, "tls"],
    ["internal error; reference = abc", false, "dns"],
    ["something new", true, "network"],
    ["something new", false, "network"],
  ])("%j where connections are accepted: %s, is: %s", async (message, accepts, kind) => {
    const attempt = await attemptDelivery(EXCHANGE, {
      fetch: () => Promise.reject(new Error(message)),
      now: () => 0,
      accepts: () => Promise.resolve(accepts),
    });
    expect(attempt).toEqual({ startedAt: 0, kind, status: null, ms: 0, answer: null, retryAfterMs: null });
  });
});
