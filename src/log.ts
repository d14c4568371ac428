/** Logs one JSON line per message. Fields are ids, counts and outcomes, never a body, a header's value, a secret or a name. */
import { DrizzleQueryError } from "drizzle-orm";

export type LogFields = Record<string, string | number | boolean | null | undefined>;

const LONGEST_MESSAGE = 300;
const LONGEST_STACK = 2_000;

export function logLine(message: string, fields: LogFields): void {
  console.log(JSON.stringify({ message, ...fields }));
}

/** For failures that an operator should see. The error's text is cut short; it comes from bindings and bugs, not from payloads. */
export function logError(message: string, fields: LogFields, error?: unknown): void {
  const text = error === undefined ? undefined : String(loggable(error)).slice(0, LONGEST_MESSAGE);
  console.error(JSON.stringify({ message, ...fields, error: text }));
}

/** The start of an error's stack, as a field. Absent from the line if there is none. */
export function stackOf(error: unknown): string | undefined {
  const own = loggable(error);
  return own instanceof Error ? own.stack?.slice(0, LONGEST_STACK) : undefined;
}

/** The query builder's error contains every parameter of the query, so only the database's own error may be logged. */
export function loggable<Thrown>(error: Thrown): Thrown | Error {
  return error instanceof DrizzleQueryError ? (error.cause ?? new Error("a query failed")) : error;
}
