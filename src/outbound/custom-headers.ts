/**
 * The headers that a webhook may add to its deliveries: none that the gateway, the platform or the connection says itself.
 * `Authorization` is allowed: many receivers stand behind a gate of their own, and the headers rest sealed. Pure.
 */

export type CheckedHeaders =
  | { ok: true; headers: Record<string, string> }
  /** Path to message, as error details are. */
  | { ok: false; details: Record<string, string> };

export const MAX_HEADERS = 20;
const MAX_NAME_CHARS = 64;
const MAX_VALUE_CHARS = 2_048;
/** Names and values together: servers commonly take 8 KiB of headers, and ours come on top. */
const MAX_CHARS = 4_096;

/** A token of RFC 9110, section 5.6.2. */
const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** Printable ASCII without spaces at either end, which `fetch` would drop. */
const VALUE = /^[!-~](?:[ -~]*[!-~])?$/;

const RESERVED_NAMES: ReadonlySet<string> = new Set([
  // What the gateway says.
  "user-agent",
  "audit1-signature",
  // Where the request goes, and how it is written.
  "host",
  "accept-encoding",
  "connection",
  "date",
  "expect",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  // Where it came from.
  "forwarded",
  "via",
  "true-client-ip",
  "x-real-ip",
]);
const RESERVED_PREFIXES = [
  // What the gateway says, and would be taken to say.
  "webhook-",
  "x-webhook-",
  "audit1-",
  "x-audit1-",
  "svix-",
  "content-",
  "proxy-",
  "sec-",
  // What the platform says.
  "cf-",
  "cdn-",
  "x-forwarded-",
];

export function checkHeaders(headers: Readonly<Record<string, string>>): CheckedHeaders {
  const entries = Object.entries(headers);
  const details: Record<string, string> = {};
  const seen = new Set<string>();
  let chars = 0;
  for (const [name, value] of entries) {
    const problem =
      problemOf(name, value) ?? (seen.has(name.toLowerCase()) ? "This name stands twice" : null);
    if (problem !== null) details[`headers.${name.slice(0, MAX_NAME_CHARS)}`] = problem;
    seen.add(name.toLowerCase());
    chars += name.length + value.length;
  }
  if (entries.length > MAX_HEADERS)
    return { ok: false, details: { headers: `At most ${MAX_HEADERS} headers` } };
  if (Object.keys(details).length > 0) return { ok: false, details };
  if (chars > MAX_CHARS) return { ok: false, details: { headers: `At most ${MAX_CHARS} characters in all` } };
  return { ok: true, headers: Object.fromEntries(entries) };
}

function problemOf(name: string, value: string): string | null {
  if (!NAME.test(name)) return "Not a valid header name";
  if (name.length > MAX_NAME_CHARS) return `A name has at most ${MAX_NAME_CHARS} characters`;
  const lower = name.toLowerCase();
  if (RESERVED_NAMES.has(lower) || RESERVED_PREFIXES.some((prefix) => lower.startsWith(prefix)))
    return "This header is reserved";
  if (value.length > MAX_VALUE_CHARS) return `A value has at most ${MAX_VALUE_CHARS} characters`;
  if (!VALUE.test(value)) return "A value is printable ASCII without spaces at either end";
  return null;
}
