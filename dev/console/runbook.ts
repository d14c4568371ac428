/** Reads docs/runbook.md: what each alert means, and what to do about it. Pure. */

export interface RunbookSection {
  means: string;
  /** Where to look. Null where the section names no place. */
  look: string | null;
  act: string | null;
}

/** The sections by the kind of alert that they are about (`report_waiting` for `## report-waiting`). Code stays in backticks. */
export function runbookSections(markdown: string): Record<string, RunbookSection> {
  const [, ...sections] = markdown.split(/^## /m);
  return Object.fromEntries(
    sections.map((section) => {
      const [title = "", ...rest] = section.split("\n");
      return [title.trim().replaceAll("-", "_"), sectionOf(rest.join("\n"))];
    }),
  );
}

function sectionOf(text: string): RunbookSection {
  const paragraphs = text
    .trim()
    .split(/\n{2,}/)
    .map((paragraph) => plain(paragraph));
  const after = (label: string) =>
    paragraphs.find((paragraph) => paragraph.startsWith(label))?.slice(label.length) ?? null;
  const look = after("Look at: ");
  const act = after("Do: ");
  const means = paragraphs.filter((paragraph) => !/^(Look at|Do): /.test(paragraph)).join(" ");
  return { means, look: look && capital(look), act: act && capital(act) };
}

/** Links as their words, without line ends. */
function plain(text: string): string {
  return text.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").replace(/\s*\n\s*/g, " ");
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
