/**
 * What a request came over. Senders' secrets and reports travel here, so a request that anyone on the way could read is
 * refused before anything of it is looked at, and never redirected: a client that follows redirects would go on sending
 * in clear. Pages carry neither, and people type their addresses: those lead to https.
 */
import type { Failure } from "./failure.ts";

const PAGES = /^\/(?:docs(?:\/.*)?|openapi\.json)$/;
/** As Cloudflare names them. */
const WEAK_TLS = /^(?:SSL.*|TLSv1(?:\.[01])?)$/;

export type Transport =
  | { outcome: "secure" }
  | { outcome: "redirect"; location: string }
  | { outcome: "refused"; failure: Failure };

const SECURE: Transport = { outcome: "secure" };

/** `allowsHttp` for development on one machine. Where the platform says nothing of TLS, the scheme decides. */
export function transportOf(request: Request, allowsHttp: boolean): Transport {
  const { url } = request;
  if (url.startsWith("http:")) return allowsHttp ? SECURE : overHttp(request);
  const tls = (request.cf as { tlsVersion?: unknown } | undefined)?.tlsVersion;
  return typeof tls === "string" && WEAK_TLS.test(tls) ? refused(tls) : SECURE;
}

function overHttp({ url, method }: Request): Transport {
  const target = new URL(url);
  const isPage = (method === "GET" || method === "HEAD") && PAGES.test(target.pathname);
  if (!isPage) return refused("HTTP");
  target.protocol = "https:";
  return { outcome: "redirect", location: target.href };
}

function refused(over: string): Transport {
  return { outcome: "refused", failure: { kind: "https_required", over } };
}
