import { expect, it } from "vitest";
import { intakes } from "../../../src/app.ts";

it("leaves the intakes for reports to the router that matches them in one expression", () => {
  intakes.router.match("POST", "/api/v1/payroll/reports");
  expect(intakes.router.name).toBe("SmartRouter + RegExpRouter");
});
