/** A walk through the console along its links: of many addresses that show the same kind of page, one is opened. */
import type { Page } from "playwright-core";

/** Parameters that make another page of the same path. */
const VIEWS = ["tab", "step", "do", "view", "page"];

/** Opens pages with `open`, from `/console` on, and follows the links that `page` then has. */
export async function walkConsole(page: Page, open: (path: string) => Promise<void>): Promise<void> {
  const seen = new Set<string>();
  const waiting = ["/console"];
  for (let path = waiting.shift(); path !== undefined; path = waiting.shift()) {
    await open(path);
    const hrefs = await page.$$eval("a[href]", (links) =>
      links.map((link) => String(link.getAttribute("href"))),
    );
    for (const href of hrefs) {
      const kind = kindOf(href);
      if (kind === null || seen.has(kind)) continue;
      seen.add(kind);
      waiting.push(href);
    }
  }
}

/** What a link leads to, with ids left out. Null for addresses outside the console, and for its files. */
export function kindOf(href: string): string | null {
  if (!/^\/console(?:[/?#]|$)/.test(href) || href.startsWith("/console/assets/")) return null;
  const url = new URL(href, "http://localhost");
  if (url.searchParams.get("format") === "csv") return null;
  const path = url.pathname.replace(/\/(?:[A-Za-z]+_)?[0-9A-Za-z_-]{20,}(?=\/|$)/g, "/id");
  const shown = VIEWS.flatMap((name) => {
    const value = url.searchParams.get(name);
    return value === null ? [] : [`${name}=${value}`];
  });
  return [path, ...shown].join(" ");
}
