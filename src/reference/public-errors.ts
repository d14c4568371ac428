/** Collects the errors that the contract describes, and names the anchor of each on the page of errors. */
import type { Contract, Operation } from "./document-model.ts";

export interface PublicError {
  status: number;
  error: string;
  code: string;
  /** From the examples of the responses. At least one. */
  messages: string[];
  operations: Operation[];
}

export function publicErrors({ chapters }: Contract): PublicError[] {
  const found = new Map<string, PublicError>();
  for (const operation of chapters.flatMap(({ operations }) => operations)) {
    for (const error of errorsOf(operation)) {
      const key = `${error.status} ${error.code} ${error.error}`;
      const known = found.get(key);
      if (known === undefined) found.set(key, error);
      else {
        known.messages.push(...error.messages.filter((message) => !known.messages.includes(message)));
        known.operations.push(operation);
      }
    }
  }
  return [...found.values()].sort((a, b) => a.status - b.status);
}

/** The errors of one operation. */
export function errorsOf(operation: Operation): PublicError[] {
  const found: PublicError[] = [];
  for (const { status, content } of operation.answers) {
    for (const { value } of content.flatMap(({ examples }) => examples)) {
      if (!isError(value)) continue;
      const { error, code, message } = value;
      const known = found.find((one) => one.status === status && one.error === error && one.code === code);
      if (known === undefined)
        found.push({ status, error, code, messages: [message], operations: [operation] });
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
export function errorAnchor({ error, code }: Pick<PublicError, "error" | "code">): string {
  return /^[a-z_]+$/.test(error) ? error : code;
}
