/** The console as people use it: a real browser on a gateway that `npm start` runs. */
import { execFile } from "node:child_process";
import { createHmac } from "node:crypto";
import { promisify } from "node:util";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { accessibilityProblems, browserPath, launchBrowser, overflowOf, problemsIn } from "./browser.ts";
import { walkConsole } from "./console-walk.ts";
import { type StartedGateway, startGatewayInCopy } from "./started-gateway.ts";

const SHOWN_WITHIN_MS = 3_000;
/** Beside all other tests, about a hundred pages take a minute or two. */
const WALK_LIMIT_MS = 400_000;
const executable = browserPath();

describe.skipIf(executable === null)("in a browser", () => {
  let gateway: StartedGateway;
  let browser: Browser;

  beforeAll(async () => {
    [gateway, browser] = await Promise.all([startGatewayInCopy(), launchBrowser(executable ?? "")]);
  });

  afterAll(async () => {
    await browser?.close();
    await gateway?.stop();
  });

  /** A window of somebody who opened the link. */
  async function signedIn(
    link: string,
    options: Parameters<Browser["newContext"]>[0] = {},
  ): Promise<{ context: BrowserContext; page: Page; problems: string[] }> {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
    const problems = problemsIn(context);
    const page = await context.newPage();
    await page.goto(link);
    await page.waitForURL((url) => !url.pathname.includes("sign-in"));
    return { context, page, problems };
  }

  it("every page that links lead to is sound, accessible and fits, in both schemes and on a phone", {
    timeout: WALK_LIMIT_MS,
  }, async () => {
    const { console_url, base_url } = gateway.demo;
    const wide = await signedIn(console_url);
    const dark = await signedIn(console_url, { colorScheme: "dark" });
    const narrow = await signedIn(console_url, { viewport: { width: 360, height: 740 } });
    const [{ page }, { page: darkPage }, { page: narrowPage }] = [wide, dark, narrow];
    const found: string[] = [];
    await walkConsole(page, async (path) => {
      const [response] = await Promise.all(
        [page, darkPage, narrowPage].map((each) => each.goto(`${base_url}${path}`)),
      );
      if (response?.status() !== 200) found.push(`${path}: ${response?.status()}`);
      found.push(...(await accessibilityProblems(page)));
      found.push(...(await accessibilityProblems(darkPage, ["color-contrast"])));
      const overflow = await overflowOf(narrowPage);
      if (overflow > 0) found.push(`${path}: ${overflow} px too wide at 360 px`);
    });
    expect(found).toEqual([]);
    expect([...wide.problems, ...dark.problems, ...narrow.problems]).toEqual([]);
    for (const { context } of [wide, dark, narrow]) await context.close();
  });

  it("the wizard leads from nothing to a completed report, and says what was wrong with a refused one", async () => {
    const { context, problems, page } = await signedIn(gateway.demo.owner_console_url);
    await page.goto(`${gateway.demo.base_url}/console/connections/new`);
    await page.getByRole("link", { name: "Set up a webhook" }).click();
    await page.locator("#description").fill("Ärger & <b>Söhne</b>");
    await page.getByRole("button", { name: "Create connection" }).click();
    const codes = await page.locator("pre code").allTextContents();
    const address = codes.find((text) => text.startsWith("http")) ?? "";
    const secret = codes.find((text) => text.startsWith("whsec_")) ?? "";
    await page.getByRole("link", { name: "I have stored the secret" }).click();
    await page.waitForURL(/step=send/);
    const command = (await page.locator("pre code").allTextContents()).at(-1) ?? "";
    expect(command).not.toContain(secret);
    await page.getByRole("link", { name: "Watch it arrive" }).click();
    await page.waitForURL(/step=wait/);

    const body = '{"employees":[{"first_name":"A"}]}';
    const alone = createHmac("sha256", secret).update(body).digest("hex");
    const refused = await fetch(address, {
      method: "POST",
      headers: {
        "Content-Type": "application/json",
        "X-Webhook-Timestamp": String(Date.now()),
        "X-Webhook-Signature": alone,
      },
      body,
    });
    expect(refused.status).toBe(401);
    await page.getByText("without the timestamp").first().waitFor({ timeout: SHOWN_WITHIN_MS });

    const { stdout } = await promisify(execFile)("sh", ["-c", command], {
      env: { ...process.env, AUDIT1_SECRET: secret },
    });
    expect(stdout).toContain("file_id");
    await page.getByText("It works.").waitFor();
    await page.getByRole("link", { name: "Continue" }).click();
    await page.waitForURL(/step=done/);
    expect(problems).toEqual([]);
    await context.close();
  });

  it("the wizard works without scripts, by reloading, and a form that is posted twice makes one connection", async () => {
    const { context: withScripts } = await signedIn(gateway.demo.owner_console_url);
    const context = await browser.newContext({
      storageState: await withScripts.storageState(),
      javaScriptEnabled: false,
    });
    await withScripts.close();
    const page = await context.newPage();
    await page.goto(`${gateway.demo.base_url}/console/connections/new?step=who`);
    await page.locator("#description").fill("Without scripts");
    await page.getByRole("button", { name: "Create connection" }).click();
    const created = async () =>
      (await page.locator("pre code").allTextContents()).find((text) => text.startsWith("http"));
    const first = await created();
    expect(first).toContain("/api/v1/webhook/inbound/");
    await page.reload();
    expect(await created()).toBe(first);
    await page.getByRole("link", { name: "I have stored the secret" }).click();
    expect((await page.locator("pre code").allTextContents()).join()).toContain("$AUDIT1_SECRET");
    await page.getByRole("link", { name: "Watch it arrive" }).click();
    expect(page.url()).toContain("step=wait");
    await context.close();
  });

  it("find is a key away, and leads from an id to its page", async () => {
    const { context, problems, page } = await signedIn(gateway.demo.console_url);
    await page.keyboard.press("/");
    await page.keyboard.type(`"${gateway.demo.connection_id}"`);
    await page.keyboard.press("Enter");
    await page.waitForURL(`**/console/connections/${gateway.demo.connection_id}*`);
    expect(problems).toEqual([]);
    await context.close();
  });

  it("filters are in the address, which shows somebody else the same", async () => {
    const staff = await signedIn(gateway.demo.console_url);
    const owner = "owner=payroll_company/demo-payroll";
    await staff.page.goto(`${gateway.demo.base_url}/console/reports?${owner}`);
    await staff.page.getByLabel("Status").selectOption("failed");
    await staff.page.getByRole("button", { name: "Filter" }).click();
    await staff.page.waitForURL(/status=failed/);
    const rows = await staff.page.locator("tbody tr").count();
    expect(rows).toBeGreaterThan(0);
    const other = await signedIn(gateway.demo.owner_console_url);
    await other.page.goto(staff.page.url());
    expect(await other.page.locator("tbody tr").count()).toBe(rows);
    await Promise.all([staff.context.close(), other.context.close()]);
  });

  it("a link signs in once, and a session that was revoked is out with the next page", async () => {
    const { portal_link: link, url } = (await gateway.portal("POST", "/portal-links", {
      owner_type: "payroll_company",
      owner_id: "demo-payroll",
      capabilities: "view",
      person: "vera@demo-payroll.example",
      next: "/console/reports",
    })) as { portal_link: { id: string }; url: string };
    const { context, page } = await signedIn(url);
    expect(new URL(page.url()).pathname).toBe("/console/reports");
    expect(page.url()).not.toContain("#");
    const again = await browser.newContext();
    const second = await again.newPage();
    await second.goto(url);
    await second.getByText("This link was used already").waitFor();
    await gateway.portal(
      "DELETE",
      `/portal-links/${link.id}?owner_type=payroll_company&owner_id=demo-payroll`,
    );
    await page.reload();
    expect(new URL(page.url()).pathname).toBe("/console/sign-in");
    await Promise.all([context.close(), again.close()]);
  });
});
