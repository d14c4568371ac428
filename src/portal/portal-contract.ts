/** What the contracts of all portal routes share. */
import * as z from "zod";
import { type Answer, answer, once } from "../contract/answer.ts";
import { type Checks, type Contract, contract } from "../contract/contract.ts";
import type { Body, Examples, Operation } from "../contract/operation.ts";
import type { Failure } from "../http/failure.ts";
import { IDEMPOTENCY_KEY } from "../http/idempotency-key.ts";
import { notFound, type ObjectKind } from "./change.ts";
import { ownerId, ownerType } from "./owner.ts";

/** The description of one portal operation, without what all of them share. */
interface Details extends Omit<Operation, "tag" | "access" | "body" | "header"> {
  /** Examples of the validated body. */
  examples?: Examples;
  /** The body, if the document describes it differently from the validating schema. */
  body?: Body;
  /** The kind of object that the path names. */
  of?: ObjectKind;
  /** It changes that object, and honours `If-Match`. */
  changes?: true;
}

const ACCESS: readonly Failure[] = [
  { kind: "portal_credentials_missing" },
  { kind: "portal_only" },
  { kind: "rate_limited", rate: { limit: 600, window: "1 minute", resetAt: 12_000 }, now: 0 },
];

const BODY: readonly Failure[] = [
  { kind: "invalid_fields", details: { colour: "Unknown field" } },
  { kind: "wrong_content_type", expected: "application/json", type: "text/plain", received: "text/plain" },
  {
    kind: "unreadable_body",
    problem:
      "The body is not valid JSON: line 3, column 12 (description): NaN is not a JSON value: send null, or leave the field out.",
    details: { line: 3, column: 12 },
  },
  {
    kind: "unreadable_body",
    problem: "The body begins with a byte order mark (EF BB BF). Send UTF-8 without one.",
  },
  { kind: "payload_too_large", limitBytes: 1_048_576, of: "body" },
  { kind: "unsupported_encoding", encoding: "gzip" },
];

const QUERY: readonly Failure[] = [
  {
    kind: "invalid_query",
    details: { owner_id: "Must be percent-encoded UTF-8" },
  },
  { kind: "invalid_fields", details: { colour: "Unknown field" } },
];

/** A client that is bound to no owner must name one; a client that is bound to an owner may name no other. */
export const OWNER: readonly Failure[] = [
  { kind: "owner_id_required" },
  { kind: "owner_type_required" },
  { kind: "owner_not_found" },
];

export const NO_CHOICE_OF_PLAN: Failure = { kind: "plan_not_selectable" };

const PRECONDITION: readonly Failure[] = [{ kind: "invalid_if_match" }, { kind: "changed_since_read" }];

const CREATION: readonly Failure[] = [
  { kind: "invalid_idempotency_key", problem: "It has 256 characters." },
  { kind: "creation_key_reused" },
];

const UNVERSIONED = ["alert", "file", "portal_link", "session"] as const;

/** By default, the old secret stays valid this long after a rotation. */
const DEFAULT_OVERLAP_S = 86_400;
const LONGEST_OVERLAP_S = 7 * 86_400;
/** Body of a rotation of the secret. */
export const rotation = z.strictObject({
  overlap_seconds: z.int().min(0).max(LONGEST_OVERLAP_S).default(DEFAULT_OVERLAP_S),
});

/** Query of a deletion. `erase=false` cancels an erasure that has not happened yet. */
export const deletion = z.strictObject({ erase: z.enum(["true", "false"]).optional() });

/** For a response with an object that has a version. */
export const VERSIONED = { headers: ["ETag"] } as const;

/** Declares contracts for the routes of one chapter, all for portal clients only. */
export function portalContracts(tag: Operation["tag"]) {
  return <Body extends z.ZodType = never, Query extends z.ZodObject = never>(
    checks: Checks<Body, Query>,
    details: () => Details,
  ): Contract<Body, Query> =>
    contract(checks, (path) => operationOf(tag, checks, details(), path.includes("{")));
}

