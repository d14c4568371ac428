/** Logs one JSON line per message. Fields are ids, counts and outcomes, never a body, a header's value, a secret or a name. */
export type LogFields = Record<string, string | number | boolean | null | undefined>;

const LONGEST_MESSAGE = 300;
const LONGEST_STACK = 2_000;

export function logLine(message: string, fields: LogFields): void {
  console.log(JSON.stringify({ message, ...fields }));
}

/** For failures that an operator should see. The error's text is cut short; it comes from bindings and bugs, not from payloads. */
export function logError(message: string, fields: LogFields, error?: unknown): void {
  const text = error === undefined ? undefined : String(error).slice(0, LONGEST_MESSAGE);
  console.error(JSON.stringify({ message, ...fields, error: text }));
}

/** The start of an error's stack, as a field. Absent from the line if there is none. */
export function stackOf(error: unknown): string | undefined {
  return error instanceof Error ? error.stack?.slice(0, LONGEST_STACK) : undefined;
}
