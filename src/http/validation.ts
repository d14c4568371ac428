/** Parses bodies and queries of the management endpoints by their schemas and reports all problems at once. */
import type * as z from "zod";
import { err, ok, type Result } from "../result.ts";
import { BODY_TIMEOUT_MS, bodyFailure, readBody } from "./body.ts";
import { bodyBudget } from "./body-budget.ts";
import type { AppContext, JsonBody } from "./context.ts";
import type { Failure } from "./failure.ts";
import { fieldProblem } from "./field-problem.ts";
import { shapeOf } from "./json-shape.ts";
import { readJsonBytes } from "./json-text.ts";

/** Management bodies are small; a larger one is a mistake. */
const MAX_BODY_BYTES = 1024 ** 2;
const MAX_PROBLEMS = 100;
/** Longer values are cut off in error messages. */
const LONGEST_SHOWN_CHARS = 100;
const NO_PREFIX = new Uint8Array(0);

/** The limits of a body's size. */
export interface BodyLimits {
  limitBytes: number;
  /** The most values and containers: a parsed tree is many times as large as its text. */
  limitValues: number;
}

const DEFAULT_LIMITS: BodyLimits = { limitBytes: MAX_BODY_BYTES, limitValues: Number.POSITIVE_INFINITY };

/** Parses the request's JSON body by `schema`. Its bytes are never repaired: see {@link readJsonBytes}. */
export async function parseJsonBody<T>(
  c: AppContext,
  schema: z.ZodType<T>,
  limits: BodyLimits = DEFAULT_LIMITS,
): Promise<Result<T, Failure>> {
  const body = c.get("objectBody") ?? (await readJsonBody(c, limits));
  if (!body.ok) return body;
  if (body.value === undefined) return err({ kind: "empty_body" });
  return parseWith(body.value, schema);
}

/** Reads the request's JSON body, which can be done only once. A body without bytes is empty, whatever its type. */
export async function readJsonBody(
  c: AppContext,
  { limitBytes, limitValues }: BodyLimits = DEFAULT_LIMITS,
): Promise<JsonBody> {
  const declaredBytes = Number(c.req.header("Content-Length") ?? 0);
  const refused = contentTypeFailure(c, "application/json") ?? contentEncodingFailure(c);
  if (refused !== null && declaredBytes > 0) return err(refused);
  const tooLarge: Failure = { kind: "payload_too_large", limitBytes, of: "body" };
  if (declaredBytes > limitBytes) return err(tooLarge);
  const read = await readBody(
    c.req.raw,
    NO_PREFIX,
    limitBytes,
    bodyBudget,
    BODY_TIMEOUT_MS,
    c.req.header("Content-Length") === undefined ? null : declaredBytes,
    "management",
  );
  if (!read.ok) return err(read.error === "too_large" ? tooLarge : bodyFailure(read.error, limitBytes));
  // The parsed body is many times as large as its bytes, so its share is released only when the request ends.
  c.set("releaseBody", read.value.release);
  const bytes = read.value.body;
  if (bytes.byteLength === 0) return ok(undefined);
  if (refused !== null) return err(refused);
  if (shapeOf(bytes).values > limitValues) return err({ kind: "too_many_values", limitValues });
  return readJsonBytes(bytes, "The body");
}

function contentEncodingFailure(c: AppContext): Failure | null {
  const encoding = c.req.header("Content-Encoding")?.trim().toLowerCase() || "identity";
  return encoding === "identity" ? null : { kind: "unsupported_encoding", encoding };
}

/**
 * Checks the `Content-Type`. Parameters such as a charset are ignored, and every type whose name marks it as JSON is
 * accepted. Types that another site's page can make a browser send without a preflight are rejected for every caller.
 */
export function contentTypeFailure(c: AppContext, expected: string): Failure | null {
  const received = c.req.header("Content-Type") ?? "";
  const [first = ""] = received.split(";");
  const type = first.trim().toLowerCase();
  const isJson = expected === "application/json" && /^(?:text\/json|application\/[\w.-]+\+json)$/.test(type);
  if (type === expected || isJson) return null;
  return { kind: "wrong_content_type", expected, type: shortened(type), received: shortened(received) };
}

