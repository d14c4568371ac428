/** The frame around every page: head, banner and the list of pages. */
import { html } from "hono/html";
import { ERRORS_PAGE, pageOf } from "./chapters.ts";
import type { Contract } from "./document-model.ts";
import type { Html } from "./markup.ts";

export interface Page {
  /** Below `/docs`; null for the overview. */
  name: string | null;
  heading: string;
  content: Html;
}

export function pageLayout({ title, chapters }: Contract, { name, heading, content }: Page): Html {
  const link = (to: string | null, text: string) =>
    html`<li><a href="/docs${to === null ? "" : `/${to}`}"${to === name ? html` aria-current="page"` : ""}>${text}</a></li>\n`;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${heading === title ? title : `${heading} · ${title}`}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs.css">
</head>
<body>
<a class="skip" href="#content">Skip to content</a>
<header class="banner"><a href="/docs">${title}</a> <a href="/openapi.json">openapi.json</a></header>
<div class="shell">
<nav class="rail" aria-label="Pages">
<ul>
${link(null, "Overview")}${chapters.map((chapter) => link(pageOf(chapter.name), chapter.name))}${link(ERRORS_PAGE, "Errors")}</ul>
</nav>
<main id="content" tabindex="-1">
<h1>${heading}</h1>
${content}</main>
</div>
</body>
</html>
`;
}
