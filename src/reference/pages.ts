/** Renders the pages of the reference from the contract alone. */
import { html } from "hono/html";
import { ERRORS_PAGE, pageOf } from "./chapters.ts";
import { variableOf } from "./curl.ts";
import { type Chapter, type Contract, nameOf, type Operation, type Schema } from "./document-model.ts";
import { type ErrorEntry, errorAnchor, errorIndex } from "./error-index.ts";
import { pageLayout } from "./layout.ts";
import { block, code, folded, type Html, inline, joined, json, prose, table } from "./markup.ts";
import { deliverySection, methodAndPath, operationSection, statusMark } from "./operation-section.ts";
import { formsOf, parameterTable, schemaTable } from "./schema-table.ts";

/** Returns null if no page has this name. */
export function referencePage(contract: Contract, name: string | null): Html | null {
  if (name === null) return overview(contract);
  if (name === ERRORS_PAGE) return errorsPage(contract);
  const chapter = contract.chapters.find((one) => pageOf(one.name) === name);
  return chapter === undefined ? null : chapterPage(contract, chapter);
}

function overview(contract: Contract): Html {
  const { title, version, description, servers, securitySchemes, headers, chapters } = contract;
  const content = html`${prose(description)}
<h2 id="hosts">Hosts</h2>
${table(
  "plain",
  ["Address", "Serves"],
  servers.map(
    ({ url, description: what }) => html`<tr><th scope="row">${code(url)}</th><td>${what}</td></tr>\n`,
  ),
)}
<h2 id="authentication">Authentication</h2>
<p>Each operation lists the credentials that it accepts.</p>
<dl>
${Object.entries(securitySchemes).map(
  ([
    id,
    scheme,
  ]) => html`<dt id="${id}">${code(scheme.name ?? `Authorization: Bearer ${scheme.bearerFormat ?? ""}`)}</dt>
<dd>${inline(scheme.description)}</dd>
`,
)}</dl>
<h2 id="commands">Commands</h2>
<p>The curl commands read these environment variables. Set the ones that you have credentials for.</p>
${block(
  [
    `export AUDIT1_URL=${servers.find(({ url }) => url !== "/")?.url ?? ""}   # or another host from the list above`,
    ...Object.values(securitySchemes)
      .filter(({ name }) => !name?.startsWith("X-Webhook") && !name?.startsWith("Cf-"))
      .map((scheme) => `export ${variableOf(scheme)}=…`),
    "export AUDIT1_SECRET=whsec_…   # the secret of the connection that you send to",
  ].join("\n"),
)}
<h2 id="errors">Errors</h2>
<p>Every error response has the same fields. Compare <code>error</code> or <code>code</code> in programs, show <code>message</code> to people, and quote <code>request_id</code> to support. See <a href="/docs/${ERRORS_PAGE}">all errors</a>.</p>
${json(errorExample(chapters))}
<h2 id="reference">Reference</h2>
${chapters.map(
  (chapter) => html`<h3><a href="/docs/${pageOf(chapter.name)}">${chapter.name}</a></h3>
<p>${inline(chapter.description)}</p>
${index(chapter)}`,
)}
<h2 id="headers">Response headers</h2>
<dl>
${headers.map(({ name, description: what }) => html`<dt id="header-${name}">${code(name)}</dt>\n<dd>${inline(what)}</dd>\n`)}</dl>
<p>Version ${version}. Also available as an <a href="/openapi.json">OpenAPI 3.1 document</a>.</p>
`;
  return pageLayout(contract, { name: null, heading: title, content });
}

function errorExample(chapters: readonly Chapter[]): unknown {
  const answers = chapters.flatMap(({ operations }) => operations.flatMap(({ answers: all }) => all));
  return answers.find(({ status }) => status === 401)?.content[0]?.examples[0]?.value;
}

function index({ name, operations, deliveries }: Chapter): Html {
  const row = ({ id, summary }: Operation, call: Html) =>
    html`<tr><th scope="row"><a href="/docs/${pageOf(name)}#${id}">${summary}</a></th><td class="call">${call}</td></tr>\n`;
  return operations.length > 0
    ? table(
        "plain",
        ["Operation", "Request"],
        operations.map((one) => row(one, methodAndPath(one))),
      )
    : table(
        "plain",
        ["Event", "Type"],
        deliveries.map((one) => row(one, code(one.path))),
      );
}

function chapterPage(contract: Contract, chapter: Chapter): Html {
  const { name, description, operations, deliveries } = chapter;
  const objects = objectsIn(contract, operations);
  const content = html`<p>${inline(description)}</p>
