import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import type { Bindings } from "../../../src/bindings.ts";
import { linesOf } from "../../../src/http/ndjson.ts";
import worker from "../../../src/index.ts";
import { MAX_LINES } from "../../../src/portal/employers/employer-import.ts";
import {
  BASE,
  bindings,
  createConnection,
  createEmployer,
  type Json,
  portal,
} from "../../support/gateway.ts";
import { intercepted } from "../../support/interception.ts";

const ACME = { owner_type: "payroll_company", owner_id: "acme" };
let imports = 0;
/** Ids and FEINs of one test. */
const made = () => {
  const run = `${++imports}_${Date.now()}`;
  const base = Math.floor(Math.random() * 9e8);
  return { id: (n: number) => `IMP_${run}_${n}`, fein: (n: number) => String(base + n).padStart(9, "0") };
};

interface Imported {
  status: number;
  events: Json[];
  problems: Json[];
  end: Json | undefined;
}

async function importing(
  body: BodyInit,
  { client = "portal", type = "application/x-ndjson", using = bindings as Bindings } = {},
): Promise<Imported> {
  const request = new Request(`${BASE}/api/v1/employers/import`, {
    method: "POST",
    headers: { "X-Client-ID": client, "X-Client-Secret": `${client}-secret`, "Content-Type": type },
    body,
  });
  const ctx = createExecutionContext();
  const response = await worker.fetch(request as Parameters<typeof worker.fetch>[0], using, ctx);
  const text = await response.text();
  await waitOnExecutionContext(ctx);
  const events: Json[] = text
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));
  const problems = events.filter(({ type: kind }) => kind === "problem");
  return { status: response.status, events, problems, end: events.at(-1) };
}