/** `ofObject`: the path names an object, so the request may name the owner of the object. */
function operationOf(
  tag: Operation["tag"],
  checks: Checks<z.ZodType, z.ZodObject>,
  { of, changes, examples = {}, ...details }: Details,
  ofObject: boolean,
): Operation {
  const body = details.body ?? (checks.body && { schema: checks.body, examples });
  const query = ofObject ? (checks.query ?? z.object({})).extend(scope()) : checks.query;
  const { creates } = checks;
  const header = changes ? ifMatch() : creates ? idempotencyKey() : undefined;
  return {
    ...details,
    tag,
    access: "portal",
    ...(query && { query }),
    ...(header && { header }),
    ...(body && { body: ofObject ? { ...body, schema: scoped(body.schema) } : body }),
    failures: [
      ...ACCESS,
      ...(checks.body ? BODY : query ? QUERY : []),
      ...(changes ? PRECONDITION : []),
      ...(namesOwner(checks.body) || namesOwner(checks.query) ? OWNER : []),
      ...(creates ? CREATION : []),
      ...(of ? [notFound(of)] : []),
      ...(details.failures ?? []),
      ...(changes && of && hasVersions(of) ? [{ kind: `${of}_changed` } as const] : []),
    ],
  };
}

function hasVersions(of: ObjectKind): of is Exclude<ObjectKind, (typeof UNVERSIONED)[number]> {
  return !UNVERSIONED.some((kind) => kind === of);
}

/** In the query, and in the body if there is one. `ownerScope` removes both fields before the schemas validate the request. */
const scope = once(() => ({
  owner_type: ownerType.optional().meta({ description: "The owner that the object must belong to." }),
  owner_id: ownerId.optional().meta({
    description:
      "The owner that the object must belong to; objects of other owners appear not to exist. Either field may be sent alone, in the query or in a JSON body. Sending it twice with different values returns 400.",
  }),
}));

function scoped(schema: z.ZodType): z.ZodType {
  return schema instanceof z.ZodObject ? schema.safeExtend(scope()) : schema;
}

function namesOwner(schema: z.ZodType | undefined): boolean {
  return schema instanceof z.ZodObject && "owner_id" in schema.shape;
}

const ifMatch = once(() =>
  z.object({
    "If-Match": z
      .string()
      .regex(/^(?:\*|(?:W\/)?"\d{1,16}(?:-[0-9a-f]{8})?"(?:, ?(?:W\/)?"\d{1,16}(?:-[0-9a-f]{8})?")*)$/)
      .optional()
      .meta({
        description:
          "The `ETag` of the object as you read it: the change is made only if the object has not changed since.",
        examples: ['"1773657000000"'],
      }),
  }),
);

const idempotencyKey = once(() =>
  z.object({
    "Idempotency-Key": z
      .string()
      .regex(IDEMPOTENCY_KEY)
      .optional()
      .meta({
        description:
          "Remembered for 24 hours per client, owner and kind of object: the same key and body return the same object.",
        examples: ["onboarding-acme-1"],
      }),
  }),
);

/**
 * The response to a creating request: a new object with its secret, in the field `name`, or the object that the same key created
 * before.
 */
export function created(
  description: string,
  fields: z.core.$ZodShape,
  secret: z.ZodType,
  { name = "secret", versioned = true }: { name?: string; versioned?: boolean } = {},
): Answer {
  const first = answer(description, { ...fields, [name]: secret });
  const repeated = answer(description, { ...fields, secret_unavailable: z.literal(true) });
  return {
    ...first,
    description: `${description} A repeat with the same \`Idempotency-Key\` has \`secret_unavailable\` instead once the secret was rotated, deactivated, deleted or used.`,
    schema: z.union([first.schema, repeated.schema]),
    ...(versioned && VERSIONED),
    sometimes: ["Idempotent-Replayed"],
  };
}
