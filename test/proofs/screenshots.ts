/** `npm run proof -- screenshots`: pictures of every page of the console, made with the demonstration that `npm start` sets up. */

import { mkdirSync, rmSync } from "node:fs";
import path from "node:path";
import { Problem, runCommand } from "../../dev/problem.ts";
import { browserPath, launchBrowser } from "../e2e/browser.ts";
import { kindOf, walkConsole } from "../e2e/console-walk.ts";
import { root } from "../e2e/pages.ts";
import { startGatewayInCopy } from "../e2e/started-gateway.ts";

const FOLDER = path.join(root, "dist/screenshots");
const LOOKS = [
  { name: "wide-light", width: 1_280, colorScheme: "light" },
  { name: "wide-dark", width: 1_280, colorScheme: "dark" },
  { name: "narrow-light", width: 360, colorScheme: "light" },
  { name: "narrow-dark", width: 360, colorScheme: "dark" },
] as const;
const HEIGHT = 800;
/** Charts are drawn after a page has loaded. */
const DRAWN_MS = 250;

async function takeScreenshots(): Promise<number> {
  const executable = browserPath();
  if (executable === null) throw new Problem("No browser was found: install chromium.");
  rmSync(FOLDER, { recursive: true, force: true });
  mkdirSync(FOLDER, { recursive: true });
  process.stdout.write("Starting the demonstration\n");
  const gateway = await startGatewayInCopy();
  const browser = await launchBrowser(executable);
  let taken = 0;
  try {
    const pages = await Promise.all(
      LOOKS.map(async ({ name, width, colorScheme }) => {
        const context = await browser.newContext({ viewport: { width, height: HEIGHT }, colorScheme });
        const page = await context.newPage();
        await page.goto(gateway.demo.console_url);
        await page.waitForURL((url) => !url.pathname.includes("sign-in"));
        return { name, page };
      }),
    );
    const [first] = pages;
    if (first === undefined) throw new Error("there are no looks");
    await walkConsole(first.page, async (address) => {
      const file = (kindOf(address) ?? address).replace(/^\/console\/?/, "").replace(/[^A-Za-z0-9]+/g, "-");
      for (const { name, page } of pages) {
        await page.goto(`${gateway.demo.base_url}${address}`);
        await page.waitForTimeout(DRAWN_MS);
        await page.screenshot({ path: path.join(FOLDER, `${file || "now"}.${name}.png`), fullPage: true });
        taken++;
      }
      process.stdout.write(`${address}\n`);
    });
  } finally {
    await browser.close();
    await gateway.stop();
  }
  process.stdout.write(`${taken} pictures in ${path.relative(root, FOLDER)}\n`);
  return 0;
}

await runCommand(takeScreenshots);
