/** The README's commands, taken from the README itself, so that what it says is what is tested. */
import { readFileSync } from "node:fs";
import path from "node:path";

export const root = path.resolve(import.meta.dirname, "../..");
export const readme = readFileSync(path.join(root, "README.md"), "utf8");

/** The shell block that follows the comment `<!-- name -->`. */
export function shellBlock(name: string): string {
  const block = readme.split(`<!-- ${name} -->`)[1]?.match(/^\s*```sh\n([\s\S]*?)```/)?.[1];
  if (block === undefined) throw new Error(`the README has no shell block named ${name}`);
  return block;
}

/** Every line of every shell block. */
export function shellLines(): string[] {
  return [...readme.matchAll(/^```sh\n([\s\S]*?)^```/gm)].flatMap(([, block]) => (block ?? "").split("\n"));
}
