/** What the operations of the portal have in common. */
import * as z from "zod";
import type { Failure } from "../http/failure.ts";
import { IDEMPOTENCY_KEY } from "../http/idempotency-key.ts";
import { CREATION_KEY_REUSED } from "../portal/creation.ts";
import { ownerId, ownerType } from "../portal/owner.ts";
import { success } from "./fields.ts";
import { type Answer, always, answer, operation, type Particulars, type Shown } from "./operation.ts";

const SCOPE = {
  owner_type: ownerType.optional().meta({ description: "The owner that the object must be of." }),
  owner_id: ownerId.optional().meta({
    description:
      "The owner that the object must be of: another owner's object is one that does not exist. Either field may stand alone, in the query or in a JSON body; twice with different values is a 400.",
  }),
};

const ACCESS: readonly Failure[] = [
  { kind: "portal_unauthenticated" },
  { kind: "portal_only" },
  { kind: "rate_limited", rate: { limit: 600, window: "1 minute", resetAt: 12_000 }, now: 0 },
];

const BODY: readonly Failure[] = [
  {
    kind: "validation",
    message: "The request has invalid fields.",
    details: { colour: "Unknown field" },
  },
  {
    kind: "validation",
    message: "The Content-Type is text/plain. Send a JSON body with Content-Type: application/json.",
    details: { expected: "application/json", received: "text/plain" },
  },
  {
    kind: "validation",
    message:
      "The body is not valid JSON: line 3, column 12 (description): NaN is not a JSON value: send null, or leave the field out.",
    details: { line: 3, column: 12 },
  },
  {
    kind: "validation",
    message: "The body begins with a byte order mark (EF BB BF). Send UTF-8 without one.",
  },
  { kind: "payload_too_large", limitBytes: 1_048_576, of: "body" },
  { kind: "unsupported_encoding", encoding: "gzip" },
];

const QUERY: readonly Failure[] = [
  {
    kind: "validation",
    message: "The query has invalid parameters.",
    details: { owner_id: "Must be percent-encoded UTF-8" },
  },
  {
    kind: "validation",
    message: "The request has invalid fields.",
    details: { colour: "Unknown field" },
  },
];

/** Only a client that is bound to no owner has to name one, and only one that is bound can name a wrong one. */
export const OWNER: readonly Failure[] = [
  { kind: "portal", status: 400, error: "owner_id_required", message: "The owner_id field is required" },
  { kind: "portal", status: 400, error: "owner_type_required", message: "The owner_type field is required" },
  { kind: "portal", status: 404, error: "owner_not_found", message: "No such owner." },
];

export const NO_CHOICE_OF_PLAN: Failure = {
  kind: "validation",
  message: "Only the portal itself can choose a plan",
  details: { plan: "Only the portal itself can choose a plan" },
};

export const PRECONDITION: readonly Failure[] = [
  {
    kind: "validation",
    message: "Invalid If-Match",
    details: { "If-Match": 'Must be the ETag of the object as it was read, such as "1774000000000"' },
  },
  {
    kind: "portal",
    status: 412,
    error: "precondition_failed",
    message: "The object was changed since it was read. Read it again.",
  },
];

/** A change that another one overtook. */
export function overtaken(kind: string): Failure {
  const message = "It was changed by somebody else at the same time. Read it again.";
  return { kind: "portal", status: 409, error: `${kind}_changed`, message };
}

/** Of a change. */
export const SUCCESS: Shown = { schema: success, example: true };
/** The answer shows an object that has a version. */
export const VERSIONED = { headers: ["ETag"] } as const;

/** Of a creating request. */
export const creationHeaders = z.object({
  "Idempotency-Key": z
    .string()
    .regex(IDEMPOTENCY_KEY)
    .optional()
    .meta({
      description:
        "Remembered for 24 hours per client, owner and kind of object: the same key and body answer the same object.",
      examples: ["onboarding-acme-1"],
    }),
});

export const CREATION: readonly Failure[] = [
  { kind: "invalid_idempotency_key", problem: "It has 256 characters." },
  CREATION_KEY_REUSED,
];

/** The answer to a creating request: a new object with its secret, or the one that the same key made before. */
export function created(description: string, fields: Record<string, Shown>, secret: Shown): Answer {
  const first = answer(description, { ...fields, secret });
  const repeated = answer(description, { ...fields, secret_unavailable: always(true) });
  return {
    ...first,
    description: `${description} A repeat under the same \`Idempotency-Key\` has \`secret_unavailable\` in its place once the secret was rotated, deactivated, deleted or used.`,
    schema: z.union([first.schema, repeated.schema]),
    headers: ["ETag"],
    sometimes: ["Idempotent-Replayed"],
  };
}

/** For the operations of one chapter, as {@link portalOperation}. */
export function portalOperations(tag: Particulars["tag"]) {
  return (one: Omit<Particulars, "access" | "tag">) => portalOperation({ ...one, tag });
}

/** An operation that portal clients alone may ask for. Where its path names an object, the request may name its owner. */
export function portalOperation(particulars: Omit<Particulars, "access">) {
  const one = particulars.path === undefined ? particulars : withScope(particulars);
  const input = one.body === undefined ? (one.query === undefined ? [] : QUERY) : BODY;
  return operation({
    ...one,
    access: "portal",
    failures: [
      ...ACCESS,
      ...input,
      ...(one.header !== undefined && "If-Match" in one.header.shape ? PRECONDITION : []),
      ...(one.failures ?? []),
    ],
  });
}

/** In the query, and in the body where there is one. The portal's scope takes both before the operation's own schemas look. */
function withScope(one: Omit<Particulars, "access">): Omit<Particulars, "access"> {
  return {
    ...one,
    query: (one.query ?? z.object({})).extend(SCOPE),
    ...(one.body && { body: { ...one.body, schema: scoped(one.body.schema) } }),
  };
}

function scoped(schema: z.ZodType): z.ZodType {
  return schema instanceof z.ZodObject ? schema.safeExtend(SCOPE) : schema;
}
