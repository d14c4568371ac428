/** The cookie of a person's session. Browsers send it to `/console` only. */
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import type { CookieOptions } from "hono/utils/cookie";
import type { Session } from "../db/sessions.ts";
import type { ConsoleContext } from "./console-host.ts";

const SECURE_NAME = "__Secure-audit1_console";
/** On http, which only local development has: browsers refuse the prefix and `Secure` there. */
const PLAIN_NAME = "audit1_console";

function isSecure(c: ConsoleContext): boolean {
  return new URL(c.req.url).protocol === "https:";
}

function nameOf(c: ConsoleContext): string {
  return isSecure(c) ? SECURE_NAME : PLAIN_NAME;
}

export function sessionToken(c: ConsoleContext): string | undefined {
  return getCookie(c, nameOf(c));
}

/** A session for another site's frame needs a cookie that the browser sends there, kept apart for each embedding site. */
export function setSessionCookie(c: ConsoleContext, token: string, { embedded, expires_at }: Session): void {
  const options: CookieOptions = { httpOnly: true, path: "/console", expires: new Date(expires_at) };
  const site: CookieOptions =
    embedded && isSecure(c)
      ? { sameSite: "None", secure: true, partitioned: true }
      : { sameSite: "Lax", secure: isSecure(c) };
  setCookie(c, nameOf(c), token, { ...options, ...site });
}

export function endSessionCookie(c: ConsoleContext): void {
  deleteCookie(c, nameOf(c), { path: "/console", secure: isSecure(c) });
}
