/** Reads HTML in tests. Strict: whatever a browser would have to repair is a problem. */

const VOID = new Set(["meta", "link", "br"]);
/** Elements that a paragraph or a heading cannot contain: a browser would close it first. */
const BLOCK = /^(?:p|h\d|dl|dt|dd|ul|li|pre|table|details|section|nav|main|header|div)$/;
const TEXT_ONLY = /^(?:p|h\d|dt|summary)$/;

const TAG = /<(\/?)([a-z][a-z0-9]*)((?:\s+[a-z-]+(?:="[^"]*")?)*)>/g;

export function problemsOf(page: string): string[] {
  const problems: string[] = [];
  const open: string[] = [];
  const rest = page.replace("<!doctype html>", "").replace(TAG, (tag, slash: string, name: string) => {
    const inside = open.at(-1) ?? "";
    if (slash === "/") {
      if (open.pop() !== name) problems.push(`${tag} closes ${inside}`);
    } else {
      if (TEXT_ONLY.test(inside) && BLOCK.test(name)) problems.push(`${tag} in ${inside}`);
      if (!VOID.has(name)) open.push(name);
    }
    return "";
  });
  for (const name of open) problems.push(`${name} is never closed`);
  for (const [mark] of rest.matchAll(/[<>"'].{0,40}/g)) problems.push(`${mark} is not escaped`);
  for (const [mark] of rest.matchAll(/&(?!(?:amp|lt|gt|quot|#39);).{0,40}/g))
    problems.push(`${mark} is no entity`);
  const ids = idsOf(page);
  for (const id of new Set(ids)) if (ids.indexOf(id) !== ids.lastIndexOf(id)) problems.push(`id ${id} twice`);
  let level = 0;
  for (const [heading, next = ""] of page.matchAll(/<h(\d)/g)) {
    if (Number(next) > level + 1) problems.push(`${heading} follows h${level}`);
    level = Number(next);
  }
  return problems;
}

export function idsOf(page: string): string[] {
  return [...page.matchAll(/ id="([^"]*)"/g)].map(([, id = ""]) => id);
}

export function linksOf(page: string): string[] {
  return [...page.matchAll(/<(?:a|link)[^>]* href="([^"]*)"/g)].map(([, href = ""]) => href);
}

/** The text that a reader sees. */
export function textOf(page: string): string {
  const named: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'" };
  return page.replace(/<[^>]*>/g, "").replace(/&(#?\w+);/g, (whole, name: string) => named[name] ?? whole);
}
