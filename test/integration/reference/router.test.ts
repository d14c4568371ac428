import { expect, it } from "vitest";
import { app } from "../../../src/app.ts";

it("leaves the routes of the gateway to the router that matches them in one expression", () => {
  app.router.match("GET", "/docs");
  expect(app.router.name).toBe("SmartRouter + RegExpRouter");
});
