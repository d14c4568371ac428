/** Renders schemas as tables: one row per field, nested fields under their full path. */
import { html } from "hono/html";
import { nameOf, type Parameter, type Schema } from "./document-model.ts";
import { code, type Html, inline, joined, table } from "./markup.ts";

const COLUMNS = ["Field", "Type", "Description"];

/** Links to the description of a named object. */
export function objectLink(name: string): Html {
  return html`<a href="${name === "Error" ? "/docs/errors" : ""}#object-${name}">${name}</a>`;
}

/** A table marks the exceptions: what a request must have, and what a response may lack. */
export type Marked = "required" | "optional";

export function schemaTable(schema: Schema, marked: Marked): Html {
  const rows = [...fieldRows(schema, "", marked)];
  return rows.length === 0
    ? html`<p>${typeOf(schema)}</p>\n${factLine(schema)}`
    : html`${isOpen(schema) ? html`<p>Other fields are allowed.</p>\n` : ""}${table("fields", COLUMNS, rows)}`;
}

export function parameterTable(parameters: readonly Parameter[]): Html {
  const areHeaders = parameters.every((parameter) => parameter.in === "header");
  const rows = parameters.map(({ in: place, name, required = false, description, schema }) =>
    fieldRow(areHeaders ? null : place, "", name, required ? "required" : null, {
      ...schema,
      ...(description !== undefined && { description }),
    }),
  );
  return table("fields", [areHeaders ? "Header" : "Parameter", "Type", "Description"], rows);
}

function* fieldRows(schema: Schema, path: string, marked: Marked): Generator<Html> {
  const forms = formsOf(schema).filter((form) => form.properties !== undefined || form.items !== undefined);
  for (const [i, form] of forms.entries()) {
    if (forms.length > 1)
      yield html`<tr class="form"><th scope="rowgroup" colspan="3">${path === "" ? "" : code(path)} Variant ${i + 1} of ${forms.length}</th></tr>\n`;
    if (form.items !== undefined) yield* fieldRows(form.items, `${path}[]`, marked);
    for (const [name, field] of Object.entries(form.properties ?? {})) {
      const state = form.required?.includes(name) ? "required" : "optional";
      yield fieldRow(null, path, name, state === marked ? marked : null, field);
      yield* fieldRows(field, path === "" ? name : `${path}.${name}`, marked);
    }
  }
}

function fieldRow(
  place: string | null,
  path: string,
  name: string,
  mark: Marked | null,
  schema: Schema,
): Html {
  const prefix = path === "" ? "" : html`<span class="path">${path}.</span>`;
  const { description = described(schema) } = schema;
  return html`<tr><th scope="row"><code>${prefix}${name}</code>${mark === null ? "" : html` <small class="${mark}">${mark}</small>`}${place === null ? "" : html` <small>${place}</small>`}</th><td>${typeOf(schema)}</td><td>${description === "" ? "" : html`<p>${inline(description)}</p>`}${factLine(schema)}</td></tr>\n`;
}

/** A nullable field may carry its description in its other alternative. */
function described(schema: Schema): string {
  return formsOf(schema).find(({ description }) => description !== undefined)?.description ?? "";
}

function factLine(schema: Schema): Html {
  const facts = factsOf(schema);
  return facts.length === 0 ? html`` : html`<p class="facts">${joined(facts, " · ")}</p>`;
}

/** The alternatives of a schema, however they are nested, without null. */
export function formsOf(schema: Schema): Schema[] {
  const forms = schema.anyOf?.flatMap(formsOf) ?? [schema];
  return forms.filter(({ type }) => type !== "null");
}

function isNullable({ type, anyOf = [] }: Schema): boolean {
  return type === "null" || (Array.isArray(type) && type.includes("null")) || anyOf.some(isNullable);
}

function typeOf(schema: Schema): Html {
  const names = distinct(formsOf(schema).map(nameOfType));
  return html`${joined(isNullable(schema) ? [...names, html`null`] : names, " or ")}`;
}

