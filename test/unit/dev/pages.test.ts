/** README, CONTRIBUTING and the pages of docs name only what exists. Their commands are run in test/e2e/start.test.ts. */
import { spawnSync } from "node:child_process";
import { existsSync, globSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";
import { experimental_getWranglerCommands as wranglerCommands } from "wrangler";
import { DIAGNOSES } from "../../../src/evidence/request-entry.ts";
import { pages, root, shellBlock, shellLines } from "../../e2e/pages.ts";

type CommandNode = ReturnType<typeof wranglerCommands>["registry"];

const all = pages.map(({ text }) => text).join("\n");
const scripts: Record<string, string> = JSON.parse(
  readFileSync(path.join(root, "package.json"), "utf8"),
).scripts;

/** Every match of the pattern's first group on a page, once. */
function named(text: string, pattern: RegExp): string[] {
  return [...new Set([...text.matchAll(pattern)].map(([, name]) => name ?? ""))];
}

it.each(named(all, /\bnpm (?:run )?(?:-s )?([a-z][\w:]*)/g).filter((name) => name !== "ci"))(
  "the script `%s` that a page names exists",
  (name) => {
    expect(Object.keys(scripts)).toContain(name);
  },
);

it.each(Object.keys(scripts))("README or CONTRIBUTING mentions the script `%s`", (name) => {
  const [readme, contributing] = pages;
  expect(`${readme?.text}${contributing?.text}`).toMatch(new RegExp(`npm (run )?${name}\\b`));
});

it.each([
  ["check", named(all, /npm run check -- ((?:[a-z]+ ?)+)/g).flatMap((names) => names.trim().split(" "))],
  ["proof", named(all, /npm run proof -- ([a-z]+)/g)],
])("`npm run %s` knows the names that pages give it", (script, names) => {
  const { stdout } = spawnSync("node", [path.join(root, `dev/${script}.ts`), "--help"], { encoding: "utf8" });
  const known = named(stdout, /^ {2}([a-z]+) /gm);
  expect(names.length).toBeGreaterThan(0);
  expect(known).toEqual(expect.arrayContaining(names));
});

const WRANGLER_COMMANDS = [
  "login",
  "deploy",
  "tail",
  "secret put",
  "d1 create",
  "d1 execute",
  "d1 migrations apply",
  "queues create",
  "r2 bucket create",
  "r2 bucket lifecycle add",
];
it("uses only wrangler commands that are tested here", () => {
  const used = shellLines().flatMap((line) => /npx wrangler (.*)/.exec(line)?.[1] ?? []);
  const unknown = used.filter((words) => !WRANGLER_COMMANDS.some((command) => words.startsWith(command)));
  expect(used.length).toBeGreaterThan(5);
  expect(unknown).toEqual([]);
});
it.each(WRANGLER_COMMANDS)("wrangler knows `%s`", (command) => {
  let node: CommandNode | undefined = wranglerCommands().registry;
  for (const word of command.split(" ")) node = node?.subtree.get(word);
  expect(node?.definition).toMatchObject({ type: "command", command: `wrangler ${command}` });
});

const links = pages.flatMap(({ name, text }) =>
  named(text, /\]\((?!http)([^)]+)\)/g).map((target) => ({ name, target })),
);
it.each(links)("the link from $name to $target has a target", ({ name, target }) => {
  const [file = "", anchor] = target.split("#");
  const linked = file === "" ? path.join(root, name) : path.resolve(root, path.dirname(name), file);
  expect(existsSync(linked)).toBe(true);
  if (anchor === undefined) return;
  const headings = named(readFileSync(linked, "utf8"), /^#+ (.*)$/gm);
  const anchors = headings.map((heading) =>
    heading
      .toLowerCase()
      .replace(/[^\w -]/g, "")
      .replaceAll(" ", "-"),
  );
  expect(anchors).toContain(anchor);
});

const paths = pages.flatMap(({ name, text }) =>
  named(text, /`((?:src|dev|test|docs|migrations|\.ci)\/[\w./-]+|wrangler\.toml)`/g).map((file) => ({
    name,
    file,
  })),
);
it.each(paths)("$file, which $name names, exists", ({ file }) => {
  expect(existsSync(path.join(root, file))).toBe(true);
});

it("finds each of the sixteen behaviours in a file of its own", () => {
  const architecture = pages.find(({ name }) => name === "docs/architecture.md")?.text ?? "";
  const table = architecture.split("| behaviour | file |\n|---|---|\n")[1]?.split("\n\n")[0] ?? "";
  expect(table.split("\n")).toHaveLength(16);
  for (const row of table.split("\n")) expect(row).toMatch(/^\| [^|]+ \| `src\/\S+\.ts`/);
});

it.each(named(pages[1]?.text ?? "", /^\| `"([^"]+)"`/gm))("the log line %j is written", (message) => {
  const sources = globSync("src/**/*.ts", { cwd: root }).map((file) =>
    readFileSync(path.join(root, file), "utf8"),
  );
  expect(sources.some((source) => source.includes(`logLine("${message}"`))).toBe(true);
});

it("docs/sending.md explains every diagnosis", () => {
  const sending = pages.find(({ name }) => name === "docs/sending.md")?.text ?? "";
  const table = sending.split("| `diagnosis` |")[1]?.split("\n\n")[0] ?? "";
  expect(named(table.replaceAll(/\|[^|]*\|[^|]*\|$/gm, ""), /`([a-z0-9_]+)`/g).sort()).toEqual(
    [...DIAGNOSES].sort(),
  );
});

const lists = pages.filter(({ name }) => ["README.md", "docs/sending.md"].includes(name));
const errors = named(lists.map(({ text }) => text).join("\n"), /^\| \d{3} \| `([^`]+)`/gm);
it.each(errors)("the error `%s` is in the API document", (error) => {
  expect(readFileSync(path.join(root, "docs/openapi.json"), "utf8")).toContain(`"error": "${error}"`);
});

it.each(
  pages.flatMap(({ text }) =>
    [...text.matchAll(/<!-- sample (\S+) -->\n```\w+\n([\s\S]*?)```/g)].map(([, file, code]) => [file, code]),
  ),
)("the sample of %s is in the file, word for word", (file = "", code = "") => {
  expect(readFileSync(path.join(root, file), "utf8")).toContain(code);
});

it("has the blocks that other tests run", () => {
  for (const name of ["signed-request", "status", "register", "deployment"])
    expect(shellBlock(name)).not.toBe("");
});

it.each(shellLines().flatMap((line) => /^npm test -- (.*)$/.exec(line)?.slice(1) ?? []))(
  "`npm test -- %s` finds tests",
  (options) => {
    const [file = "", , name = ""] = options.split(" ");
    expect(readFileSync(path.join(root, file), "utf8")).toContain(name);
  },
);
