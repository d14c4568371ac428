/** Owners in the portal API: a client bound to one owner speaks for it alone, an unbound one must name the owner. */
import * as z from "zod";
import { OWNER_TYPES, type OwnerType } from "../db/schema.ts";
import type { Client } from "../http/context.ts";
import type { Failure } from "../http/failure.ts";

export interface Owner {
  type: OwnerType;
  id: string;
}

export const ownerType = z.enum(OWNER_TYPES, { error: `Must be one of ${OWNER_TYPES.join(", ")}` });
export const ownerId = z
  .string()
  .regex(/^[A-Za-z0-9_.:-]{1,64}$/, "Must be 1 to 64 characters of A-Za-z0-9_.:-");
/** Fields that name the owner, for every body and query of the portal API. */
export const ownerFields = { owner_type: ownerType.optional(), owner_id: ownerId.optional() };

export const NO_OWNER: Failure = {
  kind: "portal",
  status: 404,
  error: "owner_not_found",
  message: "No such owner.",
};

/** The owner a request is for. Naming another owner than one's own is like naming one that does not exist. */
export function ownerOf(
  client: Client,
  named: { owner_type?: OwnerType | undefined; owner_id?: string | undefined },
): { owner: Owner } | { failure: Failure } {
  const type = named.owner_type ?? client.owner?.type;
  const id = named.owner_id ?? client.owner?.id;
  if (id === undefined) return required("owner_id");
  if (type === undefined) return required("owner_type");
  if (!mayActFor(client, { type, id })) {
    return { failure: NO_OWNER };
  }
  return { owner: { type, id } };
}

export function mayActFor(client: Client, owner: Owner): boolean {
  return client.owner === undefined || (client.owner.type === owner.type && client.owner.id === owner.id);
}

function required(field: "owner_id" | "owner_type"): { failure: Failure } {
  return {
    failure: {
      kind: "portal",
      status: 400,
      error: `${field}_required`,
      message: `The ${field} field is required`,
    },
  };
}

/** Plans are what Audit1 agreed with an owner: a client that is bound to one cannot choose. */
export function choiceOfPlan(client: Client, plan: string | undefined): Failure | null {
  if (client.owner === undefined || plan === undefined) return null;
  const message = "Only the portal itself can choose a plan";
  return { kind: "validation", message, details: { plan: message } };
}
