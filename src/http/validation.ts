/** Bodies and queries of the management endpoints: parsed by their schema, every problem named at once. */
import type * as z from "zod";
import type { AppContext } from "./context.ts";
import type { Failure } from "./failure.ts";

/** Management bodies are small; larger ones are a mistake. */
const MAX_BODY_BYTES = 1024 ** 2;
const MAX_PROBLEMS = 100;

export type Parsed<T> = { value: T } | { failure: Failure };

/** The request's JSON body under `schema`. */
export async function parseJsonBody<T>(c: AppContext, schema: z.ZodType<T>): Promise<Parsed<T>> {
  const type = c.req.header("Content-Type") ?? "";
  if (!/^application\/json\s*(;|$)/i.test(type)) {
    return refuse("Send a JSON body with Content-Type: application/json.", {
      expected: "application/json",
      received: type,
    });
  }
  if (Number(c.req.header("Content-Length") ?? 0) > MAX_BODY_BYTES)
    return { failure: { kind: "payload_too_large", limitBytes: MAX_BODY_BYTES } };
  let json: unknown;
  try {
    json = JSON.parse(await c.req.text());
  } catch {
    return refuse("The body is not valid JSON.", {});
  }
  return parseWith(json, schema);
}

/** The request's query under `schema`. */
export function parseQuery<T>(c: AppContext, schema: z.ZodType<T>): Parsed<T> {
  return parseWith(c.req.query(), schema);
}

function parseWith<T>(input: unknown, schema: z.ZodType<T>): Parsed<T> {
  const result = schema.safeParse(input);
  if (result.success) return { value: result.data };
  const missing = result.error.issues.filter(isMissing);
  if (missing.length === result.error.issues.length && missing.every((issue) => issue.path.length === 1)) {
    const required = missing.map((issue) => String(issue.path[0]));
    return refuse(`Missing required fields: ${required.join(", ")}`, { required });
  }
  const details: Record<string, string> = {};
  for (const issue of result.error.issues.slice(0, MAX_PROBLEMS)) {
    if (issue.code === "unrecognized_keys")
      for (const key of issue.keys) details[pathOf([...issue.path, key])] = "Unknown field";
    else details[pathOf(issue.path)] ??= isMissing(issue) ? "Required field missing" : issue.message;
  }
  return refuse("The request has invalid fields.", details);
}

function isMissing(issue: z.core.$ZodIssue): boolean {
  return (
    issue.code === "invalid_type" && issue.input === undefined && /received undefined/.test(issue.message)
  );
}

function pathOf(path: readonly PropertyKey[]): string {
  let text = "";
  for (const part of path)
    text += typeof part === "number" ? `[${part}]` : text === "" ? String(part) : `.${String(part)}`;
  return text || "body";
}

function refuse(message: string, details: Record<string, unknown>): { failure: Failure } {
  return { failure: { kind: "validation", message, details } };
}
