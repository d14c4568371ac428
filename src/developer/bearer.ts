/** The bearer key of a request, as far as it can be told without looking it up. */

import { sha256Hex } from "../crypto/encoding.ts";
import type { Failure } from "../http/failure.ts";
import { onlyValue } from "../http/repeated-header.ts";
import { type Environment, environmentOf } from "../model.ts";

export const INVALID_KEY_FORMAT = "Invalid API key format. Expected audit1_test_sk_* or audit1_live_sk_*";
const LONGEST_FORM_CHARS = 512;
const KEY = "audit1_(?:test|live)_sk_";

const AUTHORIZATION_FORMS: [form: RegExp, what: string][] = [
  [/^Bearer\s+(?:Bearer|Token)\b/i, "`Bearer` stands twice: send `Authorization: Bearer <key>`."],
  [new RegExp(`,\\s*(?:Bearer\\s+)?${KEY}`, "i"), "The header came twice, with different keys."],
  [/^Bearer\s*$/i, "No key follows `Bearer`."],
  [/^Bearer[:=\t]/i, "A blank, and nothing else, must stand between `Bearer` and the key."],
  [new RegExp(`^${KEY}`), "`Bearer` and a blank must stand before the key."],
  [new RegExp(`["'\`<{]${KEY}`), "The key stands in quotes or brackets: send it alone."],
  [/\\n|\\r|%0a|%0d/i, "The key holds an escape, such as `\\n`, that was read or pasted with it."],
  [new RegExp(`^Bearer\\s+${KEY}[A-Za-z0-9]*\\s`, "i"), "A blank or more text follows the key."],
  [
    new RegExp(`^Bearer\\s+${KEY}`, "i"),
    "32 letters and digits follow the prefix of a key: it may have been cut or changed.",
  ],
  [/^Basic\b/i, "`Basic` is another scheme: send `Authorization: Bearer <key>`."],
  [/^Bearer\s+(?:undefined|null|none|\$|\{\{|<)/i, "The key is a placeholder that nothing was put in for."],
  [/whsec_/, "This is a signing secret, not an API key."],
];

export interface Bearer {
  /** What the key is stored under. */
  tokenSha256: string;
  /** What the prefix says; it must be that of the key. */
  environment: Environment;
}

/** A header that came twice with the same key counts once. */
export async function bearerOf(headers: Headers): Promise<Bearer | { failure: Failure }> {
  const header = headers.get("Authorization");
  if (!header) return { failure: unauthenticated("Missing Authorization header") };
  const [, token] = /^Bearer +(\S+)$/i.exec(onlyValue(header) ?? "") ?? [];
  const environment = token === undefined ? null : environmentOf(token);
  if (token === undefined || environment === null) {
    return { failure: unauthenticated(INVALID_KEY_FORMAT + describeAuthorization(header)) };
  }
  return { tokenSha256: await sha256Hex(token), environment };
}

/** What stands there instead of a bearer key; empty where nothing can be said of it. Nothing of the header is repeated. */
function describeAuthorization(header: string): string {
  if (header.length > LONGEST_FORM_CHARS) return `. The header has ${header.length} characters.`;
  for (const [form, what] of AUTHORIZATION_FORMS) if (form.test(header)) return `. ${what}`;
  return "";
}

export const KEY_NOT_FOUND: Failure = unauthenticated("API key not found");

/** Why the key may do nothing; null when it may. */
export function whyRefused(
  key: { environment: Environment; isActive: boolean } | null,
  { environment }: Bearer,
): Failure | null {
  if (key === null || key.environment !== environment) return KEY_NOT_FOUND;
  return key.isActive ? null : unauthenticated("API key inactive");
}

export function unauthenticated(message: string): Failure {
  return { kind: "unauthenticated", message };
}
