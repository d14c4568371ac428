/** Headers of responses. Each is defined once, among the document's components. */
import * as z from "zod";

function header<Schema extends z.ZodType>(id: string, schema: Schema, description: string): Schema {
  return schema.meta({ description, header: { id } });
}

const requestId = z.string().regex(/^[A-Za-z0-9._-]{1,64}$/);
const whole = z.string().regex(/^\d+$/);

/** Of every response. */
const ALWAYS = {
  "X-Request-Id": header(
    "X-Request-Id",
    requestId.meta({ examples: ["payroll-run-2026-03-16"] }),
    "The caller's own id if it sent a usable one, otherwise the same as `X-Audit1-Request-Id`.",
  ),
  "X-Audit1-Request-Id": header(
    "X-Audit1-Request-Id",
    requestId,
    "The gateway's id of the request: `request_id` in bodies, logs and the audit trail. Quote it to support.",
  ),
};

const RATE = {
  "X-RateLimit-Limit": header("X-RateLimit-Limit", whole, "Requests allowed per window."),
  "X-RateLimit-Remaining": header("X-RateLimit-Remaining", whole, "Requests left in the window."),
  "X-RateLimit-Reset": header(
    "X-RateLimit-Reset",
    whole,
    "When the next request is allowed, in Unix seconds, rounded up. All three headers describe the window that would block first.",
  ),
};

const OTHERS = {
  ETag: header(
    "ETag",
    z.string().regex(/^"\d+(?:-[0-9a-f]{8})?"$/),
    "The version of the returned object, for `If-Match` of a change and `If-None-Match` of the next read. The part after the dash, if any, covers fields that change without a new version.",
  ),
  Location: header("Location", z.string(), "Where to get the file's status."),
  "Retry-After": header("Retry-After", whole, "Seconds to wait before sending the same request again."),
  "WWW-Authenticate": header("WWW-Authenticate", z.string(), "The expected scheme."),
  "Idempotent-Replayed": header(
    "Idempotent-Replayed",
    z.literal("true"),
    "An earlier request with this `Idempotency-Key` created the object.",
  ),
  "Preference-Applied": header(
    "Preference-Applied",
    z.string(),
    "`wait=N`, if the response was held for the files-creator.",
  ),
};
export type HeaderName = keyof typeof OTHERS | "rate";

/** `sometimes` lists the headers that only some responses with this status have. */
export function headersWith(names: readonly HeaderName[], sometimes: readonly HeaderName[] = []) {
  const shape: Record<string, z.ZodType> = { ...ALWAYS };
  for (const name of names) Object.assign(shape, schemasOf(name));
  for (const name of sometimes)
    for (const [field, schema] of Object.entries(schemasOf(name))) shape[field] = schema.optional();
  return z.object(shape);
}

function schemasOf(name: HeaderName): Record<string, z.ZodType> {
  return name === "rate" ? RATE : { [name]: OTHERS[name] };
}
