/** The pages that people read, and the commands in them, so that what a page says is what is tested. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";

export const root = path.resolve(import.meta.dirname, "../..");

export interface Page {
  /** Its path from the project's root. */
  name: string;
  text: string;
}

export const pages: readonly Page[] = [
  "README.md",
  "CONTRIBUTING.md",
  "dev/files-creator/README.md",
  ...readdirSync(path.join(root, "docs"))
    .filter((file) => file.endsWith(".md"))
    .map((file) => `docs/${file}`),
].map((name) => ({ name, text: readFileSync(path.join(root, name), "utf8") }));

/** The shell block after the comment `<!-- name -->`, on whichever page it is. */
export function shellBlock(name: string): string {
  const blocks = pages.flatMap(
    ({ text }) => text.split(`<!-- ${name} -->`)[1]?.match(/^\s*```sh\n([\s\S]*?)```/)?.[1] ?? [],
  );
  const [block] = blocks;
  if (block === undefined || blocks.length > 1)
    throw new Error(`${blocks.length} shell blocks are named ${name}`);
  return block;
}

/** Every line of every shell block. */
export function shellLines(): string[] {
  return pages
    .flatMap(({ text }) => [...text.matchAll(/^ *```sh\n([\s\S]*?)^ *```/gm)])
    .flatMap(([, block]) => (block ?? "").split("\n"));
}
