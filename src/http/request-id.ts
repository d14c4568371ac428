/**
 * The gateway assigns an id to every request. It is in the response, every log line and every record of the request. The
 * caller's own `X-Request-Id` is stored beside it and returned if it is well-formed; an incoming `X-Audit1-Request-Id` is
 * ignored.
 */
import { onlyValue } from "./repeated-header.ts";

const WELL_FORMED = /^[A-Za-z0-9._-]{1,64}$/;

export function mintRequestId(): string {
  return crypto.randomUUID();
}

/** The caller's own id; null if it sent none, or one that is not well-formed. */
export function callerRequestId(headers: Headers): string | null {
  const given = onlyValue(headers.get("X-Request-Id") ?? "");
  return given !== null && WELL_FORMED.test(given) ? given : null;
}

export function requestIdHeaders(minted: string, callers: string | null): Record<string, string> {
  return { "X-Audit1-Request-Id": minted, "X-Request-Id": callers ?? minted };
}
