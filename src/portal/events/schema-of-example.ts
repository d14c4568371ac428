/** Describes example data as JSON Schema. Pure. */

/** The types of the fields that the example has. None is required, and others are allowed. */
export function schemaOf(value: unknown): Record<string, unknown> {
  if (value === null) return {};
  if (Array.isArray(value)) return { type: "array", ...(value.length > 0 && { items: schemaOf(value[0]) }) };
  if (typeof value === "object")
    return {
      type: "object",
      properties: Object.fromEntries(Object.entries(value).map(([name, each]) => [name, schemaOf(each)])),
    };
  // An example amount may happen to be whole.
  return { type: typeof value };
}
