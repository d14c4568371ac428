import { describe, expect, it } from "vitest";
import { nearestPath, objectBelow } from "../../../src/http/near-path.ts";

const ROUTES = [
  { method: "ALL", path: "/*" },
  { method: "POST", path: "/api/v1/webhook/inbound/:connection_id" },
  { method: "POST", path: "/api/v1/payroll/reports" },
  { method: "GET", path: "/api/v1/webhooks" },
  { method: "PUT", path: "/api/v1/webhooks/:id" },
  { method: "GET", path: "/api/v1/api-keys" },
  { method: "GET", path: "/docs" },
];

describe("a path with a small mistake", () => {
  it.each([
    ["/webhooks", "/api/v1/webhooks"],
    ["/v1/webhooks", "/api/v1/webhooks"],
    ["/api/v2/webhooks", "/api/v1/webhooks"],
    ["/api/v1/api/v1/webhooks", "/api/v1/webhooks"],
    ["/api/v1//webhooks", "/api/v1/webhooks"],
    ["/api/v1/webhook", "/api/v1/webhooks"],
    ["/api/v1/Webhooks/wh_1", "/api/v1/webhooks/wh_1"],
    ["/api/v1/apikeys", "/api/v1/api-keys"],
    ["/api/v1/api_key", "/api/v1/api-keys"],
    ["/api/v1/payroll/report", "/api/v1/payroll/reports"],
    ["/webhooks/inbound/abc", "/api/v1/webhook/inbound/abc"],
    ["/api/v1/docs", "/docs"],
  ])("%s leads to %s", (asked, near) => {
    expect(nearestPath(ROUTES, asked)).toBe(near);
  });

  it.each(["/", "/api/v1", "/api/v1/invoices", "/api/v1/webhooks/a/b/c", `/webhooks/${"x".repeat(300)}`])(
    "%s leads nowhere",
    (asked) => {
      expect(nearestPath(ROUTES, asked)).toBeNull();
    },
  );
});

describe("a method for a single object", () => {
  it.each([
    ["PUT", "/api/v1/webhooks", "/api/v1/webhooks/{id}"],
    ["PATCH", "/api/v1/webhooks", null],
    ["PUT", "/api/v1/api-keys", null],
  ])("%s %s: %s", (method, path, near) => {
    expect(objectBelow(ROUTES, method, path)).toBe(near);
  });
});
