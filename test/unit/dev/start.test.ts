import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { shellQuote } from "../../../dev/guide.ts";
import { baseUrl, readHost, readPort } from "../../../dev/processes.ts";
import { progressBar } from "../../../dev/progress.ts";
import { logLine } from "../../../dev/worker-log.ts";

describe("readPort", () => {
  it.each([
    [undefined, 8787],
    ["", 8787],
    ["9000", 9000],
  ])("%j is %i", (text, port) => {
    expect(readPort(text)).toBe(port);
  });

  it.each(["0", "65535", "http", "80.5"])("refuses %j", (text) => {
    expect(() => readPort(text)).toThrow("PORT");
  });
});

describe("readHost", () => {
  it.each([
    [undefined, "127.0.0.1", "http://127.0.0.1:9"],
    ["", "127.0.0.1", "http://127.0.0.1:9"],
    ["localhost", "127.0.0.1", "http://127.0.0.1:9"],
    ["0.0.0.0", "0.0.0.0", "http://127.0.0.1:9"],
    ["::", "::", "http://127.0.0.1:9"],
    ["::1", "::1", "http://[::1]:9"],
    ["192.168.1.5", "192.168.1.5", "http://192.168.1.5:9"],
  ])("%j listens at %s, and is called at %s", (text, host, url) => {
    expect(readHost(text)).toBe(host);
    expect(baseUrl(host, 9)).toBe(url);
  });

  it.each(["my-laptop.local", "[::1]", "0.0.0.0:80"])("refuses %j", (text) => {
    expect(() => readHost(text)).toThrow("HOST");
  });
});

describe("logLine", () => {
  const at = { timestamp: Date.parse("2026-03-16T10:30:00Z"), level: "error" };

  it("adds the time to a JSON object that the Worker wrote", () => {
    const line = logLine({ ...at, message: '{"status":202}' });
    expect(line).toBe('{"timestamp":"2026-03-16T10:30:00.000Z","status":202}\n');
  });

  it.each(["plain", "{not json", '{"a":1}\n{"b":2}'])("wraps %j into one line of JSON", (message) => {
    const line = logLine({ ...at, message });
    expect(line.trimEnd()).not.toContain("\n");
    expect(JSON.parse(line)).toEqual({ timestamp: "2026-03-16T10:30:00.000Z", level: "error", message });
  });
});

describe("shellQuote", () => {
  it.each(["plain", "it's", '$HOME `id` \\ "x"', "a\nb"])("passes %j to the shell unchanged", (text) => {
    expect(execFileSync("sh", ["-c", `printf %s ${shellQuote(text)}`], { encoding: "utf8" })).toBe(text);
  });
});

describe("progressBar", () => {
  it("fills as the work is done", () => {
    expect(progressBar(0, 3)).toMatch(/^\[░{30}\] 0 % {2}0 of 3$/);
    expect(progressBar(3, 3)).toMatch(/^\[█{30}\] 100 % {2}3 of 3$/);
  });
});