function nameOfType({ $ref, type, items, properties, additionalProperties, const: constant }: Schema): Html {
  if ($ref !== undefined) return objectLink(nameOf($ref));
  if (items !== undefined) return html`array of ${typeOf(items)}`;
  if (type === "object" && properties === undefined && isTyped(additionalProperties))
    return html`object of ${typeOf(additionalProperties)}`;
  const names = typeof type === "string" ? [type] : (type ?? []).filter((name) => name !== "null");
  if (names.length === 0) return html`${constant === undefined ? "any value" : typeof constant}`;
  return html`${names.join(" or ")}`;
}

function isTyped(additional: Schema["additionalProperties"]): additional is Schema {
  return typeof additional === "object" && Object.keys(additional).length > 0;
}

/** Whether an object accepts fields that it does not name. */
function isOpen(schema: Schema): boolean {
  return formsOf(schema).some(
    ({ properties, additionalProperties }) => properties !== undefined && additionalProperties !== false,
  );
}

function factsOf(schema: Schema): Html[] {
  return [
    ...demandsOf(schema),
    ...(schema.default === undefined ? [] : [html`default ${literal(schema.default)}`]),
    ...(schema.examples ?? []).slice(0, 1).map((example) => html`for example ${literal(example)}`),
  ];
}

/** What a value must satisfy: all that the only form demands, or the demands of one of several forms. */
function demandsOf(schema: Schema): Html[] {
  const forms = formsOf(schema);
  const values = forms.flatMap(({ enum: options = [], const: constant }) =>
    constant === undefined ? options : [constant],
  );
  const literals = values.length === 0 ? [] : [html`${joined(values.map(literal), ", ")}`];
  const limits = forms.map((form) => ({ form, facts: limitsOf(form) }));
  if (forms.length === 1 || limits.every(({ facts }) => facts.length === 0))
    return [
      ...literals.map((list) => html`${values.length > 1 ? "one of" : "always"} ${list}`),
      ...limits.flatMap(({ facts }) => facts),
    ];
  const alternatives = limits
    .filter(({ form }) => form.enum === undefined && form.const === undefined)
    .map(({ form, facts }) =>
      facts.length === 0 ? html`any ${nameOfType(form)}` : html`${joined(facts, " and ")}`,
    );
  return [html`${joined(distinct([...literals, ...alternatives]), ", or ")}`];
}

function distinct(parts: readonly Html[]): Html[] {
  return parts.filter((part, i) => parts.findIndex((other) => String(other) === String(part)) === i);
}

function limitsOf(form: Schema): Html[] {
  const { format, pattern, items, minimum, maximum, exclusiveMinimum } = form;
  const facts: Html[] = [];
  if (format !== undefined) facts.push(html`format ${code(format)}`);
  else if (pattern !== undefined) facts.push(html`matches ${code(pattern)}`);
  const least = exclusiveMinimum === undefined ? minimum : exclusiveMinimum + 1;
  facts.push(...between(least, maximum, ""), ...between(form.minLength, form.maxLength, "character"));
  facts.push(...between(form.minItems, form.maxItems, "item"));
  if (form.properties !== undefined && form.additionalProperties !== false)
    facts.push(html`other fields are allowed`);
  if (items !== undefined && items.properties === undefined) facts.push(...factsOf(items));
  return facts;
}

/** Leaves out the bounds of a safe integer: they are JSON's limits, not the field's. */
function between(least: number | undefined, most: number | undefined, unit: string): Html[] {
  const from = least === undefined || least === Number.MIN_SAFE_INTEGER ? null : least;
  const to = most === undefined || most === Number.MAX_SAFE_INTEGER ? null : most;
  if (from === null && to === null) return [];
  const units = unit === "" ? "" : ` ${unit}${(to ?? from) === 1 ? "" : "s"}`;
  if (to === null) return [html`at least ${from}${units}`];
  if (from === null) return [html`at most ${to}${units}`];
  return [html`${from === to ? String(from) : `${from} to ${to}`}${units}`];
}

function literal(value: unknown): Html {
  return code(typeof value === "string" ? (value === "" ? '""' : value) : JSON.stringify(value));
}
