/**
 * The transport of a request. Requests carry secrets and reports, so one that others could read on the way is rejected before
 * it is processed. It is never redirected: a client that follows redirects would keep sending in the clear. Documentation
 * pages carry neither, and people type their addresses, so those redirect to https.
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
