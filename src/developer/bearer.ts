/** The bearer key of a request, as far as it can be told without looking it up. */
import { environmentOf } from "../crypto/api-token.ts";
import { sha256Hex } from "../crypto/encoding.ts";
import type { Environment } from "../db/schema.ts";
import type { Failure } from "../http/failure.ts";

export interface Bearer {
  /** What the key is stored under. */
  tokenSha256: string;
  /** What the prefix says; it must be that of the key. */
  environment: Environment;
}

export async function bearerOf(headers: Headers): Promise<Bearer | { failure: Failure }> {
  const header = headers.get("Authorization");
  if (!header) return { failure: unauthenticated("Missing Authorization header") };
  const [, token] = /^Bearer +(\S+)$/i.exec(header) ?? [];
  const environment = token === undefined ? null : environmentOf(token);
  if (token === undefined || environment === null) {
    const message = "Invalid API key format. Expected audit1_test_sk_* or audit1_live_sk_*";
    return { failure: unauthenticated(message) };
  }
  return { tokenSha256: await sha256Hex(token), environment };
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
