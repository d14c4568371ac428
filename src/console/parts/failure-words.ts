/** Why attempts to deliver fail, in a few words, by the kinds that the API names. Pure. */
import { sentence } from "./badge.tsx";

const WORDS: Record<string, string> = {
  blocked: "Address not allowed",
  dns: "Name does not resolve",
  refused: "Connection refused",
  tls: "TLS failed",
  reset: "Connection lost",
  timeout: "No answer in time",
  network: "Connection failed",
  redirect: "Redirect",
  status: "HTTP status",
  internal: "Gateway could not send it",
};

export function failureWords(kind: string): string {
  return WORDS[kind] ?? sentence(kind);
}
