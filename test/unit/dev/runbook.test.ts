/** Every kind of alert has a section in docs/runbook.md, and every section a kind. */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";
import { ALERT_KINDS, runbookOf, TITLES } from "../../../src/watch/alert-kinds.ts";
import { root } from "../../e2e/pages.ts";

const page = readFileSync(path.join(root, "docs/runbook.md"), "utf8");
const [, ...sections] = page.split(/^## /m);
const anchors = sections.map((section) => section.split("\n")[0]);

it.each(ALERT_KINDS)("%s names its section, which says what it means and what to do", (kind) => {
  const [file = "", anchor = ""] = runbookOf(kind).split("#");
  expect(existsSync(path.join(root, file))).toBe(true);
  const section = sections.find((each) => each.startsWith(`${anchor}\n`)) ?? "";
  expect(section.length).toBeGreaterThan(100);
  expect(TITLES[kind]).not.toBe("");
});

it("has no section without an alert", () => {
  expect(anchors).toEqual(ALERT_KINDS.map((kind) => runbookOf(kind).split("#")[1]));
});
