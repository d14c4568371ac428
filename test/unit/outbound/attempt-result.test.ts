import { describe, expect, it } from "vitest";
import { attemptDelivery } from "../../../src/outbound/attempt.ts";
import {
  answeredKind,
  describeAttempt,
  FAILURE_KINDS,
  looksLikeBotWall,
} from "../../../src/outbound/attempt-result.ts";

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

describe("a bot wall", () => {
  it.each([
    [403, { "cf-mitigated": "challenge" }, "", true],
    [403, { server: "cloudflare" }, "", true],
    [429, { "content-type": "text/html; charset=UTF-8" }, "", true],
    [503, {}, "<!DOCTYPE html><title>Just a moment...", true],
    [403, { "content-type": "application/json", server: "nginx" }, "{}", false],
    [500, { server: "cloudflare" }, "<html>", false],
    [404, { "content-type": "text/html" }, "<html>", false],
  ])("%i with %j and %j: %s", (status, headers, answer, expected) => {
    expect(looksLikeBotWall(status, new Headers(headers as Record<string, string>), answer)).toBe(expected);
  });
});

describe("an outcome", () => {
  it("has words for people for every way to fail, and none for a success", () => {
    const words = FAILURE_KINDS.map((kind) => describeAttempt({ kind, status: 500 }));
    expect(words).toContain("HTTP 500");
    expect(words).toContain("Connection timeout");
    expect(new Set(words).size).toBe(FAILURE_KINDS.length);
    expect(describeAttempt({ kind: "delivered", status: 200 })).toBeNull();
  });
});
