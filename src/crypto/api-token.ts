/** The form of bearer tokens: the prefix tells the environment, 32 characters follow. */
import type { Environment } from "../db/schema.ts";

export const TOKEN_PREFIXES: Record<Environment, string> = {
  sandbox: "audit1_test_sk_",
  production: "audit1_live_sk_",
};
export const TOKEN_RANDOM_CHARS = 32;

const TOKEN = /^audit1_(test|live)_sk_[A-Za-z0-9]{32}$/;

/** The environment a token is for; null when it is no token. */
export function environmentOf(token: string): Environment | null {
  const [, kind] = TOKEN.exec(token) ?? [];
  return kind === undefined ? null : kind === "live" ? "production" : "sandbox";
}