const ndjson = (rows: Json[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join("");
const stored = async (id: string): Promise<Json | undefined> =>
  (await portal("GET", `/employers/${id}`)).json.employer;

describe("POST /employers/import", () => {
  it("puts each line's employer, with its grants and an audit row, and says how many", async () => {
    const { id, fein } = made();
    const rows = Array.from({ length: 120 }, (_, n) => ({
      id: id(n),
      fein: fein(n),
      name: `Employer ${n}`,
      owners: [ACME],
    }));
    const { status, events, end } = await importing(ndjson(rows));
    expect(status).toBe(200);
    const none = { updated: 0, unchanged: 0, refused: 0 };
    expect(end).toEqual({ type: "end", complete: true, lines: 120, created: 120, ...none });
    expect(events.slice(0, -1)).toEqual([
      { type: "progress", lines: 50, created: 50, ...none },
      { type: "progress", lines: 100, created: 100, ...none },
    ]);
    expect(await stored(id(119))).toMatchObject({ fein: fein(119), name: "Employer 119", owners: [ACME] });
    const { json } = await portal("GET", `/audit?subject=employer:${id(7)}`);
    expect(json.audit).toMatchObject([{ action: "employer.created", actor: "client:portal" }]);
  });

  it("keeps grants if a line has no owners, and withdraws none that connections are bound by without force", async () => {
    const { id, fein } = made();
    const line = (more: Json) => ({ id: id(1), fein: fein(1), name: "A", ...more });
    await importing(ndjson([line({ owners: [ACME] })]));
    const connection = await createConnection({ employer_id: id(1) });
    await importing(ndjson([line({ name: "B" })]));
    expect(await stored(id(1))).toMatchObject({ name: "B", owners: [ACME] });
    const refused = await importing(ndjson([line({ owners: [] }), { id: id(2), name: "C" }]));
    expect(refused.end).toMatchObject({ complete: true, created: 1, refused: 1 });
    expect(refused.problems).toMatchObject([
      { line: 1, id: id(1), details: { connections: [connection.id] } },
    ]);
    expect((await importing(ndjson([line({ owners: [], force: true })]))).end).toMatchObject({ updated: 1 });
    expect(await stored(id(1))).toMatchObject({ name: "A", owners: [] });
  });

  it("sent again changes nothing, and a changed line changes its employer alone", async () => {
    const { id, fein } = made();
    const rows = [1, 2, 3].map((n) => ({ id: id(n), fein: fein(n), name: "A", owners: [ACME] }));
    await importing(ndjson(rows));
    const before = await stored(id(1));
    expect((await importing(ndjson(rows))).end).toMatchObject({ created: 0, updated: 0, unchanged: 3 });
    expect(await stored(id(1))).toEqual(before);
    const changed = rows.map((row, i) => (i === 1 ? { ...row, name: "B", owners: [] } : row));
    expect((await importing(ndjson(changed))).end).toMatchObject({ updated: 1, unchanged: 2 });
    expect(await stored(id(2))).toMatchObject({ name: "B", owners: [] });
    const { json } = await portal("GET", `/audit?subject=employer:${id(2)}`);
    expect(json.audit.map(({ action }: Json) => action)).toEqual(["employer.updated", "employer.created"]);
  });

  it("reports each invalid line by its number, and imports the others", async () => {
    const { id, fein } = made();
    const good = (n: number) => JSON.stringify({ id: id(n), fein: fein(n), name: "Good" });
    const lines = [
      good(1),
      "{",
      "",
      JSON.stringify({ id: id(4), name: "", owners: [{ owner_type: "robot", owner_id: "x" }] }),
      JSON.stringify({ id: id(5), name: "Unknown field", plan: "x" }),
      JSON.stringify({ name: "Nobody" }),
      "[]",
      JSON.stringify({ id: id(8), name: "x".repeat(20_000) }),
      `${good(9)}\r`,
    ];
    const { problems, end } = await importing(lines.join("\n"));
    expect(problems).toEqual([
      {
        type: "problem",
        line: 2,
        message: "The line is not valid JSON: line 2, column 2: The text ends before the value is complete.",
        details: { line: 2, column: 2 },
      },
      {
        type: "problem",
        line: 4,
        message: "The request has invalid fields.",
        details: {
          name: "Must not be empty",
          "owners[0].owner_type":
            'Must be one of user, employer, payroll_company, software_company; "robot" was given',
        },
      },
      {
        type: "problem",
        line: 5,
        message: "The request has invalid fields.",
        details: { plan: "Unknown field" },
      },
      { type: "problem", line: 6, message: "Missing required fields: id", details: { required: ["id"] } },
      {
        type: "problem",
        line: 7,
        message: "The request has invalid fields.",
        details: { body: "Must be an object; an array was given" },
      },
      { type: "problem", line: 8, message: "The line has more than 16384 bytes." },
    ]);
    expect(end).toMatchObject({ complete: true, lines: 9, created: 2, refused: 6 });
  });

  it("refuses a FEIN that another employer has, of the import or from before, however it is written", async () => {
    const { id, fein } = made();
    const existing = await createEmployer();
    const dashed = `${fein(1).slice(0, 2)}-${fein(1).slice(2)}`;
    const rows = [
      { id: id(1), fein: fein(1), name: "First" },
      { id: id(2), fein: dashed, name: "Second" },
      { id: id(3), fein: existing.fein.replace("-", ""), name: "Third" },
      { id: id(4), name: "None" },
      { id: id(5), fein: null, name: "None either" },
    ];
    const { problems, end } = await importing(ndjson(rows));
    expect(problems.map(({ line, id: of, message }) => ({ line, of, message }))).toEqual([
      { line: 2, of: id(2), message: "Another employer has this FEIN." },
      { line: 3, of: id(3), message: "Another employer has this FEIN." },
    ]);
    expect(end).toMatchObject({ created: 3, refused: 2 });
    expect(await stored(id(2))).toBeUndefined();
    expect((await portal("GET", `/audit?subject=employer:${id(2)}`)).json.audit).toEqual([]);
  });

  it("keeps the last line of an employer that appears twice", async () => {
    const { id, fein } = made();
    const rows = ["A", "B", "C"].map((name) => ({ id: id(1), fein: fein(1), name }));
    expect((await importing(ndjson(rows))).end).toMatchObject({ lines: 3, created: 1, updated: 2 });
    expect(await stored(id(1))).toMatchObject({ name: "C" });
  });

  it("that is interrupted reports where to continue, and all lines before are processed", async () => {
    const { id, fein } = made();
    const rows = Array.from({ length: 120 }, (_, n) => ({ id: id(n), fein: fein(n), name: "A" }));
    let batches = 0;
    const using = intercepted((call, proceed) => {
      if (call === "DB.batch" && ++batches > 3) return Promise.reject(new Error("D1 is away: injected"));
      return proceed();
    });
    const { end, problems } = await importing(ndjson(rows), { using });
    expect(problems).toEqual([]);
    expect(end).toMatchObject({ type: "end", complete: false, continue_at_line: 51, lines: 50, created: 50 });
    expect(JSON.stringify(end)).not.toContain("injected");
    expect(await stored(id(49))).toBeDefined();
    expect(await stored(id(50))).toBeUndefined();
    const rest = await importing(ndjson(rows.slice(50)));
    expect(rest.end).toMatchObject({ complete: true, created: 70 });
  });

  it("of too many lines processes the allowed ones, and says where to continue", async () => {
    const { id } = made();
    const rows = [{ id: id(1), name: "A" }, ...Array.from({ length: MAX_LINES }, () => null)];
    const text = rows.map((row) => (row === null ? "\n" : `${JSON.stringify(row)}\n`)).join("");
    const { end } = await importing(text);
    expect(end).toMatchObject({ complete: false, continue_at_line: MAX_LINES + 1, created: 1 });
  });

  it("requires the portal itself, the right content type, and a body", async () => {
    const { id } = made();
    const row = ndjson([{ id: id(1), name: "A", owners: [ACME] }]);
    expect((await importing(row, { client: "bound" })).status).toBe(404);
    expect(await stored(id(1))).toBeUndefined();
    const wrong = await importing(row, { type: "application/json" });
    expect(wrong.status).toBe(400);
    expect(wrong.end).toMatchObject({ details: { expected: "application/x-ndjson" } });
    expect((await importing("\n\n")).end).toMatchObject({ complete: true, lines: 2, created: 0 });
  });
});

describe("lines of a stream", () => {
  const linesIn = async (chunks: string[], maxBytes: number) => {
    const stream = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const chunk of chunks) controller.enqueue(new TextEncoder().encode(chunk));
        controller.close();
      },
    });
    const seen: [number, string | null][] = [];
    for await (const line of linesOf(stream, maxBytes))
      seen.push([line.number, "tooLong" in line ? null : new TextDecoder().decode(line.bytes)]);
    return seen;
  };

  it.each<[string, string[], [number, string | null][]]>([
    ["nothing", [], []],
    ["a line without its end", ["ab"], [[1, "ab"]]],
    [
      "a line in pieces",
      ["a", "b\nc", "\n"],
      [
        [1, "ab"],
        [2, "c"],
      ],
    ],
    [
      "empty lines",
      ["\n\na\n"],
      [
        [1, ""],
        [2, ""],
        [3, "a"],
      ],
    ],
    ["a character in two pieces", ["é"], [[1, "é"]]],
    [
      "a line too long at once",
      ["abcdef\ng"],
      [
        [1, null],
        [2, "g"],
      ],
    ],
    [
      "a line too long in pieces",
      ["abcd", "efgh", "ij\nk\n"],
      [
        [1, null],
        [2, "k"],
      ],
    ],
    [
      "a last line too long",
      ["a\nabcdefg"],
      [
        [1, "a"],
        [2, null],
      ],
    ],
    ["a line as long as may be", ["abcde\n"], [[1, "abcde"]]],
  ])("%s", async (_what, chunks, lines) => {
    expect(await linesIn(chunks, 5)).toEqual(lines);
  });
});
