/**
 * The transport of a request. Requests carry secrets and reports, so a request that others could read in transit is rejected
 * before it is processed. It is never redirected: a client that follows redirects would keep sending in the clear. Requests
 * for pages carry neither, and people type their addresses, so they are redirected to https.
 */
import type { Failure } from "./failure.ts";

const PAGES = /^\/(?:docs(?:\/.*)?|console(?:\/.*)?|openapi\.json)$/;
/** Cloudflare's names for SSL and TLS below 1.2. */
const WEAK_TLS = /^(?:SSL.*|TLSv1(?:\.[01])?)$/;

export type Transport =
  | { outcome: "secure" }
  | { outcome: "redirect"; location: string }
  | { outcome: "refused"; failure: Failure };

const SECURE: Transport = { outcome: "secure" };

/** `allowsHttp` is for local development. If the platform reports no TLS version, the scheme decides. */
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
