/** Renders one operation: its parameters and body, a curl command, its responses and its errors. */
import { html } from "hono/html";
import { curlCommand } from "./curl.ts";
import type { Answer, AnswerHeader, Content, Contract, Operation, Schema } from "./document-model.ts";
import { nameOf } from "./document-model.ts";
import { errorAnchor, errorsOf, type OperationError } from "./error-index.ts";
import { block, code, folded, type Html, inline, joined, json, prose, table } from "./markup.ts";
import { formsOf, type Marked, objectLink, parameterTable, schemaTable } from "./schema-table.ts";

export function operationSection(operation: Operation, contract: Contract): Html {
  const { ways, parameters, body, answers } = operation;
  return html`${opening(operation, methodAndPath(operation))}
<p><b>Credentials:</b> ${credentials(ways, contract)}</p>
${parameters.length === 0 ? "" : html`<h3>Parameters</h3>\n${parameterTable(parameters)}`}${bodyPart(body, contract, "required")}<h3>Command</h3>
${block(curlCommand(operation, contract))}<h3>Responses</h3>
${answers.filter(({ status }) => status < 400).map((answer) => answerPart(answer))}${errorsPart(operation)}</section>
`;
}

/** Renders a request that Audit1 sends. `shared` marks what the page has already said once for all of them. */
export function deliverySection(
  delivery: Operation,
  contract: Contract,
  shared: { description: boolean; parameters: boolean },
): Html {
  const { path, body, parameters, answers } = delivery;
  const said = shared.description ? { ...delivery, description: "" } : delivery;
  return html`${opening(said, code(path))}${shared.parameters ? "" : html`<h3>Headers</h3>\n${parameterTable(parameters)}`}
${bodyPart(body, contract, "optional")}${answers.map(({ status, description }) => html`<p>${statusMark(status)} ${inline(description)}</p>\n`)}</section>
`;
}

function opening({ id, summary, description }: Operation, call: Html): Html {
  return html`<section class="operation" id="${id}">
<h2><a href="#${id}">${summary}</a></h2>
<p class="call">${call}</p>
${prose(description)}`;
}

export function methodAndPath({ method, path }: Operation): Html {
  return html`<span class="method ${method.toLowerCase()}">${method}</span> ${code(path)}`;
}

function credentials(ways: readonly string[][], { securitySchemes }: Contract): Html {
  if (ways.length === 0) return html`none`;
  const names = ways.map((way) =>
    joined(
      way.map(
        (scheme) => html`<a href="/docs#${scheme}">${securitySchemes[scheme]?.name ?? "Bearer key"}</a>`,
      ),
      " with ",
    ),
  );
  return html`${names.map((name, i) => html`${i === 0 ? "" : ", or "}${name}`)}`;
}

/** A named schema is written out in place where it is the whole body; elsewhere a link leads to it. */
function bodyPart(body: readonly Content[], { schemas }: Contract, marked: Marked): Html {
  return html`${body.map(
    ({ type, schema, examples }) => html`<h3>Body</h3>
<p>${code(type)}${formsOf(schema).length > 1 ? ", in one of these forms:" : ""}</p>
${formsOf(schema).map((form) => bodyForm(form, schemas, formsOf(schema).length > 1, marked))}${examples.map(exampleOf)}`,
  )}`;
}

function bodyForm(form: Schema, schemas: Record<string, Schema>, isOneOfSome: boolean, marked: Marked): Html {
  const name = form.$ref === undefined ? null : nameOf(form.$ref);
  const schema = name === null ? form : (schemas[name] ?? form);
  return html`${isOneOfSome ? html`<h4>${name ?? "Either"}</h4>\n` : ""}${schema.description === undefined ? "" : prose(schema.description)}${schemaTable(schema, marked)}`;
}

function answerPart({ status, description, headers, content }: Answer): Html {
  return html`<h4>${statusMark(status)}</h4>
<p>${inline(description)}</p>
<p class="facts">Headers: ${headerList(headers)}</p>
${content.map(({ type, schema, examples }) => html`<p>${code(type)}</p>\n${answerSchema(schema)}${examples.map(exampleOf)}`)}`;
}

function answerSchema(schema: Schema): Html {
  return schema.$ref === undefined
    ? schemaTable(schema, "optional")
    : html`<p>${objectLink(nameOf(schema.$ref))}</p>\n`;
}

function headerList(headers: readonly AnswerHeader[]): Html {
  return html`${joined(
    headers.map(
      ({ name, required }) =>
        html`<a href="/docs#header-${name}">${name}</a>${required ? "" : " (sometimes)"}`,
    ),
    ", ",
  )}`;
}

function exampleOf({ summary, value }: { summary?: string; value: unknown }): Html {
  return folded(summary === undefined ? "Example" : `Example: ${summary}`, json(value));
}

export function statusMark(status: number): Html {
  const meaning = status < 300 ? "good" : status < 500 ? "warning" : "bad";
  return html`<span class="status ${meaning}">${status}</span>`;
}

function errorsPart(operation: Operation): Html {
  const errors = errorsOf(operation);
  if (errors.length === 0) return html``;
  const statuses = [...new Set(errors.map(({ status }) => status))];
  const rows = statuses.map((status) => {
    const own = operation.answers.find((answer) => answer.status === status)?.headers ?? [];
    return errors
      .filter((error) => error.status === status)
      .map((error, i) => errorRow(error, i === 0 ? own : []));
  });
  return folded(
    `Errors: ${statuses.join(", ")}`,
    table("errors", ["Status", "Error", "Message"], rows.flat()),
  );
}

function errorRow(error: OperationError, headers: readonly AnswerHeader[]): Html {
  const particular = headers.filter(({ name }) => !name.endsWith("Request-Id"));
  return html`<tr><td>${statusMark(error.status)}</td><th scope="row"><a href="/docs/errors#${errorAnchor(error)}">${error.error}</a><br><code>${error.code}</code></th><td>${error.messages.map((message) => html`<p>${inline(message)}</p>`)}${particular.length === 0 ? "" : html`<p class="facts">Headers: ${headerList(particular)}</p>`}</td></tr>\n`;
}
