/**
 * Versions on the wire: objects show `version`, and an `ETag` made of it. A change that carries `If-Match` is made only if
 * the object is still as the caller read it.
 */
import type { AppContext } from "./context.ts";
import type { Failure } from "./failure.ts";

/** A proxy that compresses answers marks their ETags as weak; the version they name is the same. */
const ETAG = /^(?:W\/)?"(\d{1,16})"$/;

const CHANGED: Failure = {
  kind: "portal",
  status: 412,
  error: "precondition_failed",
  message: "The object was changed since it was read. Read it again.",
};

/** Makes the answer carry the version of the object it shows. */
export function setETag(c: AppContext, version: number): void {
  c.header("ETag", `"${version}"`);
}

/** Null when the request may change an object that has this version, or make one where `version` is null. */
export function preconditionFailure(c: AppContext, version: number | null): Failure | null {
  const header = c.req.header("If-Match");
  if (header === undefined) return null;
  if (header.trim() === "*") return version === null ? CHANGED : null;
  const versions = header.split(",").map((tag) => ETAG.exec(tag.trim())?.[1]);
  if (versions.includes(undefined)) {
    const expected = 'Must be the ETag of the object as it was read, such as "1774000000000"';
    return { kind: "validation", message: "Invalid If-Match", details: { "If-Match": expected } };
  }
  return version !== null && versions.includes(String(version)) ? null : CHANGED;
}
