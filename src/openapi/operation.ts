/** One operation of the document, from what is particular to it. What all have in common is added here. */
import * as z from "zod";
import type { ZodOpenApiOperationObject, ZodOpenApiResponseObject } from "zod-openapi";
import { type HeaderName, headersWith } from "../contract/answer-headers.ts";
import { ANYWHERE, failureResponses } from "../contract/error-answers.ts";
import { SECURITY } from "../contract/security.ts";
import type { TAGS } from "../contract/tags.ts";
import type { Failure } from "../http/failure.ts";
import { nextCursor } from "./fields.ts";

export interface Body {
  schema: z.ZodType;
  /** By a name of one word. At least one. */
  examples: Record<string, { summary: string; value: unknown }>;
}

export interface Answer {
  description: string;
  schema: z.ZodType;
  example: unknown;
  headers?: readonly HeaderName[];
  /** Headers that not every such answer has. */
  sometimes?: readonly HeaderName[];
}

/** What a field of an answer is, and one as it is shown. */
export interface Shown {
  schema: z.ZodType;
  example: unknown;
}

type Headers = Pick<Answer, "headers" | "sometimes">;

/** An answer of these fields and no others. */
export function answer(description: string, fields: Record<string, Shown>, headers: Headers = {}): Answer {
  const each = <T>(of: (shown: Shown) => T) =>
    Object.fromEntries(Object.entries(fields).map(([name, shown]) => [name, of(shown)]));
  return {
    description,
    schema: z.strictObject(each(({ schema }) => schema)),
    example: each(({ example }) => example),
    ...headers,
  };
}

/** A page of the list `name`, the last one. */
export function page(description: string, name: string, { schema, example }: Shown): Answer {
  const list = { schema: z.array(schema), example: [example] };
  return answer(description, { [name]: list, next_cursor: { schema: nextCursor, example: null } });
}

/** A field that always says the same. */
export function always(value: string | true): Shown {
  return { schema: z.literal(value), example: value };
}

export interface Particulars {
  id: string;
  tag: keyof typeof TAGS;
  summary: string;
  description: string;
  access: keyof typeof SECURITY;
  path?: z.ZodObject;
  query?: z.ZodObject;
  header?: z.ZodObject;
  body?: Body;
  answers: Partial<Record<200 | 201 | 202, Answer>>;
  failures?: readonly Failure[];
  /** Headers that an error answer may have beside those of its failure. */
  failureHeaders?: readonly HeaderName[];
}

export function operation(one: Particulars): ZodOpenApiOperationObject {
  const { path, query, header, body, failures = [], failureHeaders = [] } = one;
  return {
    operationId: one.id,
    tags: [one.tag],
    summary: one.summary,
    description: one.description,
    security: SECURITY[one.access].map((way) => ({ ...way })),
    requestParams: { ...(path && { path }), ...(query && { query }), ...(header && { header }) },
    ...(body && {
      requestBody: {
        required: true,
        content: { "application/json": { schema: body.schema, examples: body.examples } },
      },
    }),
    responses: {
      ...Object.fromEntries(
        Object.entries(one.answers).map(([status, answer]) => [status, responseOf(answer)]),
      ),
      ...failureResponses([...failures, ...ANYWHERE], failureHeaders),
    },
  };
}

function responseOf({ description, schema, example, headers, sometimes }: Answer): ZodOpenApiResponseObject {
  return {
    description,
    headers: headersWith(headers ?? [], sometimes),
    content: { "application/json": { schema, example } },
  };
}
