import { describe, expect, it } from "vitest";
import { CHANGELOG } from "../../../src/console/pages/docs/changelog.ts";
import { errorRows } from "../../../src/console/pages/docs/error-search.ts";
import { RECEIVERS } from "../../../src/console/samples/receivers.ts";
import { SAMPLE_LANGUAGES, SAMPLES } from "../../../src/console/samples/samples.ts";
import { WORKED_EXAMPLE } from "../../../src/console/samples/scheme.ts";
import { ERRORS } from "../../../src/http/errors.ts";
import { person, readable, staff } from "../../support/console.ts";
import { createBoundConnection, inboundPath } from "../../support/gateway.ts";

const DOCS = "/console/docs";
const newOwner = () => ({ type: "payroll_company", id: `docs-${crypto.randomUUID()}` }) as const;

describe("the quick start", () => {
  it.each(SAMPLE_LANGUAGES)(
    "shows %s, filled in with the owner's newest connection, without its secret",
    async (language) => {
      const owner = newOwner();
      const connection = await createBoundConnection({
        owner_type: owner.type,
        owner_id: owner.id,
        environment: "sandbox",
      });
      const { status, text } = await (await person(owner, "view")).get(`${DOCS}?with=${language}`);
      expect(status).toBe(200);
      expect(text).toContain(inboundPath(connection));
      expect(text).toContain(SAMPLES[language].run);
      expect(text).not.toContain(connection.secret);
      expect(text).not.toContain("{connection_id}");
    },
  );

  it("fills in a connection in production only where production is chosen, and says so", async () => {
    const owner = newOwner();
    const made = { owner_type: owner.type, owner_id: owner.id, environment: "production" };
    const connection = await createBoundConnection(made);
    const browser = await person(owner);
    const chosen = await browser.get(`${DOCS}?environment=production`);
    expect(chosen.text).toContain(inboundPath(connection));
    expect(chosen.text).toContain("what you send is a real report");
    const other = await browser.get(DOCS);
    expect(other.text).not.toContain(connection.id);
    expect(other.text).not.toContain("what you send is a real report");
  });

  it("shows a placeholder to an owner without a connection, and to staff who look at all owners", async () => {
    for (const browser of [await person(newOwner()), await staff()]) {
      const { status, text } = await browser.get(DOCS);
      expect(status).toBe(200);
      expect(text).toContain("/api/v1/webhook/inbound/{connection_id}");
      expect(text).not.toContain("could not be read");
    }
  });

  it("shows the receivers of the documentation, and keeps the page in the addresses of the languages", async () => {
    const { text } = await (await staff()).get(`${DOCS}?page=start&with=go`);
    for (const { file, run } of RECEIVERS) {
      expect(text).toContain(file);
      expect(text).toContain(`WEBHOOK_SECRET=whsec_… ${run}`);
    }
    expect(text).toContain("def is_genuine");
    expect(text).toContain(`${DOCS}?page=start&amp;with=python`);
  });
});

describe("the errors", () => {
  it("has each error of the API with its cause and its fix", async () => {
    const page = readable((await (await staff()).get(`${DOCS}?page=errors`)).text);
    for (const { error, code, cause } of Object.values(ERRORS)) {
      expect(page).toContain(error);
      expect(page).toContain(code);
      expect(page.replace(/\s/g, "")).toContain(escaped(cause));
    }
    expect(page).toContain(`${errorRows().length} of ${errorRows().length}`);
  });

  it("finds words in any order without scripts, and keeps the others for the script, hidden", async () => {
    const { text } = await (await staff()).get(`${DOCS}?page=errors&q=SIGNATURE+401`);
    const shown = [...text.matchAll(/<li data-row="[^"]*">(.*?)<\/li>/g)].map(([, row]) => row);
    expect(shown.length).toBeGreaterThan(0);
    expect(shown.length).toBeLessThan(10);
    for (const row of shown) expect(row).toMatch(/<strong>401<\/strong>/);
    expect(text.match(/<li data-row="[^"]*" hidden="">/g)).toHaveLength(errorRows().length - shown.length);
    expect(text).toContain('value="SIGNATURE 401"');
  });

  it("says that nothing matches, with a way back, and shows what was typed as text", async () => {
    const typed = '"><img src=x onerror=alert(1)>';
    const { text } = await (await staff()).get(`${DOCS}?page=errors&q=${encodeURIComponent(typed)}`);
    expect(text).toContain('<div class="state" data-no-rows="true"><p>No errors match this search.');
    expect(text).not.toContain("<img");
    expect(text).toContain('value="&quot;&gt;&lt;img src=x onerror=alert(1)&gt;"');
  });
});

describe("signatures", () => {
  it("says how to sign without scripts, by an example and by openssl", async () => {
    const { text } = await (await staff()).get(`${DOCS}?page=signatures`);
    expect(text).toContain(WORKED_EXAMPLE.signature);
    expect(text.match(/openssl dgst/g)?.length).toBeGreaterThanOrEqual(4);
    expect(text).toContain('data-calculator="true" hidden=""');
  });

  it("has a calculator whose fields cannot be posted", async () => {
    const { text } = await (await staff()).get(`${DOCS}?page=signatures`);
    const [, calculator = ""] =
      /<section class="panel" id="calculator">(.*?)<section class="panel" id="mistakes">/s.exec(text) ?? [];
    const fields = calculator.match(/<(input|textarea|select)\b[^>]*>/g) ?? [];
    expect(fields).toHaveLength(7);
    for (const field of fields) expect(field).not.toMatch(/\b(name|form)=/);
    expect(calculator).not.toMatch(/<form|type="submit"/);
    const before = text.slice(0, text.indexOf('id="calculator"'));
    expect(before.match(/<form/g)?.length).toBe(before.match(/<\/form>/g)?.length);
  });
});

it("the changelog has every change, the newest day first", async () => {
  const page = readable((await (await staff()).get(`${DOCS}?page=changelog`)).text);
  const days = CHANGELOG.map(({ date }) => date);
  expect(days).toEqual([...days].sort().reverse());
  expect(new Set(days).size).toBe(days.length);
  for (const { date, changes } of CHANGELOG) {
    expect(page).toContain(date);
    for (const change of changes) expect(page.replace(/\s/g, "")).toContain(escaped(change));
  }
});

it("links to the API reference, and shows the first page for a name that is none", async () => {
  const { status, text } = await (await person(newOwner())).get(`${DOCS}?page=nothing`);
  expect(status).toBe(200);
  expect(text).toContain('href="/docs"');
  expect(text).toContain("Send a signed report");
});

/** As {@link readable} text without blanks. */
function escaped(text: string): string {
  return text
    .replaceAll("`", "")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replace(/\s/g, "");
}
