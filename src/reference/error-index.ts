/** Brings the registry of public errors together with the operations that return them. */
import { ERRORS } from "../http/errors.ts";
import type { Contract, Operation } from "./document-model.ts";

/** What programs tell errors apart by. */
interface ErrorName {
  status: number;
  error: string;
  code: string;
}

/** An error as one operation returns it. */
export interface OperationError extends ErrorName {
  /** From the examples of the responses. At least one. */
  messages: string[];
}

/** Several kinds of failure may share the name of an error. */
export interface ErrorEntry extends ErrorName {
  reasons: { cause: string; fix: string }[];
  messages: string[];
  operations: Operation[];
}

export function errorIndex({ chapters }: Contract): ErrorEntry[] {
  const index = new Map<string, ErrorEntry>();
  const entryOf = ({ status, error, code }: ErrorName): ErrorEntry => {
    const key = `${status} ${code} ${error}`;
    const entry = index.get(key) ?? { status, error, code, reasons: [], messages: [], operations: [] };
    index.set(key, entry);
    return entry;
  };
  for (const { cause, fix, ...name } of Object.values(ERRORS)) entryOf(name).reasons.push({ cause, fix });
  for (const operation of chapters.flatMap(({ operations }) => operations)) {
    for (const error of errorsOf(operation)) {
      const entry = entryOf(error);
      entry.operations.push(operation);
      entry.messages.push(...error.messages.filter((message) => !entry.messages.includes(message)));
    }
  }
  return [...index.values()].sort((a, b) => a.status - b.status);
}

/** The errors of one operation. */
export function errorsOf(operation: Operation): OperationError[] {
  const found: OperationError[] = [];
  for (const { status, content } of operation.answers) {
    for (const { value } of content.flatMap(({ examples }) => examples)) {
      if (!isError(value)) continue;
      const { error, code, message } = value;
      const known = found.find((one) => one.status === status && one.error === error && one.code === code);
      if (known === undefined) found.push({ status, error, code, messages: [message] });
      else known.messages.push(message);
    }
  }
  return found;
}

function isError(value: unknown): value is Record<"error" | "code" | "message", string> {
  return (
    typeof value === "object" && value !== null && "error" in value && "code" in value && "message" in value
  );
}

/** An `error` word is unique; where `error` is a sentence, its code is. */
export function errorAnchor({ error, code }: ErrorName): string {
  return /^[a-z_]+$/.test(error) ? error : code;
}
