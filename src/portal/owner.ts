/** Owners in the portal API: a client that is bound to one owner acts only for it; any other client must name the owner. */
import * as z from "zod";
import type { Client } from "../http/context.ts";
import type { Failure } from "../http/failure.ts";
import { type Environment, OWNER_TYPES, type OwnerType } from "../model.ts";
import { err, ok, type Result } from "../result.ts";

export interface Owner {
  type: OwnerType;
  id: string;
}

export const ownerType = z.enum(OWNER_TYPES, { error: `Must be one of ${OWNER_TYPES.join(", ")}` });
export const ownerId = z
  .string()
  .regex(/^[A-Za-z0-9_.:-]{1,64}$/, "Must be 1 to 64 characters of A-Za-z0-9_.:-");
/** For webhooks, events and their lists if the request names none, as in the registrations that partners copy. */
export const DEFAULT_ENVIRONMENT: Environment = "production";
/** The fields that name the owner in every body and query of the portal API. */
export const ownerFields = { owner_type: ownerType.optional(), owner_id: ownerId.optional() };

/**
 * The owner of a list or a new object: `given` in its query or body, named in the query beside a body, or the client's own.
 * A bound client that names another owner gets the same failure as for an owner that does not exist.
 */
export function ownerOf(
  client: Client,
  given: { owner_type?: OwnerType | undefined; owner_id?: string | undefined },
): Result<Owner, Failure> {
  const { named } = client;
  if (differ(named?.id, given.owner_id)) return err(namedTwice("owner_id"));
  if (differ(named?.type, given.owner_type)) return err(namedTwice("owner_type"));
  const type = given.owner_type ?? named?.type ?? client.owner?.type;
  const id = given.owner_id ?? named?.id ?? client.owner?.id;
  if (id === undefined) return err({ kind: "owner_id_required" });
  if (type === undefined) return err({ kind: "owner_type_required" });
  if (!mayActFor(client, { type, id })) return err({ kind: "owner_not_found" });
  return ok({ type, id });
}

/** As {@link ownerOf}, for a list that those who act for everybody read whole: null for them. */
export function ownerOrAll(
  client: Client,
  given: Parameters<typeof ownerOf>[1],
): Result<Owner | null, Failure> {
  return actsForEverybody(client) ? ok(null) : ownerOf(client, given);
}

/** Whether the owner is within both limits: the client's own, and the scope that the request names. */
export function mayActFor({ owner: bound, named }: Client, { type, id }: Owner): boolean {
  return [bound, named].every((limit) => !differ(limit?.type, type) && !differ(limit?.id, id));
}

/** As {@link mayActFor}, for an object's row. Another owner's object does not exist for the client. */
export function withinScope(client: Client, row: OwnedRow): boolean {
  return mayActFor(client, ownerIn(row));
}

/** As {@link mayActFor}. What has no owner exists for those who act for everybody. */
export function mayReach(client: Client, owner: Owner | null): boolean {
  return owner === null ? actsForEverybody(client) : mayActFor(client, owner);
}

export interface OwnedRow {
  owner_type: OwnerType;
  owner_id: string;
}

/** Null for a row without an owner. */
export function ownerIn(row: OwnedRow): Owner;
export function ownerIn(row: { [Field in keyof OwnedRow]: OwnedRow[Field] | null }): Owner | null;
export function ownerIn({
  owner_type: type,
  owner_id: id,
}: {
  [Field in keyof OwnedRow]: OwnedRow[Field] | null;
}): Owner | null {
  return type === null || id === null ? null : { type, id };
}

/** Whether nothing limits the request to one owner. Only such a request may act on data of all owners. */
export function actsForEverybody({ owner, named }: Client): boolean {
  return owner === undefined && named?.type === undefined && named?.id === undefined;
}

export function namedTwice(field: "owner_id" | "owner_type"): Failure {
  return { kind: "owner_named_twice", field };
}

/** Whether both values are given and differ. */
function differ(one: string | undefined, other: string | undefined): boolean {
  return one !== undefined && other !== undefined && one !== other;
}

/** Audit1 agrees plans with each owner, so a client that is bound to an owner cannot choose one. */
export function choiceOfPlan(client: Client, plan: string | undefined): Failure | null {
  if (client.owner === undefined || plan === undefined) return null;
  return { kind: "plan_not_selectable" };
}
