/** The pages of the reference show everything that the contract document says, and every link on them leads somewhere. */
import { beforeAll, describe, expect, it } from "vitest";
import { ERRORS } from "../../../src/http/errors.ts";
import { ERRORS_PAGE, PAGES, pageOf } from "../../../src/reference/chapters.ts";
import { readContract } from "../../../src/reference/document-model.ts";
import { referencePage } from "../../../src/reference/pages.ts";
import { ask, deliveries, document, type Operation, operations, resolved } from "../../support/contract.ts";
import type { Json } from "../../support/gateway.ts";
import { idsOf, linksOf, problemsOf, textOf } from "./html.ts";

const PATHS = ["/docs", ...PAGES.map((page) => `/docs/${page}`)];
const pages = new Map<string, string>();

beforeAll(async () => {
  for (const path of PATHS) pages.set(path, (await ask(path)).text);
});

function page(path: string): string {
  const text = pages.get(path);
  if (text === undefined) throw new Error(`no page ${path}`);
  return text;
}

const chapterOf = ({ described }: Operation) => page(`/docs/${pageOf(described.tags[0])}`);

/** The section of the page that describes this operation. */
function sectionOf(operation: Operation): string {
  const found = new RegExp(`<section class="operation" id="${operation.id}">.*?</section>`, "s").exec(
    chapterOf(operation),
  );
  if (found === null) throw new Error(`${operation.id} has no section`);
  return found[0];
}

/** The names of all properties, with references followed. */
function propertiesOf(schema: Json, seen = new Set<string>()): string[] {
  if (typeof schema.$ref === "string") {
    if (seen.has(schema.$ref)) return [];
    seen.add(schema.$ref);
  }
  const { properties = {}, items, anyOf = [], additionalProperties } = resolved(schema);
  const below: Json[] = [...Object.values(properties as Json), ...anyOf];
  for (const one of [items, additionalProperties]) if (typeof one === "object") below.push(one);
  return [...Object.keys(properties), ...below.flatMap((one) => propertiesOf(one, seen))];
}

const contentOf = (part: Json | undefined): Json[] => Object.values(part?.content ?? {});

describe("every page", () => {
  it.each(PATHS)("%s is well-formed, with its headings in order and its ids unique", (path) => {
    expect(problemsOf(page(path))).toEqual([]);
  });

  it.each(PATHS)("%s has no script and no style in it, and loads nothing from elsewhere", (path) => {
    expect(page(path)).not.toMatch(/<script|<style|<img|<iframe|\sstyle=|\son\w+=|javascript:/i);
    const loaded = [...page(path).matchAll(/<link[^>]* href="([^"]*)"/g)].map(([, href]) => href);
    expect(loaded).toEqual(["data:,", "/docs.css"]);
  });

  it.each(PATHS)("%s says which page it is, and lets a keyboard skip to its content", (path) => {
    expect(page(path).match(/aria-current="page"/g)).toHaveLength(1);
    expect(page(path)).toContain(`<a href="${path}" aria-current="page">`);
    expect(page(path)).toMatch(
      /<body>\s*<a class="skip" href="#content">.*<main id="content" tabindex="-1">/s,
    );
  });

  it("has no dead links", async () => {
    for (const path of PATHS) {
      for (const link of new Set(linksOf(page(path)))) {
        if (link === "data:,") continue;
        const { pathname, hash } = new URL(link, `https://gateway.test${path}`);
        if (hash !== "") expect(idsOf(page(pathname)), `${path}: ${link}`).toContain(hash.slice(1));
        else if (!pages.has(pathname)) expect((await ask(pathname)).status, `${path}: ${link}`).toBe(200);
      }
    }
  });
});

describe("the overview", () => {
  it("lists every operation and every event", () => {
    for (const { id, path, described } of [...operations, ...deliveries]) {
      expect(page("/docs")).toContain(`href="/docs/${pageOf(described.tags[0])}#${id}"`);
      expect(textOf(page("/docs"))).toContain(path);
    }
  });

  it("describes every security scheme and every response header", () => {
    const { securitySchemes, headers } = document.components;
    for (const name of Object.keys(securitySchemes)) expect(idsOf(page("/docs"))).toContain(name);
    for (const name of Object.keys(headers)) expect(idsOf(page("/docs"))).toContain(`header-${name}`);
  });
});

describe("the order of the overview", () => {
  it("has what every caller needs before the long list of operations", () => {
    const ids = idsOf(page("/docs"));
    const places = ["hosts", "authentication", "commands", "errors", "reference"].map((id) =>
      ids.indexOf(id),
    );
    expect(places).not.toContain(-1);
    expect(places).toEqual(places.toSorted((a, b) => a - b));
  });
});

describe("a table", () => {
  it("gives the forms of a value as alternatives", () => {
    expect(textOf(page("/docs/developer"))).toContain(
      '"", or matches ^(?:[^0-9]*[0-9]){9}[^0-9]*$ and at most 64 characters, or 100000000 to 999999999',
    );
  });

  it("of headers alone says so once, in its title", () => {
    const table = /<h2 id="delivery-headers">.*?<\/table>/s.exec(page("/docs/outbound"))?.[0] ?? "";
    expect(table).toContain('<th scope="col">Header</th>');
    expect(table).not.toContain("<small>header</small>");
  });
});

