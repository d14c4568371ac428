/** The table of public errors, the document of the API and the source agree. */
import { globSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { ERRORS } from "../../../src/http/errors.ts";
import { root } from "../../e2e/pages.ts";

const TABLE = "src/http/errors.ts";
const source = globSync("src/**/*.ts", { cwd: root })
  .filter((file) => file !== TABLE)
  .map((file) => ({ file, text: readFileSync(path.join(root, file), "utf8") }));
const words = ({ status, error, code }: { status: number; error: string; code: string }) =>
  `${status} ${error} ${code}`;

/** Answers to requests that name no operation. */
const UNROUTED = ["method_not_allowed"];

/** Answers to sessions of the console, whose requests are made inside the Worker. */
const INSIDE = ["view_only", "session_makes_no_access"];

/** Kinds whose name is put together from the kind of object. */
const COMPOSED = /^(connection|api_key|webhook|employer|file|alert)_(not_found|changed)$/;

describe("the table of public errors", () => {
  it("has every error of the document", () => {
    const known = new Set(Object.values(ERRORS).map(words));
    expect([...documented()].filter((each) => !known.has(each))).toEqual([]);
  });

  it("has no error that the document lacks", () => {
    const inDocument = documented();
    const missing = Object.entries(ERRORS)
      .filter(([kind, error]) => ![...UNROUTED, ...INSIDE].includes(kind) && !inDocument.has(words(error)))
      .map(([kind]) => kind);
    expect(missing).toEqual([]);
  });

  it.each(Object.keys(ERRORS).filter((kind) => !COMPOSED.test(kind)))("has a use for %s", (kind) => {
    expect(source.some(({ text }) => text.includes(`"${kind}"`))).toBe(true);
  });

  it.each(Object.entries(ERRORS))("gives a cause and a fix for %s", (_kind, { cause, fix, code }) => {
    expect(code).toMatch(/^[A-Z_]+$/);
    for (const sentence of [cause, fix]) expect(sentence).toMatch(/^[A-Z`].*\.$/s);
  });

  it("is the only place with an error's status and word", () => {
    const literal =
      /\{[^{}]*\bstatus: [45]\d\d\b[^{}]*\berror: ["'`]|\berror: ["'`][^{}]*\bstatus: [45]\d\d\b/;
    expect(source.filter(({ text }) => literal.test(text)).map(({ file }) => file)).toEqual([]);
  });
});

/** The words of every example of an error. */
function documented(): Set<string> {
  const found = new Set<string>();
  const visit = (value: unknown, status: number): void => {
    if (typeof value !== "object" || value === null) return;
    const { error, code } = value as { error?: unknown; code?: unknown };
    if (typeof error === "string" && typeof code === "string") found.add(words({ status, error, code }));
    for (const [name, each] of Object.entries(value))
      visit(each, /^[45]\d\d$/.test(name) ? Number(name) : status);
  };
  visit(JSON.parse(readFileSync(path.join(root, "docs/openapi.json"), "utf8")), 0);
  return found;
}
