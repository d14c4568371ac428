import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";
import { experimental_getWranglerCommands as wranglerCommands } from "wrangler";
import { readme, root, shellBlock, shellLines } from "./readme.ts";

type CommandNode = ReturnType<typeof wranglerCommands>["registry"];

const scripts: Record<string, string> = JSON.parse(
  readFileSync(path.join(root, "package.json"), "utf8"),
).scripts;

const npmScripts = [
  ...new Set([...readme.matchAll(/\bnpm (?:run )?([a-z][\w:]*)/g)].map(([, name]) => name ?? "")),
];
it.each(npmScripts.filter((name) => name !== "ci"))(
  "the script `%s` that the README names exists",
  (name) => {
    expect(Object.keys(scripts)).toContain(name);
  },
);

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
it("uses no wrangler command but these", () => {
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

it.each([...readme.matchAll(/\]\((?!http)([^)#]+)\)/g)].map(([, target]) => target ?? ""))(
  "the link to %s leads somewhere",
  (target) => {
    expect(existsSync(path.join(root, target))).toBe(true);
  },
);

it.each([...new Set([...readme.matchAll(/`((?:src|dev|test)\/[\w./-]+)`/g)].map(([, file]) => file ?? ""))])(
  "the file %s is there",
  (file) => {
    expect(existsSync(path.join(root, file))).toBe(true);
  },
);

it.each(
  [...readme.matchAll(/<!-- sample (\S+) -->\n```\w+\n([\s\S]*?)```/g)].map(([, file, code]) => [file, code]),
)("shows of %s what stands there", (file = "", code = "") => {
  expect(readFileSync(path.join(root, file), "utf8")).toContain(code);
});

it("has the blocks that are run elsewhere", () => {
  for (const name of ["signed-request", "status", "register", "deployment"])
    expect(shellBlock(name)).not.toBe("");
});