<nav aria-label="On this page">
${index(chapter)}</nav>
${operations.map((operation) => operationSection(operation, contract))}${deliveryParts(deliveries, contract)}${
  objects.length === 0
    ? ""
    : html`<h2 id="objects">Objects</h2>\n${objects.map(([object, schema]) => objectPart(object, schema))}`
}`;
  return pageLayout(contract, { name: pageOf(name), heading: name, content });
}

/** Says once, before the first delivery, what all of them have in common. */
function deliveryParts(deliveries: readonly Operation[], contract: Contract): Html {
  const [first] = deliveries;
  if (first === undefined) return html``;
  const isShared = (part: (delivery: Operation) => unknown) =>
    deliveries.every((delivery) => JSON.stringify(part(delivery)) === JSON.stringify(part(first)));
  const shared = {
    description: isShared(({ description }) => description),
    parameters: isShared(({ parameters }) => parameters),
  };
  return html`${shared.description ? prose(first.description) : ""}${
    shared.parameters ? html`<h2 id="delivery-headers">Headers</h2>\n${parameterTable(first.parameters)}` : ""
  }${deliveries.map((delivery) => deliverySection(delivery, contract, shared))}`;
}

function objectPart(name: string, schema: Schema): Html {
  return html`<section class="object" id="object-${name}">
<h3><a href="#object-${name}">${name}</a></h3>
${schema.description === undefined ? "" : prose(schema.description)}${schemaTable(schema, "optional")}</section>
`;
}

/** The named schemas that the operations link to, directly or through each other. */
function objectsIn(
  { schemas }: Contract,
  operations: readonly Operation[],
): [name: string, schema: Schema][] {
  const found = new Map<string, Schema>();
  const visit = (schema: Schema) => {
    for (const form of formsOf(schema)) {
      const name = form.$ref === undefined ? null : nameOf(form.$ref);
      const named = name === null ? undefined : schemas[name];
      if (name !== null && named !== undefined && name !== "Error" && !found.has(name)) {
        found.set(name, named);
        visit(named);
      }
      for (const below of [...Object.values(form.properties ?? {}), form.items, form.additionalProperties])
        if (typeof below === "object") visit(below);
    }
  };
  for (const { body, answers } of operations) {
    for (const { schema } of body)
      for (const form of formsOf(schema))
        if (form.$ref === undefined) visit(form);
        else visit({ ...schemas[nameOf(form.$ref)] });
    for (const { schema } of answers.flatMap(({ content }) => content)) visit(schema);
  }
  return [...found];
}

function errorsPage(contract: Contract): Html {
  const errors = errorIndex(contract);
  const all = contract.chapters.flatMap(({ operations }) => operations).length;
  const statuses = [...new Set(errors.map(({ status }) => status))];
  const { Error: form } = contract.schemas;
  const content = html`<p>Every error that the API returns, by status.</p>
${form === undefined ? "" : html`<h2 id="object-Error">The error object</h2>\n${schemaTable(form, "optional")}`}
${statuses.map(
  (status) => html`<h2 id="status-${status}">${statusMark(status)}</h2>
${errors.filter((error) => error.status === status).map((error) => errorPart(error, contract, all))}`,
)}`;
  return pageLayout(contract, { name: ERRORS_PAGE, heading: "Errors", content });
}

function errorPart(error: ErrorEntry, { chapters }: Contract, all: number): Html {
  const anchor = errorAnchor(error);
  const links = chapters.flatMap(({ name, operations }) =>
    operations
      .filter(({ id }) => error.operations.some((one) => one.id === id))
      .map(({ id, summary }) => html`<a href="/docs/${pageOf(name)}#${id}">${summary}</a>`),
  );
  return html`<section class="error" id="${anchor}">
<h3><a href="#${anchor}">${error.error}</a></h3>
<p><code>${error.code}</code></p>
${reasonTable(error)}${error.messages.length === 0 ? "" : folded("Messages", messageList(error))}${
  links.length === 0
    ? ""
    : links.length === all
      ? html`<p class="facts">Any operation can return it.</p>\n`
      : folded(
          `Returned by ${links.length === 1 ? "one operation" : `${links.length} operations`}`,
          html`<p>${joined(links, ", ")}</p>\n`,
        )
}</section>
`;
}

function reasonTable({ reasons }: ErrorEntry): Html {
  const rows = reasons.map(
    ({ cause, fix }) => html`<tr><td>${inline(cause)}</td><td>${inline(fix)}</td></tr>\n`,
  );
  return table("reasons", ["Cause", "Fix"], rows);
}

function messageList({ messages }: ErrorEntry): Html {
  return html`<ul>\n${messages.map((message) => html`<li>${inline(message)}</li>\n`)}</ul>\n`;
}