describe("an operation", () => {
  it.each(operations.map((operation) => [operation.id, operation] as const))(
    "%s is on its chapter's page with its parameters, responses and errors",
    (_id, operation) => {
      const { method, path, described } = operation;
      const section = sectionOf(operation);
      const text = textOf(section);
      expect(text).toContain(`${method} ${path}`);
      expect(text).toContain(described.summary);
      for (const { name } of described.parameters ?? []) expect(section).toContain(`${name}</code>`);
      for (const [status, answer] of Object.entries(described.responses as Json)) {
        expect(text).toContain(status);
        for (const { value } of Object.values((contentOf(answer)[0]?.examples ?? {}) as Json))
          if (value.error !== undefined)
            for (const word of [value.error, value.code]) expect(text).toContain(word);
      }
    },
  );

  it.each(operations.map((operation) => [operation.id, operation] as const))(
    "%s has every field of its bodies on the page",
    (_id, operation) => {
      const { requestBody, responses } = operation.described;
      const answers = Object.entries(responses as Json).filter(([status]) => Number(status) < 400);
      for (const { schema } of [requestBody, ...answers.map(([, answer]) => answer)].flatMap(contentOf))
        for (const name of propertiesOf(schema)) expect(chapterOf(operation)).toContain(`${name}</code>`);
    },
  );

  it("has a curl command with its values, credentials and body", () => {
    const command = (id: string) => {
      const operation = operations.find((one) => one.id === id);
      return operation === undefined ? "" : textOf(sectionOf(operation));
    };
    expect(command("createConnection")).toContain(`curl -X POST "$AUDIT1_URL/api/v1/connections" \\
  -H "X-Client-ID: $AUDIT1_CLIENT_ID" \\
  -H "X-Client-Secret: $AUDIT1_CLIENT_SECRET" \\
  -H "Content-Type: application/json" \\
  --data-binary '{
  "owner_type": "payroll_company",`);
    expect(command("listConnections")).toContain(
      'curl "$AUDIT1_URL/api/v1/connections?owner_type=payroll_company&owner_id=acme-payroll" \\',
    );
    for (const id of ["listDeliveriesOfOwner", "getMetrics", "lookUp", "eraseOwnerData"])
      expect(command(id)).toMatch(
        /owner_type=payroll_company&owner_id=acme-payroll|owners\/payroll_company\/acme-payroll/,
      );
    expect(command("listUnknownRequests")).toContain('curl "$AUDIT1_URL/api/v1/requests?unknown=true" \\');
    expect(command("listFiles")).toContain(`curl "$AUDIT1_URL/api/v1/files" \\
  -H "Authorization: Bearer $AUDIT1_API_KEY"`);
    expect(command("receiveReport")).toContain('-H "X-Webhook-Signature: $SIGNATURE"');
    expect(command("receiveReport")).not.toContain('{connection_id}"');
  });
});

describe("an event", () => {
  it.each(deliveries.map((delivery) => [delivery.path, delivery] as const))(
    "%s is on its chapter's page in full",
    (type, one) => {
      const section = sectionOf(one);
      expect(textOf(section)).toContain(type);
      expect(textOf(section)).toContain(one.described.summary);
      for (const { schema } of contentOf(one.described.requestBody))
        for (const name of propertiesOf(schema)) expect(section).toContain(`${name}</code>`);
      for (const { name } of one.described.parameters) expect(chapterOf(one)).toContain(`${name}</code>`);
    },
  );
});

describe("the page of errors", () => {
  const errorsPage = () => textOf(page(`/docs/${ERRORS_PAGE}`));

  it.each(Object.entries(ERRORS))(
    "has %s with its cause and its fix",
    (_kind, { error, code, cause, fix }) => {
      for (const part of [error, code, cause, fix]) expect(errorsPage()).toContain(part.replaceAll("`", ""));
    },
  );

  it("has every error that the document gives an example of, with its message", () => {
    const registered = new Set(
      Object.values(ERRORS).map(({ status, error, code }) => `${status} ${error} ${code}`),
    );
    for (const { id, described } of operations)
      for (const [status, answer] of Object.entries(described.responses as Json))
        for (const { value } of Object.values((contentOf(answer)[0]?.examples ?? {}) as Json))
          if (value.error !== undefined) {
            expect(registered, id).toContain(`${status} ${value.error} ${value.code}`);
            expect(errorsPage(), id).toContain(value.message.replaceAll("`", ""));
          }
  });
});

it("renders markup in the contract's texts as text", async () => {
  const evil = `<script>alert("'&")</script>\`<img src=x onerror=alert(1)>\``;
  const spoilt = JSON.stringify(document, (name, value) =>
    ["description", "summary", "message"].includes(name) && typeof value === "string" ? evil : value,
  );
  for (const name of [null, ...PAGES]) {
    const rendered = String(await referencePage(readContract(spoilt), name));
    expect(problemsOf(rendered)).toEqual([]);
    expect(rendered).not.toMatch(/<script|<img/);
    expect(rendered).toContain("&lt;script&gt;");
  }
});

it("a page that is not well-formed would be found out", () => {
  expect(problemsOf("<h1>a</h1><p>b</p>")).toEqual([]);
  const wrong = [
    "<p>a",
    "<p><p>a</p></p>",
    "<b>a</p>",
    "<p>a & b</p>",
    '<p>"</p>',
    "<h1>a</h1><h3>b</h3>",
    '<p id="a"></p><p id="a"></p>',
    "<p onclick=a>b</p>",
  ];
  for (const page of wrong) expect(problemsOf(page), page).not.toEqual([]);
});
