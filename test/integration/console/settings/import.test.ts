/** Settings, the import of employers: for a page without scripts, and for the script that follows it. */
import { describe, expect, it } from "vitest";
import { type Browser, person, readable, staff } from "../../../support/console.ts";
import { createBoundConnection, portal } from "../../../support/gateway.ts";

const IMPORT = "/console/settings?tab=employers&import=yes";
const ACME = { type: "payroll_company", id: "acme" } as const;
const SAME_SITE = { Origin: "https://webhooks.audit1.com", "Sec-Fetch-Site": "same-origin" };
const NDJSON = "application/x-ndjson";
const PAYLOAD = "<img src=x onerror=alert(1)>";

const stored = async (id: string) => (await portal("GET", `/employers/${id}`)).json.employer;
const newId = () => `EMP_import_${crypto.randomUUID().slice(0, 8)}`;

function post(browser: Browser, fields: Record<string, string | File>, headers: Record<string, string> = {}) {
  const body = new FormData();
  for (const [name, value] of Object.entries({ act: "import", ...fields })) body.set(name, value);
  return browser.request(IMPORT, { method: "POST", headers: { ...SAME_SITE, ...headers }, body });
}

async function eventsOf(browser: Browser, fields: Record<string, string>) {
  const { status, text, headers } = await post(browser, fields, { Accept: NDJSON });
  expect([status, headers.get("Content-Type")]).toEqual([200, NDJSON]);
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
}

describe("without scripts", () => {
  it("imports a pasted list, and says by line what was refused", async () => {
    const [one, two, three] = [newId(), newId(), newId()];
    const list = `id,name,owners\r\n${one},"${PAYLOAD}",payroll_company/acme\r\nonly one field\r\n${two},Two,robot/x\r\n\r\n${three},Three,\r\n`;
    const browser = await staff();
    expect(readable((await browser.get(IMPORT)).text)).toContain("It is safe to repeat");
    const { status, text } = await post(browser, { text: list });
    expect(status).toBe(200);
    const words = readable(text);
    expect(words).toContain("Every line was imported, but for those that are listed as refused.");
    expect(words).toMatch(/Lines 6 Created 2 Updated 0 Up to date before 0 Refused 2/);
    expect(words).toMatch(/ 3 – The line has one field, and the first line names 3\./);
    expect(words).toMatch(/ 4 – .*owner_type: Must be one of/);
    expect(await stored(one)).toMatchObject({ name: PAYLOAD, owners: [{ owner_id: "acme" }] });
    expect(await stored(three)).toMatchObject({ name: "Three" });
    const again = await post(browser, { text: list });
    expect(readable(again.text)).toMatch(/Created 0 Updated 0 Up to date before 2 Refused 2/);
  });

  it("imports a chosen file, of NDJSON too, whichever owner is looked at", async () => {
    const id = newId();
    const browser = await staff();
    const file = new File([`\uFEFF${JSON.stringify({ id, name: "From a file" })}\n`], "list.ndjson");
    const body = new FormData();
    body.set("act", "import");
    body.set("file", file);
    const init = { method: "POST", headers: SAME_SITE, body };
    const { text } = await browser.request(`${IMPORT}&owner=payroll_company/acme`, init);
    expect(readable(text)).toContain("Lines 1 Created 1");
    expect((await stored(id)).name).toBe("From a file");
  });

  it("names the line to continue at, keeps the list, and continues there", async () => {
    const [first, last] = [newId(), newId()];
    const list = `id,name\n${first},First\n${"\n".repeat(9_998)}${last},Last\n`;
    const browser = await staff();
    const { text } = await post(browser, { text: list });
    expect(readable(text)).toContain("Not every line was imported. An import has at most 10000 lines.");
    expect(text).toContain('name="from" value="10001"');
    expect(text).toContain(`${last},Last\n</textarea>`);
    const rest = await post(browser, { text: list, from: "10001" });
    expect(readable(rest.text)).toMatch(/Lines 10,001 Created 1 /);
    expect((await stored(last)).name).toBe("Last");
  });

  it("says what is wrong with the whole list, and keeps it", async () => {
    const browser = await staff();
    const wrong = await post(browser, { text: "name\nAcme\n" });
    expect(wrong.status).toBe(400);
    expect(readable(wrong.text)).toContain("Nothing was imported. The first line must name the columns");
    expect(wrong.text).toContain("name\nAcme\n</textarea>");
    expect((await post(browser, { text: "" })).status).toBe(400);
    const long = await post(browser, { text: "x".repeat(8_100_000) });
    expect(long.status).toBe(400);
    expect(readable(long.text)).toContain("The form is too long");
  });
});

describe("followed by a script", () => {
  it("says that a list is too long in words that the script shows", async () => {
    const long = await post(await staff(), { text: "x".repeat(8_100_000) }, { Accept: NDJSON });
    expect(long.status).toBe(400);
    expect(JSON.parse(long.text).message).toContain("The list is too long. It may have 8 MB.");
  });

  it("answers line by line, with the numbers of the list", async () => {
    const ids = Array.from({ length: 60 }, newId);
    const list = `id,name\n${ids.map((id) => `${id},Name\n`).join("")}bad\n`;
    const browser = await staff();
    const events = await eventsOf(browser, { text: list });
    expect(events.map(({ type }) => type)).toEqual(["progress", "problem", "end"]);
    expect(events[0]).toMatchObject({ lines: 51, created: 50, refused: 0 });
    expect(events[1]).toMatchObject({ line: 62, message: expect.stringContaining("one field") });
    expect(events[2]).toMatchObject({ lines: 62, created: 60, refused: 1, complete: true });
    const continued = await eventsOf(browser, { text: list, from: "61" });
    expect(continued.at(-1)).toMatchObject({ lines: 62, unchanged: 1, created: 0, refused: 1 });
  });

  it("says what the API says of a grant that connections depend on", async () => {
    const { employerId } = await createBoundConnection();
    const list = `${JSON.stringify({ id: newId(), name: "A" })}\n${JSON.stringify({ id: employerId, name: "B", owners: [] })}\n`;
    const [problem] = (await eventsOf(await staff(), { text: list })).filter(
      ({ type }) => type === "problem",
    );
    expect(problem).toMatchObject({ line: 2, id: employerId });
  });

  it("says in words what is wrong with the whole list", async () => {
    const { status, text } = await post(await staff(), { text: "x,y\n" }, { Accept: NDJSON });
    expect([status, JSON.parse(text).message]).toEqual([400, expect.stringContaining("It has “x”")]);
  });
});

describe("for owners", () => {
  it("does not exist, and imports nothing", async () => {
    const id = newId();
    for (const browser of [await person(ACME), await person(ACME, "view")]) {
      expect((await browser.get(IMPORT)).status).toBe(404);
      expect((await post(browser, { text: `id,name\n${id},Mine\n` })).status).toBe(404);
    }
    expect((await portal("GET", `/employers/${id}`)).status).toBe(404);
  });
});
