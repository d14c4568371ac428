/**
 * Versions on the wire: objects show `version`, and an `ETag` made of it. A change that carries `If-Match` is made only if
 * the object is still as the caller read it, one with `If-None-Match: *` only if there is none.
 */
import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import type { AppContext, AppEnv } from "./context.ts";
import type { Failure } from "./failure.ts";

/** A proxy that compresses answers marks their ETags as weak; the version they name is the same. */
const ETAG = /^(?:W\/)?"(\d{1,16})(?:-[0-9a-f]{8})?"$/;

const CHANGED: Failure = { kind: "changed_since_read" };

/**
 * Makes the answer carry the version of the object it shows. `more` is what it shows that changes without a new version, as
 * a webhook's health does: an ETag stands for everything that is shown, `If-Match` for the version alone.
 */
export function setETag(c: AppContext, version: number, more: unknown = null): void {
  c.header("ETag", more === null ? `"${version}"` : `"${version}-${fingerprint(JSON.stringify(more))}"`);
}

/** Answers a read of what the caller has already, by `If-None-Match`, with 304. */
export const conditionalRead = createMiddleware<AppEnv>(async (c, next) => {
  await next();
  const tag = c.res.headers.get("ETag");
  const isRead = c.req.method === "GET" || c.req.method === "HEAD";
  if (isRead && c.res.status === 200 && tag !== null && isNotModified(c, tag))
    c.res = new Response(null, { status: 304, headers: { ETag: tag } });
});

/** Whether the request's `If-None-Match` names `tag`: the caller already has this response. */
export function isNotModified(c: Context<AppEnv>, tag: string): boolean {
  const known = c.req.header("If-None-Match")?.split(",") ?? [];
  const tags = known.map((each) => each.trim().replace(/^W\//, ""));
  return tags.includes(tag) || tags.includes("*");
}

/** FNV-1a, 32 bits: tells states of one version apart. */
function fingerprint(text: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, "0");
}

/** Whether `If-None-Match` names the object as it is: of a change, that it is not to be made then. */
function isKnown(c: AppContext, version: number | null): boolean {
  const tags =
    c.req
      .header("If-None-Match")
      ?.split(",")
      .map((tag) => tag.trim()) ?? [];
  return version !== null && tags.some((tag) => tag === "*" || ETAG.exec(tag)?.[1] === String(version));
}

/** Null when the request may change an object that has this version, or make one where `version` is null. */
export function preconditionFailure(c: AppContext, version: number | null): Failure | null {
  const header = c.req.header("If-Match");
  if (header === undefined) return isKnown(c, version) ? { kind: "already_exists" } : null;
  if (header.trim() === "*") return version === null ? CHANGED : null;
  const versions = header.split(",").map((tag) => ETAG.exec(tag.trim())?.[1]);
  if (versions.includes(undefined)) return { kind: "invalid_if_match" };
  return version !== null && versions.includes(String(version)) ? null : CHANGED;
}
