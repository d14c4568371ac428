/**
 * The headers that a webhook may add to its deliveries: any except those that the gateway, the platform or the connection sets.
 * `Authorization` is allowed: many receivers require it, and the headers are stored sealed. Pure.
 */
import { err, ok, type Result } from "../result.ts";

export const MAX_HEADERS = 20;
const MAX_NAME_CHARS = 64;
const MAX_VALUE_CHARS = 2_048;
/** Names and values together: servers commonly accept 8 KiB of headers, and the gateway's own are added to these. */
const MAX_CHARS = 4_096;

/** A token of RFC 9110, section 5.6.2. */
const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** Printable ASCII without spaces at either end, which `fetch` would drop. */
const VALUE = /^[!-~](?:[ -~]*[!-~])?$/;

const RESERVED_NAMES: ReadonlySet<string> = new Set([
  // Set by the gateway.
  "user-agent",
  "audit1-signature",
  // Set by the connection.
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
  // The origin of the request.
  "forwarded",
  "via",
  "true-client-ip",
  "x-real-ip",
]);
const RESERVED_PREFIXES = [
  // Set by the gateway, or easily mistaken for its own.
  "webhook-",
  "x-webhook-",
  "audit1-",
  "x-audit1-",
  "svix-",
  "content-",
  "proxy-",
  "sec-",
  // Set by the platform.
  "cf-",
  "cdn-",
  "x-forwarded-",
];

/** The error maps field paths to messages. */
export function checkCustomHeaders(
  headers: Readonly<Record<string, string>>,
): Result<Record<string, string>, Record<string, string>> {
  const entries = Object.entries(headers);
  const details: Record<string, string> = {};
  const seen = new Set<string>();
  let chars = 0;
  for (const [name, value] of entries) {
    const problem =
      problemOf(name, value) ?? (seen.has(name.toLowerCase()) ? "This name is given twice" : null);
    if (problem !== null) details[`headers.${name.slice(0, MAX_NAME_CHARS)}`] = problem;
    seen.add(name.toLowerCase());
    chars += name.length + value.length;
  }
  if (entries.length > MAX_HEADERS) return err({ headers: `At most ${MAX_HEADERS} headers` });
  if (Object.keys(details).length > 0) return err(details);
  if (chars > MAX_CHARS) return err({ headers: `At most ${MAX_CHARS} characters in all` });
  return ok(Object.fromEntries(entries));
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
