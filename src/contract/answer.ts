/** Answers of contracts. */
import * as z from "zod";
import type { HeaderName } from "./answer-headers.ts";
import { exampleOf } from "./examples.ts";
import { nextCursor } from "./fields.ts";

export interface Answer {
  description: string;
  schema: z.ZodType;
  /** None for what stands for itself, such as a page. */
  example?: unknown;
  headers?: readonly HeaderName[];
  /** Headers that not every such answer has. */
  sometimes?: readonly HeaderName[];
  /** JSON, unless named. */
  mediaType?: string;
}

interface More extends Pick<Answer, "headers" | "sometimes"> {
  /** Fields of the example that differ from those of the schema. */
  example?: Record<string, unknown>;
}

/** An answer of these fields and no others. */
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

/** A page of the list `name`, the last one. */
export function page(description: string, name: string, entry: z.ZodType, more: More = {}): Answer {
  return answer(description, { [name]: z.array(entry), next_cursor: nextCursor() }, more);
}

/** Made at the first call: a schema that the document names may be made once. */
export function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
