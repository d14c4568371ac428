/** Turns the description of a route into an operation of the document, and adds what all operations share. */
import * as z from "zod";
import type { ZodOpenApiOperationObject, ZodOpenApiResponseObject } from "zod-openapi";
import type { Failure } from "../http/failure.ts";
import type { Repeatable } from "../http/repeat-promise.ts";
import type { Answer } from "./answer.ts";
import { type HeaderName, headersWith } from "./answer-headers.ts";
import { ANYWHERE } from "./common-failures.ts";
import { failureResponses } from "./error-answers.ts";
import { PATH_PARAMETERS } from "./fields.ts";
import { SECURITY } from "./security.ts";
import type { TAGS } from "./tags.ts";

/** Examples of a body, keyed by one-word names. At least one. */
export type Examples = Record<string, { summary: string; value: unknown }>;

export interface Body {
  schema: z.ZodType;
  examples: Examples;
  /** JSON by default. */
  mediaType?: string;
}

export interface Operation {
  id: string;
  tag: keyof typeof TAGS;
  summary: string;
  description: string;
  access: keyof typeof SECURITY;
  /** Path parameters that no other route has. */
  path?: Record<string, z.ZodType>;
  query?: z.ZodObject;
  header?: z.ZodObject;
  body?: Body;
  answers: Partial<Record<200 | 201 | 202, Answer>>;
  failures?: readonly Failure[];
  /** Headers that an error response may have in addition to those of its failure. */
  failureHeaders?: readonly HeaderName[];
}

const JSON_TYPE = "application/json";

/** `path` is written like `/api/v1/connections/{connection_id}`; its parameters are looked up by name. */
export function operationObject(
  operation: Operation,
  path: string,
  repeats?: Repeatable,
): ZodOpenApiOperationObject {
  const { query, header, body, answers, failures = [], failureHeaders = [] } = operation;
  const parameters = pathParameters(path, operation.path);
  return {
    operationId: operation.id,
    tags: [operation.tag],
    summary: operation.summary,
    description: operation.description,
    security: SECURITY[operation.access].map((way) => ({ ...way })),
    requestParams: {
      ...(parameters && { path: parameters }),
      ...(query && { query }),
      ...(header && { header }),
    },
    ...(body && {
      requestBody: {
        required: true,
        content: { [body.mediaType ?? JSON_TYPE]: { schema: body.schema, examples: body.examples } },
      },
    }),
    responses: {
      ...Object.fromEntries(Object.entries(answers).map(([status, each]) => [status, responseObject(each)])),
      ...failureResponses([...failures, ...ANYWHERE], failureHeaders, repeats),
    },
  };
}

/** Null for a path without parameters. */
function pathParameters(path: string, own: Record<string, z.ZodType> = {}): z.ZodObject | null {
  const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => name);
  if (names.length === 0) return null;
  return z.object(
    Object.fromEntries(
      names.map((name) => {
        const schema = own[name] ?? PATH_PARAMETERS[name]?.();
        if (schema === undefined) throw new Error(`no path parameter is called ${name}`);
        return [name, schema];
      }),
    ),
  );
}

function responseObject({
  description,
  schema,
  example,
  headers = [],
  sometimes,
  mediaType = JSON_TYPE,
}: Answer): ZodOpenApiResponseObject {
  return {
    description,
    headers: headersWith(headers, sometimes),
    content: { [mediaType]: { schema, ...(example !== undefined && { example }) } },
  };
}
