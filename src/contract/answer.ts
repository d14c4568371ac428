/** The responses that contracts describe. */
import * as z from "zod";
import type { HeaderName } from "./answer-headers.ts";
import { exampleOf } from "./examples.ts";
import { listCount, nextCursor } from "./fields.ts";

export interface Answer {
  description: string;
  schema: z.ZodType;
  /** Left out for content that needs no example, such as a page. */
  example?: unknown;
  headers?: readonly HeaderName[];
  /** Headers that only some of these responses have. */
  sometimes?: readonly HeaderName[];
  /** JSON by default. */
  mediaType?: string;
}

interface More extends Pick<Answer, "headers" | "sometimes"> {
  /** Fields of the example that replace those of the schema. */
  example?: Record<string, unknown>;
}

/** A response with exactly these fields. */
export function answer(description: string, fields: z.core.$ZodShape, more: More = {}): Answer {
  return answerOf(description, z.strictObject(fields), more);
}

export function answerOf(
  description: string,
  schema: z.ZodObject,
  { example, ...headers }: More = {},
): Answer {
  return { description, schema, example: { ...(exampleOf(schema) as object), ...example }, ...headers };
}

/** A page of the list `name`. The example is the last page. */
export function page(description: string, name: string, entry: z.ZodType, more: More = {}): Answer {
  return answer(description, { [name]: z.array(entry), next_cursor: nextCursor() }, more);
}

/** A page of a list that counts its entries. */
export function countedPage(description: string, name: string, entry: z.ZodType): Answer {
  return answer(description, { [name]: z.array(entry), next_cursor: nextCursor(), count: listCount() });
}

/** Calls `make` once. A named schema may exist only once, and none may be made while the Worker starts. */
export function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
