import { describe, expect, it } from "vitest";
import { consolePathProblem } from "../../../src/portal/sessions/console-path.ts";

describe("a path of the console", () => {
  it.each([
    "/console",
    "/console/",
    "/console?q=1",
    "/console#top",
    "/console/connections/40aeadcbdd77178e6c206b9f",
    "/console/connections/new?step=2&name=a%20b",
    "/console/find?q=%2F%2Fevil.example%5C",
    "/console/find?q=..//..",
    "/console/a%20b",
    "/console/Jos%C3%A9",
    "/console/a.b/...",
    `/console/${"a".repeat(1_991)}`,
  ])("is %s", (path) => {
    expect(consolePathProblem(path)).toBeNull();
    const { origin, pathname } = new URL(path, "https://console.audit1.com");
    expect(origin).toBe("https://console.audit1.com");
    expect(`${pathname}/`).toMatch(/^\/console\//);
  });

  it.each<[string, RegExp]>([
    ["", /printable/],
    ["/", /below/],
    ["console", /below/],
    ["/consoles", /below/],
    ["/Console", /below/],
    ["/con%73ole", /below/],
    ["/api/v1/connections", /below/],
    ["https://evil.example/console", /below/],
    ["//evil.example/console", /below/],
    ["/\\evil.example/console", /backslash/],
    ["javascript:alert(1)", /below/],
    ["/console//evil.example", /empty part/],
    ["/console/%2Fevil.example", /empty part/],
    ["/console/%2f%2fevil.example", /empty part/],
    ["/console/%252f%252fevil.example", /empty part/],
    ["/console\\evil", /backslash/],
    ["/console/%5Cevil", /backslash/],
    ["/console/%255cevil", /backslash/],
    ["/console/..", /\.\./],
    ["/console/../api", /\.\./],
    ["/console/./x", /\./],
    ["/console/%2e%2e/api", /\.\./],
    ["/console/.%2E/api", /\.\./],
    ["/console/%252e%252e/api", /\.\./],
    ["/console/%2e%2e%2fapi", /\.\./],
    ["/console/a\nSet-Cookie:x", /printable/],
    ["/console/a\tb", /printable/],
    ["/console/a b", /printable/],
    ["/console/José", /printable/],
    ["/console/%00", /control/],
    ["/console/%0d%0aSet-Cookie:x", /control/],
    ["/console/%250a", /control/],
    ["/console/%7f", /control/],
    ["/console/%C2%85", /control/],
    ["/console/%E2%80%A8", /control/],
    ["/console?\\", /backslash/],
    ["/console/%", /percent-encoded UTF-8/],
    ["/console/%zz", /percent-encoded UTF-8/],
    ["/console/%C3", /percent-encoded UTF-8/],
    ["/console/%2525252525252541", /more than once/],
    [`/console/${"a".repeat(1_992)}`, /at most 2000/],
  ])("is not %j", (path, reason) => {
    expect(consolePathProblem(path)).toMatch(reason);
  });
});
