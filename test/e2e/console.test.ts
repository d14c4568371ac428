/** The console as people use it: a real browser on a gateway that `npm start` runs. */
import { execFile } from "node:child_process";
import { createHmac } from "node:crypto";
import { promisify } from "node:util";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { report, send, signedProperly } from "../../dev/demo-requests.ts";
import { accessibilityProblems, browserPath, launchBrowser, overflowOf, problemsIn } from "./browser.ts";
import { walkConsole } from "./console-walk.ts";
import { type StartedGateway, startGatewayInCopy } from "./started-gateway.ts";

const OWNER = { owner_type: "payroll_company", owner_id: "demo-payroll" };
const SHOWN_WITHIN_MS = 3_000;
/** Beside all other tests, about a hundred pages take a minute or two. */
const WALK_LIMIT_MS = 400_000;
/** The cron goes on with a replay every minute. */
const RUN_LIMIT_MS = 90_000;
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

  /** The status of a report that the connection's sender signs with `secret`. */
  async function reportBy(id: string, secret: string): Promise<number> {
    const sender = { url: gateway.demo.base_url, id, secret };
    const body = report(1, { fein: gateway.demo.employer_fein });
    return send(sender, body, signedProperly(body, sender));
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

  it("a secret is rotated with an overlap, and shown once", async () => {
    const { connection, secret: first } = (await gateway.portal("POST", "/connections", {
      ...OWNER,
      type: "webhook",
      environment: "production",
      plan: "production",
    })) as { connection: { id: string }; secret: string };
    const { context, problems, page } = await signedIn(gateway.demo.owner_console_url);
    await page.goto(`${gateway.demo.base_url}/console/connections/${connection.id}?tab=secrets`);
    await page.getByRole("link", { name: "Rotate secret" }).click();
    const dialog = page.getByRole("dialog", { name: "Rotate the secret" });
    await dialog.getByLabel("Keep it for an hour").check();
    await dialog.getByRole("button", { name: "Rotate secret" }).click();
    await page.getByText("It is shown this once.").waitFor();
    const shown = await page.locator("pre code").allTextContents();
    const second = shown.find((text) => text.startsWith("whsec_")) ?? "";
    expect([second === "", second === first]).toEqual([false, false]);
    for (const secret of [first, second]) expect(await reportBy(connection.id, secret)).toBe(202);
    await page.goto(`${gateway.demo.base_url}/console/connections/${connection.id}?tab=secrets`);
    expect(await page.locator("tbody tr").count()).toBe(2);
    expect(await page.content()).not.toContain(second);
    expect(problems).toEqual([]);
    await context.close();
  });

  it("deliveries that an endpoint missed are counted, sent again and followed to the end", async () => {
    const { webhooks } = (await gateway.portal("GET", `/webhooks?${new URLSearchParams(OWNER)}`)) as {
      webhooks: { id: string; description: string }[];
    };
    const missed = webhooks.find(({ description }) => description === "Retired CRM");
    await gateway.portal("PATCH", `/webhooks/${missed?.id}`, {
      ...OWNER,
      status: "active",
      url: `${gateway.demo.files_creator_url}/receivers/ok`,
    });
    const { context, problems, page } = await signedIn(gateway.demo.owner_console_url);
    await page.goto(`${gateway.demo.base_url}/console/deliveries?webhook_id=${missed?.id}`);
    await page.getByRole("link", { name: "Send many again" }).click();
    await page.getByLabel("All that were missed").check();
    await page.getByRole("button", { name: "Count them" }).click();
    await page.getByRole("button", { name: /^Send (it|\d+) again$/ }).click();
    await page.waitForURL("**/console/jobs/**");
    await page.locator(".badge", { hasText: "Done" }).waitFor({ timeout: RUN_LIMIT_MS });
    // The address is all that progress needs.
    await page.reload();
    await page.locator(".badge", { hasText: "Done" }).waitFor();

    await page.goto(`${gateway.demo.base_url}/console/deliveries?webhook_id=${missed?.id}&status=delivered`);
    await page.locator("tbody tr a.row").first().click();
    const attempts = page.locator(".attempt");
    const before = await attempts.count();
    await page.getByRole("link", { name: "Send again" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Send again" }).click();
    await page.getByRole("status").waitFor();
    await expect.poll(() => attempts.count(), { timeout: RUN_LIMIT_MS }).toBe(before + 1);
    expect(problems).toEqual([]);
    await context.close();
  });

  it("a link signs in once, and a session that was revoked is out with the next page", async () => {
    const { portal_link: link, url } = (await gateway.portal("POST", "/portal-links", {
      ...OWNER,
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
    await gateway.portal("DELETE", `/portal-links/${link.id}?${new URLSearchParams(OWNER)}`);
    await page.reload();
    expect(new URL(page.url()).pathname).toBe("/console/sign-in");
    await Promise.all([context.close(), again.close()]);
  });
});
