/** The bearer key of a request, before it is looked up. */
import { sha256Hex } from "../crypto/encoding.ts";
import type { Failure } from "../http/failure.ts";
import { type HeaderForm, matchingForm } from "../http/header-forms.ts";
import { onlyValue } from "../http/repeated-header.ts";
import { type Environment, environmentOf } from "../model.ts";
import { err, ok, type Result } from "../result.ts";

/** Longer headers are described by their length alone. */
const LONGEST_DESCRIBED_CHARS = 512;
const KEY = "audit1_(?:test|live)_sk_";

const AUTHORIZATION_FORMS: HeaderForm[] = [
  [/^Bearer\s+(?:Bearer|Token)\b/i, "`Bearer` appears twice: send `Authorization: Bearer <key>`."],
  [new RegExp(`,\\s*(?:Bearer\\s+)?${KEY}`, "i"), "The header was sent twice, with different keys."],
  [/^Bearer\s*$/i, "No key follows `Bearer`."],
  [/^Bearer[:=\t]/i, "Put a space, and nothing else, between `Bearer` and the key."],
  [new RegExp(`^${KEY}`), "`Bearer` and a space must come before the key."],
  [new RegExp(`["'\`<{]${KEY}`), "The key is in quotes or brackets: send only the key."],
  [/\\n|\\r|%0a|%0d/i, "The key contains an escape sequence, such as `\\n`."],
  [new RegExp(`^Bearer\\s+${KEY}[A-Za-z0-9]*\\s`, "i"), "A space or more text follows the key."],
  [
    new RegExp(`^Bearer\\s+${KEY}`, "i"),
    "A key has 32 letters and digits after its prefix: this one may have been cut or changed.",
  ],
  [/^Basic\b/i, "`Basic` is another scheme: send `Authorization: Bearer <key>`."],
  [/^Bearer\s+(?:undefined|null|none|\$|\{\{|<)/i, "The key is a placeholder that was never filled in."],
  [/whsec_/, "This is a signing secret, not an API key."],
];

export interface Bearer {
  /** The key is stored under this. */
  tokenSha256: string;
  /** Named by the token's prefix; it must be the key's own. */
  environment: Environment;
}

/** A repeated, equal header counts once. `tokenSha256` is the token's hash if it was computed before. */
export async function readBearer(
  headers: Headers,
  tokenSha256: string | null = null,
): Promise<Result<Bearer, Failure>> {
  const header = headers.get("Authorization");
  if (!header) return err({ kind: "authorization_missing" });
  const [, token] = /^Bearer +(\S+)$/i.exec(onlyValue(header) ?? "") ?? [];
  const environment = token === undefined ? null : environmentOf(token);
  if (token === undefined || environment === null)
    return err({ kind: "api_key_malformed", problem: describeAuthorization(header) });
  return ok({ tokenSha256: tokenSha256 ?? (await sha256Hex(token)), environment });
}

/** What the header holds instead of a bearer key; empty if it has no known form. Repeats nothing of the header's value. */
function describeAuthorization(header: string): string {
  if (header.length > LONGEST_DESCRIBED_CHARS) return `The header has ${header.length} characters.`;
  return matchingForm(header, AUTHORIZATION_FORMS, LONGEST_DESCRIBED_CHARS) ?? "";
}

export const KEY_NOT_FOUND: Failure = { kind: "api_key_unknown" };

/** Why a key may not be used with this token; null if it may. */
export function refusalForKey(
  key: { environment: Environment; isActive: boolean },
  { environment }: Bearer,
): Failure | null {
  if (key.environment !== environment) return KEY_NOT_FOUND;
  return key.isActive ? null : { kind: "api_key_inactive" };
}
