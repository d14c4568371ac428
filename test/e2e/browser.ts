/** A real browser, if the machine has one. */
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";

const PATHS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const LONGEST_PLACES = 400;

/** Null where no browser is installed. With `REQUIRE_BROWSER`, which CI sets, that is an error. */
export function browserPath(): string | null {
  const found = PATHS.find((each) => existsSync(each)) ?? null;
  if (found === null && process.env.REQUIRE_BROWSER)
    throw new Error(`no browser at ${PATHS.join(", ")}: install chromium`);
  return found;
}

export function launchBrowser(executablePath: string, args: readonly string[] = []): Promise<Browser> {
  return chromium.launch({ executablePath, args: ["--no-sandbox", ...args] });
}

/** Collects what a page must never have: errors in its console (reports of its content security policy too) and exceptions. */
export function problemsIn(context: BrowserContext): string[] {
  const problems: string[] = [];
  context.on("console", (message) => {
    if (message.type() === "error") problems.push(`${message.page()?.url()}: ${message.text()}`);
  });
  context.on("weberror", (error) => problems.push(`${error.page()?.url()}: ${error.error().message}`));
  return problems;
}

/** Violations of accessibility rules, each in a line. `rules` limits the rules. */
export async function accessibilityProblems(page: Page, rules?: readonly string[]): Promise<string[]> {
  // Evaluated by the debugger, so the page's content security policy stays as it is.
  await page.evaluate(AXE);
  const options = rules === undefined ? {} : { runOnly: rules };
  const { violations } = await page.evaluate<AxeResult>(`axe.run(document, ${JSON.stringify(options)})`);
  const { pathname } = new URL(page.url());
  return violations.map(({ id, nodes }) => {
    const places = nodes.map(({ html }) => html).join(" | ");
    return `${pathname}: ${id}: ${places.slice(0, LONGEST_PLACES)}`;
  });
}

interface AxeResult {
  violations: { id: string; nodes: { html: string }[] }[];
}

/** How many pixels the page is wider than its window. */
export function overflowOf(page: Page): Promise<number> {
  return page.evaluate("document.documentElement.scrollWidth - window.innerWidth");
}
