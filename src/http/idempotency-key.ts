/** `Idempotency-Key`, as reports and creating requests carry it. Pure. */
import { err, ok, type Result } from "../result.ts";
import type { Failure } from "./failure.ts";
import { onlyValue } from "./repeated-header.ts";

export const IDEMPOTENCY_KEY = /^[\x20-\x7e]{1,255}$/;
const LONGEST_KEY = 255;

/**
 * The key; null without the header. A repeated, equal header counts once. Two different keys look like one key that
 * contains a comma and a space, so such a key is rejected.
 */
export function idempotencyKey(headers: Headers): Result<string | null, Failure> {
  const header = headers.get("Idempotency-Key");
  if (header === null) return ok(null);
  const key = onlyValue(header) ?? (header.includes(", ") ? null : header);
  if (key !== null && IDEMPOTENCY_KEY.test(key)) return ok(key);
  return err({ kind: "invalid_idempotency_key", problem: keyProblem(key) });
}

function keyProblem(key: string | null): string {
  if (key === null)
    return "It was sent twice with different keys, or contains a comma and a space, which look the same here.";
  if (key === "") return "It is empty: give it a value, or leave the header out.";
  if (key.length > LONGEST_KEY) return `It has ${key.length} characters.`;
  return "It contains a character that is not printable ASCII.";
}
