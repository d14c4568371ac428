/** The building blocks of the pages. `html` escapes every value that another `html` did not make. */
import { html } from "hono/html";

export type Html = ReturnType<typeof html>;

/** The contract's texts separate paragraphs by an empty line and mark code with backticks; they use no other markup. */
export function prose(text: string): Html[] {
  return text.split(/\n{2,}/).map((paragraph) => html`<p>${inline(paragraph)}</p>\n`);
}

export function inline(text: string): Html[] {
  return text.split(/`([^`]+)`/).map((part, i) => (i % 2 === 0 ? html`${part}` : code(part)));
}

export function code(text: string): Html {
  return html`<code>${text}</code>`;
}

export function joined(parts: readonly Html[], separator: string): Html[] {
  return parts.map((part, i) => html`${i === 0 ? "" : separator}${part}`);
}

export function block(text: string): Html {
  return html`<pre><code>${text}</code></pre>\n`;
}

export function json(value: unknown): Html {
  return block(typeof value === "string" ? value : JSON.stringify(value, null, 2));
}

export function folded(summary: string, content: Html | readonly Html[]): Html {
  return html`<details>\n<summary>${summary}</summary>\n${content}</details>\n`;
}

export function table(kind: string, columns: readonly string[], rows: readonly Html[]): Html {
  return html`<table class="${kind}">
<thead><tr>${columns.map((column) => html`<th scope="col">${column}</th>`)}</tr></thead>
<tbody>
${rows}</tbody>
</table>
`;
}
