/** Turns the description of a route into an operation of the document, and adds what all operations share. */
import * as z from "zod";
import type {
  ZodOpenApiOperationObject,
  ZodOpenApiResponseObject,
  ZodOpenApiResponsesObject,
} from "zod-openapi";
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
  /** A response with status 503 that is no error shares that status with the errors. */
  answers: Partial<Record<200 | 201 | 202 | 503, Answer>>;
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
  const failed = failureResponses([...failures, ...ANYWHERE], failureHeaders, repeats);
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
      ...failed,
      ...Object.fromEntries(
        Object.entries(answers).map(([status, each]) => [status, orFailure(each, failed[status as "503"])]),
      ),
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

/** The response to `answer`, or one that either is it or is the failure with the same status. */
function orFailure(
  answer: Answer,
  failed: ZodOpenApiResponsesObject["503"] | undefined,
): ZodOpenApiResponseObject {
  const own = responseObject(answer);
  const error = failed && "content" in failed ? failed.content?.[JSON_TYPE] : undefined;
  if (failed === undefined || error === undefined) return own;
  return {
    ...failed,
    description: `${answer.description} Or ${"description" in failed ? failed.description : ""}.`,
    content: {
      [JSON_TYPE]: {
        schema: z.union([answer.schema, error.schema as z.ZodType]),
        examples: { ...error.examples, answer: { summary: answer.description, value: answer.example } },
      },
    },
  };
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
