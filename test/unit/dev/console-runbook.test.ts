import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { runbookSections } from "../../../dev/console/runbook.ts";
import { ALERT_KINDS } from "../../../src/watch/alert-kinds.ts";

it("every kind of alert has a section of the runbook that says what it means, and nearly all say what to do", () => {
  const sections = runbookSections(readFileSync("docs/runbook.md", "utf8"));
  expect(Object.keys(sections)).toEqual([...ALERT_KINDS]);
  for (const { means } of Object.values(sections)) expect(means).toMatch(/^[A-Z].*\.$/);
  const silent = Object.keys(sections).filter((kind) => sections[kind]?.act === null);
  expect(silent).toEqual(["webhook_recovered"]);
});

it("a section becomes plain sentences: links as their words, one line each, advice apart", () => {
  const text =
    "# R\n\n## a-b\n\nAs [c](#c), but\nmore.\n\nSecond.\n\nLook at: `GET /x`, and\nthe log.\n\nDo: nothing.\n";
  expect(runbookSections(text)).toEqual({
    a_b: { means: "As c, but more. Second.", look: "`GET /x`, and the log.", act: "Nothing." },
  });
});
