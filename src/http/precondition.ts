/**
 * Versions on the wire: a response with an object has its `version`, and an `ETag` derived from it. A change with `If-Match`
 * is applied only if the object is still the version that the caller read. A change with `If-None-Match: *` is applied only
 * if the object does not exist.
 */
import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import type { AppContext, AppEnv } from "./context.ts";
import type { Failure } from "./failure.ts";

/** A proxy that compresses responses marks their ETags as weak; they still name the same version. */
const ETAG = /^(?:W\/)?"(\d{1,16})(?:-[0-9a-f]{8})?"$/;

const CHANGED: Failure = { kind: "changed_since_read" };

/**
 * Sets the ETag of a response with an object. `more` is the part of the response that changes without a new version, such as
 * a webhook's health: an ETag covers the whole response, while `If-Match` compares only the version.
 */
export function setETag(c: AppContext, version: number, more: unknown = null): void {
  c.header("ETag", more === null ? `"${version}"` : `"${version}-${fingerprint(JSON.stringify(more))}"`);
}

/** Replies 304 to a read if `If-None-Match` names the current response. */
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

/** FNV-1a, 32 bits. Distinguishes responses of the same version. */
function fingerprint(text: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, "0");
}

/** Whether `If-None-Match` names the object's current version, so that a change must not be applied. */
function isKnown(c: AppContext, version: number | null): boolean {
  const tags =
    c.req
      .header("If-None-Match")
      ?.split(",")
      .map((tag) => tag.trim()) ?? [];
  return version !== null && tags.some((tag) => tag === "*" || ETAG.exec(tag)?.[1] === String(version));
}

/** Null if the request may change an object with this version, or create one if `version` is null. */
export function preconditionFailure(c: AppContext, version: number | null): Failure | null {
  const header = c.req.header("If-Match");
  if (header === undefined) return isKnown(c, version) ? { kind: "already_exists" } : null;
  if (header.trim() === "*") return version === null ? CHANGED : null;
  const versions = header.split(",").map((tag) => ETAG.exec(tag.trim())?.[1]);
  if (versions.includes(undefined)) return { kind: "invalid_if_match" };
  return version !== null && versions.includes(String(version)) ? null : CHANGED;
}
