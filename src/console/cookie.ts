/** The cookie of a person's session. Browsers send it to `/console` only. */
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import type { CookieOptions } from "hono/utils/cookie";
import type { Session } from "../db/sessions.ts";
import type { ConsoleContext } from "./console-host.ts";

const SECURE_NAME = "__Secure-audit1_console";
/** On http, which only local development has: browsers refuse the prefix and `Secure` there. */
const PLAIN_NAME = "audit1_console";

const EVERYWHERE: CookieOptions = { httpOnly: true, path: "/console" };
const OWN_SITE: CookieOptions = { ...EVERYWHERE, sameSite: "Lax", secure: true };
/** Another site's frame needs a cookie that the browser sends there. The browser keeps one for each embedding site. */
const FRAMED: CookieOptions = { ...EVERYWHERE, sameSite: "None", secure: true, partitioned: true };
const PLAIN: CookieOptions = { ...EVERYWHERE, sameSite: "Lax" };

function isSecure(c: ConsoleContext): boolean {
  return new URL(c.req.url).protocol === "https:";
}

export function sessionToken(c: ConsoleContext): string | undefined {
  return getCookie(c, isSecure(c) ? SECURE_NAME : PLAIN_NAME);
}

/** Replaces the cookie of an earlier session, of either form. */
export function setSessionCookie(c: ConsoleContext, token: string, { embedded, expires_at }: Session): void {
  const expires = new Date(expires_at);
  if (!isSecure(c)) return setCookie(c, PLAIN_NAME, token, { ...PLAIN, expires });
  const [form, other] = embedded ? [FRAMED, OWN_SITE] : [OWN_SITE, FRAMED];
  // First, because to a browser without partitions both forms are one cookie.
  deleteCookie(c, SECURE_NAME, other);
  setCookie(c, SECURE_NAME, token, { ...form, expires });
}

export function endSessionCookie(c: ConsoleContext): void {
  if (!isSecure(c)) deleteCookie(c, PLAIN_NAME, PLAIN);
  else for (const form of [OWN_SITE, FRAMED]) deleteCookie(c, SECURE_NAME, form);
}
