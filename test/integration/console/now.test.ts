import { expect, it } from "vitest";
import { Browser, staff } from "../../support/console.ts";

it("opens for somebody who is signed in, and leads everybody else to the sign-in", async () => {
  const page = await (await staff()).get("/console");
  expect(page.status).toBe(200);
  expect(page.text).toContain("<h1>Now</h1>");
  const away = await new Browser().get("/console?x=1");
  expect([away.status, away.location]).toEqual([303, "/console/sign-in?next=%2Fconsole%3Fx%3D1"]);
});
