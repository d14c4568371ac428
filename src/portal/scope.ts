/**
 * The owner that a request names, in its query or its JSON body, for any method: the request reaches only that owner's
 * objects. The portal relays its users' owner ids, so this separates tenants.
 *
 * It runs before every handler and narrows the client that handlers see. Every handler decides by {@link mayActFor} which
 * objects exist, so no handler can forget the scope. A path with a parameter names an object: there, the two fields are
 * removed from the query and the body, so that no handler mistakes them for fields of the object.
 */
import { createMiddleware } from "hono/factory";
import * as z from "zod";
import { type AppContext, type AppEnv, failureResponse, type Named } from "../http/context.ts";
import type { Failure } from "../http/failure.ts";
import { parseWith, readJsonBody, readQuery } from "../http/validation.ts";
import { err, ok, type Result } from "../result.ts";
import { actsForEverybody, namedTwice, ownerFields } from "./owner.ts";

const FIELDS = ["owner_id", "owner_type"] as const;
const naming = z.object(ownerFields);

/** Matches misspelt owner fields, which must not count as a missing scope. */
const LOOKS_LIKE_SCOPE = /owner/;
/** The field of an employer that lists its grants. */
const GRANTS = "owners";

const NOT_AN_OBJECT: Failure = { kind: "invalid_fields", details: { body: "Must be an object" } };

/** Use after authentication. `ofObject` means that the route's path names an object. */
export function ownerScope(ofObject: boolean) {
  return createMiddleware<AppEnv>(async (c, next) => {
    const body = ofObject ? await readJsonBody(c) : null;
    if (body !== null && !body.ok) return failureResponse(c, body.error);
    const inBody = body?.value ?? {};
    // A body that is not an object is rejected here, because a handler without a body would not look at it.
    if (!isRecord(inBody)) return failureResponse(c, NOT_AN_OBJECT);
    const named = namedIn(c, inBody);
    if (!named.ok) return failureResponse(c, named.error);
    c.set("client", { ...c.get("client"), named: named.value });
    if (body !== null) c.set("objectBody", ok(withoutScope(body.value)));
    return next();
  });
}

/** For routes that concern every owner: a request that is limited to one owner gets 404. */
export const forEveryOwner = createMiddleware<AppEnv>(async (c, next) =>
  actsForEverybody(c.get("client")) ? next() : failureResponse(c, { kind: "endpoint_not_found" }),
);

function namedIn(c: AppContext, inBody: Record<string, unknown>): Result<Named, Failure> {
  const query = readQuery(c);
  if (!query.ok) return query;
  const inQuery = query.value;
  const inBodyNames = Object.keys(inBody).filter((name) => name !== GRANTS);
  const misspelt = [...inQuery.keys(), ...inBodyNames].find(isMisspelt);
  if (misspelt !== undefined) {
    const details = { [misspelt]: "Unknown field. An owner is named by owner_id and owner_type" };
    return err({ kind: "invalid_fields", details });
  }
  const given: Record<string, unknown> = {};
  for (const field of FIELDS) {
    const values: unknown[] = inQuery.getAll(field);
    if (Object.hasOwn(inBody, field)) values.push(inBody[field]);
    if (values.some((value) => value !== values[0])) return err(namedTwice(field));
    // An empty value is a mistake and does not count as missing: the schema rejects it.
    if (values.length > 0) given[field] = values[0];
  }
  const parsed = parseWith(given, naming);
  if (!parsed.ok) return parsed;
  return ok({ type: parsed.value.owner_type, id: parsed.value.owner_id });
}

function isMisspelt(name: string): boolean {
  return (
    !FIELDS.some((field) => field === name) &&
    LOOKS_LIKE_SCOPE.test(name.toLowerCase().replace(/[^a-z]/g, ""))
  );
}

function withoutScope(body: unknown): unknown {
  if (!isRecord(body)) return body;
  const { owner_id: _id, owner_type: _type, ...rest } = body;
  return rest;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
