/** Reads the OpenAPI document for tests: its operations, and whether a value fits one of its schemas. */
import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { type Schema, Validator } from "@cfworker/json-schema";
import { app } from "../../src/app.ts";
import worker from "../../src/index.ts";
import { openApiDocument } from "../../src/reference/openapi-document.ts";
import { BASE, bindings, type Json } from "./gateway.ts";

export const document: Json = JSON.parse(JSON.stringify(openApiDocument(app.routes)));

export interface Operation {
  id: string;
  /** Upper case. */
  method: string;
  path: string;
  described: Json;
}

export const operations = operationsOf(document.paths);
export const deliveries = operationsOf(document.webhooks);

function operationsOf(paths: Json): Operation[] {
  return Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item as Json).map(([method, described]) => ({
      id: described.operationId,
      method: method.toUpperCase(),
      path,
      described,
    })),
  );
}

export function operationNamed(id: string): Operation {
  const found = operations.find((operation) => operation.id === id);
  if (found === undefined) throw new Error(`the document has no operation ${id}`);
  return found;
}

/** The errors of `value` against a schema of the document; empty when it fits. */
export function problemsWith(value: unknown, schema: Json): string[] {
  const whole = { ...schema, components: document.components } as Schema;
  const { errors } = new Validator(whole, "2020-12", false).validate(value);
  return errors.map(({ instanceLocation, error }) => `${instanceLocation}: ${error}`);
}

export function resolved(reference: Json): Json {
  if (typeof reference.$ref !== "string") return reference;
  let found: Json = document;
  for (const part of reference.$ref.slice(2).split("/")) found = found[part];
  return found;
}

/** The parameters of one kind: path, query or header. */
export function parametersOf({ described }: Operation, kind: "path" | "query" | "header"): Json[] {
  return (described.parameters ?? []).map(resolved).filter((parameter: Json) => parameter.in === kind);
}

/** The path with its parameters filled in. */
export function filled(path: string, params: Record<string, string>): string {
  return path.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = params[name];
    if (value === undefined) throw new Error(`${path} needs a ${name}`);
    return encodeURIComponent(value);
  });
}

export function bodyExamples({ described }: Operation): [name: string, value: unknown][] {
  const examples: Json = described.requestBody?.content["application/json"]?.examples ?? {};
  return Object.entries(examples).map(([name, { value }]) => [name, value]);
}

export interface RawAnswer {
  status: number;
  headers: Headers;
  text: string;
}

/** Sends one request through the Worker. Returns the response, whatever its content type. */
export async function ask(path: string, init: RequestInit = {}): Promise<RawAnswer> {
  const ctx = createExecutionContext();
  const request = new Request(`${BASE}${path}`, init) as Parameters<typeof worker.fetch>[0];
  const response = await worker.fetch(request, bindings, ctx);
  const text = await response.text();
  await waitOnExecutionContext(ctx);
  return { status: response.status, headers: response.headers, text };
}

/** How a response differs from the document; empty when it does not. */
export function departures({ described }: Operation, { status, headers, text }: RawAnswer): string[] {
  const response = described.responses[status];
  if (response === undefined) return [`status ${status} is not described`];
  const problems: string[] = [];
  for (const [name, reference] of Object.entries(response.headers ?? {})) {
    const header = resolved(reference as Json);
    const value = headers.get(name);
    if (value === null && header.required) problems.push(`the header ${name} is missing`);
    if (value !== null) problems.push(...problemsWith(value, header.schema).map((p) => `${name} ${p}`));
  }
  const type = (headers.get("Content-Type") ?? "").split(";")[0] ?? "";
  const content = response.content[type];
  if (content === undefined) return [...problems, `the type ${type} is not described`];
  const value = type === "application/json" ? JSON.parse(text) : text;
  return [...problems, ...problemsWith(value, content.schema)];
}
