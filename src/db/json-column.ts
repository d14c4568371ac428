/** JSON columns, as statements outside the query builder return them: text. */
import * as z from "zod";

const parsed = z.string().transform((text): unknown => JSON.parse(text));

/** A column that is never null. */
export function jsonColumn<Schema extends z.ZodType>(schema: Schema) {
  return parsed.pipe(schema);
}

/** A column that may be null. */
export function nullableJsonColumn<Schema extends z.ZodType>(schema: Schema) {
  return parsed.nullable().pipe(schema.nullable());
}

/** The column `last_failure` of a webhook. */
export const lastFailureColumn = nullableJsonColumn(
  z.object({ kind: z.string(), status: z.number().nullable(), bot_wall: z.boolean() }),
);
