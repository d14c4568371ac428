/** What may be promised about repeating a request that got no answer: only what holds at its endpoint. Pure. */

const REPORTS = /^\/api\/v1\/(?:webhook\/inbound\/[^/]+|payroll\/reports|employees\/sync)\/?$/;
const CREATIONS = /^\/api\/v1\/(?:connections|webhooks|api-keys)\/?$/;

export const ONE_FILE = "Repeat the same request; at most one file will come of it.";
const ONE_OBJECT =
  "Repeat the same request with the same Idempotency-Key; at most one object will come of it.";

/** A message about a missing answer, followed by what holds of a repeat of its request. */
export function withPromise(message: string, request: Request): string {
  const promise = repeatPromise(request);
  return promise === null ? message : `${message} ${promise}`;
}

/** Null if nothing can be promised. */
function repeatPromise({ method, url, headers }: Request): string | null {
  if (method !== "POST") return null;
  const { pathname } = new URL(url);
  if (REPORTS.test(pathname)) return ONE_FILE;
  return CREATIONS.test(pathname) && headers.has("Idempotency-Key") ? ONE_OBJECT : null;
}
