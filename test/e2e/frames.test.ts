/** Pages of the console in a portal's frame: in one of the same site, in one of another site, and in one that is not listed. */
import type { Browser, Frame, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Gateway, startGateway } from "../proofs/fuzz/gateway.ts";
import { browserPath, launchBrowser } from "./browser.ts";

/** Of the console's site: the ports of one host are one site. */
const SIBLING = "https://127.0.0.1:4443";
const ELSEWHERE = "https://portal.example";
const STRANGER = "https://stranger.example";
const OWNER = { owner_type: "payroll_company", owner_id: "fuzz" };
const executable = browserPath();

describe.skipIf(executable === null)("in a frame", () => {
  let gateway: Gateway;
  let browser: Browser;

  beforeAll(async () => {
    [gateway, browser] = await Promise.all([
      startGateway({ https: true, settings: { CONSOLE_FRAME_ANCESTORS: `${SIBLING} ${ELSEWHERE}` } }),
      launchBrowser(executable ?? "", ["--disable-features=LocalNetworkAccessChecks"]),
    ]);
  });

  afterAll(async () => {
    await browser?.close();
    await gateway?.stop();
  });

  /** A page of `portal` with a frame that opens a new link. */
  async function framedBy(portal: string, link: object): Promise<{ page: Page; frame: Frame }> {
    const { url } = (await gateway.portal("POST", "/portal-links", {
      ...OWNER,
      next: "/console/reports",
      ...link,
    })) as { url: string };
    const { hash } = new URL(url);
    const context = await browser.newContext({ ignoreHTTPSErrors: true });
    const page = await context.newPage();
    await page.route(`${portal}/`, (route) =>
      route.fulfill({
        contentType: "text/html",
        body: `<!doctype html><title>Portal</title><iframe width="900" height="600" src="${gateway.origin}/console/sign-in${hash}"></iframe>`,
      }),
    );
    await page.goto(`${portal}/`);
    const [, frame] = page.frames();
    if (frame === undefined) throw new Error("the portal has no frame");
    return { page, frame };
  }

  async function expectReports(frame: Frame): Promise<void> {
    await frame.getByRole("heading", { level: 1, name: "Reports" }).waitFor();
    expect(await frame.getByRole("navigation", { name: "Pages" }).count()).toBe(0);
    expect(await frame.locator("header.banner").count()).toBe(0);
  }

  it("of the same site, an ordinary link signs in, and links keep working", async () => {
    const { page, frame } = await framedBy(SIBLING, {});
    await expectReports(frame);
    const [cookie] = await page.context().cookies(`${gateway.origin}/console`);
    expect(cookie).toMatchObject({
      name: "__Secure-audit1_console",
      sameSite: "Lax",
      secure: true,
      httpOnly: true,
    });
    await frame.goto(`${gateway.origin}/console/connections`);
    await frame.getByRole("heading", { level: 1, name: "Connections" }).waitFor();
    await page.context().close();
  });

  it("of another site, an embedding link signs in, in the portal's colour", async () => {
    const { page, frame } = await framedBy(ELSEWHERE, {
      embed: true,
      next: "/console/reports?accent=aa3377",
    });
    await expectReports(frame);
    const accent = `getComputedStyle(document.documentElement).getPropertyValue("--accent")`;
    await expect.poll(() => frame.evaluate<string>(accent)).toContain("#aa3377");
    await frame.goto(`${gateway.origin}/console/connections`);
    await frame.getByRole("heading", { level: 1, name: "Connections" }).waitFor();
    await page.context().close();
  });

  it("of another site, an ordinary link's cookie is not sent, so nobody is signed in", async () => {
    const { page, frame } = await framedBy(ELSEWHERE, {});
    await frame.getByRole("heading", { level: 1, name: "Sign in to Audit1" }).waitFor();
    expect(await frame.getByText("Reports").count()).toBe(0);
    await page.context().close();
  });

  it("of a site that is not listed, nothing is shown", async () => {
    const { page, frame } = await framedBy(STRANGER, { embed: true });
    await expect.poll(() => frame.url()).toMatch(/^chrome-error:/);
    await page.context().close();
  });
});
