/** Logs one JSON line per message. Fields are ids, counts and outcomes, never a body, a header's value, a secret or a name. */
export type LogFields = Record<string, string | number | boolean | null | undefined>;

const LONGEST_MESSAGE = 300;

export function logLine(message: string, fields: LogFields): void {
  console.log(JSON.stringify({ message, ...fields }));
}

/** For failures that an operator should see. The error's text is cut short; it comes from bindings and bugs, not from payloads. */
export function logError(message: string, fields: LogFields, error?: unknown): void {
  const text = error === undefined ? undefined : String(error).slice(0, LONGEST_MESSAGE);
  console.error(JSON.stringify({ message, ...fields, error: text }));
}