function shortened(text: string): string {
  return text.length > LONGEST_SHOWN_CHARS ? `${text.slice(0, LONGEST_SHOWN_CHARS)}…` : text;
}

/** Parses the request's query by `schema`. A name may appear twice with the same value. */
export function parseQuery<T>(c: AppContext, schema: z.ZodType<T>): Result<T, Failure> {
  const query = readQuery(c);
  if (!query.ok) return query;
  const given: Record<string, string> = Object.create(null);
  const twice: Record<string, string> = Object.create(null);
  for (const [name, value] of query.value) {
    if (name in given && given[name] !== value) twice[name] = "Given twice, with different values";
    given[name] = value;
  }
  if (Object.keys(twice).length > 0) return err({ kind: "invalid_query", details: twice });
  if (c.get("objectBody") !== undefined) {
    delete given.owner_id;
    delete given.owner_type;
  }
  return parseWith(given, schema);
}

/** Decodes the request's query. Parameters that are not UTF-8 are rejected, never repaired. */
export function readQuery(c: AppContext): Result<URLSearchParams, Failure> {
  const { search, searchParams } = new URL(c.req.url);
  const problems = encodingProblems(search.slice(1));
  return problems === null ? ok(searchParams) : err({ kind: "invalid_query", details: problems });
}

/** Problems by parameter name; null if all parameters can be decoded. */
function encodingProblems(query: string): Record<string, string> | null {
  // Without a prototype, so that a parameter named `__proto__` is named as well.
  const problems: Record<string, string> = Object.create(null);
  let count = 0;
  for (const parameter of query.split("&")) {
    if (count === MAX_PROBLEMS) break;
    const [name = ""] = parameter.split("=", 1);
    const decoded = percentDecoded(parameter);
    if (decoded !== null && !decoded.includes("\0")) continue;
    problems[percentDecoded(name) ?? name] =
      decoded === null ? "Must be percent-encoded UTF-8" : "Contains the NUL character (%00)";
    count++;
  }
  return count === 0 ? null : problems;
}

function percentDecoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

/** Parses a value by `schema`; each problem is reported under its path. */
export function parseWith<T>(input: unknown, schema: z.ZodType<T>): Result<T, Failure> {
  const result = schema.safeParse(input);
  if (result.success) return ok(result.data);
  const { issues } = result.error;
  const missing = issues.filter((issue) => isMissing(issue, input));
  if (missing.length === issues.length && missing.every((issue) => issue.path.length === 1)) {
    const required = missing.map((issue) => String(issue.path[0]));
    return err({ kind: "fields_missing", missing: required, required });
  }
  // Without a prototype, so that a field named `__proto__` is named as well.
  const details: Record<string, string> = Object.create(null);
  for (const issue of issues.slice(0, MAX_PROBLEMS)) {
    if (issue.code === "unrecognized_keys")
      for (const key of issue.keys.slice(0, MAX_PROBLEMS))
        details[pathOf([...issue.path, key])] = "Unknown field";
    else
      details[pathOf(issue.path)] ??= isMissing(issue, input)
        ? "Required field missing"
        : fieldProblem(issue, valueAt(issue.path, input));
  }
  return err({ kind: "invalid_fields", details });
}

function isMissing(issue: z.core.$ZodIssue, input: unknown): boolean {
  return issue.path.length > 0 && valueAt(issue.path, input) === undefined;
}

function valueAt(path: readonly PropertyKey[], input: unknown): unknown {
  let value = input;
  for (const part of path) value = (value as Record<PropertyKey, unknown> | null | undefined)?.[part];
  return value;
}

function pathOf(path: readonly PropertyKey[]): string {
  let text = "";
  for (const part of path)
    text += typeof part === "number" ? `[${part}]` : text === "" ? String(part) : `.${String(part)}`;
  return text || "body";
}
