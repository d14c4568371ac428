/** `Idempotency-Key`, as reports and creating requests carry it. Pure. */
import type { Failure } from "./failure.ts";
import { onlyValue } from "./repeated-header.ts";

export const IDEMPOTENCY_KEY = /^[\x20-\x7e]{1,255}$/;
const LONGEST_KEY = 255;

/**
 * The key, null without one, or a failure when it cannot be one. A header that came twice with the same key counts once. Two
 * different keys look like one with a comma and a blank in it, which therefore names no request.
 */
export function idempotencyKey(headers: Headers): { key: string | null } | { failure: Failure } {
  const header = headers.get("Idempotency-Key");
  if (header === null) return { key: null };
  const key = onlyValue(header) ?? (header.includes(", ") ? null : header);
  if (key !== null && IDEMPOTENCY_KEY.test(key)) return { key };
  return { failure: { kind: "invalid_idempotency_key", problem: keyProblem(key) } };
}

function keyProblem(key: string | null): string {
  if (key === null)
    return "It came twice with different keys, or holds a comma and a blank, which looks the same here.";
  if (key === "") return "It is empty: give it a value, or leave the header out.";
  if (key.length > LONGEST_KEY) return `It has ${key.length} characters.`;
  return "It holds a character that is not printable ASCII.";
}
