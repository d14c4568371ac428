/** What the operations of the developer API have in common. */

import { RATE_LIMITED } from "../contract/error-answers.ts";
import { INVALID_KEY_FORMAT, KEY_NOT_FOUND, unauthenticated } from "../developer/bearer.ts";
import type { Failure } from "../http/failure.ts";
import { operation, type Particulars } from "./operation.ts";

export const KEY: readonly Failure[] = [
  unauthenticated("Missing Authorization header"),
  unauthenticated(INVALID_KEY_FORMAT),
  KEY_NOT_FOUND,
  unauthenticated("API key inactive"),
];

/** An operation for bearer keys, counted against the key's plan. */
export function developerOperation(one: Omit<Particulars, "access" | "tag">) {
  return operation({
    ...one,
    tag: "Developer",
    access: "developer",
    failures: [...KEY, RATE_LIMITED, ...(one.failures ?? [])],
    failureHeaders: ["rate"],
  });
}
